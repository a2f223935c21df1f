/* SPDX-License-Identifier: MIT */
/* The heap of timers against a plain search: order, ties, removal from anywhere. */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

#include "thread/timer.h"

enum { TIMERS = 300, STEPS = 20000, DUES = 40 };

static thrum_timer timers[TIMERS];
static thrum__timer_heap heap;

static thrum_timer *least(void) {
    thrum_timer *found = NULL;
    for (int i = 0; i < TIMERS; i++) {
        thrum_timer *timer = &timers[i];
        if (timer->index != 0 && (!found || timer->due < found->due ||
                                  (timer->due == found->due && timer->order < found->order)))
            found = timer;
    }
    return found;
}

static void test_the_first_is_the_least(void **state) {
    (void)state;
    uint64_t order = 0;
    size_t n = 0;
    memset(timers, 0, sizeof timers);
    free(thrum__timer_heap_swap(&heap, malloc(thrum__timer_heap_size(TIMERS / 2)), TIMERS / 2));
    free(thrum__timer_heap_swap(&heap, malloc(thrum__timer_heap_size(TIMERS)), TIMERS));
    for (int i = 0; i < STEPS; i++) {
        thrum_timer *timer = &timers[spec_random(TIMERS)];
        if (spec_random(8) == 0 && n > 0)
            timer = thrum__timer_heap_first(&heap);
        if (timer->index != 0) {
            thrum__timer_heap_remove(&heap, timer);
            n--;
        } else {
            timer->due = spec_random(DUES);
            timer->order = ++order;
            thrum__timer_heap_insert(&heap, timer);
            n++;
        }
        assert_int_equal(heap.n, n);
        assert_ptr_equal(thrum__timer_heap_first(&heap), least());
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(thrum__timer_heap_at(&heap, i)->index, i + 1);
    for (; n > 0; n--) {
        thrum_timer *timer = least();
        assert_ptr_equal(thrum__timer_heap_first(&heap), timer);
        thrum__timer_heap_remove(&heap, timer);
        assert_int_equal(timer->index, 0);
    }
    assert_null(thrum__timer_heap_first(&heap));
    free(thrum__timer_heap_swap(&heap, NULL, 0));
}

static void test_no_room_for_too_many(void **state) {
    (void)state;
    assert_int_equal(thrum__timer_heap_size(SIZE_MAX / 2), 0);
}

SPEC_TESTS(cmocka_unit_test(test_the_first_is_the_least),
           cmocka_unit_test(test_no_room_for_too_many));
