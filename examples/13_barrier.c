/* SPDX-License-Identifier: MIT */
/* A barrier: three workers wait for each other after each phase. One that gives up breaks it.
 *
 * Python:  barrier = threading.Barrier(3, action=phase_done)
 *          index = barrier.wait() */
#include <thrum.h>

#define WORKERS 3

static int phase_done(void *arg) {
    int *phase = arg;
    *phase += 1;
    thrum_info("Barrier : all are here, phase %d is done", *phase);
    return 0;
}

static int phases;
static thrum_barrier barrier = THRUM_BARRIER_INIT_ACTION(WORKERS, phase_done, &phases);

static void *worker(void *arg) {
    int number = *(int *)arg;
    for (int phase = 1; phase <= 2; phase++) {
        thrum_sleep(0.1 * number);
        thrum_info("Worker %d: at the end of phase %d", number, phase);
        int index = thrum_barrier_wait(&barrier);
        thrum_info("Worker %d: goes on after phase %d, came as number %d", number, phase, index);
    }
    if (number == 3) {
        thrum_info("Worker 3: goes home");
        return NULL;
    }
    int rc = number == 1 ? thrum_barrier_wait_until(&barrier, thrum_in(0.3))
                         : thrum_barrier_wait(&barrier);
    thrum_info("Worker %d: phase 3: %s", number, thrum_strerror(rc));
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_thread *threads[WORKERS];
    static int numbers[WORKERS] = {1, 2, 3};
    for (int i = 0; i < WORKERS; i++) {
        if (thrum_thread_start(&threads[i], worker, &numbers[i], NULL) != 0)
            return 1;
    }
    for (int i = 0; i < WORKERS; i++) {
        thrum_thread_join(threads[i], NULL);
        thrum_thread_free(threads[i]);
    }
    thrum_info("Main    : the barrier is %s", thrum_barrier_broken(&barrier) ? "broken" : "whole");
    return 0;
}
