/* SPDX-License-Identifier: MIT */
/* The tests of queue.c with processes for threads, and what only a queue in shared memory has. */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <stdlib.h>
#include <string.h>

#include "processes.h"

enum { LARGE = 8192, ROOM = 1 << 16, ORDERED = 3000 };

typedef thrum_shared_queue concept_queue;
#define QUEUE_LARGE LARGE
#define QUEUE_ANY 3
#define queue_free(queue) assert_int_equal(written_behind(queue), 0)
#define queue_put thrum_shared_queue_put
#define queue_try_put thrum_shared_queue_try_put
#define queue_put_until thrum_shared_queue_put_until
#define queue_get thrum_shared_queue_get
#define queue_try_get thrum_shared_queue_try_get
#define queue_get_until thrum_shared_queue_get_until
#define queue_task_done thrum_shared_queue_task_done
#define queue_join thrum_shared_queue_join
#define queue_join_until thrum_shared_queue_join_until
#define queue_qsize thrum_shared_queue_qsize
#define queue_empty thrum_shared_queue_empty
#define queue_full thrum_shared_queue_full
#define queue_shutdown thrum_shared_queue_shutdown
#define queue_until_waiting(team, n) concept_until_waiting(c->queue, team, n)

typedef struct {
    thrum_shared_queue queue;
    char room[ROOM];
} line;

static size_t used; /* of the room */

static line *the_line(void) {
    static line *memory;
    if (!memory)
        memory = spec_shared_memory(sizeof *memory);
    return memory;
}

static thrum_shared_queue *queue_make(void *const *state, size_t item_size, size_t maxsize) {
    (void)state;
    line *all = the_line();
    memset(all, 0, sizeof *all);
    used = item_size * maxsize;
    assert_true(used <= ROOM);
    assert_int_equal(thrum_shared_queue_init(&all->queue, all->room, item_size, maxsize), 0);
    return &all->queue;
}

/* Returns how many bytes behind the items were written. */
static int written_behind(const thrum_shared_queue *queue) {
    const line *all = (const line *)(const void *)queue;
    int n = 0;
    for (size_t i = used; i < ROOM; i++)
        n += all->room[i] != 0;
    return n;
}

#include "concept_queue.h"

static void test_init_refuses(void **state) {
    thrum_shared_queue *queue = c_make(state, 1, 1);
    char *room = the_line()->room;
    int item = 1;
    assert_int_equal(thrum_shared_queue_init(queue, room, 0, 1), -EINVAL);
    assert_int_equal(thrum_shared_queue_init(queue, room, 1, 0), -EINVAL);
    assert_int_equal(thrum_shared_queue_init(queue, room, 1, (1U << 30) + 1), -EINVAL);
    assert_int_equal(thrum_shared_queue_init(queue, room, SIZE_MAX / 2, 3), -EINVAL);
    memset(queue, 0, sizeof *queue);
    assert_int_equal(thrum_shared_queue_put(queue, &item), -EINVAL);
    assert_int_equal(thrum_shared_queue_put_until(queue, &item, THRUM_NEVER), -EINVAL);
    assert_int_equal(thrum_shared_queue_try_get(queue, &item), -EINVAL);
    assert_int_equal(thrum_shared_queue_get_until(queue, &item, THRUM_NEVER), -EINVAL);
    assert_int_equal(thrum_shared_queue_task_done(queue), -EINVAL);
    assert_int_equal(thrum_shared_queue_join(queue), -EINVAL);
    assert_int_equal(thrum_shared_queue_join_until(queue, thrum_in(0)), -EINVAL);
    assert_int_equal(thrum_shared_queue_qsize(queue), 0);
}

static void *put_in_order(void *arg) {
    for (int i = 0; i < ORDERED; i++)
        assert_int_equal(queue_put(c->queue, &i), 0);
    return arg;
}

static void test_items_leave_in_the_order_they_came(void **state) {
    static const size_t limits[] = {1, 3, 64};
    for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
        concept_team team = {.n = 0};
        concept_queue *queue = c_make(state, sizeof(int), limits[k]);
        concept_start(&team, 1, put_in_order, NULL);
        for (int i = 0; i < ORDERED; i++) {
            int item = -1;
            assert_int_equal(queue_get(queue, &item), 0);
            assert_int_equal(item, i);
        }
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
    } segment;
    thrum_shared *here, *there;
    int value;
    assert_int_equal(thrum_shared_create(&here, NULL, sizeof(segment), NULL), 0);
    assert_int_equal(thrum_shared_open_fd(&there, thrum_shared_fd(here), sizeof(segment)), 0);
    segment *one = thrum_shared_memory(here), *other = thrum_shared_memory(there);
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

#define QUEUE_TEST cmocka_unit_test

SPEC_TESTS(cmocka_unit_test(test_init_refuses), CONCEPT_QUEUE_TESTS,
           cmocka_unit_test(test_it_may_lie_at_another_address),
           cmocka_unit_test(test_items_leave_in_the_order_they_came));
