/* SPDX-License-Identifier: MIT */
/* Pools of processes: what stands in shared memory is not copied. */
#include "entries.h"
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <thrum/processes.h>
#include <thrum/shared.h>
#include <unistd.h>

typedef struct large {
    unsigned char bytes[300000];
} large;

static thrum_executor *pool_of(int n, const thrum_processes_opts *opts) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .backend_opts = opts, .max_workers = n, .name_prefix = "S"});
    assert_non_null(pool);
    return pool;
}

static thrum_shared *shared_of(size_t size) {
    thrum_shared *shared;
    assert_int_equal(thrum_shared_create(&shared, NULL, size, NULL), 0);
    return shared;
}

THRUM_TASK(double, sum, (const double *, from), (int, n), (char *, note)) {
    double sum = 0;
    for (int i = 0; from && i < n; i++)
        sum += from[i];
    if (note)
        strcpy(note, "done");
    return from ? sum : -1;
}

static double sum_of(thrum_executor *pool, const double *from, int n, char *note) {
    thrum_future *f;
    double value = 0;
    assert_int_equal(sum_submit(pool, &f, from, n, note), 0);
    assert_int_equal(sum_result(f, &value), 0);
    thrum_future_free(f);
    return value;
}

static void test_pointers_into_shared_memory(void **state) {
    (void)state;
    enum { N = 1000 };
    thrum_executor *pool = pool_of(2, NULL);
    thrum_shared *numbers = shared_of(N * sizeof(double)), *text = shared_of(100);
    double *at = thrum_shared_memory(numbers), own[2] = {1, 2};
    char *note = thrum_shared_memory(text);
    for (int i = 0; i < N; i++)
        at[i] = i;
    assert_true(sum_of(pool, at, N, note + 10) == N * (N - 1) / 2);
    assert_string_equal(note + 10, "done");
    assert_true(sum_of(pool, at + 10, 2, NULL) == 21);
    assert_true(sum_of(pool, at + N - 1, 1, NULL) == N - 1);
    assert_true(sum_of(pool, NULL, 1, note) == -1);
    thrum_future *f;
    assert_int_equal(sum_submit(pool, &f, own, 2, NULL), -EFAULT);
    assert_int_equal(sum_submit(pool, &f, at + N, 1, NULL), -EFAULT);
    thrum_shared_close(text);
    assert_int_equal(sum_submit(pool, &f, at, 2, note), -EFAULT);
    thrum_shared_close(numbers);
    thrum_executor_free(pool);
}

THRUM_TASK(int, descriptors_there) { return entries("/proc/self/fd"); }

static int there(thrum_executor *pool) {
    thrum_future *f;
    int n = 0;
    assert_int_equal(descriptors_there_submit(pool, &f), 0);
    assert_int_equal(descriptors_there_result(f, &n), 0);
    thrum_future_free(f);
    return n;
}

static void test_segments_come_and_go(void **state) {
    (void)state;
    enum { N = 40 };
    thrum_executor *pool = pool_of(1, NULL);
    thrum_shared *kept = shared_of(8), *all[N];
    (void)sum_of(pool, thrum_shared_memory(kept), 1, NULL);
    int before = there(pool);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            all[i] = shared_of(4096);
            *(double *)thrum_shared_memory(all[i]) = i;
            for (int twice = 0; twice < 2; twice++)
                assert_true(sum_of(pool, thrum_shared_memory(all[i]), 1, NULL) == i);
        }
        assert_int_equal(there(pool), before + N);
        for (int i = 0; i < N; i++)
            thrum_shared_close(all[i]);
        (void)sum_of(pool, thrum_shared_memory(kept), 1, NULL); /* now it is told */
        assert_int_equal(there(pool), before);
    }
    thrum_shared_close(kept);
    thrum_executor_free(pool);
}

THRUM_TASK(large, inverse, (large, it)) {
    for (size_t i = 0; i < sizeof it.bytes; i++)
        it.bytes[i] = (unsigned char)~it.bytes[i];
    return it;
}

static large in, out;

static void submit_large(thrum_executor *pool, thrum_future **f, int i) {
    memset(&in, i, sizeof in);
    assert_int_equal(inverse_submit(pool, f, in), 0);
}

static void check_large(thrum_future *f, int i) {
    assert_int_equal(inverse_result(f, &out), 0);
    for (size_t j = 0; j < sizeof out.bytes; j++)
        assert_int_equal(out.bytes[j], (unsigned char)~i);
    thrum_future_free(f);
}

static void test_large_arguments_and_results(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, NULL);
    thrum_future *f[4];
    int before = 0;
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 4; i++)
            submit_large(pool, &f[i], round + i);
        for (int i = 0; i < 4; i++)
            check_large(f[i], round + i);
        if (round == 0)
            before = entries("/proc/self/fd");
        assert_in_range(entries("/proc/self/fd"), 1, before); /* the same memory again and again */
    }
    thrum_executor_free(pool);
    assert_in_range(entries("/proc/self/fd"), 1, before - 4);
}

/* More than there are segments for: the others go through the socket. */
static void test_many_large_ones_at_once(void **state) {
    (void)state;
    enum { N = 200 };
    static thrum_future *f[N];
    thrum_executor *pool = pool_of(2, NULL);
    int before = entries("/proc/self/fd");
    for (int i = 0; i < N; i++)
        submit_large(pool, &f[i], i);
    assert_in_range(entries("/proc/self/fd"), 1, before + 180);
    for (int i = 0; i < N; i++)
        check_large(f[i], i);
    thrum_executor_free(pool);
}

THRUM_TASK(int, once_killed, (large, it), (int *, tries)) {
    if (it.bytes[77] == 5 && ++*tries < 3)
        kill(getpid(), SIGKILL);
    return it.bytes[77];
}

static void test_a_worker_that_dies_of_a_large_one(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.retries = 2});
    thrum_shared *shared = shared_of(sizeof(int));
    thrum_future *f[3];
    for (int i = 0; i < 3; i++) {
        memset(&in, 4 + i, sizeof in);
        assert_int_equal(once_killed_submit(pool, &f[i], in, thrum_shared_memory(shared)), 0);
    }
    for (int i = 0, value = 0; i < 3; i++) {
        assert_int_equal(once_killed_result(f[i], &value), 0);
        assert_int_equal(value, 4 + i);
        thrum_future_free(f[i]);
    }
    assert_int_equal(*(int *)thrum_shared_memory(shared), 3);
    thrum_shared_close(shared);
    thrum_executor_free(pool);
}

static int negate(const void *item, void *result) {
    *(int *)result = -*(const int *)item;
    return 0;
}

static int die_at_30(const void *item, void *result) {
    if (*(const int *)item == 30)
        kill(getpid(), SIGKILL);
    return negate(item, result);
}

static void test_a_map_of_shared_memory(void **state) {
    (void)state;
    enum { N = 50000 };
    static int codes[N];
    thrum_executor *pool = pool_of(2, NULL);
    thrum_shared *shared = shared_of(2 * N * sizeof(int));
    int *items = thrum_shared_memory(shared), *results = items + N;
    for (int i = 0; i < N; i++)
        items[i] = i;
    assert_int_equal(
        thrum_map(pool, negate, items, N, sizeof *items, results, sizeof *results, NULL), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(results[i], -i);
    memset(results, 0, N * sizeof *results);
    assert_int_equal(thrum_map(pool, die_at_30, items, N, sizeof *items, results, sizeof *results,
                               &(thrum_map_opts){.codes = codes}),
                     -EPIPE);
    for (int i = 0; i < N; i++) { /* only the one */
        assert_int_equal(codes[i], i == 30 ? -EPIPE : 0);
        assert_int_equal(results[i], i == 30 ? 0 : -i);
    }
    thrum_shared_close(shared);
    thrum_executor_free(pool);
}

/* What the items of a map and its caller see of each other. */
typedef struct signs {
    int begun, go;
} signs;

/* Lasts until its caller says so; the last item is the one that fails. */
static int wait_for_go(const void *item, void *result) {
    signs *it = (signs *)(uintptr_t)item;
    (void)result;
    __atomic_store_n(&it->begun, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&it->go, __ATOMIC_SEQ_CST))
        continue;
    return 0;
}

typedef struct called {
    thrum_executor *pool;
    signs *items;
    int codes[100];
    int rc;
} called;

static void *call_map(void *arg) {
    called *it = arg;
    it->rc = thrum_map(it->pool, wait_for_go, it->items, 100, sizeof *it->items, NULL, 0,
                       &(thrum_map_opts){.codes = it->codes, .chunk = 10});
    return NULL;
}

/* A map whose task is cancelled starts no item once that was noticed: after the part that was on
 * its way. */
static void test_a_cancelled_map(void **state) {
    (void)state;
    called it = {pool_of(1, NULL), NULL, {0}, 0};
    thrum_shared *shared = shared_of(100 * sizeof(signs));
    thrum_executor *threads = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    thrum_future *f;
    int ran = 0;
    it.items = thrum_shared_memory(shared);
    for (int i = 1; i < 100; i++)
        it.items[i].go = 1;
    assert_int_equal(thrum_submit(threads, &f, call_map, &it), 0);
    while (!__atomic_load_n(&it.items[0].begun, __ATOMIC_SEQ_CST))
        spec_yield();
    assert_false(thrum_future_cancel(f));
    __atomic_store_n(&it.items[0].go, 1, __ATOMIC_SEQ_CST);
    assert_null(thrum_future_error(f));
    assert_int_equal(it.rc, -ECANCELED);
    for (int i = 0; i < 100; i++)
        ran += it.codes[i] == 0;
    assert_in_range(ran, 10, 50);
    thrum_future_free(f);
    thrum_executor_free(threads);
    thrum_shared_close(shared);
    thrum_executor_free(it.pool);
}

SPEC_TESTS(cmocka_unit_test(test_pointers_into_shared_memory),
           cmocka_unit_test(test_segments_come_and_go),
           cmocka_unit_test(test_large_arguments_and_results),
           cmocka_unit_test(test_many_large_ones_at_once),
           cmocka_unit_test(test_a_worker_that_dies_of_a_large_one),
           cmocka_unit_test(test_a_map_of_shared_memory), cmocka_unit_test(test_a_cancelled_map));
