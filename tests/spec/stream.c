/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdio.h>
#include <string.h>

enum { N = 200, WORKERS = 3 };

static thrum_executor *pool;
static int times[N];

static void make_pool(int workers) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
    memset(times, 0, sizeof times);
    assert_non_null(pool);
}

static void free_pool(void) { thrum_executor_free(pool); }

/* Gives 0, 1, ... below n, and then `code`. */
typedef struct counter {
    int i, n, code;
} counter;

static int count(void *arg, void *item) {
    counter *it = arg;
    if (it->i == it->n)
        return it->code;
    *(int *)item = it->i++;
    return 0;
}

static int square(const void *item, void *result) {
    int i = *(const int *)item;
    __atomic_fetch_add(&times[i], 1, __ATOMIC_RELAXED);
    spec_perhaps_yield();
    *(int *)result = i * i;
    return 0;
}

static thrum_stream *stream_of(counter *it, int (*fn)(const void *, void *),
                               const thrum_stream_opts *opts) {
    thrum_stream *s = thrum_stream_new(pool, count, it, fn, sizeof(int), sizeof(int), opts);
    assert_non_null(s);
    return s;
}

static void assert_end(thrum_stream *s) {
    int result = -1;
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrum_stream_next(s, &result), THRUM_STREAM_END);
    assert_int_equal(result, -1);
    assert_null(thrum_stream_error(s));
}

/* Reads squares to the end; each comes once. */
static void read_squares(thrum_stream *s, int n, bool in_order) {
    for (int i = 0; i < n; i++) {
        int result = -1;
        assert_int_equal(thrum_stream_next(s, &result), 0);
        int index = (int)thrum_stream_index(s);
        assert_int_equal(result, index * index);
        assert_true(!in_order || index == i);
        assert_int_equal(times[index], 1);
        times[index] = -1;
    }
    assert_end(s);
    for (int i = 0; i < n; i++)
        assert_int_equal(times[i], -1);
}

static void test_each_item_once(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 7, N, 5 * N};
    static const int many[] = {0, 1, 2, 13, N};
    make_pool(WORKERS);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) {
            for (int unordered = 0; unordered < 2; unordered++) {
                counter it = {0, many[i], THRUM_STREAM_END};
                thrum_stream_opts opts = {.buffersize = sizes[k], .unordered = unordered};
                memset(times, 0, sizeof times);
                thrum_stream *s = stream_of(&it, square, &opts);
                read_squares(s, many[i], !unordered);
                thrum_stream_free(s);
            }
        }
    }
    free_pool();
}

static void test_the_look_ahead_is_bounded(void **state) {
    (void)state;
    make_pool(WORKERS);
    for (int n = 1; n < 10; n++) {
        counter it = {0, N, THRUM_STREAM_END};
        thrum_stream_opts opts = {.buffersize = (size_t)n, .unordered = n % 2 == 0};
        thrum_stream *s = stream_of(&it, square, &opts);
        for (int i = 0; i < N; i++) {
            assert_int_equal(it.i, i == 0 ? n : i + n - 1 < N ? i + n - 1 : N);
            assert_int_equal(thrum_stream_next(s, NULL), 0);
        }
        assert_end(s);
        thrum_stream_free(s);
    }
    counter it = {0, N, THRUM_STREAM_END};
    thrum_stream_free(stream_of(&it, square, NULL));
    assert_int_equal(it.i, 2 * WORKERS);
    free_pool();
}

static thrum_event go;

static int first_waits(const void *item, void *result) {
    if (*(const int *)item == 0)
        thrum_event_wait(&go);
    return square(item, result);
}

static void test_unordered_results_come_as_they_are_ready(void **state) {
    (void)state;
    make_pool(2);
    counter it = {0, N, THRUM_STREAM_END};
    int result;
    thrum_event_clear(&go);
    thrum_stream *s = stream_of(&it, first_waits, &(thrum_stream_opts){.unordered = true});
    for (int i = 1; i < N; i++) {
        assert_int_equal(thrum_stream_next(s, &result), 0);
        assert_true(thrum_stream_index(s) != 0);
    }
    assert_int_equal(thrum_stream_next_until(s, &result, thrum_in(0)), -ETIMEDOUT);
    assert_null(thrum_stream_error(s));
    thrum_event_set(&go);
    assert_int_equal(thrum_stream_next(s, &result), 0);
    assert_int_equal(thrum_stream_index(s), 0);
    assert_end(s);
    thrum_stream_free(s);
    free_pool();
}

static void test_ordered_results_wait_for_the_first(void **state) {
    (void)state;
    make_pool(2);
    counter it = {0, N, THRUM_STREAM_END};
    int result = -1;
    thrum_event_clear(&go);
    thrum_stream *s = stream_of(&it, first_waits, &(thrum_stream_opts){.buffersize = 5});
    for (int i = 0; i < 3; i++)
        assert_int_equal(thrum_stream_next_until(s, &result, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(it.i, 5);
    assert_int_equal(result, -1);
    thrum_event_set(&go);
    read_squares(s, N, true);
    thrum_stream_free(s);
    free_pool();
}

static int fail_some(const void *item, void *result) {
    int i = *(const int *)item;
    spec_perhaps_yield();
    *(int *)result = i;
    if (i % 10 == 3)
        thrum_raise(-ENOENT, "no row %d", i);
    if (i % 10 == 5)
        return i;
    return i % 10 == 7 ? -EIO : 0;
}

static void check_one(thrum_stream *s, int result, int rc) {
    int i = (int)thrum_stream_index(s), last = i % 10;
    const thrum_failure *failure = thrum_stream_error(s);
    char message[40];
    assert_int_equal(rc, last == 3 ? -ENOENT : last == 5 ? -EINVAL : last == 7 ? -EIO : 0);
    assert_int_equal(result, rc == 0 ? i : -1);
    assert_true((failure != NULL) == (rc != 0));
    if (!failure)
        return;
    assert_int_equal(failure->code, rc);
    snprintf(message, sizeof message, last == 3 ? "no row %d" : "item %d: ", i);
    assert_non_null(strstr(failure->message, message));
    assert_true(last == 3 ? strstr(failure->file, "stream.c") != NULL : failure->file == NULL);
}

static void test_a_failure_is_its_items(void **state) {
    (void)state;
    make_pool(WORKERS);
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it = {0, N, THRUM_STREAM_END};
        thrum_stream *s = stream_of(&it, fail_some, &(thrum_stream_opts){.unordered = unordered});
        for (int i = 0; i < N; i++) {
            int result = -1;
            int rc = thrum_stream_next(s, &result);
            check_one(s, result, rc);
        }
        assert_end(s);
        thrum_stream_free(s);
    }
    free_pool();
}

static void test_a_generator_that_fails(void **state) {
    (void)state;
    make_pool(WORKERS);
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it = {0, 20, -EBADF};
        int result;
        thrum_stream *s = stream_of(&it, square, &(thrum_stream_opts){.unordered = unordered});
        for (int i = 0; i < 20; i++)
            assert_int_equal(thrum_stream_next(s, &result), 0);
        assert_int_equal(thrum_stream_next(s, &result), -EBADF);
        assert_end(s);
        thrum_stream_free(s);
    }
    free_pool();
}

static void test_stop_on_error(void **state) {
    (void)state;
    make_pool(WORKERS);
    counter it = {0, N, THRUM_STREAM_END};
    thrum_stream_opts opts = {.stop_on_error = true, .buffersize = 8};
    thrum_stream *s = stream_of(&it, fail_some, &opts);
    for (int i = 0; i < 3; i++)
        assert_int_equal(thrum_stream_next(s, NULL), 0);
    assert_int_equal(thrum_stream_next(s, NULL), -ENOENT);
    assert_int_equal(thrum_stream_index(s), 3);
    assert_in_range(it.i, 4, 11);
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrum_stream_next(s, NULL), THRUM_STREAM_END);
    thrum_stream_free(s);
    opts.unordered = true;
    it = (counter){0, N, THRUM_STREAM_END};
    s = stream_of(&it, fail_some, &opts);
    int rc = 0;
    while (rc == 0)
        rc = thrum_stream_next(s, NULL);
    assert_true(rc == -ENOENT || rc == -EINVAL || rc == -EIO);
    assert_int_equal(thrum_stream_next(s, NULL), THRUM_STREAM_END);
    assert_in_range(it.i, 4, N / 2);
    thrum_stream_free(s);
    free_pool();
}

static int started;

static int fail_at_once(const void *item, void *result) {
    (void)result;
    __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
    return *(const int *)item == 0 ? -EIO : 0;
}

static void *wait_to_go(void *arg) {
    thrum_event_wait(&go);
    return arg;
}

static void test_items_behind_a_failure_are_not_started(void **state) {
    (void)state;
    make_pool(1);
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it = {0, N, THRUM_STREAM_END};
        thrum_stream_opts opts = {.stop_on_error = true, .buffersize = N, .unordered = unordered};
        started = 0;
        thrum_event_clear(&go);
        thrum_future *first;
        assert_int_equal(thrum_submit(pool, &first, wait_to_go, NULL), 0);
        thrum_stream *s = stream_of(&it, fail_at_once, &opts);
        thrum_event_set(&go);
        assert_int_equal(thrum_stream_next(s, NULL), -EIO);
        assert_int_equal(thrum_stream_next(s, NULL), THRUM_STREAM_END);
        thrum_stream_free(s);
        thrum_future_free(first);
        assert_int_equal(started, 1);
    }
    free_pool();
}

static int sum_below(const void *item, void *result);

static int sum_stream(int n, bool unordered) {
    counter it = {0, 4, THRUM_STREAM_END};
    int sum = 1, part;
    if (n == 0)
        return 1;
    thrum_stream_opts opts = {.unordered = unordered, .buffersize = 3};
    thrum_stream *s = thrum_stream_new(pool, count, &it, n == 2 ? sum_below : square, sizeof(int),
                                       sizeof(int), &opts);
    assert_non_null(s);
    while (thrum_stream_next(s, &part) == 0)
        sum += part;
    thrum_stream_free(s);
    return sum;
}

static int sum_below(const void *item, void *result) {
    *(int *)result = sum_stream(1, *(const int *)item % 2);
    return 0;
}

static void *sum_in_task(void *unordered) {
    return (void *)(intptr_t)sum_stream(2, unordered != NULL);
}

static void test_streams_in_tasks_of_the_same_pool(void **state) {
    (void)state;
    const int expected = 1 + 4 * (1 + 0 + 1 + 4 + 9);
    for (int workers = 1; workers <= WORKERS; workers++) {
        make_pool(workers);
        for (intptr_t i = 0; i < 2; i++) {
            thrum_future *future;
            void *sum;
            assert_int_equal(thrum_submit(pool, &future, sum_in_task, (void *)i), 0);
            assert_int_equal(thrum_future_result(future, &sum), 0);
            assert_int_equal((intptr_t)sum, expected);
            thrum_future_free(future);
            assert_int_equal((intptr_t)sum_in_task((void *)i), expected);
        }
        free_pool();
    }
}

static int from_stream(void *stream, void *item) { return thrum_stream_next(stream, item); }

static int add_one(const void *item, void *result) {
    *(int *)result = *(const int *)item + 1;
    return 0;
}

static void test_a_stream_as_generator_and_several_at_once(void **state) {
    (void)state;
    make_pool(WORKERS);
    counter it = {0, N, THRUM_STREAM_END}, other = {0, N, THRUM_STREAM_END};
    thrum_stream *squares = stream_of(&it, square, NULL);
    thrum_stream *more = thrum_stream_new(pool, from_stream, squares, add_one, sizeof(int),
                                          sizeof(int), NULL);
    thrum_stream *beside = stream_of(&other, add_one, &(thrum_stream_opts){.buffersize = 1});
    for (int i = 0; i < N; i++) {
        int result;
        assert_int_equal(thrum_stream_next(more, &result), 0);
        assert_int_equal(result, i * i + 1);
        assert_int_equal(thrum_stream_next(beside, &result), 0);
        assert_int_equal(result, i + 1);
    }
    assert_end(more);
    assert_end(beside);
    thrum_stream_free(more);
    thrum_stream_free(beside);
    thrum_stream_free(squares);
    free_pool();
}

static int no_bytes(void *arg, void *item) {
    assert_non_null(item);
    return (*(int *)arg)-- > 0 ? 0 : 7;
}

static int nothing(const void *item, void *result) {
    assert_true(item != NULL && result != NULL);
    return 0;
}

static void test_sizes_of_nothing_and_arguments(void **state) {
    (void)state;
    make_pool(WORKERS);
    int left = 5;
    thrum_stream *s = thrum_stream_new(pool, no_bytes, &left, nothing, 0, 0, NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(thrum_stream_next(s, &left), 0);
    assert_end(s);
    thrum_stream_free(s);
    thrum_stream_free(NULL);
    thrum_stream_opts opts = {.reserved = {&opts}};
    thrum_stream_opts large = {.buffersize = SIZE_MAX / 64};
    errno = 0;
    assert_null(thrum_stream_new(pool, no_bytes, &left, nothing, 0, 0, &opts));
    assert_int_equal(errno, EINVAL);
    assert_null(thrum_stream_new(pool, NULL, &left, nothing, 0, 0, NULL));
    assert_null(thrum_stream_new(pool, no_bytes, &left, NULL, 0, 0, NULL));
    assert_null(thrum_stream_new(pool, no_bytes, &left, nothing, SIZE_MAX - 3, 0, NULL));
    assert_null(thrum_stream_new(pool, no_bytes, &left, nothing, 0, SIZE_MAX / 2, NULL));
    assert_null(thrum_stream_new(pool, no_bytes, &left, nothing, 0, 0, &large));
    assert_int_equal(errno, EINVAL);
    free_pool();
}

SPEC_TESTS(cmocka_unit_test(test_each_item_once), cmocka_unit_test(test_the_look_ahead_is_bounded),
           cmocka_unit_test(test_unordered_results_come_as_they_are_ready),
           cmocka_unit_test(test_ordered_results_wait_for_the_first),
           cmocka_unit_test(test_a_failure_is_its_items),
           cmocka_unit_test(test_a_generator_that_fails),
           cmocka_unit_test(test_stop_on_error),
           cmocka_unit_test(test_items_behind_a_failure_are_not_started),
           cmocka_unit_test(test_streams_in_tasks_of_the_same_pool),
           cmocka_unit_test(test_a_stream_as_generator_and_several_at_once),
           cmocka_unit_test(test_sizes_of_nothing_and_arguments));
