/* SPDX-License-Identifier: MIT */
/* Rows of the lock that two or four threads fight for: two increments in the section (or a longer
 * one), about 20 ns outside. Thread i runs on CPU i % 2. Throughput and fairness come from a window
 * in which no clock is read; the longest wait from one with a time stamp on each side of the
 * acquisition. */
#include "bench.h"
#include <stdio.h>

enum { WINDOW_MS = 150 };

/* Returns the argument for which bench_spin() takes `ns`. */
static unsigned spins(unsigned ns) {
    enum { N = 1 << 20 };
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; ++i) {
        uint64_t start = bench_now();
        bench_spin(N);
        uint64_t took = bench_now() - start;
        best = took < best ? took : best;
    }
    return (unsigned)((uint64_t)ns * N / best);
}

static double ms_per_tick(void) {
    uint64_t ticks = bench_ticks(), start = bench_now();
    bench_busy(5000000);
    return (double)(bench_now() - start) / 1e6 / (double)(bench_ticks() - ticks);
}

struct fight_rows {
    struct series throughput, fairness, longest;
};

static void fight_once(struct fight_rows *rows, int peer, struct contend *c, int threads,
                       double tick_ms) {
    const struct peer *p = bench_peers[peer];
    uint64_t total = 0, least = UINT64_MAX, most = 0, longest = 0;
    uint64_t ns = bench_window(c, threads, WINDOW_MS, p->contend);
    for (int i = 0; i < threads; ++i) {
        total += c->ops[i];
        least = c->ops[i] < least ? c->ops[i] : least;
        most = c->ops[i] > most ? c->ops[i] : most;
    }
    bench_window(c, threads, WINDOW_MS, p->contend_stamped);
    for (int i = 0; i < threads; ++i)
        longest = c->longest[i] > longest ? c->longest[i] : longest;
    bench_add(&rows->throughput, peer, (double)total * 1e3 / (double)ns);
    bench_add(&rows->fairness, peer, (double)least / (double)most);
    bench_add(&rows->longest, peer, (double)longest * tick_ms);
}

static void fight_row(const char *name, int threads, unsigned section_ns) {
    struct fight_rows rows = {0};
    struct contend c = {.outside = spins(20), .work = section_ns ? spins(section_ns) : 0};
    double tick_ms = ms_per_tick();
    char row[3][96];
    static const char *const what[3] = {"throughput", "fairness", "longest wait"};
    bool wanted = false;
    for (int i = 0; i < 3; ++i) {
        snprintf(row[i], sizeof row[i], "%s: %s", name, what[i]);
        wanted = wanted || bench_wanted(row[i]);
    }
    if (!wanted || !bench_two_cores(name))
        return;
    bench_begin(name);
    for (int round = 0; round < bench_rounds(9); ++round)
        for (int i = 0; i < bench_n_peers; ++i)
            if (bench_peers[i]->contend)
                fight_once(&rows, i, &c, threads, tick_ms);
    bench_emit(&rows.throughput, row[0], "Mops/s", false);
    bench_emit(&rows.fairness, row[1], "slowest/fastest", false);
    bench_emit(&rows.longest, row[2], "ms", false);
}

void bench_contended(void) {
    fight_row("lock 2 threads", 2, 0);
    fight_row("lock 4 threads", 4, 0);
    fight_row("lock 2 threads, 0.2 us section", 2, 200);
    fight_row("lock 4 threads, 0.2 us section", 4, 200);
    fight_row("lock 2 threads, 1 us section", 2, 1000);
    fight_row("lock 4 threads, 1 us section", 4, 1000);
}
