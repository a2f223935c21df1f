/* SPDX-License-Identifier: MIT */
#include "bench.h"

static double outer(const struct peer *peer) {
    return peer->rlock_outer ? peer->rlock_outer(1000000) : NAN;
}

static double nested(const struct peer *peer) {
    return peer->rlock_nested ? peer->rlock_nested(1000000) : NAN;
}

static double size(const struct peer *peer) {
    return peer->rlock_size ? (double)peer->rlock_size : NAN;
}

void bench_rlock(void) {
    bench_row("rlock outer pair", "ns", 9, outer);
    bench_row("rlock nested pair", "ns", 9, nested);
    bench_row("rlock size", "bytes", 1, size);
}
