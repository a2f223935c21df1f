/* SPDX-License-Identifier: MIT */
/* The pool that C programs write for themselves: a list, a mutex, two conditions, no futures. */
#include "bench.h"
#include <stdlib.h>

struct task {
    struct task *next;
    void *(*fn)(void *arg);
    void *arg;
};

static struct peer self;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, finished = PTHREAD_COND_INITIALIZER;
static struct task *first, **last = &first; /* under lock, as what follows */
static long pending;
static bool ends;

static void *worker(void *arg) {
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!first && !ends)
            pthread_cond_wait(&more, &lock);
        struct task *task = first;
        if (!task)
            break;
        first = task->next;
        if (!first)
            last = &first;
        pthread_mutex_unlock(&lock);
        task->fn(task->arg);
        free(task);
        pthread_mutex_lock(&lock);
        if (--pending == 0)
            pthread_cond_signal(&finished);
    }
    pthread_mutex_unlock(&lock);
    return arg;
}

static void with(int workers, size_t limit, void (*body)(void *), void *arg) {
    pthread_t thread[BENCH_THREADS];
    (void)limit;
    ends = false;
    for (int i = 0; i < workers; ++i)
        if (pthread_create(&thread[i], NULL, worker, NULL) != 0)
            abort();
    body(arg);
    pthread_mutex_lock(&lock);
    ends = true;
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < workers; ++i)
        pthread_join(thread[i], NULL);
}

static void submit(long n, void *(*fn)(void *), void *arg) {
    for (long i = 0; i < n; ++i) {
        struct task *task = malloc(sizeof *task);
        if (!task)
            abort();
        *task = (struct task){NULL, fn, arg};
        pthread_mutex_lock(&lock);
        *last = task;
        last = &task->next;
        pending += 1;
        pthread_cond_signal(&more);
        pthread_mutex_unlock(&lock);
    }
}

static void wait_all(void) {
    pthread_mutex_lock(&lock);
    while (pending > 0)
        pthread_cond_wait(&finished, &lock);
    pthread_mutex_unlock(&lock);
}

static const struct bench_pool functions = {
    .with = with, .submit = submit, .wait = wait_all, .nested = true};

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){
        .name = "mutex + condition", .rank = 3, .baseline = true, .pool = &functions};
    bench_register(&self);
}
