/* SPDX-License-Identifier: MIT */
/* Thread-local data: one name, a value for each thread, destroyed when its thread ends.
 *
 * Python:  mydata = threading.local()
 *          mydata.name = name */
#include <stdlib.h>
#include <string.h>
#include <thrum.h>

static void destroy(void *name) {
    thrum_info("%s: its value is destroyed", (char *)name);
    free(name);
}

static thrum_local mydata = THRUM_LOCAL_INIT(destroy);

static void greet(void) {
    const char *name = thrum_local_get(&mydata); /* nobody passed it */
    thrum_info("%s: hello", name);
}

static void *worker(void *name) {
    thrum_info("%s: finds %s", (char *)name, thrum_local_get(&mydata) ? "a value" : "no value");
    char *copy = strdup(name);
    if (copy == NULL || thrum_local_set(&mydata, copy) != 0) {
        free(copy);
        thrum_raise(-ENOMEM, "no memory for the name");
        return NULL;
    }
    thrum_sleep(0.1);
    greet();
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_thread *a, *b;
    if (thrum_thread_start(&a, worker, "Ada ", NULL) != 0 ||
        thrum_thread_start(&b, worker, "Bob ", NULL) != 0)
        return 1;
    thrum_thread_join(a, NULL);
    thrum_thread_join(b, NULL);
    thrum_info("Main: finds %s", thrum_local_get(&mydata) ? "a value" : "no value");
    thrum_thread_free(a);
    thrum_thread_free(b);
    return 0;
}
