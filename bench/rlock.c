/* SPDX-License-Identifier: MIT */
#include "bench.h"

static double outer(const struct peer *peer) {
    return peer->rlock_outer ? peer->rlock_outer(100000) : NAN;
}

static double nested(const struct peer *peer) {
    return peer->rlock_nested ? peer->rlock_nested(100000) : NAN;
}

static double size(const struct peer *peer) {
    return peer->rlock_size ? (double)peer->rlock_size : NAN;
}

void bench_rlock(void) {
    bench_row("rlock outer pair", "ns", BENCH_ROUNDS, outer);
    bench_row("rlock nested pair", "ns", BENCH_ROUNDS, nested);
    bench_row("rlock size", "bytes", 1, size);
}
