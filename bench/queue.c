/* SPDX-License-Identifier: MIT */
/* Queues of pointers. Throughput: producers put until they are stopped, consumers get all of it, on
 * the two CPUs where the kernel puts them. A queue that has no bound takes part where the row says
 * so, and where a bound plays no part. Request and reply: two queues of one place; "parked" and
 * "awake" as in condition.c. */
#include "bench.h"

enum { WINDOW_MS = 100, CAPACITY = 1024 };

static const struct peer *flowing;
static int producers_now;

static void flow(struct contend *c, int index) {
    bench_pin_both();
    if (index < producers_now)
        flowing->queue_put(c, index);
    else
        flowing->queue_get(c, index);
}

/* Returns Mops/s. */
static double rate(const struct peer *p, size_t capacity, int producers, int consumers) {
    struct contend c = {0};
    uint64_t taken = 0;
    if (p->queue_unbounded && capacity != 0)
        return NAN;
    if (p->queue_rate)
        return p->queue_rate(capacity, producers, consumers, WINDOW_MS);
    if (!p->queue_put || !p->queue_begin(capacity, producers, consumers))
        return NAN;
    flowing = p;
    producers_now = producers;
    uint64_t start = bench_now();
    bench_window(&c, producers + consumers, WINDOW_MS, flow);
    uint64_t ns = bench_now() - start;
    p->queue_end();
    for (int i = producers; i < producers + consumers; ++i)
        taken += c.ops[i];
    return (double)taken * 1e3 / (double)ns;
}

static double rate_1_1(const struct peer *p) { return rate(p, CAPACITY, 1, 1); }
static double rate_2_2(const struct peer *p) { return rate(p, CAPACITY, 2, 2); }
static double rate_4_4(const struct peer *p) { return rate(p, CAPACITY, 4, 4); }
static double unbounded_1_1(const struct peer *p) { return rate(p, 0, 1, 1); }
static double unbounded_4_4(const struct peer *p) { return rate(p, 0, 4, 4); }

static double pair(const struct peer *p) {
    if (!p->queue_pair || (p->queue_begin && !p->queue_begin(CAPACITY, 1, 1)))
        return NAN;
    double ns = p->queue_pair(100000);
    if (p->queue_end)
        p->queue_end();
    return ns;
}

/* Returns us. */
static double ask(const struct peer *p, int cpu0, int cpu1, long n, uint64_t pause) {
    if (!p->queue_ping || !p->queue_begin(1, 1, 1))
        return NAN;
    double ns = bench_ping(p->queue_ping, cpu0, cpu1, n, pause);
    p->queue_end();
    return ns / 1e3;
}

static double one_core(const struct peer *p) {
    return ask(p, bench_cpu[0], bench_cpu[0], 20000, 0);
}
static double two_cores_parked(const struct peer *p) {
    return ask(p, bench_cpu[0], bench_cpu[1], 300, 100000);
}
static double two_cores_awake(const struct peer *p) {
    return ask(p, bench_cpu[0], bench_cpu[1], 3000, 0);
}

void bench_queue(void) {
    bench_row("queue put + get", "ns", BENCH_ROUNDS, pair);
    bench_row("queue request + reply, one core", "us", 5, one_core);
    if (!bench_two_cores("queue of 1024, queue request + reply on two cores"))
        return;
    bench_row("queue of 1024, 1 producer 1 consumer", "Mops/s", 9, rate_1_1);
    bench_row("queue of 1024, 2 producers 2 consumers", "Mops/s", 9, rate_2_2);
    bench_row("queue of 1024, 4 producers 4 consumers", "Mops/s", 9, rate_4_4);
    bench_row("queue unbounded, 1 producer 1 consumer", "Mops/s", 5, unbounded_1_1);
    bench_row("queue unbounded, 4 producers 4 consumers", "Mops/s", 5, unbounded_4_4);
    bench_row("queue request + reply, two cores parked", "us", 5, two_cores_parked);
    bench_row("queue request + reply, two cores awake", "us", 5, two_cores_awake);
}
