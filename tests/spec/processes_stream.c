/* SPDX-License-Identifier: MIT */
/* thrum_stream on a pool of processes: as on threads, whatever becomes of the workers. */
#include "process_stream.h"
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_squares(thrum_executor *pool, int n, const thrum_stream_opts *opts) {
    counter it = {0, n, THRUM_STREAM_END};
    thrum_stream *s = stream_of(pool, &it, square, opts);
    bool *seen = calloc((size_t)n + 1, 1);
    for (int i = 0; i < n; i++) {
        int result = -1;
        assert_int_equal(thrum_stream_next(s, &result), 0);
        int index = (int)thrum_stream_index(s);
        assert_true(index >= 0 && index < n && !seen[index]);
        assert_true(opts->unordered || index == i);
        assert_int_equal(result, index * index);
        seen[index] = true;
    }
    free(seen);
    assert_end(s);
}

static void test_each_item_once(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 7, 1000};
    static const int many[] = {0, 1, 2, 13, 400};
    thrum_executor *pool = pool_of(3);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
        for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
            for (int how = 0; how < 4; how++)
                check_squares(pool, many[i],
                              &(thrum_stream_opts){.buffersize = sizes[k], .unordered = how & 1,
                                                   .stop_on_error = how & 2});
    thrum_executor_free(pool);
}

static void test_items_run_elsewhere(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2);
    thrum_stream *s = thrum_stream_new(pool, endless, NULL, process_of, 0, sizeof(int), NULL);
    assert_non_null(s);
    for (int i = 0, pid = 0; i < 50; i++) {
        assert_int_equal(thrum_stream_next(s, &pid), 0);
        assert_true(pid > 0 && pid != (int)getpid());
    }
    thrum_stream_free(s);
    still_works(pool);
}

/* Item 5 ends by its code, 6 by raising, 7 by a code that is none. */
static int fail_some(const void *item, void *result) {
    int i = *(const int *)item;
    if (i == 6)
        thrum_raise(-ENOLINK, "no way to %d", i);
    *(int *)result = i;
    return i == 5 ? -EDOM : i == 7 ? 7 : 0;
}

typedef struct told {
    int code[10], line[10];
    char message[10][64], file[10][64], task[10][16];
} told;

/* What is read of ten items. */
static void read_told(thrum_executor *pool, told *to) {
    counter it = {0, 10, -EIO};
    int result;
    memset(to, 0, sizeof *to);
    thrum_stream *s = stream_of(pool, &it, fail_some, NULL);
    for (int i = 0; i < 10; i++) {
        result = -1;
        to->code[i] = thrum_stream_next(s, &result);
        assert_int_equal(thrum_stream_index(s), i);
        assert_int_equal(result, to->code[i] == 0 ? i : -1);
        const thrum_failure *failure = thrum_stream_error(s);
        assert_int_equal(failure == NULL, to->code[i] == 0);
        if (!failure)
            continue;
        assert_int_equal(failure->code, to->code[i]);
        to->line[i] = failure->line;
        snprintf(to->message[i], sizeof to->message[i], "%s", failure->message);
        snprintf(to->task[i], sizeof to->task[i], "%s", failure->task);
        if (failure->file)
            snprintf(to->file[i], sizeof to->file[i], "%.60s", strrchr(failure->file, '/'));
    }
    assert_int_equal(thrum_stream_next(s, &result), -EIO);
    assert_end(s);
}

static void test_failures_say_what_they_say_on_threads(void **state) {
    (void)state;
    static told here, there;
    thrum_executor *pool = pool_of(2);
    thrum_executor *threads = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    read_told(threads, &here);
    read_told(pool, &there);
    assert_memory_equal(&here, &there, sizeof here);
    assert_int_equal(there.code[5], -EDOM);
    assert_non_null(strstr(there.message[5], "item 5: "));
    assert_string_equal(there.message[6], "no way to 6");
    assert_true(there.line[6] > 0);
    assert_int_equal(there.code[7], -EINVAL);
    assert_string_equal(there.task[6], "stream item");
    thrum_executor_free(threads);
    thrum_executor_free(pool);
}

static int n_started; /* in the worker */

static int note_start(const void *item, void *result) {
    *(int *)result = n_started++;
    return *(const int *)item == 3 ? -ERANGE : 0;
}

THRUM_TASK(int, started) { return n_started; }

/* One worker: what stands behind the failed item has been sent, and is not started. */
static void check_stop(bool unordered) {
    thrum_executor *pool = pool_of(1);
    counter it = {0, 1000, THRUM_STREAM_END};
    thrum_stream *s = stream_of(pool, &it, note_start,
                                &(thrum_stream_opts){.buffersize = 100, .stop_on_error = true,
                                                     .unordered = unordered});
    thrum_future *f;
    int n = 0, result;
    for (int i = 0; i < 3; i++)
        assert_int_equal(thrum_stream_next(s, &result), 0);
    assert_int_equal(thrum_stream_next(s, &result), -ERANGE);
    assert_int_equal(thrum_stream_index(s), 3);
    assert_end(s);
    assert_int_equal(started_submit(pool, &f), 0);
    assert_int_equal(started_result(f, &n), 0);
    assert_int_equal(n, 4);
    thrum_future_free(f);
    still_works(pool);
}

static void test_a_failure_stops_what_is_behind(void **state) {
    (void)state;
    check_stop(false);
    check_stop(true);
}

/* Both workers are held; behind what holds one stands an item that has not started when the other
 * fails one of a higher index. It is not dropped. */
static void test_what_is_before_a_failure_comes(void **state) {
    (void)state;
    int first[2], second[2], result;
    assert_int_equal(pipe(first), 0);
    assert_int_equal(pipe(second), 0);
    thrum_executor *pool = pool_of(2);
    const held items[] = {{1, first[0]}, {1, second[0]}, {0, 0}, {2, 0}, {2, 0}, {2, 0}, {-1, 0}};
    const held *at = items;
    thrum_stream *s = thrum_stream_new(
        pool, give_held, &at, as_held, sizeof(held), sizeof(int),
        &(thrum_stream_opts){.buffersize = 6, .stop_on_error = true});
    assert_non_null(s);
    assert_int_equal(thrum_stream_next_until(s, &result, thrum_in(0.02)), -ETIMEDOUT);
    assert_int_equal(write(second[1], "", 1), 1);
    for (thrum_executor_stats stats = {0}; stats.completed < 2; spec_yield())
        thrum_executor_get_stats(pool, &stats);
    assert_int_equal(write(first[1], "", 1), 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(thrum_stream_next(s, &result), 0);
        assert_int_equal(thrum_stream_index(s), i);
        assert_int_equal(result, i < 2);
    }
    assert_int_equal(thrum_stream_next(s, &result), -EDOM);
    assert_end(s);
    thrum_executor_free(pool);
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
}

static int die_at(const void *item, void *result) {
    int i = *(const int *)item;
    if (i % 20 == 11)
        kill(getpid(), SIGKILL);
    *(int *)result = i * i;
    return 0;
}

static void test_workers_die(void **state) {
    (void)state;
    for (int unordered = 0; unordered < 2; unordered++) {
        thrum_executor *pool = pool_of(2);
        counter it = {0, 100, THRUM_STREAM_END};
        thrum_stream *s = stream_of(pool, &it, die_at,
                                    &(thrum_stream_opts){.buffersize = 30, .unordered = unordered});
        for (int i = 0; i < 100; i++) {
            int result = -1, rc = thrum_stream_next(s, &result);
            int index = (int)thrum_stream_index(s);
            assert_int_equal(rc, index % 20 == 11 ? -EPIPE : 0);
            assert_int_equal(result, rc ? -1 : index * index);
        }
        assert_end(s);
        still_works(pool);
    }
}

enum { LARGE = 300000 };

static int give_large(void *arg, void *item) {
    int *n = arg;
    if (*n == 0)
        return THRUM_STREAM_END;
    memset(item, --*n, LARGE);
    return 0;
}

static int invert(const void *item, void *result) {
    for (size_t i = 0; i < LARGE; i++)
        ((unsigned char *)result)[i] = (unsigned char)~((const unsigned char *)item)[i];
    return 0;
}

static void test_large_items(void **state) {
    (void)state;
    enum { N = 12 };
    static unsigned char result[LARGE];
    int n = N;
    thrum_executor *pool = pool_of(2);
    thrum_stream *s = thrum_stream_new(pool, give_large, &n, invert, LARGE, LARGE, NULL);
    assert_non_null(s);
    for (int i = 0; i < N; i++) {
        assert_int_equal(thrum_stream_next(s, result), 0);
        for (size_t k = 0; k < LARGE; k += LARGE - 1)
            assert_int_equal(result[k], (unsigned char)~(N - 1 - i));
    }
    assert_end(s);
    thrum_executor_free(pool);
}

/* One stream is the generator of another. */
static int of_stream(void *arg, void *item) { return thrum_stream_next(arg, item); }

static void test_a_stream_of_a_stream(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2);
    counter it = {0, 50, THRUM_STREAM_END};
    thrum_stream *first = stream_of(pool, &it, square, NULL);
    thrum_stream *second = thrum_stream_new(pool, of_stream, first, square, sizeof(int),
                                            sizeof(int), &(thrum_stream_opts){.buffersize = 5});
    assert_non_null(second);
    for (int i = 0, result; i < 50; i++) {
        assert_int_equal(thrum_stream_next(second, &result), 0);
        assert_int_equal(result, i * i * i * i);
    }
    assert_end(second);
    assert_end(first);
    thrum_executor_free(pool);
}

static void test_a_full_queue(void **state) {
    (void)state;
    const thrum_overflow ways[] = {THRUM_OVERFLOW_BLOCK, THRUM_OVERFLOW_REFUSE};
    for (int i = 0; i < 2; i++) {
        thrum_executor *pool =
            pool_with(1, (thrum_executor_opts){.queue_limit = 2, .overflow = ways[i]});
        check_squares(pool, 300, &(thrum_stream_opts){.buffersize = 40});
        check_squares(pool, 300, &(thrum_stream_opts){.buffersize = 40, .unordered = true});
        thrum_executor_free(pool);
    }
}

static void test_bad_sizes(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1);
    counter it = {0, 1, THRUM_STREAM_END};
    const size_t bad[][2] = {{SIZE_MAX, 4}, {4, SIZE_MAX}, {SIZE_MAX / 8, 4}, {4, SIZE_MAX / 8}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        errno = 0;
        assert_null(thrum_stream_new(pool, count, &it, square, bad[i][0], bad[i][1], NULL));
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(it.i, 0);
    thrum_executor_free(pool);
}

static void *read_some(void *arg) {
    thrum_stream *s = arg;
    for (int i = 0, result; i < 40; i++) {
        int rc = thrum_stream_next(s, &result);
        if (rc != 0 || result != i * i)
            thrum_raise(-EPROTO, "%d: %d, %d", i, rc, result);
    }
    return NULL;
}

/* The reader is a task of a pool of threads. */
static void test_read_by_a_task(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2);
    thrum_executor *threads = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    counter it = {0, 40, THRUM_STREAM_END};
    thrum_stream *s = stream_of(pool, &it, square, &(thrum_stream_opts){.buffersize = 8});
    thrum_future *f;
    assert_int_equal(thrum_submit(threads, &f, read_some, s), 0);
    assert_int_equal(thrum_future_result(f, NULL), 0);
    thrum_future_free(f);
    assert_end(s);
    thrum_executor_free(threads);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_each_item_once), cmocka_unit_test(test_items_run_elsewhere),
           cmocka_unit_test(test_failures_say_what_they_say_on_threads),
           cmocka_unit_test(test_a_failure_stops_what_is_behind),
           cmocka_unit_test(test_what_is_before_a_failure_comes),
           cmocka_unit_test(test_workers_die), cmocka_unit_test(test_large_items),
           cmocka_unit_test(test_a_stream_of_a_stream), cmocka_unit_test(test_a_full_queue),
           cmocka_unit_test(test_bad_sizes), cmocka_unit_test(test_read_by_a_task));
