/* SPDX-License-Identifier: MIT */
/* A daemon thread: the program's end does not wait for it.
 *
 * Python:  x = threading.Thread(target=thread_function, args=(1,), daemon=True)
 *          x.start() */
#include <thrum.h>

static void *thread_function(void *name) {
    thrum_info("Thread %s: starting", (char *)name);
    thrum_sleep(2);
    thrum_info("Thread %s: finishing", (char *)name);
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_info("Main    : before creating thread");
    thrum_thread *x;
    thrum_info("Main    : before running thread");
    if (thrum_thread_start(&x, thread_function, "1", &(thrum_thread_opts){.daemon = true}) != 0)
        return 1;
    thrum_info("Main    : wait for the thread to finish");
    /* thrum_thread_join(x, NULL); */
    thrum_info("Main    : all done");
    thrum_thread_free(x);
    return 0;
}
