/* SPDX-License-Identifier: MIT */
/* thrum's executor, with a future for each task, and its fork-join. */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <thrum.h>

static struct peer self;
static thrum_executor *pool;
static thrum_future *futures[BENCH_TASKS];
static long pending;

static void check(bool good) {
    if (!good)
        abort();
}

static void with(int workers, size_t limit, void (*body)(void *), void *arg) {
    thrum_executor_opts opts = {.max_workers = workers, .queue_limit = limit};
    opts.overflow = THRUM_OVERFLOW_CALLER_RUNS;
    pool = thrum_executor_new(&opts);
    check(pool != NULL);
    memset(futures, 1, sizeof futures);
    body(arg);
    thrum_executor_free(pool);
}

static void submit(long n, void *(*fn)(void *), void *arg) {
    long begin = pending;
    for (long i = 0; i < n; ++i)
        check(thrum_submit(pool, &futures[begin + i], fn, arg) == 0);
    pending = begin + n;
}

static void wait_all(void) {
    for (long i = 0; i < pending; ++i) {
        check(thrum_future_result(futures[i], NULL) == 0);
        thrum_future_free(futures[i]);
    }
    pending = 0;
}

static void wait_worker(void) {
    check(thrum_wait(futures, (int)pending, THRUM_ALL_COMPLETED, THRUM_NEVER) == 0);
    wait_all();
}

static void inside(long n, void *(*fn)(void *), void *arg) {
    thrum_future *own[1000];
    for (long i = 0; i < n; ++i)
        check(thrum_submit(pool, &own[i], fn, arg) == 0);
    for (long i = 0; i < n; ++i) {
        check(thrum_future_result(own[i], NULL) == 0);
        thrum_future_free(own[i]);
    }
}

static void map(int (*fn)(const void *, void *), const long *in, long *out, long n) {
    check(thrum_map(pool, fn, in, (size_t)n, sizeof *in, out, sizeof *out, NULL) == 0);
}

struct numbers {
    long i, n;
};

static int next_number(void *arg, void *item) {
    struct numbers *it = arg;
    if (it->i == it->n)
        return THRUM_STREAM_END;
    *(long *)item = it->i++;
    return 0;
}

static long stream(int (*fn)(const void *, void *), long n) {
    struct numbers numbers = {0, n};
    long sum = 0, result;
    thrum_stream *s = thrum_stream_new(pool, next_number, &numbers, fn, sizeof(long), sizeof(long),
                                       &(thrum_stream_opts){.buffersize = BENCH_AHEAD});
    check(s != NULL);
    while (thrum_stream_next(s, &result) == 0)
        sum += result;
    thrum_stream_free(s);
    return sum;
}

THRUM_FORK_JOIN(long, fib_typed, w, (int, n)) {
    if (n < 2)
        return n;
    fib_typed_spawn(w, n - 1);
    long b = fib_typed(w, n - 2);
    return fib_typed_sync(w) + b;
}

static void *fib_pointer(thrum_worker *w, void *arg) {
    intptr_t n = (intptr_t)arg;
    if (n < 2)
        return arg;
    thrum_spawn(w, fib_pointer, (void *)(n - 1));
    intptr_t b = (intptr_t)fib_pointer(w, (void *)(n - 2));
    return (void *)((intptr_t)thrum_sync(w) + b);
}

static long fib(int n, bool typed) {
    long result;
    void *pointer;
    if (typed) {
        check(fib_typed_run(pool, &result, n) == 0);
        return result;
    }
    check(thrum_fork_join(pool, fib_pointer, (void *)(intptr_t)n, &pointer) == 0);
    return (long)(intptr_t)pointer;
}

static const struct bench_pool functions = {.with = with,
                                            .submit = submit,
                                            .wait = wait_all,
                                            .wait_worker = wait_worker,
                                            .inside = inside,
                                            .map = map,
                                            .stream = stream,
                                            .helps = true,
                                            .nested = true,
                                            .fib = fib,
                                            .fib_most = 35};

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "thrum", .rank = 0, .pool = &functions};
    bench_register(&self);
}
