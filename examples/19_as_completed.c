/* SPDX-License-Identifier: MIT */
/* Results in the order in which they are ready, with a time limit for all of them.
 *
 * Python:  for f in concurrent.futures.as_completed(futures, timeout=0.5):
 *              logging.info(f.result()) */
#include <thrum.h>

#define TASKS 4

static void *wait_for(void *arg) {
    double seconds = *(double *)arg;
    for (double slept = 0; slept < seconds && !thrum_cancel_requested(); slept += 0.02)
        thrum_sleep(0.02);
    return arg;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    static double seconds[TASKS] = {0.3, 60, 0.1, 0.2};
    thrum_future *futures[TASKS], *f;
    thrum_with_executor(executor, &(thrum_executor_opts){.max_workers = TASKS}) {
        for (int i = 0; i < TASKS; i++)
            if (thrum_submit(executor, &futures[i], wait_for, &seconds[i]) != 0)
                return 1;
        thrum_completed *it = thrum_as_completed(futures, TASKS, thrum_in(1));
        while ((f = thrum_completed_next(it)) != NULL) {
            void *result;
            if (thrum_future_result(f, &result) == 0)
                thrum_info("Main    : the task of %.1f s is done", *(double *)result);
        }
        thrum_info("Main    : time is up, %d of %d unfinished", thrum_completed_pending(it), TASKS);
        thrum_completed_free(it);
        for (int i = 0; i < TASKS; i++) {
            thrum_future_cancel(futures[i]); /* what runs can see it: thrum_cancel_requested() */
            thrum_future_free(futures[i]);
        }
    }
    return 0;
}
