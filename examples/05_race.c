/* SPDX-License-Identifier: MIT */
/* A race: two threads read, change and write one value, and one update is lost.
 *
 * Python:  local_copy = self.value
 *          local_copy += 1
 *          time.sleep(0.1)
 *          self.value = local_copy
 *
 * Wrong on purpose: in C this is undefined behaviour, and -fsanitize=thread reports it. */
#include <thrum.h>

static int value;

static void *update(void *name) {
    thrum_info("Thread %s: starting update", (char *)name);
    int local_copy = value;
    local_copy += 1;
    thrum_sleep(0.1);
    value = local_copy;
    thrum_info("Thread %s: finishing update", (char *)name);
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_info("Testing update. Starting value is %d.", value);
    thrum_thread *a, *b;
    if (thrum_thread_start(&a, update, "0", NULL) != 0)
        return 1;
    if (thrum_thread_start(&b, update, "1", NULL) != 0)
        return 1;
    thrum_thread_join(a, NULL);
    thrum_thread_join(b, NULL);
    thrum_info("Testing update. Ending value is %d.", value);
    thrum_thread_free(a);
    thrum_thread_free(b);
    return 0;
}
