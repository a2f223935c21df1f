/* SPDX-License-Identifier: MIT */
/* Includers define the type concept_queue and, of it, queue_make(state, item_size, maxsize),
 * queue_free(), QUEUE_LARGE (a maxsize that is never reached), QUEUE_ANY (one that needs no room),
 * queue_put(), queue_try_put(), queue_put_until(), queue_get(), queue_try_get(), queue_get_until(),
 * queue_task_done(), queue_join(), queue_join_until(), queue_qsize(), queue_empty(), queue_full(),
 * queue_shutdown(), and queue_until_waiting(team, n). Each test gets what queue_make() needs in its
 * `state`. */
#ifndef THRUM_TESTS_CONCEPT_QUEUE_H
#define THRUM_TESTS_CONCEPT_QUEUE_H

#include "concept.h"

enum { C_ITEM_MAX = 4096, C_STRANDS = 6, C_ROUNDS = 60 };

/* What a strand did, and with what it came back. */
typedef struct {
    int rc;
    unsigned char value;
} c_action;

typedef struct {
    concept_queue *queue;
    c_action actions[C_STRANDS];
    int came; /* atomic, as the next ones */
    int ended;
    int passed, timed_out;
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static const size_t c_sizes[] = {1, 2, 3, 4, 8, 16, 24, C_ITEM_MAX};
static const size_t c_limits[] = {1, 2, 3, 10, 1024};
#define C_N_OF(array) (sizeof(array) / sizeof(array)[0])

static concept_queue *c_make(void *const *state, size_t item_size, size_t maxsize) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
    return c->queue = queue_make(state, item_size, maxsize);
}

static void c_put(unsigned char value) { assert_int_equal(queue_put(c->queue, &value), 0); }

static unsigned char c_get(void) {
    unsigned char value = 0;
    assert_int_equal(queue_get(c->queue, &value), 0);
    return value;
}

static void c_add(int *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELEASE); }

static int c_seen(const int *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }

static void test_items_of_all_sizes(void **state) {
    unsigned char in[C_ITEM_MAX + 1], out[C_ITEM_MAX + 1];
    for (size_t k = 0; k < C_N_OF(c_sizes); k++) {
        concept_queue *queue = c_make(state, c_sizes[k], QUEUE_ANY);
        for (int i = 0; i < 40; i++) {
            for (size_t j = 0; j < c_sizes[k]; j++)
                in[j] = (unsigned char)(spec_random(256));
            memset(out, 0xee, sizeof out);
            assert_int_equal(queue_put(queue, in), 0);
            assert_int_equal(queue_get(queue, out), 0);
            assert_memory_equal(in, out, c_sizes[k]);
            assert_int_equal(out[c_sizes[k]], 0xee);
        }
        queue_free(queue);
    }
}

static void test_maxsize_is_exact(void **state) {
    for (size_t k = 0; k < C_N_OF(c_limits); k++) {
        concept_queue *queue = c_make(state, 3, c_limits[k]);
        unsigned char item[3] = {1, 2, 3};
        size_t held = 0;
        for (size_t round = 0; round < 3; round++) {
            assert_true(queue_empty(queue) == (held == 0));
            while (queue_try_put(queue, item) == 0)
                held += 1;
            assert_int_equal(held, c_limits[k]);
            assert_int_equal(queue_qsize(queue), c_limits[k]);
            assert_true(queue_full(queue));
            assert_int_equal(queue_try_put(queue, item), -EAGAIN);
            size_t out = round == 1 ? held : (held + 2) / 3;
            for (size_t i = 0; i < out; i++)
                assert_int_equal(queue_try_get(queue, item), 0);
            held -= out;
            assert_false(queue_full(queue));
            assert_int_equal(queue_qsize(queue), held);
        }
        queue_free(queue);
    }
}

static void test_null_drops_the_item(void **state) {
    concept_queue *queue = c_make(state, 1, 2);
    c_put(1);
    c_put(2);
    assert_int_equal(queue_get(queue, NULL), 0);
    assert_int_equal(queue_try_get(queue, NULL), 0);
    assert_int_equal(queue_try_get(queue, NULL), -EAGAIN);
    c_put(3);
    assert_int_equal(queue_get_until(queue, NULL, THRUM_NEVER), 0);
    assert_true(queue_empty(queue));
    queue_free(queue);
}

static void test_until(void **state) {
    concept_queue *queue = c_make(state, 1, 1);
    unsigned char item = 7;
    assert_int_equal(queue_get_until(queue, &item, thrum_in(0)), -ETIMEDOUT);
    thrum_deadline deadline = thrum_in(0.002);
    assert_int_equal(queue_get_until(queue, &item, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(item, 7);
    assert_int_equal(queue_put_until(queue, &item, thrum_in(-1)), 0);
    assert_int_equal(queue_put_until(queue, &item, thrum_in(-1)), -ETIMEDOUT);
    deadline = thrum_in(0.002);
    assert_int_equal(queue_put_until(queue, &item, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(queue_join_until(queue, thrum_in(0.001)), -ETIMEDOUT);
    assert_int_equal(queue_get_until(queue, &item, thrum_in(-1)), 0);
    assert_int_equal(queue_task_done(queue), 0);
    assert_int_equal(queue_join_until(queue, thrum_in(-1)), 0);
    queue_free(queue);
}

static void *c_do_put(void *number) {
    c_action *it = &c->actions[(intptr_t)number];
    concept_comes();
    it->rc = queue_put(c->queue, &it->value);
    c_add(&c->ended);
    return NULL;
}

static void *c_do_get(void *number) {
    c_action *it = &c->actions[(intptr_t)number];
    concept_comes();
    it->rc = queue_get(c->queue, &it->value);
    c_add(&c->ended);
    return NULL;
}

static void *c_do_join(void *number) {
    concept_comes();
    c->actions[(intptr_t)number].rc = queue_join(c->queue);
    c_add(&c->ended);
    return NULL;
}

static void c_start_all(concept_team *team, int n, void *(*fn)(void *)) {
    for (int i = 0; i < n; i++) {
        c->actions[i] = (c_action){1, (unsigned char)(i + 1)};
        concept_start(team, 1, fn, (void *)(intptr_t)i);
    }
    queue_until_waiting(team, n);
}

static void c_expect_all(int n, int rc) {
    for (int i = 0; i < n; i++)
        assert_int_equal(c->actions[i].rc, rc);
}

static void test_put_wakes_one_getter_each(void **state) {
    concept_queue *queue = c_make(state, 1, QUEUE_LARGE);
    concept_team team = {.n = 0};
    int sum = 0;
    c_start_all(&team, C_STRANDS, c_do_get);
    for (int i = 0; i < C_STRANDS; i++) {
        c_put((unsigned char)(10 + i));
        while (c_seen(&c->ended) != i + 1)
            spec_yield();
    }
    concept_join(&team);
    c_expect_all(C_STRANDS, 0);
    for (int i = 0; i < C_STRANDS; i++)
        sum += c->actions[i].value - 10;
    assert_int_equal(sum, C_STRANDS * (C_STRANDS - 1) / 2);
    queue_free(queue);
}

static void test_puts_at_once_wake_as_many_getters(void **state) {
    concept_queue *queue = c_make(state, 1, QUEUE_LARGE);
    concept_team team = {.n = 0};
    c_start_all(&team, C_STRANDS, c_do_get);
    for (int i = 0; i < C_STRANDS; i++)
        c_put(1);
    concept_join(&team);
    assert_true(queue_empty(queue));
    queue_free(queue);
}

static void test_gets_let_putters_in(void **state) {
    concept_queue *queue = c_make(state, 1, 2);
    concept_team team = {.n = 0};
    int sum = 0;
    c_put(100);
    c_put(101);
    c_start_all(&team, C_STRANDS, c_do_put);
    for (int i = 0; i < C_STRANDS + 2; i++)
        sum += c_get();
    concept_join(&team);
    assert_int_equal(sum, 201 + C_STRANDS * (C_STRANDS + 1) / 2);
    c_expect_all(C_STRANDS, 0);
    queue_free(queue);
}

static void test_shutdown_leaves_the_items(void **state) {
    concept_queue *queue = c_make(state, 1, 4);
    unsigned char item = 9;
    for (int i = 0; i < 4; i++)
        c_put(5);
    for (int i = 0; i < 2; i++) {
        queue_shutdown(queue, false);
        assert_int_equal(queue_put(queue, &item), -ESHUTDOWN);
        assert_int_equal(queue_try_put(queue, &item), -ESHUTDOWN);
        assert_int_equal(queue_put_until(queue, &item, THRUM_NEVER), -ESHUTDOWN);
    }
    assert_int_equal(queue_qsize(queue), 4);
    assert_int_equal(queue_join_until(queue, thrum_in(0)), -ETIMEDOUT);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(c_get(), 5);
        assert_int_equal(queue_task_done(queue), 0);
    }
    assert_int_equal(queue_get(queue, &item), -ESHUTDOWN);
    assert_int_equal(queue_try_get(queue, &item), -ESHUTDOWN);
    assert_int_equal(queue_get_until(queue, &item, thrum_in(0)), -ESHUTDOWN);
    assert_int_equal(item, 9);
    assert_int_equal(queue_join(queue), 0);
    assert_int_equal(queue_task_done(queue), -EINVAL);
    queue_free(queue);
}

static void test_shutdown_immediate_drops_the_items(void **state) {
    concept_queue *queue = c_make(state, 1, QUEUE_LARGE);
    unsigned char item = 9;
    for (int i = 0; i < 5000; i++)
        c_put(5);
    c_get();
    queue_shutdown(queue, false);
    queue_shutdown(queue, true);
    queue_shutdown(queue, false);
    assert_true(queue_empty(queue));
    assert_int_equal(queue_get(queue, &item), -ESHUTDOWN);
    assert_int_equal(queue_put(queue, &item), -ESHUTDOWN);
    assert_int_equal(queue_join_until(queue, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(queue_task_done(queue), 0);
    assert_int_equal(queue_task_done(queue), -EINVAL);
    assert_int_equal(queue_join(queue), 0);
    queue_free(queue);
}

static void test_shutdown_ends_waits(void **state) {
    for (int immediate = 0; immediate < 2; immediate++) {
        concept_team team = {.n = 0};
        concept_queue *queue = c_make(state, 1, 1);
        c_start_all(&team, C_STRANDS, c_do_get);
        queue_shutdown(queue, immediate);
        concept_join(&team);
        c_expect_all(C_STRANDS, -ESHUTDOWN);
        queue_free(queue);

        queue = c_make(state, 1, 1);
        c_put(1);
        c_start_all(&team, C_STRANDS, c_do_put);
        queue_shutdown(queue, immediate);
        concept_join(&team);
        c_expect_all(C_STRANDS, -ESHUTDOWN);
        assert_int_equal(queue_qsize(queue), immediate ? 0 : 1);
        queue_free(queue);

        queue = c_make(state, 1, 1);
        c_put(1);
        c_start_all(&team, 2, c_do_join);
        queue_shutdown(queue, immediate);
        if (!immediate)
            assert_int_equal(queue_task_done(queue), 0);
        concept_join(&team);
        c_expect_all(2, 0);
        queue_free(queue);
    }
}

/* A task may be done before it was got. */
static void test_task_done_and_join(void **state) {
    concept_queue *queue = c_make(state, 1, QUEUE_LARGE);
    concept_team team = {.n = 0};
    assert_int_equal(queue_task_done(queue), -EINVAL);
    assert_int_equal(queue_join(queue), 0);
    for (int i = 0; i < 3000; i++)
        c_put(1);
    for (int i = 0; i < 2999; i++) {
        if (i % 2)
            c_get();
        assert_int_equal(queue_task_done(queue), 0);
    }
    c_start_all(&team, 3, c_do_join);
    c_put(2);
    assert_int_equal(queue_task_done(queue), 0);
    for (int i = 0; i < 20; i++)
        spec_yield();
    assert_int_equal(c_seen(&c->ended), 0);
    assert_int_equal(queue_task_done(queue), 0);
    concept_join(&team);
    c_expect_all(3, 0);
    assert_int_equal(queue_task_done(queue), -EINVAL);
    assert_int_equal(queue_join(queue), 0);
    while (!queue_empty(queue))
        c_get();
    assert_int_equal(queue_task_done(queue), -EINVAL);
    c_put(3);
    assert_int_equal(queue_join_until(queue, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(queue_task_done(queue), 0);
    queue_free(queue);
}

static void *c_get_patiently(void *arg) {
    assert_int_equal(queue_get(c->queue, NULL), 0);
    c_add(&c->passed);
    return arg;
}

static void *c_get_or_time_out(void *arg) {
    int rc = queue_get_until(c->queue, NULL, thrum_in(spec_random(30) * 1e-6));
    assert_true(rc == 0 || rc == -ETIMEDOUT);
    c_add(rc == 0 ? &c->passed : &c->timed_out);
    return arg;
}

static void *c_put_patiently(void *arg) {
    c_put(1);
    c_add(&c->passed);
    return arg;
}

static void *c_put_or_time_out(void *arg) {
    unsigned char item = 2;
    int rc = queue_put_until(c->queue, &item, thrum_in(spec_random(30) * 1e-6));
    assert_true(rc == 0 || rc == -ETIMEDOUT);
    c_add(rc == 0 ? &c->passed : &c->timed_out);
    return arg;
}

/* A sleeper that times out when it was chosen passes the wake on: nobody sleeps beside an item. */
static void test_a_wake_is_not_lost_in_a_time_out(void **state) {
    for (int round = 0; round < C_ROUNDS; round++) {
        concept_team team = {.n = 0};
        concept_queue *queue = c_make(state, 1, QUEUE_LARGE);
        for (int i = 0; i < C_STRANDS / 2; i++) {
            concept_start(&team, 1, c_get_or_time_out, NULL);
            concept_start(&team, 1, c_get_patiently, NULL);
        }
        for (int i = 0; i < C_STRANDS; i++) {
            spec_perhaps_yield();
            c_put(1);
        }
        concept_join(&team);
        assert_int_equal(c->passed + c->timed_out, C_STRANDS);
        assert_int_equal(queue_qsize(queue), c->timed_out);
        queue_free(queue);
    }
}

static void test_room_is_not_lost_in_a_time_out(void **state) {
    for (int round = 0; round < C_ROUNDS; round++) {
        concept_team team = {.n = 0};
        concept_queue *queue = c_make(state, 1, C_STRANDS / 2);
        for (int i = 0; i < C_STRANDS / 2; i++)
            c_put(1);
        for (int i = 0; i < C_STRANDS / 2; i++) {
            concept_start(&team, 1, c_put_or_time_out, NULL);
            concept_start(&team, 1, c_put_patiently, NULL);
        }
        for (int i = 0; i < C_STRANDS; i++) {
            spec_perhaps_yield();
            assert_int_equal(queue_get(queue, NULL), 0);
        }
        concept_join(&team);
        assert_int_equal(c->passed + c->timed_out, C_STRANDS);
        assert_int_equal(queue_qsize(queue), c->passed - C_STRANDS / 2);
        queue_free(queue);
    }
}

/* Includers define QUEUE_TEST(test): the test, for each state that it is run with. */
#define CONCEPT_QUEUE_TESTS                                                                        \
    QUEUE_TEST(test_items_of_all_sizes), QUEUE_TEST(test_maxsize_is_exact),                        \
        QUEUE_TEST(test_null_drops_the_item), QUEUE_TEST(test_until),                              \
        QUEUE_TEST(test_put_wakes_one_getter_each),                                                \
        QUEUE_TEST(test_puts_at_once_wake_as_many_getters), QUEUE_TEST(test_gets_let_putters_in),  \
        QUEUE_TEST(test_shutdown_leaves_the_items),                                                \
        QUEUE_TEST(test_shutdown_immediate_drops_the_items), QUEUE_TEST(test_shutdown_ends_waits), \
        QUEUE_TEST(test_task_done_and_join), QUEUE_TEST(test_a_wake_is_not_lost_in_a_time_out),    \
        QUEUE_TEST(test_room_is_not_lost_in_a_time_out)

#endif
