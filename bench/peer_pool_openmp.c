/* SPDX-License-Identifier: MIT */
/* libgomp: a team of as many threads as workers, the caller among them. It runs a task at once when
 * many wait. */
#include "bench.h"
#include <omp.h>

static struct peer self;
static int team;

static void with(int workers, size_t limit, void (*body)(void *), void *arg) {
    (void)limit;
    team = workers;
#pragma omp parallel num_threads(workers)
#pragma omp master
    body(arg);
}

static void submit(long n, void *(*fn)(void *), void *arg) {
    for (long i = 0; i < n; ++i) {
#pragma omp task firstprivate(fn, arg)
        fn(arg);
    }
}

static void wait_all(void) {
#pragma omp taskwait
}

/* Like the loop of a program that has no pool of its own: map() is called outside of any team. */
static void map(int (*fn)(const void *, void *), const long *in, long *out, long n) {
#pragma omp parallel for num_threads(team) schedule(static)
    for (long i = 0; i < n; ++i)
        fn(&in[i], &out[i]);
}

static long fib_of(int n) {
    long a, b;
    if (n < 2)
        return n;
#pragma omp task shared(a) firstprivate(n)
    a = fib_of(n - 1);
    b = fib_of(n - 2);
#pragma omp taskwait
    return a + b;
}

static long fib(int n, bool typed) { return typed ? fib_of(n) : -1; }

static const struct bench_pool functions = {.with = with,
                                            .submit = submit,
                                            .wait = wait_all,
                                            .helps = true,
                                            .throttles = true,
                                            .fib = fib,
                                            .fib_most = 25};

/* parallel for starts a team of its own. */
static void with_loops(int workers, size_t limit, void (*body)(void *), void *arg) {
    (void)limit;
    team = workers;
    body(arg);
}

static struct peer loops;
static const struct bench_pool loop_functions = {
    .with = with_loops, .map = map, .throttles = true, .gathers = true};

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "libgomp", .rank = 19, .pool = &functions};
    loops = (struct peer){.name = "libgomp parallel for", .rank = 20, .pool = &loop_functions};
    bench_register(&self);
    bench_register(&loops);
}
