/* SPDX-License-Identifier: MIT */
/* Rows of the lock that nobody else wants. */
#include "bench.h"

static double pair(const struct peer *peer) {
    return peer->lock_pair ? peer->lock_pair(100000) : NAN;
}

static double size(const struct peer *peer) {
    return peer->lock_size ? (double)peer->lock_size : NAN;
}

void bench_lock(void) {
    bench_row("lock uncontended pair", "ns", BENCH_ROUNDS, pair);
    bench_row("lock size", "bytes", 1, size);
}
