/* SPDX-License-Identifier: MIT */
/* The n-th call of malloc(), calloc() or pthread_create() fails, for every n until none is left: a
 * map runs each item once whatever fails, a stream gives each result, a fork-join and a typed task
 * are run or refused, nothing leaks. */
#include "fault.h"

#include <string.h>

enum { N = 50, TRIES = 40, MANY = 40000 };

static int in[N], times[N];

static int count(const void *item, void *result) {
    (void)result;
    __atomic_fetch_add(&times[*(const int *)item], 1, __ATOMIC_RELAXED);
    return 0;
}

THRUM_FORK_JOIN(int, one, w) {
    (void)w;
    return 1;
}

THRUM_FORK_JOIN(int, many, w, (int, n)) {
    int sum = 0;
    for (int i = 0; i < n; i++)
        one_spawn(w);
    for (int i = 0; i < n; i++)
        sum += one_sync(w);
    return sum;
}

THRUM_TASK(int, twice, (int, n)) { return 2 * n; }

static void fail_at(int n, bool threads) {
    __atomic_store_n(threads ? &thread_in : &memory_in, n, __ATOMIC_RELAXED);
    if (threads)
        strand_test_fail_start(n, -EAGAIN);
}

static void fail_none(void) {
    fail_at(0, false);
    fail_at(0, true);
    strand_test_fail_start(0, 0);
}

static thrum_executor *new_pool(int workers) {
    return thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
}

static void each_map_runs_all(bool threads) {
    for (int i = 0; i < N; i++)
        in[i] = i;
    for (int n = 1; n < TRIES; n++) {
        thrum_executor *pool = new_pool(12);
        memset(times, 0, sizeof times);
        fail_at(n, threads);
        assert_int_equal(thrum_map(pool, count, in, N, sizeof in[0], NULL, 0, NULL), 0);
        fail_none();
        for (int i = 0; i < N; i++)
            assert_int_equal(times[i], 1);
        thrum_executor_free(pool);
    }
}

static void test_a_map_needs_neither_memory_nor_threads(void **state) {
    (void)state;
    each_map_runs_all(false);
    each_map_runs_all(true);
}

static int next_of(void *i, void *item) {
    if (*(int *)i == N)
        return THRUM_STREAM_END;
    *(int *)item = (*(int *)i)++;
    return 0;
}

static int fail_odd(const void *item, void *result) {
    *(int *)result = *(const int *)item;
    return *(const int *)item % 2 ? -EIO : count(item, result);
}

/* Reads all, again and again when there is no worker or memory for the next one. */
static void read_all(thrum_stream *s, bool initializes) {
    int rc, in_vain = 0, n = 0;
    while ((rc = thrum_stream_next(s, NULL)) != THRUM_STREAM_END) {
        bool item = rc == 0 || thrum_stream_error(s);
        in_vain += !item;
        assert_true(item || rc == -ENOMEM || (initializes && rc == -EAGAIN));
        assert_true(!item || rc == ((int)thrum_stream_index(s) % 2 ? -EIO : 0));
        n += item;
    }
    assert_int_equal(n, N);
    assert_true(in_vain < 3);
}

static int prepare(void *arg) {
    (void)arg;
    return 0;
}

static void each_stream_gives_all(bool threads, bool initializes) {
    for (int n = 1; n < TRIES; n++) {
        thrum_executor_opts opts = {.max_workers = 2, .initializer = initializes ? prepare : NULL};
        thrum_executor *pool = thrum_executor_new(&opts);
        int i = 0;
        memset(times, 0, sizeof times);
        fail_at(n, threads);
        thrum_stream *s = thrum_stream_new(pool, next_of, &i, fail_odd, sizeof i, sizeof i,
                                           &(thrum_stream_opts){.unordered = n % 2});
        assert_true(s || (errno == ENOMEM && i == 0 && !threads));
        if (s)
            read_all(s, initializes);
        fail_none();
        for (int k = 0; s && k < N; k += 2)
            assert_int_equal(times[k], 1);
        thrum_stream_free(s);
        thrum_executor_free(pool);
    }
}

static void test_a_stream_loses_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++)
        each_stream_gives_all(i & 1, i & 2);
}

/* The reader runs all items itself; where an initializer would have to run before, it is told so
 * until a worker can be had. */
static void test_a_stream_without_workers(void **state) {
    (void)state;
    spec_needs_os("a start of a thread that always fails");
    for (int k = 0; k < 4; k++) {
        bool initializes = k & 1;
        thrum_executor_opts opts = {.max_workers = 2, .initializer = initializes ? prepare : NULL};
        thrum_executor *pool = thrum_executor_new(&opts);
        int i = 0;
        memset(times, 0, sizeof times);
        __atomic_store_n(&thread_in, -1, __ATOMIC_RELAXED);
        thrum_stream *s = thrum_stream_new(pool, next_of, &i, fail_odd, sizeof i, sizeof i,
                                           &(thrum_stream_opts){.unordered = k & 2});
        assert_non_null(s);
        for (int n = 0; n < 5 && initializes; n++) {
            assert_int_equal(thrum_stream_next(s, NULL), -EAGAIN);
            assert_null(thrum_stream_error(s));
            assert_int_equal(i, 1);
        }
        if (initializes)
            fail_none();
        read_all(s, false);
        fail_none();
        thrum_stream_free(s);
        thrum_executor_free(pool);
    }
}

static void fork_joins(bool threads) {
    int failed = 0;
    for (int n = 1; n < TRIES; n++) {
        thrum_executor *pool = new_pool(3);
        int value = -1;
        fail_at(n, threads);
        int rc = many_run(pool, &value, n % 2 ? MANY : 10);
        fail_none();
        if (rc == 0)
            assert_int_equal(value, n % 2 ? MANY : 10);
        else
            assert_int_equal(rc, -ENOMEM);
        assert_true(rc == 0 || value == -1);
        failed += rc != 0;
        thrum_executor_free(pool);
    }
    assert_true(threads ? failed == 0 : failed > 0);
}

static void test_a_fork_join_runs_or_says_why_not(void **state) {
    (void)state;
    fork_joins(false);
    fork_joins(true);
}

static void tasks(bool threads) {
    int failed = 0;
    for (int n = 1; n < TRIES; n++) {
        thrum_executor *pool = new_pool(2);
        thrum_future *future = NULL;
        int value = 0;
        fail_at(n, threads);
        int rc = twice_submit(pool, &future, n);
        fail_none();
        if (rc == 0) {
            assert_int_equal(twice_result(future, &value), 0);
            assert_int_equal(value, 2 * n);
            thrum_future_free(future);
        } else {
            assert_true(rc == -ENOMEM || rc == -EAGAIN);
        }
        failed += rc != 0;
        thrum_executor_free(pool);
    }
    assert_true(failed > 0);
}

static void test_a_typed_task_runs_or_says_why_not(void **state) {
    (void)state;
    tasks(false);
    tasks(true);
}

SPEC_TESTS(cmocka_unit_test(test_a_map_needs_neither_memory_nor_threads),
           cmocka_unit_test(test_a_stream_loses_nothing),
           cmocka_unit_test(test_a_stream_without_workers),
           cmocka_unit_test(test_a_fork_join_runs_or_says_why_not),
           cmocka_unit_test(test_a_typed_task_runs_or_says_why_not));
