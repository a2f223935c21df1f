/* SPDX-License-Identifier: MIT */
/* The toolbox between processes. Throughput: a process for each producer and consumer, or for each
 * user of the lock, forked off for 100 ms, on the two CPUs where the kernel puts them; items of 64
 * bytes. */
#include "bench.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WINDOW_MS = 100, CAPACITY = 1024, PROCESSES = 4 };

struct window {
    int ready, stop, left; /* atomic; `left`: producers that have not ended */
    struct {
        uint64_t ops;
    } __attribute__((aligned(64))) of[PROCESSES];
    char object[] __attribute__((aligned(64)));
};

static struct window *make_window(size_t object_size) {
    struct window *w = mmap(NULL, sizeof *w + object_size, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w == MAP_FAILED)
        abort();
    return w;
}

static void drop_window(struct window *w, size_t object_size) {
    munmap(w, sizeof *w + object_size);
}

static pid_t start(struct window *w, int n, void (*body)(struct window *, int), int index) {
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    bench_pin_both();
    __atomic_fetch_add(&w->ready, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&w->ready, __ATOMIC_SEQ_CST) < n)
        bench_pause();
    body(w, index);
    _exit(0);
}

/* Returns Mops/s of those from `first` on. */
static double run(struct window *w, int n, int first, void (*body)(struct window *, int)) {
    pid_t pids[PROCESSES];
    uint64_t sum = 0;
    for (int i = 0; i < n; ++i)
        pids[i] = start(w, n, body, i);
    while (__atomic_load_n(&w->ready, __ATOMIC_SEQ_CST) < n)
        usleep(100);
    uint64_t begin = bench_now();
    usleep(WINDOW_MS * 1000);
    __atomic_store_n(&w->stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < n; ++i)
        waitpid(pids[i], NULL, 0);
    uint64_t ns = bench_now() - begin;
    for (int i = first; i < n; ++i)
        sum += w->of[i].ops;
    return (double)sum * 1e3 / (double)ns;
}

static const struct bench_shared *running;
static int producers_now;

static void flow(struct window *w, int index) {
    char item[BENCH_ITEM] = {0};
    uint64_t ops = 0;
    if (index < producers_now) {
        for (; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); ++ops)
            running->queue_put(w->object, item);
        if (__atomic_sub_fetch(&w->left, 1, __ATOMIC_SEQ_CST) == 0)
            running->queue_close(w->object);
    } else {
        while (running->queue_get(w->object, item))
            ops += 1;
    }
    w->of[index].ops = ops;
}

static double rate(const struct peer *p, int producers, int consumers) {
    if (!p->shared)
        return NAN;
    running = p->shared;
    if (running->queue_rate)
        return running->queue_rate(CAPACITY, producers, consumers);
    struct window *w = make_window(running->queue_size(CAPACITY));
    running->queue_init(w->object, CAPACITY);
    producers_now = w->left = producers;
    double value = run(w, producers + consumers, producers, flow);
    drop_window(w, running->queue_size(CAPACITY));
    return value;
}

static double rate_1_1(const struct peer *p) { return rate(p, 1, 1); }
static double rate_2_2(const struct peer *p) { return rate(p, 2, 2); }

static void use_lock(struct window *w, int index) {
    uint64_t ops = 0;
    for (; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); ++ops) {
        running->lock_acquire(w->object);
        bench_spin(5);
        running->lock_release(w->object);
        bench_spin(20);
    }
    w->of[index].ops = ops;
}

static double lock_rate(const struct peer *p) {
    if (!p->shared || !p->shared->lock_init)
        return NAN;
    running = p->shared;
    struct window *w = make_window(256);
    running->lock_init(w->object);
    double value = run(w, 2, 0, use_lock);
    drop_window(w, 256);
    return value;
}

static double lock_pair(const struct peer *p) {
    return p->shared && p->shared->lock_pair ? p->shared->lock_pair(100000) : NAN;
}

static double semaphore_pair(const struct peer *p) {
    return p->shared && p->shared->semaphore_pair ? p->shared->semaphore_pair(100000) : NAN;
}

void bench_process_shared(void) {
    bench_row("shared lock uncontended pair", "ns", BENCH_ROUNDS, lock_pair);
    bench_row("shared semaphore uncontended pair", "ns", BENCH_ROUNDS, semaphore_pair);
    if (!bench_two_cores("shared lock and queue on two cores"))
        return;
    bench_row("shared lock, 2 processes: throughput", "Mops/s", 9, lock_rate);
    bench_row("shared queue of 1024 x 64 bytes, 1 producer 1 consumer", "Mops/s", 9, rate_1_1);
    bench_row("shared queue of 1024 x 64 bytes, 2 producers 2 consumers", "Mops/s", 9, rate_2_2);
}
