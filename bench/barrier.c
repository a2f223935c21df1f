/* SPDX-License-Identifier: MIT */
/* Phases of a barrier for two. "awake": one phase after the other. "parked": the sides are late in
 * turn, by 100 us of busy waiting, so that the other sleeps; what counts is from the arrival of the
 * late one until the other goes on. */
#include "bench.h"

static double one_core(const struct peer *p) {
    return p->barrier_ping
               ? bench_ping(p->barrier_ping, bench_cpu[0], bench_cpu[0], 20000, 0) / 1e3
               : NAN;
}

static double two_cores_parked(const struct peer *p) {
    return p->barrier_ping
               ? bench_ping(p->barrier_ping, bench_cpu[0], bench_cpu[1], 300, 100000) / 1e3
               : NAN;
}

static double two_cores_awake(const struct peer *p) {
    return p->barrier_ping
               ? bench_ping(p->barrier_ping, bench_cpu[0], bench_cpu[1], 5000, 0) / 1e3
               : NAN;
}

void bench_barrier(void) {
    bench_row("barrier of 2: phase, one core", "us", 5, one_core);
    if (bench_two_cores("barrier of 2: phase, two cores")) {
        bench_row("barrier of 2: phase, two cores parked", "us", 5, two_cores_parked);
        bench_row("barrier of 2: phase, two cores awake", "us", 5, two_cores_awake);
    }
}
