/* SPDX-License-Identifier: MIT */
/* Floor 3: what a queue does to memory and to addresses that its users do not see. */
#include "spec.h"

#include "park/lot.h"
#include "thread/queue.h"

enum { MANY = 1000, FEW = 64 };

static void test_a_heap_shrinks_with_what_it_holds(void **state) {
    (void)state;
    thrum_queue *queue =
        thrum_queue_new(sizeof(int), &(thrum_queue_opts){.order = THRUM_LIFO});
    assert_non_null(queue);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(thrum_queue_put(queue, &i), 0);
    assert_true(queue->heap.capacity >= MANY);
    for (int i = MANY; i-- > 0;) {
        int value = -1;
        assert_int_equal(thrum_queue_get(queue, &value), 0);
        assert_int_equal(value, i);
    }
    assert_in_range(queue->heap.capacity, 1, FEW);
    thrum_queue_free(queue);
}

static void *wait_for_event(void *event) {
    thrum_event_wait(event);
    return event;
}

/* The queue of a late wake is gone, and at its address stands an event. */
static void test_a_late_wake_is_for_queues_only(void **state) {
    (void)state;
    thrum_event event = THRUM_EVENT_INIT;
    const thrum__verb *const verbs[] = {&thrum__queue_getting, &thrum__queue_putting};
    thrum_thread *thread = spec_start(wait_for_event, &event);
    spec_until_waiting(&event, 1);
    for (int i = 0; i < 2; i++) {
        thrum__queue_wake((thrum__side *)(void *)&event, verbs[i]);
        assert_int_equal(spec_waiting(&event), 1);
        thrum__queue_wake_all((thrum__side *)(void *)&event, verbs[i]);
        assert_int_equal(spec_waiting(&event), 1);
    }
    thrum__queue_wake_joiners((const uint32_t *)(void *)&event);
    assert_int_equal(spec_waiting(&event), 1);
    thrum_event_set(&event);
    spec_join(thread);
}

SPEC_TESTS(cmocka_unit_test(test_a_heap_shrinks_with_what_it_holds),
           cmocka_unit_test(test_a_late_wake_is_for_queues_only));
