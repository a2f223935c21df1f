/* SPDX-License-Identifier: MIT */
/* The order in which items leave, against a model, while a queue grows and shrinks; and each
 * producer's order under random schedules. */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 30000, MODEL_MAX = 6000, PRODUCERS = 3, CONSUMERS = 3, ITEMS = 400 };

typedef struct item {
    int key;
    uint32_t number; /* when it came */
    char rest[40];   /* large enough for several rings below the limits used here */
} item;

static int compare_keys(const void *a, const void *b) {
    int x = ((const item *)a)->key, y = ((const item *)b)->key;
    return (x > y) - (x < y);
}

static thrum_queue *make(thrum_queue_order order, size_t maxsize) {
    thrum_queue *queue = thrum_queue_new(
        sizeof(item),
        &(thrum_queue_opts){.maxsize = maxsize,
                            .order = order,
                            .compare = order == THRUM_PRIORITY ? compare_keys : NULL});
    assert_non_null(queue);
    return queue;
}

/* What the queue should hold, the oldest first. */
static struct {
    item items[MODEL_MAX];
    size_t n;
    uint32_t numbers;
} model;

static size_t next_of(thrum_queue_order order) {
    size_t best = order == THRUM_LIFO ? model.n - 1 : 0;
    for (size_t i = 1; order == THRUM_PRIORITY && i < model.n; i++)
        if (model.items[i].key < model.items[best].key)
            best = i;
    return best;
}

static void put_both(thrum_queue *queue, size_t maxsize) {
    item it = {(int)spec_random(8), model.numbers++, "forty bytes less one are in this text.."};
    int rc = thrum_queue_try_put(queue, &it);
    assert_int_equal(rc, model.n == maxsize ? -EAGAIN : 0);
    if (rc == 0)
        model.items[model.n++] = it;
}

static void get_both(thrum_queue *queue, thrum_queue_order order) {
    item it;
    int rc = thrum_queue_try_get(queue, &it);
    assert_int_equal(rc, model.n == 0 ? -EAGAIN : 0);
    if (rc != 0)
        return;
    size_t i = next_of(order);
    assert_int_equal(it.number, model.items[i].number);
    assert_memory_equal(&it, &model.items[i], sizeof it);
    model.n -= 1;
    memmove(&model.items[i], &model.items[i + 1], (model.n - i) * sizeof model.items[0]);
}

/* Stretches of mostly puts and of mostly gets, so that it is met full, empty and in between. */
static void follow_the_model(thrum_queue_order order, size_t maxsize, int steps) {
    size_t limit = maxsize ? maxsize : MODEL_MAX;
    thrum_queue *queue = make(order, maxsize);
    model.n = model.numbers = 0;
    for (int i = 0; i < steps;) {
        uint32_t puts_in_8 = 1 + spec_random(7);
        for (uint32_t n = spec_random(2 * (uint32_t)limit + 2); n > 0; n--, i++) {
            if (spec_random(8) < puts_in_8 && (maxsize || model.n < limit))
                put_both(queue, maxsize ? maxsize : SIZE_MAX);
            else
                get_both(queue, order);
            assert_int_equal(thrum_queue_qsize(queue), model.n);
            assert_int_equal(thrum_queue_empty(queue), model.n == 0);
            assert_int_equal(thrum_queue_full(queue), maxsize && model.n == maxsize);
        }
    }
    while (model.n > 0)
        get_both(queue, order);
    get_both(queue, order);
    thrum_queue_free(queue);
}

static void test_fifo_follows_the_model(void **state) {
    (void)state;
    static const size_t limits[] = {1, 2, 3, 10, 76, 77, 300, 1000, 2049, 0};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        follow_the_model(THRUM_FIFO, limits[i], STEPS);
}

static void test_lifo_follows_the_model(void **state) {
    (void)state;
    static const size_t limits[] = {1, 3, 17, 1000, 0};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        follow_the_model(THRUM_LIFO, limits[i], STEPS);
}

static void test_priority_follows_the_model(void **state) {
    (void)state;
    static const size_t limits[] = {1, 3, 17, 200};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        follow_the_model(THRUM_PRIORITY, limits[i], STEPS);
}

static void test_equal_items_leave_as_they_came(void **state) {
    (void)state;
    thrum_queue *queue = make(THRUM_PRIORITY, 0);
    item it = {0};
    for (int i = 0; i < 600; i++) {
        it.key = i % 3;
        it.number = (uint32_t)i;
        assert_int_equal(thrum_queue_put(queue, &it), 0);
    }
    for (int i = 0; i < 600; i++) {
        assert_int_equal(thrum_queue_get(queue, &it), 0);
        assert_int_equal(it.key, i / 200);
        assert_int_equal(it.number, i % 200 * 3 + i / 200);
    }
    thrum_queue_free(queue);
}

/* Older rings still hold items when maxsize is reached in a newer one, again and again. */
static void test_exact_while_older_rings_hold_items(void **state) {
    (void)state;
    for (size_t maxsize = 300; maxsize < 2000; maxsize += 137) {
        thrum_queue *queue = make(THRUM_FIFO, maxsize);
        item it = {0};
        uint32_t in = 0, out = 0;
        while (thrum_queue_try_put(queue, &it) == 0)
            it.number = ++in;
        assert_int_equal(in, maxsize);
        while (out < 2 * maxsize) {
            for (uint32_t n = spec_random(50) + 1; n > 0; n--) {
                assert_int_equal(thrum_queue_try_get(queue, &it), 0);
                assert_int_equal(it.number, out++);
            }
            for (it.number = in; thrum_queue_try_put(queue, &it) == 0; it.number = ++in)
                continue;
            assert_int_equal(in - out, maxsize);
            assert_true(thrum_queue_full(queue));
        }
        thrum_queue_free(queue);
    }
}

static void test_join_over_several_rings(void **state) {
    (void)state;
    thrum_queue *queue = make(THRUM_FIFO, 0);
    item it = {0};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++)
            assert_int_equal(thrum_queue_put(queue, &it), 0);
        for (int i = 0; i < 3000; i++) {
            assert_int_equal(thrum_queue_join_until(queue, thrum_in(-1)), -ETIMEDOUT);
            assert_int_equal(thrum_queue_task_done(queue), 0);
        }
        assert_int_equal(thrum_queue_task_done(queue), -EINVAL);
        assert_int_equal(thrum_queue_join_until(queue, thrum_in(-1)), 0);
    }
    thrum_queue_shutdown(queue, true);
    assert_int_equal(thrum_queue_task_done(queue), -EINVAL);
    thrum_queue_free(queue);
}

static struct {
    thrum_queue *queue;
    uint32_t producers;
    uint32_t got;
} s;

static void *produce(void *arg) {
    item it = {(int)__atomic_fetch_add(&s.producers, 1, __ATOMIC_RELAXED), 0, ""};
    while (it.number < ITEMS) {
        it.number += 1;
        spec_perhaps_yield();
        int rc;
        while ((rc = spec_random(2) ? thrum_queue_put_until(s.queue, &it, thrum_in(3e-6))
                                    : thrum_queue_put(s.queue, &it)) == -ETIMEDOUT)
            continue;
        assert_int_equal(rc, 0);
    }
    return arg;
}

static void *consume(void *arg) {
    uint32_t last[PRODUCERS] = {0};
    for (;;) {
        item it;
        spec_perhaps_yield();
        int rc = spec_random(2) ? thrum_queue_get_until(s.queue, &it, thrum_in(3e-6))
                                : thrum_queue_get(s.queue, &it);
        if (rc == -ESHUTDOWN)
            return arg;
        if (rc == -ETIMEDOUT)
            continue;
        assert_int_equal(rc, 0);
        assert_true(it.number > last[it.key]);
        last[it.key] = it.number;
        __atomic_fetch_add(&s.got, 1, __ATOMIC_RELAXED);
        assert_int_equal(thrum_queue_task_done(s.queue), 0);
    }
}

static void test_each_producers_order_holds(void **state) {
    (void)state;
    static const size_t limits[] = {1, 2, 3, 250, 0};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        spec_team producers = {.n = 0};
        spec_team consumers = {.n = 0};
        s.queue = make(THRUM_FIFO, limits[i]);
        s.got = s.producers = 0;
        spec_team_start(&consumers, CONSUMERS, consume, NULL);
        spec_team_start(&producers, PRODUCERS, produce, NULL);
        spec_team_join(&producers);
        assert_int_equal(thrum_queue_join(s.queue), 0);
        assert_int_equal(s.got, PRODUCERS * ITEMS);
        thrum_queue_shutdown(s.queue, false);
        spec_team_join(&consumers);
        thrum_queue_free(s.queue);
    }
}

SPEC_TESTS(cmocka_unit_test(test_fifo_follows_the_model),
           cmocka_unit_test(test_lifo_follows_the_model),
           cmocka_unit_test(test_priority_follows_the_model),
           cmocka_unit_test(test_equal_items_leave_as_they_came),
           cmocka_unit_test(test_exact_while_older_rings_hold_items),
           cmocka_unit_test(test_join_over_several_rings),
           cmocka_unit_test(test_each_producers_order_holds));
