/* SPDX-License-Identifier: MIT */
/* Round trips over two predicates and one lock. "parked": 100 us of busy waiting before each
 * hand-off, so that the partner sleeps; only the hand-offs count. "awake": no pause. */
#include "bench.h"

static double one_core(const struct peer *p) {
    return p->condition_ping
               ? bench_ping(p->condition_ping, bench_cpu[0], bench_cpu[0], 20000, 0) / 1e3
               : NAN;
}

static double two_cores_parked(const struct peer *p) {
    return p->condition_ping
               ? bench_ping(p->condition_ping, bench_cpu[0], bench_cpu[1], 300, 100000) / 1e3
               : NAN;
}

static double two_cores_awake(const struct peer *p) {
    return p->condition_ping
               ? bench_ping(p->condition_ping, bench_cpu[0], bench_cpu[1], 3000, 0) / 1e3
               : NAN;
}

static double notify(const struct peer *p) { return p->notify ? p->notify(100000) : NAN; }

void bench_condition(void) {
    bench_row("condition round trip, one core", "us", 5, one_core);
    if (bench_two_cores("condition round trip, two cores")) {
        bench_row("condition round trip, two cores parked", "us", 5, two_cores_parked);
        bench_row("condition round trip, two cores awake", "us", 5, two_cores_awake);
    }
    bench_row("notify without waiter", "ns", BENCH_ROUNDS, notify);
}
