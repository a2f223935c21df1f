/* SPDX-License-Identifier: MIT */
/* TBB: an arena of as many threads as workers, the caller among them. */
#include "bench.h"
#include <cstddef>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

static peer self;
static tbb::task_group *group;

static void with(int workers, std::size_t, void (*body)(void *), void *arg) {
    tbb::task_arena arena(workers);
    arena.execute([=] {
        tbb::task_group tasks;
        group = &tasks;
        body(arg);
        tasks.wait();
    });
}

static void submit(long n, void *(*fn)(void *), void *arg) {
    for (long i = 0; i < n; ++i)
        group->run([=] { fn(arg); });
}

static void wait_all() { group->wait(); }

static void inside(long n, void *(*fn)(void *), void *arg) {
    tbb::task_group own;
    for (long i = 0; i < n; ++i)
        own.run([=] { fn(arg); });
    own.wait();
}

static void map(int (*fn)(const void *, void *), const long *in, long *out, long n) {
    tbb::parallel_for(tbb::blocked_range<long>(0, n), [=](const tbb::blocked_range<long> &part) {
        for (long i = part.begin(); i != part.end(); ++i)
            fn(&in[i], &out[i]);
    });
}

static long stream(int (*fn)(const void *, void *), long n) {
    long i = 0, sum = 0;
    tbb::parallel_pipeline(
        BENCH_AHEAD,
        tbb::make_filter<void, long>(tbb::filter_mode::serial_in_order,
                                     [&](tbb::flow_control &control) {
                                         if (i == n)
                                             control.stop();
                                         return i++;
                                     }) &
            tbb::make_filter<long, long>(tbb::filter_mode::parallel,
                                         [=](long item) {
                                             long result;
                                             fn(&item, &result);
                                             return result;
                                         }) &
            tbb::make_filter<long, void>(tbb::filter_mode::serial_in_order,
                                         [&](long result) { sum += result; }));
    return sum;
}

static long fib_of(int n) {
    if (n < 2)
        return n;
    long a, b;
    tbb::task_group own;
    own.run([&a, n] { a = fib_of(n - 1); });
    b = fib_of(n - 2);
    own.wait();
    return a + b;
}

static long fib(int n, bool typed) { return typed ? fib_of(n) : -1; }

static bench_pool functions;

__attribute__((constructor)) static void register_self() {
    functions.with = with;
    functions.submit = submit;
    functions.wait = wait_all;
    functions.inside = inside;
    functions.map = map;
    functions.stream = stream;
    functions.helps = functions.nested = true;
    functions.fib = fib;
    functions.fib_most = 27;
    self.name = "TBB";
    self.rank = 18;
    self.pool = &functions;
    bench_register(&self);
}
