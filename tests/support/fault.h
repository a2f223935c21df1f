/* SPDX-License-Identifier: MIT */
/* Memory and threads that fail when a test says so: for one program, linked with --wrap for
 * malloc(), calloc() and pthread_create(). */
#ifndef THRUM_TESTS_FAULT_H
#define THRUM_TESTS_FAULT_H

#include "spec.h"

#include <pthread.h>

#include "strand_test.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);

/* Count down to the call that fails; 0: none, -1: all. `all`: those after it fail too. */
static int memory_in;
static int thread_in;
static bool all;
static int thread_error = EAGAIN; /* what pthread_create() says then */

static bool due(int *in) {
    int n = __atomic_load_n(in, __ATOMIC_RELAXED);
    do {
        if (n <= 0)
            return n < 0;
        if (__atomic_load_n(&all, __ATOMIC_RELAXED) && n == 1)
            return true;
    } while (
        !__atomic_compare_exchange_n(in, &n, n - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return n == 1;
}

/* Lets others in where memory is asked for. */
static bool dawdles;

static void dawdle(void) {
    for (int i = 0; i < 20 && __atomic_load_n(&dawdles, __ATOMIC_RELAXED); i++)
        spec_yield();
}

void *__wrap_malloc(size_t size) {
    dawdle();
    if (!due(&memory_in))
        return __real_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    dawdle();
    if (!due(&memory_in))
        return __real_calloc(n, size);
    errno = ENOMEM;
    return NULL;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg) {
    return due(&thread_in) ? thread_error : __real_pthread_create(thread, attr, fn, arg);
}

/* The memory-th call for memory and the thread-th for a thread fail, 0: none; with `every` those
 * after them too. */
static inline void fail_from(int memory, int thread, bool every) {
    strand_test_fail_start(thread, -EAGAIN);
    __atomic_store_n(&all, every, __ATOMIC_RELAXED);
    __atomic_store_n(&memory_in, memory, __ATOMIC_RELAXED);
    __atomic_store_n(&thread_in, thread, __ATOMIC_RELAXED);
}

static inline void fail_no_more(void) { fail_from(0, 0, false); }

#endif
