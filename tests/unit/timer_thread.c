/* SPDX-License-Identifier: MIT */
/* Floor 3: the timers' thread, and the room of its heap. */
#include "spec.h"

#include <pthread.h>

#include "thread/timer.h"

enum { TIMERS = 300 };

static thrum__timers *const all = &thrum__timers_all;
static thrum_event inside, go, done;
static int went_on; /* atomic */

static void wait_inside(void *arg) {
    (void)arg;
    thrum_event_set(&inside);
    thrum_event_wait(&go);
}

static void nothing(void *arg) { (void)arg; }

/* One that runs comes back into the heap, and nobody can be told that there is no memory then. */
static void test_there_is_always_room_for_the_one_that_runs(void **state) {
    (void)state;
    static thrum_timer *timers[TIMERS];
    thrum_timer *running;
    assert_int_equal(thrum_timer_start(&running, 0, wait_inside, NULL,
                                       &(thrum_timer_opts){.every = 1000}),
                     0);
    thrum_event_wait(&inside);
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(thrum_timer_start(&timers[i], 1000, nothing, NULL, NULL), 0);
        thrum__raw_lock_acquire(&all->lock);
        size_t n = all->heap.n, room = all->heap.room;
        thrum__raw_lock_release(&all->lock);
        assert_int_equal(n, i + 1);
        assert_in_range(n + 1, 1, room);
    }
    thrum_event_set(&go);
    for (int i = 0; i < TIMERS; i++) {
        assert_true(thrum_timer_cancel(timers[i]));
        thrum_timer_free(timers[i]);
    }
    assert_true(thrum_timer_cancel(running));
    thrum_timer_free(running);
}

static void cancel_itself(void *arg) {
    (void)arg;
    pthread_cancel(pthread_self());
    pthread_testcancel();
    __atomic_store_n(&went_on, 1, __ATOMIC_SEQ_CST);
}

static void set_event(void *event) { thrum_event_set(event); }

/* The one that all timers share is not ended by a cancellation in a call. */
static void test_cancellation_does_not_reach_the_calls(void **state) {
    (void)state;
    spec_needs_os("pthread_cancel");
    assert_int_equal(thrum_timer_start(NULL, 0, cancel_itself, NULL, NULL), 0);
    assert_int_equal(thrum_timer_start(NULL, 0.001, set_event, &done, NULL), 0);
    thrum_event_wait(&done);
    assert_int_equal(__atomic_load_n(&went_on, __ATOMIC_SEQ_CST), 1);
}

SPEC_TESTS(cmocka_unit_test(test_there_is_always_room_for_the_one_that_runs),
           cmocka_unit_test(test_cancellation_does_not_reach_the_calls));
