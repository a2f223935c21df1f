/* SPDX-License-Identifier: MIT */
/* Starting and joining threads that do nothing; they inherit the CPUs of their starter. */
#include "bench.h"

static double start_join(const struct peer *p) {
    return p->start_join ? p->start_join(500) / 1e3 : NAN;
}

static double start_burst(const struct peer *p) {
    return p->start_burst ? p->start_burst(10) / 1e3 : NAN;
}

void bench_thread(void) {
    bench_row("start + join, one core", "us", 9, start_join);
    bench_row("start + join, 64 at once, one core", "us", 9, start_burst);
    if (!bench_two_cores("start + join, two cores"))
        return;
    bench_pin_both();
    bench_row("start + join, two cores", "us", 9, start_join);
    bench_row("start + join, 64 at once, two cores", "us", 9, start_burst);
    bench_pin(bench_cpu[0]);
}
