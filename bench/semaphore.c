/* SPDX-License-Identifier: MIT */
/* A permit that nobody else wants, and round trips over two semaphores without permits. "parked"
 * and "awake" as in condition.c. */
#include "bench.h"

static double pair(const struct peer *p) {
    return p->semaphore_pair ? p->semaphore_pair(100000) : NAN;
}

static double one_core(const struct peer *p) {
    return p->semaphore_ping
               ? bench_ping(p->semaphore_ping, bench_cpu[0], bench_cpu[0], 20000, 0) / 1e3
               : NAN;
}

static double two_cores_parked(const struct peer *p) {
    return p->semaphore_ping
               ? bench_ping(p->semaphore_ping, bench_cpu[0], bench_cpu[1], 300, 100000) / 1e3
               : NAN;
}

static double two_cores_awake(const struct peer *p) {
    return p->semaphore_ping
               ? bench_ping(p->semaphore_ping, bench_cpu[0], bench_cpu[1], 3000, 0) / 1e3
               : NAN;
}

void bench_semaphore(void) {
    bench_row("semaphore uncontended pair", "ns", BENCH_ROUNDS, pair);
    bench_row("semaphore round trip, one core", "us", 5, one_core);
    if (bench_two_cores("semaphore round trip, two cores")) {
        bench_row("semaphore round trip, two cores parked", "us", 5, two_cores_parked);
        bench_row("semaphore round trip, two cores awake", "us", 5, two_cores_awake);
    }
}
