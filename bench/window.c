/* SPDX-License-Identifier: MIT */
/* Threads that do the same for a while, on two CPUs. No clock is read while they run. */
#include "bench.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

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

uint64_t bench_window(struct contend *c, int n, int ms,
                      void (*body)(struct contend *c, int index)) {
    pthread_t thread[BENCH_THREADS];
    struct fighter fighter[BENCH_THREADS];
    pthread_barrier_t start;
    struct sigaction action = {.sa_handler = end_window, .sa_flags = SA_RESTART};
    struct itimerval timer = {.it_value = {0, ms * 1000}};
    sigaction(SIGALRM, &action, NULL);
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
    bench_pin(bench_cpu[0]);
    return window_end - begin;
}
