/* SPDX-License-Identifier: MIT */
/* An event where the library has one, else what its users write: a lock, a condition and a flag.
 * "parked" and "awake" as in condition.c. */
#include "bench.h"

static double pair(const struct peer *p) { return p->event_pair ? p->event_pair(100000) : NAN; }

static double one_core(const struct peer *p) {
    return p->event_ping ? bench_ping(p->event_ping, bench_cpu[0], bench_cpu[0], 20000, 0) / 1e3
                         : NAN;
}

static double two_cores_parked(const struct peer *p) {
    return p->event_ping
               ? bench_ping(p->event_ping, bench_cpu[0], bench_cpu[1], 300, 100000) / 1e3
               : NAN;
}

static double two_cores_awake(const struct peer *p) {
    return p->event_ping ? bench_ping(p->event_ping, bench_cpu[0], bench_cpu[1], 3000, 0) / 1e3
                         : NAN;
}

void bench_event(void) {
    bench_row("event set + clear", "ns", BENCH_ROUNDS, pair);
    bench_row("event round trip, one core", "us", 5, one_core);
    if (bench_two_cores("event round trip, two cores")) {
        bench_row("event round trip, two cores parked", "us", 5, two_cores_parked);
        bench_row("event round trip, two cores awake", "us", 5, two_cores_awake);
    }
}
