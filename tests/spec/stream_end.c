/* SPDX-License-Identifier: MIT */
/* Streams that are left early, and pools, threads and processes that end in the middle of one. */
#include "spec.h"

#include <pthread.h>
#include <string.h>

enum { N = 50, WORKERS = 2 };

static thrum_executor *pool;
static int begun;

static void make_pool(int workers) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
    begun = 0;
    assert_non_null(pool);
}

static void free_pool(void) { thrum_executor_free(pool); }

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

static thrum_stream *stream_of(counter *it, int (*fn)(const void *, void *), size_t ahead,
                               bool unordered) {
    *it = (counter){0, N, THRUM_STREAM_END};
    thrum_stream_opts opts = {.buffersize = ahead, .unordered = unordered};
    thrum_stream *s = thrum_stream_new(pool, count, it, fn, sizeof(int), sizeof(int), &opts);
    assert_non_null(s);
    return s;
}

static int reports, report_code;

static void note_report(const thrum_failure *failure, void *arg) {
    assert_ptr_equal(arg, &reports);
    assert_non_null(failure->message);
    assert_non_null(failure->task);
    reports++;
    report_code = failure->code;
}

static int fail_each(const void *item, void *result) {
    (void)result;
    return -1000 - *(const int *)item;
}

static void test_failures_that_nobody_reads_are_reported(void **state) {
    (void)state;
    make_pool(WORKERS);
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it;
        reports = 0;
        thrum_set_excepthook(note_report, &reports);
        thrum_stream *s = stream_of(&it, fail_each, 1, unordered);
        assert_int_equal(thrum_stream_next(s, NULL), -1000);
        assert_int_equal(thrum_stream_next(s, NULL), -1001);
        assert_int_equal(it.i, 2);
        thrum_stream_free(s);
        assert_int_equal(reports, 0);
        s = stream_of(&it, fail_each, 3, unordered);
        thrum_executor_stats stats;
        do {
            spec_yield();
            thrum_executor_get_stats(pool, &stats);
        } while (stats.completed < stats.submitted);
        thrum_stream_free(s);
        assert_int_equal(reports, 3);
        it = (counter){0, 0, -EBADF};
        s = thrum_stream_new(pool, count, &it, fail_each, sizeof(int), 0, NULL);
        thrum_stream_free(s);
        assert_int_equal(reports, 4);
        assert_int_equal(report_code, -EBADF);
        thrum_set_excepthook(NULL, NULL);
    }
    free_pool();
}

static thrum_event reached, go;

static int hold(const void *item, void *result) {
    __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
    thrum_event_set(&reached);
    thrum_event_wait(&go);
    while (!thrum_cancel_requested() && *(const int *)item >= 0)
        spec_yield();
    *(int *)result = 1;
    return 0;
}

static void *open_the_gate(void *arg) {
    thrum_event_wait(&reached);
    thrum_event_set(&go);
    return arg;
}

static void test_free_cancels_what_has_not_started_and_waits_for_the_rest(void **state) {
    (void)state;
    make_pool(WORKERS);
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it;
        begun = 0;
        thrum_event_clear(&reached);
        thrum_event_clear(&go);
        thrum_stream *s = stream_of(&it, hold, N, unordered);
        thrum_event_wait(&reached);
        thrum_thread *opener = spec_start(open_the_gate, NULL);
        thrum_stream_free(s);
        spec_join(opener);
        assert_in_range(begun, 1, WORKERS);
    }
    free_pool();
}

static int echo(const void *item, void *result) {
    __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
    spec_perhaps_yield();
    *(int *)result = *(const int *)item;
    return 0;
}

static void test_a_pool_that_is_shut_down(void **state) {
    (void)state;
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it;
        int result;
        make_pool(WORKERS);
        thrum_stream *s = stream_of(&it, echo, 5, unordered);
        assert_int_equal(thrum_stream_next(s, &result), 0);
        assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
        for (int i = 1; i < 5; i++)
            assert_int_equal(thrum_stream_next(s, &result), 0);
        assert_int_equal(thrum_stream_next(s, &result), -ESHUTDOWN);
        assert_null(thrum_stream_error(s));
        assert_int_equal(thrum_stream_next(s, &result), THRUM_STREAM_END);
        assert_int_equal(it.i, 5);
        errno = 0;
        assert_null(thrum_stream_new(pool, count, &it, echo, 4, 4, NULL));
        assert_int_equal(errno, ESHUTDOWN);
        thrum_stream_free(s);
        free_pool();
    }
}

static void *hold_worker(void *arg) {
    thrum_event_set(&reached);
    thrum_event_wait(&go);
    return arg;
}

static void test_a_shutdown_that_cancels(void **state) {
    (void)state;
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it;
        int result = -1;
        thrum_future *held;
        make_pool(1);
        thrum_event_clear(&reached);
        thrum_event_clear(&go);
        assert_int_equal(thrum_submit(pool, &held, hold_worker, NULL), 0);
        thrum_event_wait(&reached);
        thrum_stream *s = stream_of(&it, echo, 5, unordered);
        assert_int_equal(thrum_executor_shutdown(pool, false, true), 0);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(thrum_stream_next(s, &result), -ECANCELED);
            assert_non_null(thrum_stream_error(s));
        }
        assert_int_equal(thrum_stream_next(s, &result), -ESHUTDOWN);
        assert_int_equal(result, -1);
        assert_int_equal(begun, 0);
        thrum_event_set(&go);
        thrum_stream_free(s);
        thrum_future_free(held);
        free_pool();
    }
}

static int refuse(void *arg) {
    (void)arg;
    thrum_event_wait(&go);
    return thrum_raise(-EIO, "no table");
}

static void ignore_report(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
}

static void test_a_pool_that_breaks(void **state) {
    (void)state;
    thrum_set_excepthook(ignore_report, NULL);
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it;
        thrum_event_clear(&go);
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .initializer = refuse});
        thrum_stream *s = stream_of(&it, echo, 4, unordered);
        thrum_event_set(&go);
        for (int i = 0; i < 4; i++) {
            int rc = thrum_stream_next(s, NULL);
            if (rc == -EPIPE) /* it broke while the look-ahead was filled */
                break;
            assert_int_equal(rc, -EIO);
            assert_string_equal(thrum_stream_error(s)->message, "no table");
        }
        int rc = thrum_stream_next(s, NULL);
        assert_true(rc == -EPIPE || rc == THRUM_STREAM_END);
        assert_int_equal(thrum_stream_next(s, NULL), THRUM_STREAM_END);
        thrum_stream_free(s);
        assert_null(thrum_stream_new(pool, count, &it, echo, 4, 4, NULL));
        assert_int_equal(errno, EPIPE);
        free_pool();
    }
    thrum_set_excepthook(NULL, NULL);
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
    return prepared ? 0 : -EPERM;
}

static void test_items_run_where_the_initializer_has(void **state) {
    (void)state;
    spec_needs_os("thread-local variables of its own for each strand");
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .initializer = prepare});
    counter it;
    thrum_stream *s = stream_of(&it, is_prepared, 0, false);
    for (int i = 0; i < N; i++)
        assert_int_equal(thrum_stream_next(s, NULL), 0);
    thrum_stream_free(s);
    free_pool();
}

static thrum_future *reader;

/* The first item waits for the task that waits for it. */
static int wait_for_the_reader(const void *item, void *result) {
    int rc = *(const int *)item == 0 ? thrum_future_result(reader, NULL) : 0;
    for (int i = 0; i < 50; i++)
        spec_yield();
    *(int *)result = rc;
    return 0;
}

static void *read_in_a_circle(void *free_early) {
    counter it;
    int result = 0, ended = 0;
    thrum_event_wait(&go);
    thrum_stream *s = stream_of(&it, wait_for_the_reader, 2, false);
    if (!free_early)
        assert_int_equal(thrum_stream_next(s, &result), -EDEADLK);
    while (!free_early && thrum_stream_next(s, &result) == 0)
        ended++;
    assert_true(free_early || ended == N);
    thrum_stream_free(s);
    return NULL;
}

static void test_a_circle_of_reader_and_item_ends(void **state) {
    (void)state;
    make_pool(WORKERS);
    for (intptr_t i = 0; i < 2; i++) {
        thrum_event_clear(&go);
        assert_int_equal(thrum_submit(pool, &reader, read_in_a_circle, (void *)i), 0);
        thrum_event_set(&go);
        assert_int_equal(thrum_future_result(reader, NULL), 0);
        thrum_future_free(reader);
    }
    free_pool();
}

static int take_rc(const void *item, void *result) {
    (void)item;
    *(int *)result = thrum_future_result(reader, NULL);
    return 0;
}

/* Of a stream of another pool, which only sleeps: all that it could be woken by waits for it. */
static void *read_of_all_that_wait(void *unordered) {
    counter it = {0, 2, THRUM_STREAM_END};
    int result = 0;
    thrum_event_wait(&go);
    thrum_stream_opts opts = {.buffersize = 2, .unordered = unordered != NULL};
    thrum_stream *s =
        thrum_stream_new(pool, count, &it, take_rc, sizeof(int), sizeof(int), &opts);
    assert_non_null(s);
    assert_int_equal(thrum_stream_next(s, &result), -EDEADLK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(thrum_stream_next(s, &result), 0);
        assert_int_equal(result, -EDEADLK);
    }
    assert_int_equal(thrum_stream_next(s, &result), THRUM_STREAM_END);
    thrum_stream_free(s);
    return NULL;
}

static void test_a_circle_through_a_stream(void **state) {
    (void)state;
    make_pool(WORKERS);
    thrum_executor *other = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_non_null(other);
    thrum_event_clear(&go);
    assert_int_equal(thrum_submit(other, &reader, read_of_all_that_wait, &go), 0);
    thrum_event_set(&go);
    assert_int_equal(thrum_future_result(reader, NULL), 0);
    thrum_future_free(reader);
    thrum_executor_free(other);
    free_pool();
}

static int end_thread(const void *item, void *result) {
    if (*(const int *)item % 10 == 9 && thrum_thread_current() != thrum_thread_main())
        pthread_exit(NULL);
    return echo(item, result);
}

static void test_a_worker_that_ends_in_an_item(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    make_pool(WORKERS);
    for (int unordered = 0; unordered < 2; unordered++) {
        counter it;
        thrum_stream *s = stream_of(&it, end_thread, 6, unordered);
        for (int i = 0; i < N; i++) {
            int rc = thrum_stream_next(s, NULL);
            bool ends = thrum_stream_index(s) % 10 == 9;
            assert_true(rc == 0 || (ends && rc == -ECANCELED));
        }
        assert_int_equal(thrum_stream_next(s, NULL), THRUM_STREAM_END);
        thrum_stream_free(s);
    }
    free_pool();
}

SPEC_TESTS(cmocka_unit_test(test_failures_that_nobody_reads_are_reported),
           cmocka_unit_test(test_free_cancels_what_has_not_started_and_waits_for_the_rest),
           cmocka_unit_test(test_a_pool_that_is_shut_down),
           cmocka_unit_test(test_a_shutdown_that_cancels),
           cmocka_unit_test(test_a_pool_that_breaks),
           cmocka_unit_test(test_items_run_where_the_initializer_has),
           cmocka_unit_test(test_a_circle_of_reader_and_item_ends),
           cmocka_unit_test(test_a_circle_through_a_stream),
           cmocka_unit_test(test_a_worker_that_ends_in_an_item));
