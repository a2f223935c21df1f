/* SPDX-License-Identifier: MIT */
/* A pool of processes: the workers are this program. */
#include "bench.h"

#include <stdlib.h>
#include <thrum.h>
#include <thrum/processes.h>
#include <unistd.h>

enum { MOST = 100000 };

static thrum_executor *pool;
static clockid_t worker;

THRUM_TASK(void, bench_nothing) {}

THRUM_TASK(int, bench_process) { return (int)getpid(); }

static void with(int workers, void (*body)(void *), void *arg) {
    thrum_future *f;
    int pid = 0;
    pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = workers});
    if (!pool || bench_process_submit(pool, &f) != 0 || bench_process_result(f, &pid) != 0 ||
        clock_getcpuclockid(pid, &worker) != 0)
        abort();
    thrum_future_free(f);
    body(arg);
    thrum_executor_free(pool);
}

static void call(void) {
    thrum_future *f;
    if (bench_nothing_submit(pool, &f) != 0 || bench_nothing_result(f) != 0)
        abort();
    thrum_future_free(f);
}

static void many(long n) {
    static thrum_future *f[MOST];
    for (long i = 0; i < n; ++i)
        if (bench_nothing_submit(pool, &f[i]) != 0)
            abort();
    for (long i = 0; i < n; ++i) {
        if (bench_nothing_result(f[i]) != 0)
            abort();
        thrum_future_free(f[i]);
    }
}

static double cpu(void) {
    struct timespec own = {0}, its = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    clock_gettime(worker, &its);
    return (double)(own.tv_sec + its.tv_sec) + (double)(own.tv_nsec + its.tv_nsec) * 1e-9;
}

static const struct bench_processes functions = {
    .with = with, .call = call, .many = many, .cpu = cpu};
static const struct peer self = {.name = "thrum", .rank = 0, .processes = &functions};

__attribute__((constructor)) static void add_self(void) { bench_register(&self); }
