/* SPDX-License-Identifier: MIT */
/* A timer that is started and cancelled while 100000 others are pending, due in 1000 to 2000 s. */
#include "bench.h"

enum { PENDING = 100000 };

static double pair(const struct peer *p) {
    return p->timer_pair ? p->timer_pair(50000, PENDING) : NAN;
}

void bench_timer(void) { bench_row("timer start + cancel, 100000 pending", "ns", 3, pair); }
