/* SPDX-License-Identifier: MIT */
/* Fork-join: Fibonacci without cut-off, two calls for every spawn. One worker: the caller. */
#include "bench.h"
#include <stdlib.h>
#include <time.h>

enum { FIB = 35 };

static const struct bench_pool *pool;
static bool typed;
static double cost;

/* Returns fib(n), which is how often fib(n - 1) spawns, and 1. */
static long fib_known(int n) {
    long a = 0, b = 1;
    for (int i = 0; i < n; ++i) {
        long next = a + b;
        a = b;
        b = next;
    }
    return a;
}

/* Leaves ns per spawn. */
static void fib(void *unused) {
    int n = pool->fib_most < FIB ? pool->fib_most : FIB;
    (void)unused;
    cost = NAN;
    if (pool->fib(20, typed) < 0)
        return;
    uint64_t begin = bench_now();
    if (pool->fib(n, typed) != fib_known(n))
        abort();
    cost = (double)(bench_now() - begin) / (double)(fib_known(n + 1) - 1);
}

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Leaves the us of CPU used in 20 ms that begin 0.1 ms after a fork-join: the kernel does not count
 * what a thread on another CPU has used before that sleeps, or a tick comes. The peer before may
 * still spin, so it waits first. */
static void afterwards(void *unused) {
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    fib(unused);
    if (isnan(cost))
        return;
    pool->fib(25, typed);
    bench_busy(100000);
    uint64_t begin = cpu_ns();
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    cost = (double)(cpu_ns() - begin) / 1e3;
}

static double with(const struct peer *p, int workers, void (*body)(void *)) {
    if (!p->pool || !p->pool->fib)
        return NAN;
    pool = p->pool;
    bench_pin_both();
    pool->with(workers, 0, body, NULL);
    bench_pin(bench_cpu[0]);
    return cost;
}

static double typed_1(const struct peer *p) {
    typed = true;
    return with(p, 1, fib);
}

static double typed_2(const struct peer *p) {
    typed = true;
    return p->baseline ? NAN : with(p, 2, fib);
}

static double pointer_1(const struct peer *p) {
    typed = false;
    return with(p, 1, fib);
}

static double speed_up(const struct peer *p) { return typed_1(p) / typed_2(p); }

static double idle_cpu(const struct peer *p) {
    typed = true;
    return p->baseline ? NAN : with(p, 2, afterwards);
}

void bench_fork_join(void) {
    bench_row("fork-join fib(35), typed, 1 worker", "ns/spawn", 5, typed_1);
    bench_row("fork-join fib(35), function + void *, 1 worker", "ns/spawn", 5, pointer_1);
    if (!bench_two_cores("fork-join, two workers"))
        return;
    bench_row("fork-join fib(35), typed, 2 workers", "ns/spawn", 5, typed_2);
    bench_row("fork-join fib(35), typed, speed-up 1 to 2", "x", 5, speed_up);
    bench_row("fork-join: CPU used 0.1 to 20 ms afterwards", "us", 5, idle_cpu);
}
