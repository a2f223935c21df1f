/* SPDX-License-Identifier: MIT */
/* rayon, through peer_rust_pool.rs. Its tasks are spawned in a scope, whose end waits. */
#include "bench.h"
#include "peer_rust.h"

static struct peer self;
static const struct rust_pool_api *api;

static void with(int workers, size_t limit, void (*body)(void *), void *arg) {
    (void)limit;
    api->with(workers, body, arg);
}

static void wait_all(void) {}

static long fib(int n, bool typed) { return typed ? (long)api->fib(n) : -1; }

static struct bench_pool functions = {.with = with,
                                      .wait = wait_all,
                                      .gathers = true,
                                      .fib = fib,
                                      .fib_most = 32};

__attribute__((constructor)) static void register_self(void) {
    api = rayon_api();
    functions.submit = api->flood;
    functions.map = api->map;
    self = (struct peer){.name = "rayon", .rank = 17, .pool = &functions};
    bench_register(&self);
}
