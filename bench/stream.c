/* SPDX-License-Identifier: MIT */
/* Streams: numbers from a generator, a function on two workers, results read in order. */
#include "bench.h"
#include <stdlib.h>

enum { WORKERS = 2, EMPTY_ITEMS = 100000, LONG_ITEMS = 5000, LONG_NS = 10000 };

static const struct bench_pool *pool;
static long items;
static uint64_t item_ns;
static double cost;

static int item(const void *in, void *out) {
    if (item_ns)
        bench_busy(item_ns);
    *(long *)out = *(const long *)in;
    return 0;
}

/* Leaves ns for each item. */
static void stream(void *unused) {
    uint64_t begin = 0;
    (void)unused;
    for (int round = 0; round < 2; ++round) {
        begin = bench_now();
        if (pool->stream(item, items) != items * (items - 1) / 2)
            abort();
    }
    cost = (double)(bench_now() - begin) / (double)items;
}

static double measure(const struct peer *p, long n, uint64_t ns) {
    if (!p->pool || !p->pool->stream)
        return NAN;
    pool = p->pool;
    items = n;
    item_ns = ns;
    bench_pin_both();
    pool->with(WORKERS, 0, stream, NULL);
    bench_pin(bench_cpu[0]);
    return cost;
}

static double empty_items(const struct peer *p) { return measure(p, EMPTY_ITEMS, 0); }

static double long_items(const struct peer *p) {
    return LONG_NS / measure(p, LONG_ITEMS, LONG_NS) / WORKERS;
}

void bench_stream(void) {
    bool any = false;
    for (int i = 0; i < bench_n_peers; ++i)
        any |= bench_peers[i]->pool && bench_peers[i]->pool->stream;
    if (!any || !bench_two_cores("stream"))
        return;
    bench_row("stream of empty items, 64 ahead", "ns", 5, empty_items);
    bench_row("stream of items of 10 us, 64 ahead, efficiency", "of 1", 5, long_items);
}
