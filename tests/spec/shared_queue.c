/* SPDX-License-Identifier: MIT */
/* The tests of queue.c that hold for a bounded FIFO queue, with processes for threads, and
 * kills. */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <stdlib.h>

#include "concept.h"

enum { WORKERS = 6, ITEM_MAX = 4096, ROOM = 1 << 16, ROUNDS = 40, ORDERED = 3000 };

typedef struct {
    thrum_shared_queue queue;
    char room[ROOM];
    int came;
    int got;
    int timed_out;
    int sum;
    int stop;
    int rc[WORKERS];
} shared_state;

CONCEPT_MEMORY(shared_state)
static shared_state *c;

static void begin(size_t item_size, size_t maxsize) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, item_size, maxsize), 0);
}

static void put(int value) { assert_int_equal(thrum_shared_queue_put(&c->queue, &value), 0); }

static int get(void) {
    int value = -1;
    assert_int_equal(thrum_shared_queue_get(&c->queue, &value), 0);
    return value;
}

static void test_init_refuses(void **state) {
    (void)state;
    begin(1, 1);
    int item = 1;
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, 0, 1), -EINVAL);
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, 1, 0), -EINVAL);
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, 1, (1U << 30) + 1), -EINVAL);
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, SIZE_MAX / 2, 3), -EINVAL);
    memset(&c->queue, 0, sizeof c->queue);
    assert_int_equal(thrum_shared_queue_put(&c->queue, &item), -EINVAL);
    assert_int_equal(thrum_shared_queue_get_until(&c->queue, &item, THRUM_NEVER), -EINVAL);
    assert_int_equal(thrum_shared_queue_qsize(&c->queue), 0);
}

static void test_items_of_all_sizes(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 4, 8, 16, 24, ITEM_MAX};
    unsigned char in[ITEM_MAX + 1], out[ITEM_MAX + 1];
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        begin(sizes[k], 3);
        for (int i = 0; i < 40; i++) {
            for (size_t j = 0; j < sizes[k]; j++)
                in[j] = (unsigned char)spec_random(256);
            memset(out, 0xee, sizeof out);
            assert_int_equal(thrum_shared_queue_put(&c->queue, in), 0);
            assert_int_equal(thrum_shared_queue_get(&c->queue, out), 0);
            assert_memory_equal(in, out, sizes[k]);
            assert_int_equal(out[sizes[k]], 0xee);
        }
        for (size_t i = 3 * sizes[k]; i < ROOM; i++)
            assert_int_equal(c->room[i], 0);
    }
}

static void test_maxsize_is_exact(void **state) {
    (void)state;
    static const size_t limits[] = {1, 2, 3, 10, 1024};
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
        begin(sizeof(int), limits[k]);
        int next_in = 0, next_out = 0, item;
        for (size_t round = 0; round < 5; round++) {
            assert_true(thrum_shared_queue_empty(&c->queue) == (next_in == next_out));
            while (thrum_shared_queue_try_put(&c->queue, &next_in) == 0)
                next_in++;
            assert_int_equal(next_in - next_out, limits[k]);
            assert_int_equal(thrum_shared_queue_qsize(&c->queue), limits[k]);
            assert_true(thrum_shared_queue_full(&c->queue));
            assert_int_equal(thrum_shared_queue_try_put(&c->queue, &next_in), -EAGAIN);
            size_t out = round == 1 ? limits[k] : (limits[k] + 2) / 3;
            for (size_t i = 0; i < out; i++) {
                assert_int_equal(thrum_shared_queue_try_get(&c->queue, &item), 0);
                assert_int_equal(item, next_out++);
            }
            assert_false(thrum_shared_queue_full(&c->queue));
        }
    }
}

static void test_null_drops_the_item(void **state) {
    (void)state;
    begin(sizeof(int), 2);
    put(1);
    put(2);
    assert_int_equal(thrum_shared_queue_get(&c->queue, NULL), 0);
    assert_int_equal(thrum_shared_queue_try_get(&c->queue, NULL), 0);
    assert_int_equal(thrum_shared_queue_try_get(&c->queue, NULL), -EAGAIN);
}

static void test_until(void **state) {
    (void)state;
    begin(sizeof(int), 1);
    int item = 7;
    assert_int_equal(thrum_shared_queue_get_until(&c->queue, &item, thrum_in(0)), -ETIMEDOUT);
    thrum_deadline deadline = thrum_in(0.002);
    assert_int_equal(thrum_shared_queue_get_until(&c->queue, &item, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(item, 7);
    assert_int_equal(thrum_shared_queue_put_until(&c->queue, &item, thrum_in(-1)), 0);
    assert_int_equal(thrum_shared_queue_put_until(&c->queue, &item, thrum_in(-1)), -ETIMEDOUT);
    deadline = thrum_in(0.002);
    assert_int_equal(thrum_shared_queue_put_until(&c->queue, &item, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(thrum_shared_queue_get_until(&c->queue, &item, thrum_in(-1)), 0);
}

static void *get_one(void *number) {
    int value = 0;
    concept_comes();
    int rc = thrum_shared_queue_get(&c->queue, &value);
    c->rc[(intptr_t)number] = rc;
    __atomic_fetch_add(&c->sum, value, __ATOMIC_RELAXED);
    __atomic_fetch_add(&c->got, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void *put_one(void *number) {
    int value = (int)(intptr_t)number + 1;
    concept_comes();
    c->rc[value - 1] = thrum_shared_queue_put(&c->queue, &value);
    return NULL;
}

static void start_all(concept_team *team, void *(*fn)(void *)) {
    for (intptr_t i = 0; i < WORKERS; i++)
        concept_start(team, 1, fn, (void *)i);
    concept_until_waiting(&c->queue, team, WORKERS);
}

static void test_put_lets_one_getter_go_each(void **state) {
    (void)state;
    begin(sizeof(int), 100);
    concept_team team = {.n = 0};
    start_all(&team, get_one);
    for (int i = 0; i < WORKERS; i++) {
        put(10 + i);
        while (__atomic_load_n(&c->got, __ATOMIC_RELAXED) <= i)
            spec_yield();
    }
    concept_join(&team);
    assert_int_equal(c->sum, WORKERS * 10 + WORKERS * (WORKERS - 1) / 2);
}

static void test_puts_at_once_let_as_many_getters_go(void **state) {
    (void)state;
    begin(sizeof(int), 100);
    concept_team team = {.n = 0};
    start_all(&team, get_one);
    for (int i = 0; i < WORKERS; i++)
        put(1);
    concept_join(&team);
    assert_true(thrum_shared_queue_empty(&c->queue));
}

static void test_gets_let_putters_in(void **state) {
    (void)state;
    begin(sizeof(int), 2);
    concept_team team = {.n = 0};
    int sum = 0;
    put(100);
    put(101);
    start_all(&team, put_one);
    for (int i = 0; i < WORKERS + 2; i++)
        sum += get();
    concept_join(&team);
    assert_int_equal(sum, 201 + WORKERS * (WORKERS + 1) / 2);
}

static void test_shutdown(void **state) {
    (void)state;
    for (int immediate = 0; immediate < 2; immediate++) {
        int item = 9;
        begin(sizeof(int), 4);
        for (int i = 0; i < 4; i++)
            put(5);
        for (int i = 0; i < 2; i++) {
            thrum_shared_queue_shutdown(&c->queue, immediate);
            assert_int_equal(thrum_shared_queue_put(&c->queue, &item), -ESHUTDOWN);
            assert_int_equal(thrum_shared_queue_try_put(&c->queue, &item), -ESHUTDOWN);
            assert_int_equal(thrum_shared_queue_put_until(&c->queue, &item, THRUM_NEVER),
                             -ESHUTDOWN);
        }
        assert_int_equal(thrum_shared_queue_qsize(&c->queue), immediate ? 0 : 4);
        for (int i = 0; i < 4 && !immediate; i++)
            assert_int_equal(get(), 5);
        assert_int_equal(thrum_shared_queue_get(&c->queue, &item), -ESHUTDOWN);
        assert_int_equal(thrum_shared_queue_try_get(&c->queue, &item), -ESHUTDOWN);
        assert_int_equal(thrum_shared_queue_get_until(&c->queue, &item, thrum_in(0)), -ESHUTDOWN);
        assert_int_equal(item, 9);
        thrum_shared_queue_shutdown(&c->queue, true);
        thrum_shared_queue_shutdown(&c->queue, false);
        assert_int_equal(thrum_shared_queue_get(&c->queue, &item), -ESHUTDOWN);
    }
}

static void test_shutdown_ends_waits(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        concept_team team = {.n = 0};
        begin(sizeof(int), 1);
        if (way >= 2)
            put(1);
        start_all(&team, way < 2 ? get_one : put_one);
        thrum_shared_queue_shutdown(&c->queue, way % 2);
        concept_join(&team);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(c->rc[i], -ESHUTDOWN);
    }
}

static void *get_or_time_out(void *arg) {
    int rc = thrum_shared_queue_get_until(&c->queue, NULL, thrum_in(spec_random(30) * 1e-6));
    assert_true(rc == 0 || rc == -ETIMEDOUT);
    __atomic_fetch_add(rc == 0 ? &c->got : &c->timed_out, 1, __ATOMIC_RELAXED);
    return arg;
}

static void *get_patiently(void *arg) {
    assert_int_equal(thrum_shared_queue_get(&c->queue, NULL), 0);
    __atomic_fetch_add(&c->got, 1, __ATOMIC_RELAXED);
    return arg;
}

static void test_a_wake_is_not_lost_in_a_time_out(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        concept_team team = {.n = 0};
        begin(sizeof(int), 100);
        for (int i = 0; i < WORKERS / 2; i++) {
            concept_start(&team, 1, get_or_time_out, NULL);
            concept_start(&team, 1, get_patiently, NULL);
        }
        for (int i = 0; i < WORKERS; i++) {
            spec_perhaps_yield();
            put(i);
        }
        concept_join(&team);
        assert_int_equal(c->got + c->timed_out, WORKERS);
        assert_int_equal(thrum_shared_queue_qsize(&c->queue), c->timed_out);
    }
}

static void *put_in_order(void *arg) {
    for (int i = 0; i < ORDERED; i++)
        put(i);
    return arg;
}

static void test_items_leave_in_the_order_they_came(void **state) {
    (void)state;
    static const size_t limits[] = {1, 3, 64};
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
        concept_team team = {.n = 0};
        begin(sizeof(int), limits[k]);
        concept_start(&team, 1, put_in_order, NULL);
        for (int i = 0; i < ORDERED; i++)
            assert_int_equal(get(), i);
        concept_join(&team);
    }
}

/* One segment, mapped twice. */
static void test_it_may_lie_at_another_address(void **state) {
    (void)state;
    concept_begin();
    typedef struct {
        thrum_shared_queue queue;
        int room[3];
    } line;
    thrum_shared *here, *there;
    int value;
    assert_int_equal(thrum_shared_create(&here, NULL, sizeof(line), NULL), 0);
    assert_int_equal(thrum_shared_open_fd(&there, thrum_shared_fd(here), sizeof(line)), 0);
    line *one = thrum_shared_memory(here), *other = thrum_shared_memory(there);
    assert_ptr_not_equal(one, other);
    assert_int_equal(thrum_shared_queue_init(&one->queue, one->room, sizeof(int), 3), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(thrum_shared_queue_put(i % 2 ? &one->queue : &other->queue, &i), 0);
        assert_int_equal(thrum_shared_queue_get(i % 3 ? &one->queue : &other->queue, &value), 0);
        assert_int_equal(value, i);
        assert_int_equal(other->room[i % 3], i);
    }
    thrum_shared_close(here);
    assert_true(thrum_shared_queue_empty(&other->queue));
    thrum_shared_close(there);
}

SPEC_TESTS(cmocka_unit_test(test_init_refuses), cmocka_unit_test(test_items_of_all_sizes),
           cmocka_unit_test(test_maxsize_is_exact), cmocka_unit_test(test_null_drops_the_item),
           cmocka_unit_test(test_until), cmocka_unit_test(test_put_lets_one_getter_go_each),
           cmocka_unit_test(test_puts_at_once_let_as_many_getters_go),
           cmocka_unit_test(test_gets_let_putters_in), cmocka_unit_test(test_shutdown),
           cmocka_unit_test(test_shutdown_ends_waits),
           cmocka_unit_test(test_it_may_lie_at_another_address),
           cmocka_unit_test(test_a_wake_is_not_lost_in_a_time_out),
           cmocka_unit_test(test_items_leave_in_the_order_they_came));
