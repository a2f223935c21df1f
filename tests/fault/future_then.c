/* SPDX-License-Identifier: MIT */
/* Continuations: memory is needed when one is made and never afterwards. Linked with --wrap for
 * these functions. */
#include "spec.h"

#include <pthread.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);

/* Counts down to the call that fails, with those after it if `all`; 0 and less: none. */
static int memory_in;
static bool all;
static bool no_thread;

static bool due(void) {
    int n = __atomic_load_n(&memory_in, __ATOMIC_RELAXED);
    if (n <= 0)
        return false;
    if (__atomic_load_n(&all, __ATOMIC_RELAXED) && n == 1)
        return true;
    return __atomic_fetch_sub(&memory_in, 1, __ATOMIC_RELAXED) == 1;
}

void *__wrap_malloc(size_t size) { return due() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t n, size_t size) { return due() ? NULL : __real_calloc(n, size); }

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg) {
    return __atomic_load_n(&no_thread, __ATOMIC_RELAXED)
               ? EAGAIN
               : __real_pthread_create(thread, attr, fn, arg);
}

static void fail_memory(int in, bool every) {
    __atomic_store_n(&all, every, __ATOMIC_RELAXED);
    __atomic_store_n(&memory_in, in, __ATOMIC_RELAXED);
}

static int n_seen;

static void hook(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
    n_seen++;
}

static void *count(thrum_future *before, void *arg) {
    (void)before;
    return (void *)((intptr_t)arg + 1);
}

static void test_made_without_memory(void **state) {
    (void)state;
    thrum_future *promise = thrum_future_new();
    int made = 0;
    for (int n = 1; n <= 3; n++) {
        thrum_future *out = NULL;
        fail_memory(n, false);
        int rc = thrum_future_then(promise, &out, NULL, count, NULL);
        fail_memory(0, false);
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_true((rc == 0) == (out != NULL));
        made += rc == 0;
        thrum_future_free(out);
    }
    assert_in_range(made, 1, 2);
    thrum_future_free(promise);
}

enum { CHAIN = 20000 };

static thrum_future *chain(thrum_future *promise, thrum_executor *pool) {
    thrum_future *at = thrum_future_ref(promise);
    for (int i = 0; i < CHAIN; i++) {
        thrum_future *next = NULL;
        assert_int_equal(thrum_future_then(at, &next, i % 4 ? pool : NULL, count, (void *)41), 0);
        thrum_future_free(at);
        at = next;
    }
    return at;
}

/* All that runs does, in the thread that completes, without the stack of each in the other. */
static void test_neither_memory_nor_threads(void **state) {
    (void)state;
    spec_needs_os("that every start fails");
    for (int way = 0; way < 3; way++) {
        n_seen = 0;
        thrum_set_excepthook(hook, NULL);
        thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
        thrum_future *promise = thrum_future_new();
        thrum_future *last = chain(promise, pool), *other = chain(promise, NULL);
        void *value = NULL;
        fail_memory(1, true);
        __atomic_store_n(&no_thread, true, __ATOMIC_RELAXED);
        if (way == 0)
            assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        else if (way == 1)
            assert_int_equal(thrum_future_set_error(promise, -EIO, "lost text"), 0);
        else
            assert_true(thrum_future_cancel(promise));
        __atomic_store_n(&no_thread, false, __ATOMIC_RELAXED);
        fail_memory(0, false);
        thrum_future_free(promise);
        assert_true(thrum_future_done(last));
        int code = way == 0 ? 0 : way == 1 ? -EIO : -ECANCELED;
        assert_int_equal(thrum_future_result(last, &value), code);
        assert_int_equal((intptr_t)value, code ? 0 : 42);
        thrum_future_free(last);
        thrum_future_free(other);
        thrum_executor_free(pool);
        assert_int_equal(n_seen, way == 1); /* without memory each branch has a copy of the code */
        thrum_set_excepthook(NULL, NULL);
    }
}

static void test_a_pool_that_ends_without_memory(void **state) {
    (void)state;
    n_seen = 0;
    thrum_set_excepthook(hook, NULL);
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    thrum_future *promise = thrum_future_new();
    thrum_future *last = chain(promise, pool);
    fail_memory(1, true);
    thrum_executor_free(pool);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    fail_memory(0, false);
    assert_int_equal(thrum_future_result(last, NULL), -ESHUTDOWN);
    thrum_future_free(last);
    thrum_future_free(promise);
    assert_int_equal(n_seen, 0);
    thrum_set_excepthook(NULL, NULL);
}

SPEC_TESTS(cmocka_unit_test(test_made_without_memory),
           cmocka_unit_test(test_neither_memory_nor_threads),
           cmocka_unit_test(test_a_pool_that_ends_without_memory));
