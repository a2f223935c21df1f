/* SPDX-License-Identifier: MIT */
/* A thread, started and not joined: the program's end waits for it.
 *
 * Python:  x = threading.Thread(target=thread_function, args=(1,))
 *          x.start() */
#include <thrum.h>

static void *thread_function(void *name) {
    thrum_info("Thread %s: starting", (char *)name);
    thrum_sleep(0.5);
    thrum_info("Thread %s: finishing", (char *)name);
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_info("Main    : before creating thread");
    thrum_thread *x;
    thrum_info("Main    : before running thread");
    int rc = thrum_thread_start(&x, thread_function, "1", NULL);
    if (rc != 0) {
        thrum_error("Main    : no thread: %s", thrum_strerror(rc));
        return 1;
    }
    thrum_info("Main    : wait for the thread to finish");
    /* thrum_thread_join(x, NULL); */
    thrum_info("Main    : all done");
    thrum_thread_free(x);
    return 0;
}
