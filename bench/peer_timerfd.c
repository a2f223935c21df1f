/* SPDX-License-Identifier: MIT */
/* A descriptor for each timer; who polls them all is not part of it. */
#include "bench.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct peer self;

static int start(double seconds) {
    struct itimerspec due = {.it_value = {(time_t)seconds, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd >= 0)
        timerfd_settime(fd, 0, &due, NULL);
    return fd;
}

static double pair(long n, long pending) {
    int *fds = calloc((size_t)pending, sizeof *fds);
    uint32_t random = 1;
    long made = 0;
    bench_raise_limit(RLIMIT_NOFILE, (unsigned long)pending + 1000);
    while (fds && made < pending && (fds[made] = start(bench_due(&random))) >= 0)
        made += 1;
    bench_fewer("timerfd", made, pending);
    if (made < pending && made > 0)
        close(fds[--made]);
    uint64_t begin = bench_now();
    for (long i = 0; i < n; ++i)
        close(start(bench_due(&random)));
    double ns = (double)(bench_now() - begin) / (double)n;
    while (made > 0)
        close(fds[--made]);
    free(fds);
    return ns;
}

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "timerfd", .rank = 22, .timer_pair = pair};
    bench_register(&self);
}
