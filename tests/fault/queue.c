/* SPDX-License-Identifier: MIT */
/* The n-th call of malloc() or calloc() fails: a queue is not made, or does not grow; then nothing
 * has changed, nothing leaks (AddressSanitizer looks), and it goes on once there is memory
 * again. */
#include "fault.h"

enum { ITEMS = 5000 };

static int compare_ints(const void *a, const void *b) {
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static const thrum_queue_opts orders[] = {
    {.order = THRUM_FIFO},
    {.order = THRUM_FIFO, .maxsize = ITEMS},
    {.order = THRUM_LIFO},
    {.order = THRUM_PRIORITY, .compare = compare_ints},
};
enum { ORDERS = sizeof orders / sizeof orders[0] };

static void test_new_without_memory(void **state) {
    (void)state;
    for (int i = 0; i < ORDERS; i++) {
        thrum_queue *queue = NULL;
        int n = 0;
        while (!queue) {
            memory_in = ++n;
            errno = 0;
            queue = thrum_queue_new(sizeof(int), &orders[i]);
            memory_in = 0;
            assert_int_equal(errno == ENOMEM, queue == NULL);
        }
        assert_true(n > 1);
        thrum_queue_free(queue);
    }
}

static void test_growth_without_memory(void **state) {
    (void)state;
    for (int i = 0; i < ORDERS; i++) {
        thrum_queue *queue = thrum_queue_new(sizeof(int), &orders[i]);
        int refused = 0;
        assert_non_null(queue);
        for (int item = 0; item < ITEMS; item++) {
            memory_in = -1;
            int rc = thrum_queue_try_put(queue, &item);
            memory_in = 0;
            assert_int_equal(thrum_queue_qsize(queue), item + (rc == 0));
            if (rc != 0) {
                assert_int_equal(rc, -ENOMEM);
                refused += 1;
                assert_int_equal(thrum_queue_put(queue, &item), 0);
            }
        }
        assert_true(refused > 1);
        for (int n = 0; n < ITEMS; n++) {
            int item = -1;
            memory_in = -1;
            assert_int_equal(thrum_queue_try_get(queue, &item), 0);
            memory_in = 0;
            assert_int_equal(item, orders[i].order == THRUM_LIFO ? ITEMS - 1 - n : n);
        }
        assert_true(thrum_queue_empty(queue));
        assert_int_equal(thrum_queue_put(queue, &refused), 0);
        thrum_queue_free(queue);
    }
}

static struct {
    thrum_queue *queue;
    uint32_t refused;
} s;

static void *put_many(void *arg) {
    for (int item = 0; item < ITEMS; item++) {
        int rc;
        while ((rc = thrum_queue_put(s.queue, &item)) == -ENOMEM)
            __atomic_fetch_add(&s.refused, 1, __ATOMIC_RELAXED);
        assert_int_equal(rc, 0);
    }
    return arg;
}

static void test_growth_that_fails_among_several(void **state) {
    (void)state;
    for (int i = 0; i < ORDERS; i++) {
        if (orders[i].maxsize != 0)
            continue;
        spec_team team = {.n = 0};
        s.queue = thrum_queue_new(sizeof(int), &orders[i]);
        s.refused = 0;
        spec_team_start(&team, 3, put_many, NULL);
        for (int n = 0; n < 20; n++) {
            __atomic_store_n(&memory_in, 1, __ATOMIC_RELAXED);
            spec_yield();
        }
        spec_team_join(&team);
        __atomic_store_n(&memory_in, 0, __ATOMIC_RELAXED);
        assert_int_equal(thrum_queue_qsize(s.queue), 3 * ITEMS);
        thrum_queue_free(s.queue);
    }
}

static void test_waits_allocate_nothing(void **state) {
    (void)state;
    for (int i = 0; i < ORDERS; i++) {
        thrum_queue *queue = thrum_queue_new(
            sizeof(int), &(thrum_queue_opts){.maxsize = 1,
                                             .order = orders[i].order,
                                             .compare = orders[i].compare});
        int item = 1;
        assert_int_equal(thrum_queue_put(queue, &item), 0);
        memory_in = -1;
        assert_int_equal(thrum_queue_put_until(queue, &item, thrum_in(0.001)), -ETIMEDOUT);
        assert_int_equal(thrum_queue_join_until(queue, thrum_in(0.001)), -ETIMEDOUT);
        assert_int_equal(thrum_queue_get(queue, &item), 0);
        assert_int_equal(thrum_queue_get_until(queue, &item, thrum_in(0.001)), -ETIMEDOUT);
        memory_in = 0;
        thrum_queue_free(queue);
    }
}

SPEC_TESTS(cmocka_unit_test(test_new_without_memory), cmocka_unit_test(test_growth_without_memory),
           cmocka_unit_test(test_growth_that_fails_among_several),
           cmocka_unit_test(test_waits_allocate_nothing));
