/* SPDX-License-Identifier: MIT */
/* timer_create(), whose callbacks run on threads, as thrum's do. A timer counts as a pending
 * signal, of which a process may have so many only (ulimit -i). The kernel keeps them in 512 lists:
 * with many pending it walks. */
#include "bench.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

static struct peer self;

static void called(union sigval value) { (void)value; }

static bool start(timer_t *timer, double seconds) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = called};
    struct itimerspec due = {.it_value = {(time_t)seconds, 0}};
    return timer_create(CLOCK_MONOTONIC, &event, timer) == 0 &&
           timer_settime(*timer, 0, &due, NULL) == 0;
}

static double pair(long n, long pending) {
    timer_t *timers = calloc((size_t)pending, sizeof *timers), one;
    uint32_t random = 1;
    long made = 0;
    bench_raise_limit(RLIMIT_SIGPENDING, (unsigned long)pending + 1000);
    while (timers && made < pending && start(&timers[made], bench_due(&random)))
        made += 1;
    bench_fewer("timer_create", made, pending);
    if (made < pending && made > 0)
        timer_delete(timers[--made]);
    uint64_t begin = bench_now();
    for (long i = 0; i < n; ++i)
        if (start(&one, bench_due(&random)))
            timer_delete(one);
    double ns = (double)(bench_now() - begin) / (double)n;
    while (made > 0)
        timer_delete(timers[--made]);
    free(timers);
    return ns;
}

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "timer_create", .rank = 21, .baseline = true, .timer_pair = pair};
    bench_register(&self);
}
