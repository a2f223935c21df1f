/* SPDX-License-Identifier: MIT */
/* What holds for queues of every order: sizes, limits, time limits, shutdown, task_done and join. */
#include "spec.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_MAX = 4096, STRANDS = 6, ITEMS = 200 };

static const size_t sizes[] = {1, 2, 3, 4, 8, 16, 24, ITEM_MAX};
static const size_t limits[] = {1, 2, 3, 10, 1024};
#define N_OF(array) (sizeof(array) / sizeof(array)[0])

static int compare_first_byte(const void *a, const void *b) {
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

static thrum_queue *make(void *const *state, size_t item_size, size_t maxsize) {
    const thrum_queue_order *order = *state;
    thrum_queue_opts opts = {.maxsize = maxsize, .order = *order};
    if (*order == THRUM_PRIORITY)
        opts.compare = compare_first_byte;
    thrum_queue *queue = thrum_queue_new(item_size, &opts);
    assert_non_null(queue);
    return queue;
}

static void put_byte(thrum_queue *queue, unsigned char value) {
    assert_int_equal(thrum_queue_put(queue, &value), 0);
}

static unsigned char get_byte(thrum_queue *queue) {
    unsigned char value = 0;
    assert_int_equal(thrum_queue_get(queue, &value), 0);
    return value;
}

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
    for (size_t i = 0; i < N_OF(bad); i++) {
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

static void test_items_of_all_sizes(void **state) {
    unsigned char in[ITEM_MAX + 1], out[ITEM_MAX + 1];
    for (size_t k = 0; k < N_OF(sizes); k++) {
        thrum_queue *queue = make(state, sizes[k], 0);
        for (int i = 0; i < 40; i++) {
            for (size_t j = 0; j < sizes[k]; j++)
                in[j] = (unsigned char)(spec_random(256));
            memset(out, 0xee, sizeof out);
            assert_int_equal(thrum_queue_put(queue, in), 0);
            assert_int_equal(thrum_queue_get(queue, out), 0);
            assert_memory_equal(in, out, sizes[k]);
            assert_int_equal(out[sizes[k]], 0xee);
        }
        thrum_queue_free(queue);
    }
}

static void test_maxsize_is_exact(void **state) {
    for (size_t k = 0; k < N_OF(limits); k++) {
        thrum_queue *queue = make(state, 3, limits[k]);
        unsigned char item[3] = {1, 2, 3};
        size_t held = 0;
        for (size_t round = 0; round < 3; round++) {
            assert_true(thrum_queue_empty(queue) == (held == 0));
            while (thrum_queue_try_put(queue, item) == 0)
                held += 1;
            assert_int_equal(held, limits[k]);
            assert_int_equal(thrum_queue_qsize(queue), limits[k]);
            assert_true(thrum_queue_full(queue));
            assert_int_equal(thrum_queue_try_put(queue, item), -EAGAIN);
            size_t out = round == 1 ? held : (held + 2) / 3;
            for (size_t i = 0; i < out; i++)
                assert_int_equal(thrum_queue_try_get(queue, item), 0);
            held -= out;
            assert_false(thrum_queue_full(queue));
            assert_int_equal(thrum_queue_qsize(queue), held);
        }
        thrum_queue_free(queue);
    }
}

static void test_no_limit(void **state) {
    thrum_queue *queue = make(state, 1, 0);
    for (int i = 0; i < 20000; i++)
        put_byte(queue, (unsigned char)i);
    assert_int_equal(thrum_queue_qsize(queue), 20000);
    assert_false(thrum_queue_full(queue));
    for (int i = 0; i < 20000; i++)
        get_byte(queue);
    assert_true(thrum_queue_empty(queue));
    thrum_queue_free(queue);
}

static void test_a_huge_maxsize_is_not_allocated(void **state) {
    static const char item[64];
    thrum_queue *queue = make(state, sizeof item, (size_t)1 << (sizeof(size_t) > 4 ? 40 : 25));
    for (int i = 0; i < 3000; i++)
        assert_int_equal(thrum_queue_try_put(queue, item), 0);
    assert_int_equal(thrum_queue_qsize(queue), 3000);
    assert_false(thrum_queue_full(queue));
    thrum_queue_free(queue);
}

static void test_null_drops_the_item(void **state) {
    thrum_queue *queue = make(state, 1, 2);
    put_byte(queue, 1);
    put_byte(queue, 2);
    assert_int_equal(thrum_queue_get(queue, NULL), 0);
    assert_int_equal(thrum_queue_try_get(queue, NULL), 0);
    assert_int_equal(thrum_queue_try_get(queue, NULL), -EAGAIN);
    put_byte(queue, 3);
    assert_int_equal(thrum_queue_get_until(queue, NULL, THRUM_NEVER), 0);
    assert_true(thrum_queue_empty(queue));
    thrum_queue_free(queue);
}

static void test_until(void **state) {
    thrum_queue *queue = make(state, 1, 1);
    unsigned char item = 7;
    assert_int_equal(thrum_queue_get_until(queue, &item, thrum_in(0)), -ETIMEDOUT);
    thrum_deadline deadline = thrum_in(0.002);
    assert_int_equal(thrum_queue_get_until(queue, &item, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(item, 7);
    assert_int_equal(thrum_queue_put_until(queue, &item, thrum_in(-1)), 0);
    assert_int_equal(thrum_queue_put_until(queue, &item, thrum_in(-1)), -ETIMEDOUT);
    deadline = thrum_in(0.002);
    assert_int_equal(thrum_queue_put_until(queue, &item, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(thrum_queue_join_until(queue, thrum_in(0.001)), -ETIMEDOUT);
    assert_int_equal(thrum_queue_get_until(queue, &item, thrum_in(-1)), 0);
    assert_int_equal(thrum_queue_task_done(queue), 0);
    assert_int_equal(thrum_queue_join_until(queue, thrum_in(-1)), 0);
    thrum_queue_free(queue);
}

/* What a strand did, and with what it came back. */
typedef struct action {
    thrum_queue *queue;
    int rc;
    unsigned char value;
} action;

static void *do_put(void *arg) {
    action *it = arg;
    it->rc = thrum_queue_put(it->queue, &it->value);
    return NULL;
}

static void *do_get(void *arg) {
    action *it = arg;
    it->rc = thrum_queue_get(it->queue, &it->value);
    return NULL;
}

static void *do_join(void *arg) {
    action *it = arg;
    it->rc = thrum_queue_join(it->queue);
    return NULL;
}

static void start_all(spec_team *team, thrum_queue *queue, action *actions, int n,
                      void *(*fn)(void *)) {
    for (int i = 0; i < n; i++) {
        actions[i] = (action){queue, 1, (unsigned char)(i + 1)};
        spec_team_start(team, 1, fn, &actions[i]);
    }
    spec_until_strands_waiting(n);
}

static void test_put_wakes_one_getter_each(void **state) {
    thrum_queue *queue = make(state, 1, 0);
    action getters[STRANDS];
    spec_team team = {.n = 0};
    int sum = 0;
    start_all(&team, queue, getters, STRANDS, do_get);
    for (int i = 0; i < STRANDS; i++) {
        put_byte(queue, (unsigned char)(10 + i));
        spec_until_strands_woken(STRANDS - 1 - i);
    }
    spec_team_join(&team);
    for (int i = 0; i < STRANDS; i++) {
        assert_int_equal(getters[i].rc, 0);
        sum += getters[i].value - 10;
    }
    assert_int_equal(sum, STRANDS * (STRANDS - 1) / 2);
    thrum_queue_free(queue);
}

static void test_puts_at_once_wake_as_many_getters(void **state) {
    thrum_queue *queue = make(state, 1, 0);
    action getters[STRANDS];
    spec_team team = {.n = 0};
    start_all(&team, queue, getters, STRANDS, do_get);
    for (int i = 0; i < STRANDS; i++)
        put_byte(queue, 1);
    spec_team_join(&team);
    assert_true(thrum_queue_empty(queue));
    thrum_queue_free(queue);
}

static void test_gets_let_putters_in(void **state) {
    thrum_queue *queue = make(state, 1, 2);
    action putters[STRANDS];
    spec_team team = {.n = 0};
    int sum = 0;
    put_byte(queue, 100);
    put_byte(queue, 101);
    start_all(&team, queue, putters, STRANDS, do_put);
    for (int i = 0; i < STRANDS + 2; i++)
        sum += get_byte(queue);
    spec_team_join(&team);
    assert_int_equal(sum, 201 + STRANDS * (STRANDS + 1) / 2);
    for (int i = 0; i < STRANDS; i++)
        assert_int_equal(putters[i].rc, 0);
    thrum_queue_free(queue);
}

static void test_shutdown_leaves_the_items(void **state) {
    thrum_queue *queue = make(state, 1, 4);
    unsigned char item = 9;
    for (int i = 0; i < 4; i++)
        put_byte(queue, 5);
    for (int i = 0; i < 2; i++) {
        thrum_queue_shutdown(queue, false);
        assert_int_equal(thrum_queue_put(queue, &item), -ESHUTDOWN);
        assert_int_equal(thrum_queue_try_put(queue, &item), -ESHUTDOWN);
        assert_int_equal(thrum_queue_put_until(queue, &item, THRUM_NEVER), -ESHUTDOWN);
    }
    assert_int_equal(thrum_queue_qsize(queue), 4);
    assert_int_equal(thrum_queue_join_until(queue, thrum_in(0)), -ETIMEDOUT);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(get_byte(queue), 5);
        assert_int_equal(thrum_queue_task_done(queue), 0);
    }
    assert_int_equal(thrum_queue_get(queue, &item), -ESHUTDOWN);
    assert_int_equal(thrum_queue_try_get(queue, &item), -ESHUTDOWN);
    assert_int_equal(thrum_queue_get_until(queue, &item, thrum_in(0)), -ESHUTDOWN);
    assert_int_equal(item, 9);
    assert_int_equal(thrum_queue_join(queue), 0);
    assert_int_equal(thrum_queue_task_done(queue), -EINVAL);
    thrum_queue_free(queue);
}

static void test_shutdown_immediate_drops_the_items(void **state) {
    thrum_queue *queue = make(state, 1, 0);
    unsigned char item = 9;
    for (int i = 0; i < 5000; i++)
        put_byte(queue, 5);
    get_byte(queue);
    thrum_queue_shutdown(queue, false);
    thrum_queue_shutdown(queue, true);
    assert_true(thrum_queue_empty(queue));
    assert_int_equal(thrum_queue_get(queue, &item), -ESHUTDOWN);
    assert_int_equal(thrum_queue_put(queue, &item), -ESHUTDOWN);
    assert_int_equal(thrum_queue_join_until(queue, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(thrum_queue_task_done(queue), 0);
    assert_int_equal(thrum_queue_task_done(queue), -EINVAL);
    assert_int_equal(thrum_queue_join(queue), 0);
    thrum_queue_free(queue);
}

static void test_shutdown_ends_waits(void **state) {
    for (int immediate = 0; immediate < 2; immediate++) {
        action actions[STRANDS];
        spec_team team = {.n = 0};
        thrum_queue *queue = make(state, 1, 1);
        start_all(&team, queue, actions, STRANDS, do_get);
        thrum_queue_shutdown(queue, immediate);
        spec_team_join(&team);
        for (int i = 0; i < STRANDS; i++)
            assert_int_equal(actions[i].rc, -ESHUTDOWN);
        thrum_queue_free(queue);

        queue = make(state, 1, 1);
        put_byte(queue, 1);
        start_all(&team, queue, actions, STRANDS, do_put);
        thrum_queue_shutdown(queue, immediate);
        spec_team_join(&team);
        for (int i = 0; i < STRANDS; i++)
            assert_int_equal(actions[i].rc, -ESHUTDOWN);
        assert_int_equal(thrum_queue_qsize(queue), immediate ? 0 : 1);
        thrum_queue_free(queue);

        queue = make(state, 1, 1);
        put_byte(queue, 1);
        start_all(&team, queue, actions, 2, do_join);
        thrum_queue_shutdown(queue, immediate);
        if (!immediate)
            assert_int_equal(thrum_queue_task_done(queue), 0);
        spec_team_join(&team);
        assert_int_equal(actions[0].rc, 0);
        thrum_queue_free(queue);
    }
}

static void test_task_done_and_join(void **state) {
    thrum_queue *queue = make(state, 1, 0);
    action joiners[3];
    spec_team team = {.n = 0};
    assert_int_equal(thrum_queue_task_done(queue), -EINVAL);
    assert_int_equal(thrum_queue_join(queue), 0);
    for (int i = 0; i < 3000; i++)
        put_byte(queue, 1);
    for (int i = 0; i < 2999; i++) {
        if (i % 2)
            get_byte(queue);
        assert_int_equal(thrum_queue_task_done(queue), 0);
    }
    start_all(&team, queue, joiners, 3, do_join);
    put_byte(queue, 2);
    assert_int_equal(thrum_queue_task_done(queue), 0);
    for (int i = 0; i < 20; i++)
        spec_yield();
    assert_int_equal(spec_strands_waiting(), 3);
    assert_int_equal(thrum_queue_task_done(queue), 0);
    spec_team_join(&team);
    assert_int_equal(thrum_queue_task_done(queue), -EINVAL);
    assert_int_equal(thrum_queue_join(queue), 0);
    put_byte(queue, 3);
    assert_int_equal(thrum_queue_join_until(queue, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(thrum_queue_task_done(queue), 0);
    thrum_queue_free(queue);
}

static const thrum_queue_order fifo = THRUM_FIFO, lifo = THRUM_LIFO, priority = THRUM_PRIORITY;

#define OF_ORDER(test, order) {#test "_" #order, test, NULL, NULL, (void *)(uintptr_t)&order}
#define EACH_ORDER(test) OF_ORDER(test, fifo), OF_ORDER(test, lifo), OF_ORDER(test, priority)

SPEC_TESTS(cmocka_unit_test(test_new_refuses), cmocka_unit_test(test_refusal_is_named),
           EACH_ORDER(test_items_of_all_sizes), EACH_ORDER(test_maxsize_is_exact),
           EACH_ORDER(test_no_limit), EACH_ORDER(test_a_huge_maxsize_is_not_allocated),
           EACH_ORDER(test_null_drops_the_item), EACH_ORDER(test_until),
           EACH_ORDER(test_put_wakes_one_getter_each),
           EACH_ORDER(test_puts_at_once_wake_as_many_getters), EACH_ORDER(test_gets_let_putters_in),
           EACH_ORDER(test_shutdown_leaves_the_items),
           EACH_ORDER(test_shutdown_immediate_drops_the_items), EACH_ORDER(test_shutdown_ends_waits),
           EACH_ORDER(test_task_done_and_join));
