/* SPDX-License-Identifier: MIT */
/* A semaphore: eight workers share three desks. A bounded one refuses a fourth desk.
 *
 * Python:  desks = threading.BoundedSemaphore(3)
 *          with desks:
 *              work() */
#include <thrum.h>

#define WORKERS 8

static thrum_semaphore desks = THRUM_BOUNDED_SEMAPHORE_INIT(3);
static thrum_lock lock;
static int inside, most; /* under lock */

static int count(int change) {
    THRUM_GUARD(&lock);
    inside += change;
    if (inside > most)
        most = inside;
    return inside;
}

static void *worker(void *arg) {
    int index = *(int *)arg;
    thrum_info("Worker %d: wants a desk", index);
    thrum_with(&desks) {
        thrum_info("Worker %d: has a desk, %d in use", index, count(1));
        thrum_sleep(0.1);
        thrum_info("Worker %d: leaves, %d in use", index, count(-1));
    }
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_thread *threads[WORKERS];
    static int indexes[WORKERS];
    for (int index = 0; index < WORKERS; index++) {
        indexes[index] = index;
        if (thrum_thread_start(&threads[index], worker, &indexes[index], NULL) != 0)
            return 1;
    }
    for (int index = 0; index < WORKERS; index++) {
        thrum_thread_join(threads[index], NULL);
        thrum_thread_free(threads[index]);
    }
    thrum_info("Main    : never more than %d desks were in use", most);
    int rc = thrum_semaphore_release(&desks, 1);
    thrum_info("Main    : one release too many is refused: %s", thrum_strerror(rc));
    return rc == -EOVERFLOW ? 0 : 1;
}
