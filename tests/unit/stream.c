/* SPDX-License-Identifier: MIT */
/* Floor 4: the patience of who reads a stream, which no public call tells of; and where its items
 * stand. */
#include "spec.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "exec/stream.h"

enum { AHEAD = 16, N = 100 };

static thrum_executor *pool;
static thrum_event was_read[N];

static int count(void *arg, void *item) {
    int *i = arg;
    if (*i == N)
        return THRUM_STREAM_END;
    *(int *)item = (*i)++;
    return 0;
}

static int at_once(const void *item, void *result) {
    *(int *)result = *(const int *)item;
    return 0;
}

/* Is not done before the one before it was read. */
static int in_turn(const void *item, void *result) {
    int i = *(const int *)item;
    if (i > 0)
        thrum_event_wait(&was_read[i - 1]);
    return at_once(item, result);
}

/* Reads all; each time the reader would like to have several. */
static void read_patiently(int (*fn)(const void *, void *), bool unordered, int interruptible) {
    int next = 0, result, sum = 0;
    memset(was_read, 0, sizeof was_read);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    thrum_stream *s =
        thrum_stream_new(pool, count, &next, fn, sizeof(int), sizeof(int),
                         &(thrum_stream_opts){.buffersize = AHEAD, .unordered = unordered});
    assert_non_null(s);
    for (int i = 0; i < N; i++) {
        s->patience = AHEAD / 2;
        s->helps_not = i % 2;
        assert_int_equal(interruptible ? thrum_stream_next_until(s, &result, thrum_in(1e6))
                                       : thrum_stream_next(s, &result),
                         0);
        int index = (int)thrum_stream_index(s);
        assert_int_equal(result, index);
        assert_true(unordered || index == i);
        sum += result;
        thrum_event_set(&was_read[index]);
    }
    assert_int_equal(sum, N * (N - 1) / 2);
    assert_int_equal(thrum_stream_next(s, &result), THRUM_STREAM_END);
    thrum_stream_free(s);
    thrum_executor_free(pool);
}

static void test_patience_ends(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++)
        read_patiently(i & 1 ? at_once : in_turn, i & 2, i & 4);
}

static void test_a_deadline_ends_patience(void **state) {
    (void)state;
    for (int unordered = 0; unordered < 2; unordered++) {
        int next = 0, result = -1;
        memset(was_read, 0, sizeof was_read);
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        thrum_stream *s =
            thrum_stream_new(pool, count, &next, in_turn, sizeof(int), sizeof(int),
                             &(thrum_stream_opts){.buffersize = AHEAD, .unordered = unordered});
        assert_int_equal(thrum_stream_next(s, &result), 0);
        for (int i = 0; i < 3; i++) {
            s->patience = AHEAD / 2;
            assert_int_equal(thrum_stream_next_until(s, &result, thrum_in(i * 1e-5)), -ETIMEDOUT);
        }
        for (int i = 0; i < N; i++)
            thrum_event_set(&was_read[i]);
        assert_int_equal(thrum_stream_next(s, &result), 0);
        thrum_stream_free(s);
        thrum_executor_free(pool);
    }
}

/* A reader that finds nothing sleeps until as many are there as it has the patience for. */
static void test_patience_is_for_several(void **state) {
    (void)state;
    static thrum__slot slots[3];
    thrum_stream s = {.n = 3, .awaited = 2};
    s.last = &s.first;
    for (int i = 0; i < 3; i++) {
        slots[i].stream = &s;
        const void *woken = thrum__stream_hook_ops.watch(&slots[i].hook, 0);
        assert_ptr_equal(woken, i == 1 ? &s : NULL);
    }
    assert_int_equal(s.awaited, 0);
}

static int give_three(void *arg, void *item) {
    assert_true((uintptr_t)item % _Alignof(max_align_t) == 0);
    return (*(int *)arg)++ < 3 ? 0 : THRUM_STREAM_END;
}

static int look_at_both(const void *item, void *result) {
    assert_true((uintptr_t)item % _Alignof(max_align_t) == 0);
    assert_true((uintptr_t)result % _Alignof(max_align_t) == 0);
    return 0;
}

static void test_items_and_results_are_aligned(void **state) {
    (void)state;
    int given = 0;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    thrum_stream *s = thrum_stream_new(pool, give_three, &given, look_at_both, 5, 7, NULL);
    assert_non_null(s);
    for (int i = 0; i < 3; i++)
        assert_int_equal(thrum_stream_next(s, NULL), 0);
    assert_int_equal(thrum_stream_next(s, NULL), THRUM_STREAM_END);
    thrum_stream_free(s);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_patience_ends), cmocka_unit_test(test_a_deadline_ends_patience),
           cmocka_unit_test(test_patience_is_for_several),
           cmocka_unit_test(test_items_and_results_are_aligned));
