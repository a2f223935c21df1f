/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include <glib.h>

static struct peer self;
static GThreadPool *pool;
static GMutex lock;
static GCond finished;
static gint pending; /* atomic; the last one signals under lock */

struct task {
    void *(*fn)(void *arg);
    void *arg;
};

static void run(gpointer data, gpointer unused) {
    struct task *task = data;
    (void)unused;
    task->fn(task->arg);
    g_free(task);
    if (!g_atomic_int_dec_and_test(&pending))
        return;
    g_mutex_lock(&lock);
    g_cond_signal(&finished);
    g_mutex_unlock(&lock);
}

static void with(int workers, size_t limit, void (*body)(void *), void *arg) {
    (void)limit;
    pool = g_thread_pool_new(run, NULL, workers, TRUE, NULL);
    body(arg);
    g_thread_pool_free(pool, FALSE, TRUE);
}

static void submit(long n, void *(*fn)(void *), void *arg) {
    g_atomic_int_add(&pending, (gint)n);
    for (long i = 0; i < n; ++i) {
        struct task *task = g_new(struct task, 1);
        *task = (struct task){fn, arg};
        g_thread_pool_push(pool, task, NULL);
    }
}

static void wait_all(void) {
    g_mutex_lock(&lock);
    while (g_atomic_int_get(&pending) > 0)
        g_cond_wait(&finished, &lock);
    g_mutex_unlock(&lock);
}

static const struct bench_pool functions = {
    .with = with, .submit = submit, .wait = wait_all, .nested = true};

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "GThreadPool", .rank = 13, .pool = &functions};
    bench_register(&self);
}
