/* SPDX-License-Identifier: MIT */
/* Rust's locks, through peer_rust.rs, whose loops and sections are compiled by rustc. Compiled once
 * for std and once for parking_lot. A contended section is one call, 2 ns dearer than an inlined
 * one. */
#include "peer_rust.h"
#include "bench.h"

static struct peer self;
static const struct rust_api *api;

static void spin(unsigned n) { bench_spin(n); }
static uint64_t ticks(void) { return bench_ticks(); }

static double lock_pair(long n) {
    uint64_t start = bench_now();
    api->pairs(n);
    return (double)(bench_now() - start) / (double)n;
}

static double notify(long n) {
    uint64_t start = bench_now();
    api->notify(n);
    return (double)(bench_now() - start) / (double)n;
}

static double start_join(long n) {
    uint64_t start = bench_now();
    api->start_join(n, 1);
    return (double)(bench_now() - start) / (double)n;
}

static double start_burst(long n) {
    uint64_t start = bench_now();
    api->start_join(n, BENCH_BURST);
    return (double)(bench_now() - start) / (double)(n * BENCH_BURST);
}

static void contend(struct contend *c, int index) {
    uint64_t ops = 0;
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        api->section(c->work, spin, NULL);
        bench_spin(c->outside);
        ops += 1;
    }
    c->ops[index] = ops;
}

static void contend_stamped(struct contend *c, int index) {
    uint64_t ops = 0, longest = 0;
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        uint64_t waited = api->section(c->work, spin, ticks);
        bench_spin(c->outside);
        longest = waited > longest ? waited : longest;
        ops += 1;
    }
    c->ops[index] = ops;
    c->longest[index] = longest;
}

struct turn {
    struct ping *ping;
    int side;
    long i;
};

static void received(void *arg) {
    struct turn *t = arg;
    bench_received(t->ping, t->side, t->i);
}

static void condition_ping(struct ping *p, int side) {
    struct turn t = {p, side, 0};
    for (; t.i < p->n; ++t.i)
        api->turn((unsigned)side, received, &t);
}

static void barrier_ping(struct ping *p, int side) {
    for (long i = 0; i < p->n; ++i) {
        bench_arrive(p, side, i);
        api->meet();
        bench_passed(p, side, i);
    }
}

__attribute__((constructor)) static void register_self(void) {
    api = PEER_API();
    self = (struct peer){.name = PEER_NAME,
                         .rank = PEER_RANK,
                         .lock_size = api->lock_size,
                         .condition_size = api->condition_size,
                         .lock_pair = lock_pair,
                         .notify = notify,
                         .contend = contend,
                         .contend_stamped = contend_stamped,
                         .condition_ping = condition_ping};
    if (api->start_join) {
        self.start_join = start_join;
        self.start_burst = start_burst;
    }
    if (api->meet)
        self.barrier_ping = barrier_ping;
    bench_register(&self);
}
