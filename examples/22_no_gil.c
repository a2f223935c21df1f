/* SPDX-License-Identifier: MIT */
/* What threads are good for: eight waits of 0.2 s take 0.2 s, and work for the CPU takes all CPUs.
 *
 * In Python the waits do, and the work does only without its global interpreter lock.
 *
 * Python:  executor.map(time.sleep, [0.2] * 8)         # 0.2 s
 *          executor.map(count_primes, ranges)          # no faster than one thread */
#include <thrum.h>

enum { TASKS = 8, STEP = 100000 };

static int wait_a_little(const void *item, void *result) {
    (void)result;
    return thrum_sleep(*(const double *)item);
}

static int count_primes(const void *item, void *result) {
    int primes = 0, from = *(const int *)item;
    for (int n = from; n < from + STEP; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        primes += n > 1 && divisor * divisor > n;
    }
    *(int *)result = primes;
    return 0;
}

/* Returns the seconds that `n` workers take for all items. */
static double measure(int n, int (*fn)(const void *, void *), const void *items, size_t size) {
    int results[TASKS];
    double seconds = -1;
    thrum_with_executor(executor, &(thrum_executor_opts){.max_workers = n}) {
        thrum_deadline start = thrum_now();
        if (thrum_map(executor, fn, items, TASKS, size, results, sizeof *results, NULL) == 0)
            seconds = (double)(thrum_now().ns - start.ns) / 1e9;
    }
    return seconds;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    double waits[TASKS];
    int ranges[TASKS];
    for (int i = 0; i < TASKS; i++) {
        waits[i] = 0.2;
        ranges[i] = 1000000 + i * STEP;
    }
    thrum_info("Main    : 8 waits of 0.2 s on 8 workers: %.1f s",
               measure(8, wait_a_little, waits, sizeof *waits));
    double one = measure(1, count_primes, ranges, sizeof *ranges);
    int cpus = thrum_default_workers();
    double all = measure(cpus, count_primes, ranges, sizeof *ranges);
    thrum_info("Main    : counting primes on 1 worker: %.2f s", one);
    thrum_info("Main    : on %d workers: %.2f s, %.1f times as fast", cpus, all, one / all);
    return 0;
}
