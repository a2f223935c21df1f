/* SPDX-License-Identifier: MIT */
/* Executors: two workers beside the thread that submits, on the two CPUs where the kernel puts
 * them. Each row says too which share of the tasks was run by workers. */
#include "bench.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 2, LIMIT = 1024, OUTSTANDING = 200000, INSIDE = 500, ITEM_NS = 15 };

static const struct bench_pool *pool;
static __thread long ran; /* tasks, by this thread */
static double share;      /* of the tasks run by workers, in the last measurement */
static double cost[3];    /* of the last measurement, NAN where the peer does not take part */
static long tasks, item_spins;

static void *empty(void *arg) {
    ran += 1;
    return arg;
}

static void *spin(void *arg) {
    ran += 1;
    bench_spin((unsigned)(uintptr_t)arg);
    return arg;
}

/* Returns the ns of one turn of bench_spin(). */
static double turn_ns(void) {
    static double best;
    for (int i = 0; i < 20 && (best == 0 || i < 3); ++i) {
        uint64_t begin = bench_now();
        bench_spin(200000);
        double ns = (double)(bench_now() - begin) / 200000;
        if (best == 0 || ns < best)
            best = ns;
    }
    return best;
}

static void map(void *unused);

/* Returns whether the peer takes part. */
static bool with(const struct peer *p, int workers, size_t limit, void (*body)(void *)) {
    cost[0] = cost[1] = cost[2] = NAN;
    if ((body != map && !p->pool->submit) || (p->pool->fixed && workers != WORKERS))
        return false;
    pool = p->pool;
    ran = tasks = 0;
    bench_pin_both();
    pool->with(workers, limit, body, NULL);
    bench_pin(bench_cpu[0]);
    share = tasks ? 1 - (double)ran / (double)tasks : 0;
    return true;
}

/* Adds one value of each of `rows` rows, that measure() has left in cost[], for each peer in turn,
 * and emits them. `rounds` 1: never more. */
static void pool_rows(const char *const row[], const char *const unit[], int rows, int rounds,
                      void (*measure)(const struct peer *peer)) {
    static struct series s[3];
    int most = rounds > 1 ? bench_rounds(rounds) : 1;
    bool wanted = false;
    memset(s, 0, sizeof s);
    for (int r = 0; r < rows; ++r)
        wanted |= bench_wanted(row[r]);
    if (!wanted)
        return;
    bench_begin(row[0]);
    for (int round = 0; round < most; ++round) {
        for (int i = 0; i < bench_n_peers; ++i) {
            if (!bench_peers[i]->pool)
                continue;
            measure(bench_peers[i]);
            for (int r = 0; r < rows; ++r) {
                bench_add(&s[r], i, cost[r]);
                s[r].share[i] += isnan(cost[r]) ? 0 : share;
            }
        }
    }
    for (int r = 0; r < rows; ++r) {
        s[r].shared = true;
        bench_emit(&s[r], row[r], unit[r], false);
    }
}

static void pool_row(const char *row, const char *unit, int rounds,
                     void (*measure)(const struct peer *peer)) {
    pool_rows(&row, &unit, 1, rounds, measure);
}

static void flood(void *unused) {
    (void)unused;
    tasks = BENCH_TASKS;
    uint64_t begin = bench_now();
    pool->submit(tasks, empty, NULL);
    pool->wait();
    cost[0] = (double)tasks * 1e3 / (double)(bench_now() - begin);
}

static void flood_queued(const struct peer *p) {
    share = 1;
    if (p->pool->rate)
        cost[0] = p->pool->rate(BENCH_TASKS);
    else if (with(p, WORKERS, 0, flood) && p->pool->throttles)
        cost[0] = NAN;
}

static void flood_one_worker(const struct peer *p) {
    if (with(p, 1, 0, flood) && p->pool->throttles)
        cost[0] = NAN;
}

static void flood_limited(const struct peer *p) { with(p, WORKERS, LIMIT, flood); }

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *hold(void *arg) {
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return arg;
}

static double resident(void) {
    long all, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2)
        abort();
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void outstanding(void *unused) {
    (void)unused;
    malloc_trim(0);
    pthread_mutex_lock(&gate);
    pool->submit(WORKERS, hold, NULL);
    double before = resident();
    pool->submit(OUTSTANDING, empty, NULL);
    cost[0] = (resident() - before) / OUTSTANDING;
    pthread_mutex_unlock(&gate);
    pool->wait();
    tasks = OUTSTANDING;
}

static void bytes(const struct peer *p) {
    if (!p->pool->throttles && !p->pool->gathers)
        with(p, WORKERS, 0, outstanding);
    else
        cost[0] = NAN;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void (*wait_one)(void);
static long ask_times, pause_ns;

/* Leaves median and p99, us, and the CPUs used; wait_one() waits. */
static void ask(void *unused) {
    static double us[10000];
    (void)unused;
    for (long i = -ask_times / 10; i < ask_times; ++i) {
        if (i == 0) {
            cost[2] = cpu_s();
            cost[1] = (double)bench_now();
            tasks = ran = 0;
        }
        if (pause_ns)
            nanosleep(&(struct timespec){0, pause_ns}, NULL);
        uint64_t begin = bench_now();
        pool->submit(1, empty, NULL);
        wait_one();
        if (i >= 0)
            us[i] = (double)(bench_now() - begin) / 1e3;
    }
    tasks = ask_times;
    cost[2] = (cpu_s() - cost[2]) / (((double)bench_now() - cost[1]) / 1e9);
    qsort(us, (size_t)ask_times, sizeof *us, by_value);
    cost[0] = us[ask_times / 2];
    cost[1] = us[ask_times * 99 / 100];
}

static void ask_now(const struct peer *p, bool helping, long times, long pause) {
    wait_one = helping || !p->pool->wait_worker ? p->pool->wait : p->pool->wait_worker;
    ask_times = times;
    pause_ns = pause;
    if (p->baseline || (helping ? p->pool->helps : !p->pool->helps || p->pool->wait_worker))
        with(p, WORKERS, 0, ask);
    else
        cost[0] = cost[1] = cost[2] = NAN;
}

static void hot_worker(const struct peer *p) { ask_now(p, false, 2000, 0); }
static void hot_helping(const struct peer *p) {
    ask_now(p, true, p->baseline ? 2000 : 10000, 0);
}
static void idle_helping(const struct peer *p) { ask_now(p, true, 200, 2000000); }
static void idle_worker(const struct peer *p) { ask_now(p, false, 100, 2000000); }

static long task_ns;

static void wait_at_once(void) {
    if (pool->wait_worker)
        pool->wait_worker();
    pool->wait();
}

/* Leaves serial / parallel / 2, of 60 ms of work; one wait for all. */
static void efficiency(void *unused) {
    (void)unused;
    uintptr_t turns = (uintptr_t)((double)task_ns / turn_ns());
    long n = 60000000 / task_ns;
    pool->submit(5000000 / task_ns, spin, (void *)turns);
    wait_at_once();
    uint64_t begin = bench_now();
    for (long i = 0; i < n; ++i)
        spin((void *)turns);
    uint64_t middle = bench_now();
    ran = 0;
    pool->submit(n, spin, (void *)turns);
    wait_at_once();
    tasks = n;
    cost[0] = (double)(middle - begin) / (double)(bench_now() - middle) / WORKERS;
}

static void independent(const struct peer *p) { with(p, WORKERS, 0, efficiency); }

static int item(const void *in, void *out) {
    ran += 1;
    bench_spin((unsigned)item_spins);
    *(long *)out = *(const long *)in;
    return 0;
}

static long map_items, map_times;

/* Leaves serial / parallel. */
static void map(void *unused) {
    static long in[1000000], out[1000000];
    double ns[2][100];
    (void)unused;
    memset(out, 0, sizeof out);
    for (long t = 0; t < map_times; ++t) {
        uint64_t begin = bench_now();
        for (long i = 0; i < map_items; ++i)
            item(&in[i], &out[i]);
        ns[0][t] = (double)(bench_now() - begin);
    }
    pool->map(item, in, out, map_items);
    ran = 0;
    for (long t = 0; t < map_times; ++t) {
        uint64_t begin = bench_now();
        pool->map(item, in, out, map_items);
        ns[1][t] = (double)(bench_now() - begin);
    }
    tasks = map_times * map_items;
    for (int i = 0; i < 2; ++i)
        qsort(ns[i], (size_t)map_times, sizeof ns[i][0], by_value);
    cost[0] = ns[0][map_times / 2] / ns[1][map_times / 2];
}

static void map_many(const struct peer *p) {
    cost[0] = NAN;
    map_items = 1000000;
    map_times = 1;
    if (p->pool->map && with(p, WORKERS, 0, map))
        cost[0] /= WORKERS;
}

static void map_few(const struct peer *p) {
    cost[0] = NAN;
    map_items = 1000;
    map_times = 100;
    if (p->pool->map)
        with(p, WORKERS, 0, map);
}

static double inside_ns;
static void *(*inside)(void *arg);

static void *submit_inside(void *arg) {
    uint64_t begin = bench_now();
    pool->submit(INSIDE, empty, NULL);
    inside_ns += (double)(bench_now() - begin);
    return arg;
}

static void *ask_inside(void *arg) {
    uint64_t begin = bench_now();
    pool->inside(INSIDE, empty, NULL);
    inside_ns += (double)(bench_now() - begin);
    return arg;
}

/* Leaves ns. The task that submits, or asks, runs in the worker, if there is one. */
static void from_inside(void *unused) {
    enum { TIMES = 200 };
    (void)unused;
    for (int i = -TIMES / 10; i < TIMES; ++i) {
        if (i == 0) {
            inside_ns = 0;
            ran = 0;
        }
        pool->submit(1, inside, NULL);
        wait_at_once();
    }
    tasks = TIMES * INSIDE;
    cost[0] = inside_ns / TIMES / INSIDE;
}

static void submits(const struct peer *p) {
    inside = submit_inside;
    cost[0] = NAN;
    if (p->pool->nested)
        with(p, 1, 0, from_inside);
}

static void asks(const struct peer *p) {
    inside = ask_inside;
    cost[0] = NAN;
    if (p->pool->inside)
        with(p, 1, 0, from_inside);
}

static void independent_rows(void) {
    static const struct {
        const char *row;
        long ns;
    } rows[] = {{"pool: tasks of 1 us, efficiency", 1000},
                {"pool: tasks of 10 us, efficiency", 10000},
                {"pool: tasks of 100 us, efficiency", 100000}};
    for (int i = 0; i < 3; ++i) {
        task_ns = rows[i].ns;
        pool_row(rows[i].row, "of 1", 5, independent);
    }
}

void bench_executor(void) {
    static const char *const idle_helping_rows[] = {
        "pool: submit + result after 2 ms idle, by helping",
        "pool: submit + result after 2 ms idle, by helping: p99",
        "pool: submit + result after 2 ms idle, by helping: CPU"};
    static const char *const idle_worker_rows[] = {
        "pool: submit + result after 2 ms idle, by a worker",
        "pool: submit + result after 2 ms idle, by a worker: p99",
        "pool: submit + result after 2 ms idle, by a worker: CPU"};
    static const char *const units[] = {"us", "us", "CPUs"};
    bool any = false;
    for (int i = 0; i < bench_n_peers; ++i)
        any |= bench_peers[i]->pool != NULL;
    if (!any || !bench_two_cores("pool"))
        return;
    item_spins = (long)(ITEM_NS / turn_ns());
    pool_row("pool: bytes per outstanding task", "bytes", 1, bytes);
    pool_row("pool: 1e6 empty tasks, all queued", "Mtasks/s", 5, flood_queued);
    pool_row("pool: 1e6 empty tasks, all queued, 1 worker", "Mtasks/s", 3, flood_one_worker);
    pool_row("pool: 1e6 empty tasks, caller runs", "Mtasks/s", 5, flood_limited);
    pool_row("pool: submit + result, by a worker", "us", 5, hot_worker);
    pool_row("pool: submit + result, by helping", "us", 5, hot_helping);
    pool_rows(idle_helping_rows, units, 3, 3, idle_helping);
    pool_rows(idle_worker_rows, units, 3, 3, idle_worker);
    independent_rows();
    pool_row("pool: map of 1e6 items of 15 ns, efficiency", "of 1", 5, map_many);
    pool_row("pool: map of 1000 items of 15 ns, speed-up", "x", 5, map_few);
    pool_row("pool: submit from inside a task", "ns", 9, submits);
    pool_row("pool: submit + result from inside a task", "ns", 9, asks);
}
