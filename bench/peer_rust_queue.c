/* SPDX-License-Identifier: MIT */
/* Rust's channels, through peer_rust_queue.rs, whose loops are compiled by rustc. Compiled once for
 * std::sync::mpsc and once for crossbeam. */
#include "bench.h"
#include "peer_rust.h"

static struct peer self;
static const struct rust_queue_api *api;

static double pair(long n) {
    uint64_t start = bench_now();
    api->pair(n);
    return (double)(bench_now() - start) / (double)n;
}

static void put(struct contend *c, int index) {
    (void)index;
    api->put(&c->stop);
}

static void get(struct contend *c, int index) { c->ops[index] = api->get(); }

struct turn {
    struct ping *ping;
    int side;
    long i;
};

static void received(void *arg) {
    struct turn *t = arg;
    bench_received(t->ping, t->side, t->i);
}

static void ping(struct ping *p, int side) {
    struct turn t = {p, side, 0};
    for (; t.i < p->n; ++t.i)
        api->pass((unsigned)side, side != 0 || t.i != 0, received, &t);
    if (side == 0)
        api->pass(0, true, NULL, NULL);
}

__attribute__((constructor)) static void register_self(void) {
    api = PEER_API();
    self = (struct peer){.name = PEER_NAME,
                         .rank = PEER_RANK,
                         .queue_begin = api->begin,
                         .queue_end = api->end,
                         .queue_pair = pair,
                         .queue_put = put,
                         .queue_get = get,
                         .queue_ping = ping};
    bench_register(&self);
}
