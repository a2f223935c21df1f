/* SPDX-License-Identifier: MIT */
/* Fork and join: Fibonacci, where every call may be taken by another worker.
 *
 * A spawn that nobody takes costs little more than a call: no need to stop at small numbers.
 *
 * Python:  none: a task for each call would cost some thousand times the work in it */
#include <thrum.h>

#define N 38

THRUM_FORK_JOIN(int, fib, w, (int, n)) {
    if (n < 2)
        return n;
    fib_spawn(w, n - 1);
    int b = fib(w, n - 2);
    int a = fib_sync(w);
    return a + b;
}

static int serial_fib(int n) { return n < 2 ? n : serial_fib(n - 1) + serial_fib(n - 2); }

static double seconds_since(thrum_deadline start) {
    return (double)(thrum_now().ns - start.ns) / 1e9;
}

/* Returns the seconds that `workers` workers take. */
static double measure(int workers) {
    double seconds = -1;
    thrum_with_executor(executor, &(thrum_executor_opts){.max_workers = workers}) {
        int result = 0;
        thrum_deadline start = thrum_now();
        if (fib_run(executor, &result, N) == 0)
            seconds = seconds_since(start);
        thrum_info("Main    : %d workers: fib(%d) = %d, %.3f s", workers, N, result, seconds);
    }
    return seconds;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    volatile int n = N; /* not to be worked out by the compiler */
    thrum_deadline start = thrum_now();
    int result = serial_fib(n);
    double serial = seconds_since(start);
    thrum_info("Main    : without spawns: fib(%d) = %d, %.3f s", N, result, serial);
    double one = measure(1);
    double all = measure(thrum_default_workers());
    thrum_info("Main    : %.1f times as fast as one worker, %.1f times as fast as without spawns",
               one / all, serial / all);
    return one > 0 && all > 0 ? 0 : 1;
}
