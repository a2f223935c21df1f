/* SPDX-License-Identifier: MIT */
/* Plain calls: what a fork-join costs on top of. */
#include "bench.h"

static struct peer self;

static void with(int workers, size_t limit, void (*body)(void *), void *arg) {
    (void)workers, (void)limit;
    body(arg);
}

static long fib_of(int n) { return n < 2 ? n : fib_of(n - 1) + fib_of(n - 2); }

static long fib(int n, bool typed) {
    (void)typed;
    return fib_of(n);
}

static const struct bench_pool functions = {.with = with, .fib = fib, .fib_most = 35};

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "plain calls", .rank = 4, .baseline = true, .pool = &functions};
    bench_register(&self);
}
