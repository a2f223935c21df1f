/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1000, WORKERS = 3 };

static thrum_executor *pool;
static int in[N], out[N], codes[N], times[N];

static void make_pool(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = WORKERS});
    for (int i = 0; i < N; i++)
        in[i] = i;
    memset(out, 0, sizeof out);
    memset(codes, 1, sizeof codes);
    memset(times, 0, sizeof times);
    assert_non_null(pool);
}

static void free_pool(void) { thrum_executor_free(pool); }

static int square(const void *item, void *result) {
    int i = *(const int *)item;
    __atomic_fetch_add(&times[i], 1, __ATOMIC_RELAXED);
    spec_perhaps_yield();
    *(int *)result = i * i;
    return 0;
}

static void assert_squares(int n) {
    for (int i = 0; i < n; i++) {
        assert_int_equal(out[i], i * i);
        assert_int_equal(times[i], 1);
        out[i] = times[i] = 0;
    }
}

static int map_squares(size_t n, const thrum_map_opts *opts) {
    return thrum_map(pool, square, in, n, sizeof in[0], out, sizeof out[0], opts);
}

static void test_each_item_once(void **state) {
    (void)state;
    make_pool();
    static const size_t chunks[] = {0, 1, 7, 333, N, 10 * N};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        thrum_map_opts opts = {.chunk = chunks[i], .codes = codes};
        for (int n = 0; n <= N; n += n < 20 ? 1 : 245) {
            memset(codes, 1, sizeof codes);
            assert_int_equal(map_squares((size_t)n, &opts), 0);
            assert_squares(n);
            for (int k = 0; k < n; k++)
                assert_int_equal(codes[k], 0);
            assert_true(n == N || codes[n] != 0);
        }
    }
    assert_int_equal(map_squares(N, NULL), 0);
    assert_squares(N);
    free_pool();
}

static int calls;

static int no_bytes(const void *item, void *result) {
    assert_ptr_equal(item, in);
    assert_null(result);
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    return 0;
}

static int same_result(const void *item, void *result) {
    assert_null(item);
    assert_ptr_equal(result, &calls);
    __atomic_fetch_add((int *)result, 1, __ATOMIC_RELAXED);
    return 0;
}

static void test_sizes_of_nothing(void **state) {
    (void)state;
    make_pool();
    calls = 0;
    assert_int_equal(thrum_map(pool, no_bytes, in, 100, 0, NULL, 0, NULL), 0);
    assert_int_equal(thrum_map(pool, no_bytes, in, 100, 0, NULL, 64, NULL), 0);
    assert_int_equal(calls, 200);
    assert_int_equal(thrum_map(pool, same_result, NULL, 50, 0, &calls, 0, NULL), 0);
    assert_int_equal(calls, 250);
    assert_int_equal(thrum_map(pool, no_bytes, NULL, 0, 8, NULL, 0, NULL), 0);
    assert_int_equal(calls, 250);
    free_pool();
}

static int fail_some(const void *item, void *result) {
    int i = *(const int *)item;
    spec_perhaps_yield();
    *(int *)result = i;
    if (i == 777)
        return 5;
    return i % 100 == 42 ? -i : 0;
}

static void test_the_lowest_failing_index_and_all_codes(void **state) {
    (void)state;
    make_pool();
    size_t failed = 0;
    thrum_map_opts opts = {.codes = codes, .failed = &failed};
    int rc = thrum_map(pool, fail_some, in, N, sizeof in[0], out, sizeof out[0], &opts);
    assert_int_equal(rc, -42);
    assert_int_equal(failed, 42);
    for (int i = 0; i < N; i++) {
        assert_int_equal(codes[i], i == 777 ? -EINVAL : i % 100 == 42 ? -i : 0);
        assert_int_equal(out[i], i);
    }
    free_pool();
}

static int fail_later(const void *item, void *result) {
    (void)result;
    int i = *(const int *)item;
    if (i >= 10)
        thrum_raise(-ENOENT, "no item %d", i);
    return 0;
}

static void *map_failing(void *code) {
    *(int *)code = thrum_map(pool, fail_later, in, N, sizeof in[0], NULL, 0,
                             &(thrum_map_opts){.codes = codes});
    return NULL;
}

static void check_failing(const thrum_failure *failure, const int *code) {
    assert_non_null(failure);
    assert_int_equal(failure->code, -ENOENT);
    assert_string_equal(failure->message, "no item 10");
    assert_non_null(strstr(failure->file, "map.c"));
    assert_int_equal(*code, -ENOENT);
    for (int i = 0; i < N; i++)
        assert_int_equal(codes[i], i >= 10 ? -ENOENT : 0);
}

static void test_what_was_raised_first_is_raised_in_the_caller(void **state) {
    (void)state;
    make_pool();
    int code = 0;
    thrum_thread *thread = spec_start(map_failing, &code);
    check_failing(thrum_thread_error(thread), &code);
    thrum_thread_free(thread);
    thrum_future *future;
    assert_int_equal(thrum_submit(pool, &future, map_failing, &code), 0);
    check_failing(thrum_future_error(future), &code);
    thrum_future_free(future);
    free_pool();
}

static void test_stop_on_error(void **state) {
    (void)state;
    make_pool();
    thrum_map_opts opts = {.codes = codes, .chunk = 10, .stop_on_error = true};
    int ran = 0, failed = 0;
    int rc = thrum_map(pool, fail_some, in, N, sizeof in[0], out, sizeof out[0], &opts);
    for (int i = N; i-- > 0;) {
        ran += codes[i] == 0;
        if (codes[i] != 0 && codes[i] != -ECANCELED)
            failed = codes[i];
    }
    assert_int_equal(rc, failed);
    assert_true(rc < 0 && ran < N - 100);
    assert_true(codes[N - 1] == 0 || codes[N - 1] == -ECANCELED);
    free_pool();
}

static void test_deadline(void **state) {
    (void)state;
    make_pool();
    thrum_map_opts opts = {.codes = codes, .deadline = thrum_in(0)};
    assert_int_equal(map_squares(N, &opts), -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        assert_int_equal(codes[i], -ECANCELED);
    opts.deadline = THRUM_NEVER;
    assert_int_equal(map_squares(N, &opts), 0);
    assert_squares(N);
    opts.deadline = thrum_in(1000);
    assert_int_equal(map_squares(N, &opts), 0);
    assert_squares(N);
    free_pool();
}

static thrum_event reached, go;

static int hold(const void *item, void *result) {
    (void)item;
    (void)result;
    thrum_event_set(&reached);
    thrum_event_wait(&go);
    return 0;
}

static void *map_held(void *arg) {
    thrum_map_opts opts = {.codes = codes, .chunk = 1};
    assert_int_equal(thrum_map(pool, hold, in, N, sizeof in[0], NULL, 0, &opts), -ECANCELED);
    return arg;
}

static void test_cancelling_its_task_starts_no_more(void **state) {
    (void)state;
    make_pool();
    thrum_future *future;
    int ran = 0;
    thrum_event_clear(&reached);
    thrum_event_clear(&go);
    assert_int_equal(thrum_submit(pool, &future, map_held, NULL), 0);
    thrum_event_wait(&reached);
    assert_false(thrum_future_cancel(future));
    thrum_event_set(&go);
    assert_int_equal(thrum_future_result(future, NULL), 0);
    thrum_future_free(future);
    for (int i = 0; i < N; i++)
        ran += codes[i] == 0;
    assert_in_range(ran, 1, WORKERS);
    free_pool();
}

static int together;
static thrum_barrier meeting;

static int meet(const void *item, void *result) {
    (void)item;
    (void)result;
    __atomic_fetch_add(&together, 1, __ATOMIC_RELAXED);
    return thrum_barrier_wait(&meeting) < 0 ? -EPIPE : 0;
}

static void test_the_workers_help(void **state) {
    (void)state;
    make_pool();
    meeting = (thrum_barrier)THRUM_BARRIER_INIT(WORKERS);
    together = 0;
    thrum_map_opts opts = {.chunk = 1};
    assert_int_equal(thrum_map(pool, meet, in, WORKERS, sizeof in[0], NULL, 0, &opts), 0);
    assert_int_equal(together, WORKERS);
    free_pool();
}

static int sum_below(const void *item, void *result) {
    int n = *(const int *)item, parts[8], sums[8];
    *(int *)result = 1;
    if (n == 0)
        return 0;
    for (int i = 0; i < 8; i++)
        parts[i] = n - 1;
    int rc = thrum_map(pool, sum_below, parts, 8, sizeof parts[0], sums, sizeof sums[0], NULL);
    for (int i = 0; i < 8; i++)
        *(int *)result += sums[i];
    return rc;
}

static void *map_in_task(void *depth) {
    int sum = 0;
    assert_int_equal(thrum_map(pool, sum_below, depth, 1, sizeof(int), &sum, sizeof sum, NULL), 0);
    return (void *)(intptr_t)sum;
}

static void test_maps_inside_maps(void **state) {
    (void)state;
    make_pool();
    int depth = 3;
    void *sum = NULL;
    thrum_future *future;
    assert_int_equal((intptr_t)map_in_task(&depth), 1 + 8 + 64 + 512);
    assert_int_equal(thrum_submit(pool, &future, map_in_task, &depth), 0);
    assert_int_equal(thrum_future_result(future, &sum), 0);
    assert_int_equal((intptr_t)sum, 1 + 8 + 64 + 512);
    thrum_future_free(future);
    free_pool();
}

static __thread int prepared;

static int prepare(void *arg) {
    (void)arg;
    prepared = 1;
    return 0;
}

static int is_prepared(const void *item, void *result) {
    (void)item;
    (void)result;
    if (prepared)
        return 0;
    thrum_raise(-EPERM, "not prepared");
    return 0;
}

static void test_items_run_where_the_initializer_has(void **state) {
    (void)state;
    spec_needs_os("thread-local variables of its own for each strand");
    thrum_executor *other =
        thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .initializer = prepare});
    assert_int_equal(thrum_map(other, is_prepared, in, N, sizeof in[0], NULL, 0, NULL), 0);
    thrum_executor_free(other);
}

/* In a pool with an initializer the whole call is a task. */
static void test_which_item_has_failed(void **state) {
    (void)state;
    for (int how = 0; how < 2; how++) {
        thrum_executor *other = thrum_executor_new(&(thrum_executor_opts){
            .max_workers = 2, .initializer = how ? prepare : NULL});
        size_t failed = 1;
        const thrum_map_opts opts = {.failed = &failed, .chunk = 3};
        assert_int_equal(
            thrum_map(other, fail_some, in, 42, sizeof in[0], out, sizeof out[0], &opts), 0);
        assert_true(failed == SIZE_MAX);
        assert_int_equal(
            thrum_map(other, fail_some, in, N, sizeof in[0], out, sizeof out[0], &opts), -42);
        assert_int_equal(failed, 42);
        assert_int_equal(
            thrum_map(other, fail_some, in, 0, sizeof in[0], out, sizeof out[0], &opts), 0);
        assert_true(failed == SIZE_MAX);
        thrum_executor_free(other);
    }
}

static int end_thread(const void *item, void *result) {
    (void)result;
    if (thrum_barrier_wait(&meeting) < 0)
        return -EPIPE;
    if (*(const int *)item == 1 && thrum_thread_current() != thrum_thread_main())
        pthread_exit(NULL);
    return 0;
}

static void test_a_worker_that_ends_in_an_item(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    make_pool();
    thrum_map_opts opts = {.chunk = 1, .codes = codes};
    meeting = (thrum_barrier)THRUM_BARRIER_INIT(WORKERS);
    int rc = thrum_map(pool, end_thread, in, WORKERS, sizeof in[0], NULL, 0, &opts);
    assert_int_equal(rc, codes[1]);
    assert_true(rc == 0 || rc == -ECANCELED);
    assert_int_equal(codes[0], 0);
    assert_int_equal(codes[2], 0);
    assert_int_equal(map_squares(N, NULL), 0);
    assert_squares(N);
    free_pool();
}

static void test_arguments(void **state) {
    (void)state;
    make_pool();
    thrum_map_opts opts = {.reserved = {&opts}};
    size_t half = SIZE_MAX / 2 + 1;
    assert_int_equal(map_squares(1, &opts), -EINVAL);
    assert_int_equal(thrum_map(pool, NULL, in, 1, 4, out, 4, NULL), -EINVAL);
    assert_int_equal(thrum_map(pool, square, NULL, 1, 4, out, 4, NULL), -EINVAL);
    assert_int_equal(thrum_map(pool, square, in, half, 2, out, 4, NULL), -EINVAL);
    assert_int_equal(thrum_map(pool, square, in, half, 0, out, 2, NULL), -EINVAL);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    assert_int_equal(map_squares(5, NULL), -ESHUTDOWN);
    assert_int_equal(times[0], 0);
    free_pool();
}

SPEC_TESTS(cmocka_unit_test(test_each_item_once), cmocka_unit_test(test_sizes_of_nothing),
           cmocka_unit_test(test_the_lowest_failing_index_and_all_codes),
           cmocka_unit_test(test_what_was_raised_first_is_raised_in_the_caller),
           cmocka_unit_test(test_stop_on_error), cmocka_unit_test(test_deadline),
           cmocka_unit_test(test_cancelling_its_task_starts_no_more),
           cmocka_unit_test(test_the_workers_help), cmocka_unit_test(test_maps_inside_maps),
           cmocka_unit_test(test_which_item_has_failed),
           cmocka_unit_test(test_items_run_where_the_initializer_has),
           cmocka_unit_test(test_a_worker_that_ends_in_an_item), cmocka_unit_test(test_arguments));
