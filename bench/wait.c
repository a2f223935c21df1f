/* SPDX-License-Identifier: MIT */
/* What waiting costs others, and what others cost a waiter. */
#include "bench.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static void sleep_ns(long ns) {
    struct timespec pause = {ns / 1000000000, ns % 1000000000};
    nanosleep(&pause, NULL);
}

struct idler {
    const struct peer *peer;
    int index;
};

static void *idle(void *arg) {
    struct idler *idler = arg;
    idler->peer->idle_wait(idler->index);
    return NULL;
}

static double cpu_ms(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* Returns the ms of CPU that 100 waiting threads use in a second. */
static double waiting_cpu(const struct peer *p) {
    static pthread_t thread[BENCH_IDLE];
    static struct idler idler[BENCH_IDLE];
    if (!p->idle_wait)
        return NAN;
    p->idle_begin();
    for (int i = 0; i < BENCH_IDLE; ++i) {
        idler[i] = (struct idler){p, i};
        if (pthread_create(&thread[i], NULL, idle, &idler[i]) != 0)
            abort();
    }
    sleep_ns(100000000);
    double before = cpu_ms();
    sleep_ns(1000000000);
    double used = cpu_ms() - before;
    p->idle_end();
    for (int i = 0; i < BENCH_IDLE; ++i)
        pthread_join(thread[i], NULL);
    return used;
}

enum { WAKES = 300 };

struct beside_hog {
    const struct peer *peer;
    bool over;     /* atomic */
    uint64_t sent; /* before the set; read after the wait */
    int done;      /* atomic: wakes seen by the waiter */
    double us[WAKES];
};

static void *hog(void *arg) {
    struct beside_hog *h = arg;
    bench_pin(bench_cpu[0]);
    while (!__atomic_load_n(&h->over, __ATOMIC_RELAXED))
        bench_spin(100);
    return NULL;
}

static void *waiter(void *arg) {
    struct beside_hog *h = arg;
    bench_pin(bench_cpu[0]);
    for (int i = 0; i < WAKES; ++i) {
        h->peer->event_wait_clear();
        h->us[i] = (double)(bench_now() - h->sent) / 1e3;
        /* release: pairs with wake_beside_hog() */
        __atomic_store_n(&h->done, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Wakes from the second CPU, 0.1 to 1.6 ms apart, a waiter whose CPU another thread hogs. Returns
 * us: nine of ten wakes take no longer. */
static double wake_beside_hog(const struct peer *p) {
    static struct beside_hog h;
    pthread_t thread[2];
    uint32_t random = 1;
    if (!p->event_set)
        return NAN;
    h = (struct beside_hog){.peer = p};
    if (pthread_create(&thread[0], NULL, hog, &h) != 0 ||
        pthread_create(&thread[1], NULL, waiter, &h) != 0)
        abort();
    bench_pin(bench_cpu[1]);
    for (int i = 0; i < WAKES; ++i) {
        random = random * 1664525 + 1013904223;
        bench_busy(100000 + random % 1500000);
        h.sent = bench_now();
        p->event_set();
        /* acquire: pairs with waiter() */
        while (__atomic_load_n(&h.done, __ATOMIC_ACQUIRE) <= i)
            bench_pause();
    }
    __atomic_store_n(&h.over, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; ++i)
        pthread_join(thread[i], NULL);
    bench_pin(bench_cpu[0]);
    qsort(h.us, WAKES, sizeof *h.us, by_value);
    return h.us[WAKES * 9 / 10];
}

static void hog_row(const char *row) {
    struct series s = {0};
    if (!bench_wanted(row) || !bench_two_cores(row))
        return;
    bench_begin(row);
    for (int round = 0; round < bench_rounds(5); ++round)
        for (int i = 0; i < bench_n_peers; ++i)
            bench_add(&s, i, wake_beside_hog(bench_peers[i]));
    bench_emit(&s, row, "us", true);
}

void bench_wait(void) {
    bench_row("100 waiting threads: CPU", "ms/s", 3, waiting_cpu);
    hog_row("wake beside a hog: p90");
}
