/* SPDX-License-Identifier: MIT */
#include "bench.h"

static double get(const struct peer *p) { return p->local_get ? p->local_get(500000) : NAN; }

void bench_local(void) { bench_row("thread-local get", "ns", BENCH_ROUNDS, get); }
