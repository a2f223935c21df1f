/* SPDX-License-Identifier: MIT */
/* join() waits for a thread to finish, be it regular or a daemon.
 *
 * Python:  x = threading.Thread(target=thread_function, args=(1,))
 *          x.start()
 *          x.join() */
#include <thrum.h>

static void *thread_function(void *name) {
    thrum_info("Thread %s: starting", (char *)name);
    thrum_sleep(0.2);
    thrum_info("Thread %s: finishing", (char *)name);
    return NULL;
}

static int start_and_join(const char *kind, char *name, const thrum_thread_opts *opts) {
    thrum_thread *x;
    thrum_info("Main    : before running %s thread %s", kind, name);
    int rc = thrum_thread_start(&x, thread_function, name, opts);
    if (rc != 0)
        return rc;
    thrum_info("Main    : wait for thread %s to finish", name);
    thrum_thread_join(x, NULL);
    thrum_info("Main    : thread %s done", name);
    thrum_thread_free(x);
    return 0;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    if (start_and_join("regular", "1", NULL) != 0)
        return 1;
    if (start_and_join("daemon", "2", &(thrum_thread_opts){.daemon = true}) != 0)
        return 1;
    thrum_info("Main    : all done");
    return 0;
}
