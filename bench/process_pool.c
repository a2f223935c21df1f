/* SPDX-License-Identifier: MIT */
/* A pool of processes: one empty task there and back, in a row and after a sleep of 2 ms; and many.
 * Who submits and the workers run on the two CPUs, where the kernel puts them. */
#include "bench.h"

#include <stdlib.h>
#include <unistd.h>

enum { CALLS = 2000, SLEEPS = 100, MANY = 100000, WARM = 200, ROUNDS = 9 };

struct pool_run {
    const struct bench_processes *of;
    double median, p99, cpus, rate;
    bool many;
    unsigned pause_us;
    int n;
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void call_one_by_one(struct pool_run *run) {
    static double us[CALLS];
    for (int i = 0; i < WARM; ++i)
        run->of->call();
    double cpu = run->of->cpu();
    uint64_t begin = bench_now();
    for (int i = 0; i < run->n; ++i) {
        if (run->pause_us)
            usleep(run->pause_us);
        uint64_t start = bench_now();
        run->of->call();
        us[i] = (double)(bench_now() - start) / 1e3;
    }
    run->cpus = (run->of->cpu() - cpu) * 1e9 / (double)(bench_now() - begin);
    qsort(us, (size_t)run->n, sizeof *us, by_value);
    run->median = us[run->n / 2];
    run->p99 = us[run->n * 99 / 100];
}

static void body(void *arg) {
    struct pool_run *run = arg;
    if (!run->many) {
        call_one_by_one(run);
        return;
    }
    run->of->many(1000);
    uint64_t begin = bench_now();
    run->of->many(MANY);
    run->rate = MANY * 1e3 / (double)(bench_now() - begin);
}

static struct pool_run measure(const struct peer *p, struct pool_run run, int workers) {
    run.median = run.p99 = run.cpus = run.rate = NAN;
    if (!p->processes || !p->processes->with || (run.many && !p->processes->many))
        return run;
    run.of = p->processes;
    bench_pin_both();
    run.of->with(workers, body, &run);
    bench_pin(bench_cpu[0]);
    return run;
}

static bool asks(const struct peer *p) { return p->processes && p->processes->asked; }

static double hot(const struct peer *p) {
    return asks(p) ? p->processes->asked("hot")
                   : measure(p, (struct pool_run){.n = CALLS}, 1).median;
}

static struct pool_run slept(const struct peer *p) {
    return measure(p, (struct pool_run){.n = SLEEPS, .pause_us = 2000}, 1);
}

static double after_sleep(const struct peer *p) {
    return asks(p) ? p->processes->asked("sleep") : slept(p).median;
}

static double after_sleep_cpu(const struct peer *p) { return slept(p).cpus; }

static double rate(const struct peer *p) {
    return asks(p) ? p->processes->asked("many")
                   : measure(p, (struct pool_run){.many = true}, 2).rate;
}

void bench_process_pool(void) {
    if (!bench_two_cores("process pool"))
        return;
    bench_row("process pool: submit + result", "us", ROUNDS, hot);
    bench_row("process pool: submit + result after 2 ms idle", "us", 5, after_sleep);
    bench_row("process pool: submit + result after 2 ms idle: CPU", "CPUs", 5, after_sleep_cpu);
    bench_row("process pool: 1e5 empty tasks", "Mtasks/s", ROUNDS, rate);
}
