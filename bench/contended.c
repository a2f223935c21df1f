/* SPDX-License-Identifier: MIT */
/* Rows of the lock that two or four threads fight for: two increments in the section (or a longer
 * one), about 20 ns outside. Thread i runs on CPU i % 2. Throughput and fairness come from a window
 * in which no clock is read; the longest wait from one with a time stamp on each side of the
 * acquisition. */
#include "bench.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

enum { WINDOW_MS = 150 };

struct fighter {
    struct contend *contend;
    pthread_barrier_t *start;
    void (*body)(struct contend *c, int index);
    int index;
};

static void *fight(void *arg) {
    struct fighter *f = arg;
    bench_pin(bench_cpu[f->index % 2]);
    pthread_barrier_wait(f->start);
    f->body(f->contend, f->index);
    return NULL;
}

static struct contend *fought_for;
static volatile uint64_t window_end;

static void end_window(int number) {
    (void)number;
    window_end = bench_now();
    __atomic_store_n(&fought_for->stop, true, __ATOMIC_RELAXED);
}

/* Lets `n` threads, this one among them, fight for WINDOW_MS. Returns the ns that it took. */
static uint64_t window(struct contend *c, int n, void (*body)(struct contend *c, int index)) {
    pthread_t thread[BENCH_THREADS];
    struct fighter fighter[BENCH_THREADS];
    pthread_barrier_t start;
    struct itimerval timer = {.it_value = {0, WINDOW_MS * 1000}};
    pthread_barrier_init(&start, NULL, (unsigned)n);
    c->stop = false;
    fought_for = c;
    for (int i = 0; i < n; ++i)
        fighter[i] = (struct fighter){c, &start, body, i};
    for (int i = 1; i < n; ++i)
        if (pthread_create(&thread[i], NULL, fight, &fighter[i]) != 0)
            abort();
    uint64_t begin = bench_now();
    setitimer(ITIMER_REAL, &timer, NULL);
    fight(&fighter[0]);
    for (int i = 1; i < n; ++i)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&start);
    return window_end - begin;
}

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
    uint64_t ns = window(c, threads, p->contend);
    for (int i = 0; i < threads; ++i) {
        total += c->ops[i];
        least = c->ops[i] < least ? c->ops[i] : least;
        most = c->ops[i] > most ? c->ops[i] : most;
    }
    window(c, threads, p->contend_stamped);
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
    struct sigaction action = {.sa_handler = end_window, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    fight_row("lock 2 threads", 2, 0);
    fight_row("lock 4 threads", 4, 0);
    fight_row("lock 2 threads, 0.2 us section", 2, 200);
    fight_row("lock 4 threads, 0.2 us section", 4, 200);
    fight_row("lock 2 threads, 1 us section", 2, 1000);
    fight_row("lock 4 threads, 1 us section", 4, 1000);
}
