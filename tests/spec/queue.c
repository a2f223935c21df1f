/* SPDX-License-Identifier: MIT */
/* What holds for queues of every order: sizes, limits, time limits, shutdown, task_done and
 * join. */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

typedef thrum_queue concept_queue;
#define QUEUE_LARGE 0
#define QUEUE_ANY 0
#define queue_free thrum_queue_free
#define queue_put thrum_queue_put
#define queue_try_put thrum_queue_try_put
#define queue_put_until thrum_queue_put_until
#define queue_get thrum_queue_get
#define queue_try_get thrum_queue_try_get
#define queue_get_until thrum_queue_get_until
#define queue_task_done thrum_queue_task_done
#define queue_join thrum_queue_join
#define queue_join_until thrum_queue_join_until
#define queue_qsize thrum_queue_qsize
#define queue_empty thrum_queue_empty
#define queue_full thrum_queue_full
#define queue_shutdown thrum_queue_shutdown
#define queue_until_waiting(team, n) spec_until_strands_waiting(n)

static int compare_first_byte(const void *a, const void *b) {
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

static thrum_queue *queue_make(void *const *state, size_t item_size, size_t maxsize) {
    const thrum_queue_order *order = *state;
    thrum_queue_opts opts = {.maxsize = maxsize, .order = *order};
    if (*order == THRUM_PRIORITY)
        opts.compare = compare_first_byte;
    thrum_queue *queue = thrum_queue_new(item_size, &opts);
    assert_non_null(queue);
    return queue;
}

#include "concept_queue.h"

static void test_new_refuses(void **state) {
    (void)state;
    int reserved = 0;
    const struct {
        size_t size;
        thrum_queue_opts opts;
    } bad[] = {
        {0, {0}},
        {SIZE_MAX, {0}},
        {16, {.maxsize = SIZE_MAX / 8}},
        {8, {.order = (thrum_queue_order)3}},
        {8, {.order = THRUM_PRIORITY}},
        {8, {.compare = compare_first_byte}},
        {8, {.order = THRUM_LIFO, .compare = compare_first_byte}},
        {8, {.reserved = {NULL, NULL, NULL, &reserved}}},
    };
    for (size_t i = 0; i < C_N_OF(bad); i++) {
        errno = 0;
        assert_null(thrum_queue_new(bad[i].size, &bad[i].opts));
        assert_int_equal(errno, EINVAL);
    }
    thrum_queue_free(NULL);
    thrum_queue *queue = thrum_queue_new(8, NULL);
    assert_non_null(queue);
    thrum_queue_free(queue);
}

static int refuse_size_0(void) { return thrum_queue_new(0, NULL) ? 1 : 0; }

static void test_refusal_is_named(void **state) {
    (void)state;
    spec_end end;
    spec_exits(refuse_size_0, 0, &end);
    assert_non_null(strstr(end.text, "thrum: thrum_queue_new: item_size is 0"));
}

static void test_no_limit(void **state) {
    thrum_queue *queue = c_make(state, 1, 0);
    for (int i = 0; i < 20000; i++)
        c_put((unsigned char)i);
    assert_int_equal(thrum_queue_qsize(queue), 20000);
    assert_false(thrum_queue_full(queue));
    for (int i = 0; i < 20000; i++)
        c_get();
    assert_true(thrum_queue_empty(queue));
    thrum_queue_free(queue);
}

static void test_a_huge_maxsize_is_not_allocated(void **state) {
    static const char item[64];
    thrum_queue *queue = queue_make(state, sizeof item,
                                    (size_t)1 << (sizeof(size_t) > 4 ? 40 : 25));
    for (int i = 0; i < 3000; i++)
        assert_int_equal(thrum_queue_try_put(queue, item), 0);
    assert_int_equal(thrum_queue_qsize(queue), 3000);
    assert_false(thrum_queue_full(queue));
    thrum_queue_free(queue);
}

static const thrum_queue_order fifo = THRUM_FIFO, lifo = THRUM_LIFO, priority = THRUM_PRIORITY;

#define OF_ORDER(test, order) {#test "_" #order, test, NULL, NULL, (void *)(uintptr_t)&order}
#define EACH_ORDER(test) OF_ORDER(test, fifo), OF_ORDER(test, lifo), OF_ORDER(test, priority)

#define QUEUE_TEST EACH_ORDER

SPEC_TESTS(cmocka_unit_test(test_new_refuses), cmocka_unit_test(test_refusal_is_named),
           CONCEPT_QUEUE_TESTS, EACH_ORDER(test_no_limit),
           EACH_ORDER(test_a_huge_maxsize_is_not_allocated));
