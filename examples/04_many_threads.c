/* SPDX-License-Identifier: MIT */
/* Three threads: they finish in the order the system likes, main joins them in its own.
 *
 * Python:  threads = []
 *          for index in range(3):
 *              x = threading.Thread(target=thread_function, args=(index,))
 *              threads.append(x)
 *              x.start()
 *          for thread in threads:
 *              thread.join() */
#include <thrum.h>

#define THREADS 3

static void *thread_function(void *arg) {
    int index = *(int *)arg;
    thrum_thread *self = thrum_thread_current();
    thrum_info("Thread %d: starting, ident %u, native id %lld", index,
               (unsigned)thrum_thread_ident(self), (long long)thrum_thread_native_id(self));
    thrum_sleep(0.2);
    thrum_info("Thread %d: finishing", index);
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_thread *threads[THREADS];
    static int indexes[THREADS];
    for (int index = 0; index < THREADS; index++) {
        indexes[index] = index;
        thrum_info("Main    : create and start thread %d.", index);
        if (thrum_thread_start(&threads[index], thread_function, &indexes[index], NULL) != 0)
            return 1;
    }
    for (int index = 0; index < THREADS; index++) {
        thrum_info("Main    : before joining thread %d.", index);
        thrum_thread_join(threads[index], NULL);
        thrum_info("Main    : thread %d done", index);
        thrum_thread_free(threads[index]);
    }
    return 0;
}
