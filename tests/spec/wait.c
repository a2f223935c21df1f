/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

enum { MANY = 40, STRANDS = 6 };

static struct {
    thrum_event event[MANY];
    thrum_semaphore semaphore;
    int which;
    int rc;
} s;

static void reset(void) {
    memset(&s, 0, sizeof s);
    s.which = -1;
}

static void *end_on_event(void *event) {
    thrum_event_wait(event);
    return NULL;
}

static void test_finds_the_first_that_is_ready(void **state) {
    (void)state;
    reset();
    thrum_waitable any[] = {thrum_event_waitable(&s.event[0]), thrum_event_waitable(&s.event[1]),
                            thrum_semaphore_waitable(&s.semaphore)};
    assert_int_equal(thrum_wait_any(any, 3, thrum_in(0), &s.which), -ETIMEDOUT);
    assert_int_equal(s.which, -1);
    thrum_semaphore_release(&s.semaphore, 1);
    assert_int_equal(thrum_wait_any(any, 3, thrum_in(0), &s.which), 0);
    assert_int_equal(s.which, 2);
    assert_int_equal(thrum_wait_any(any, 2, thrum_in(0.001), NULL), -ETIMEDOUT);
    thrum_event_set(&s.event[1]);
    assert_int_equal(thrum_wait_any(any, 3, THRUM_NEVER, &s.which), 0);
    assert_int_equal(s.which, 1);
    assert_int_equal(thrum_wait_any(any, 3, THRUM_NEVER, NULL), 0);
    assert_int_equal(thrum_semaphore_value(&s.semaphore), 1);
    assert_int_equal(thrum_wait_any(any, 0, THRUM_NEVER, NULL), -EINVAL);
    assert_int_equal(thrum_wait_any(any, -1, THRUM_NEVER, NULL), -EINVAL);
}

static void *wait_three(void *thread) {
    thrum_waitable any[] = {thrum_event_waitable(&s.event[0]),
                            thrum_semaphore_waitable(&s.semaphore), thrum_thread_waitable(thread)};
    s.rc = thrum_wait_any(any, 3, THRUM_NEVER, &s.which);
    return NULL;
}

static void test_is_woken_by_each_kind(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        reset();
        thrum_thread *other = spec_start(end_on_event, &s.event[1]);
        spec_until_waiting(&s.event[1], 1);
        thrum_thread *waiter = spec_start(wait_three, other);
        spec_until_strands_waiting(2);
        if (kind == 0)
            thrum_event_set(&s.event[0]);
        else if (kind == 1)
            thrum_semaphore_release(&s.semaphore, 1);
        else
            thrum_event_set(&s.event[1]);
        spec_join(waiter);
        assert_int_equal(s.rc, 0);
        assert_int_equal(s.which, kind);
        thrum_event_set(&s.event[1]);
        spec_join(other);
    }
}

static void *observe_semaphore(void *arg) {
    thrum_waitable any[] = {thrum_semaphore_waitable(&s.semaphore)};
    assert_int_equal(thrum_wait_any(any, 1, THRUM_NEVER, NULL), 0);
    return arg;
}

static void test_every_kind_of_release_is_seen(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        reset();
        if (i == 0)
            s.semaphore = (thrum_semaphore)THRUM_BOUNDED_SEMAPHORE_INIT(1);
        while (thrum_semaphore_try_acquire(&s.semaphore))
            continue;
        thrum_thread *observer = spec_start(observe_semaphore, NULL);
        spec_until_waiting((char *)&s.semaphore + 1, 1);
        assert_int_equal(thrum_semaphore_release(&s.semaphore, i + 1), 0);
        spec_join(observer);
        assert_int_equal(thrum_semaphore_value(&s.semaphore), i + 1);
        assert_int_equal(s.semaphore.thrum__word & 1, 0);
    }
}

static void *wait_many(void *arg) {
    thrum_waitable any[MANY];
    for (int i = 0; i < MANY; i++)
        any[i] = thrum_event_waitable(&s.event[i]);
    int which = -1;
    assert_int_equal(thrum_wait_any(any, MANY, THRUM_NEVER, &which), 0);
    assert_int_equal(which, 37);
    return arg;
}

static void test_many_objects_and_many_observers(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, wait_many, NULL);
    spec_until_strands_waiting(STRANDS);
    thrum_event_set(&s.event[37]);
    spec_team_join(&team);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(spec_waiting((char *)&s.event[i] + 1), 0);
}

static void *acquire_once(void *arg) {
    thrum_semaphore_acquire(&s.semaphore);
    return arg;
}

static void test_observers_take_nothing_from_waiters(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, 1, wait_three, thrum_thread_main());
    spec_until_waiting((char *)&s.semaphore + 1, 1);
    thrum_thread *taker = spec_start(acquire_once, NULL);
    spec_until_waiting(&s.semaphore, 1);
    thrum_semaphore_release(&s.semaphore, 1);
    spec_join(taker);
    assert_int_equal(thrum_semaphore_value(&s.semaphore), 0);
    thrum_event_set(&s.event[0]);
    spec_team_join(&team);
    assert_int_equal(s.which, 0);
}

static void *observe_in_a_loop(void *arg) {
    thrum_waitable any[] = {thrum_event_waitable(&s.event[0]),
                            thrum_semaphore_waitable(&s.semaphore),
                            thrum_semaphore_waitable(&s.semaphore)};
    for (int got = 0; got < 50;) {
        int which = -1;
        int rc = thrum_wait_any(any, 3, thrum_in(spec_random(40) * 1e-6), &which);
        if (rc == 0) {
            assert_in_range(which, 0, 2);
            if (which == 0)
                break;
            if (thrum_semaphore_try_acquire(&s.semaphore))
                got++;
        } else {
            assert_int_equal(rc, -ETIMEDOUT);
        }
    }
    return arg;
}

static void test_no_wake_is_lost_between_looks(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, observe_in_a_loop, NULL);
    for (int i = 0; i < STRANDS * 50; i++) {
        thrum_semaphore_release(&s.semaphore, 1);
        spec_perhaps_yield();
    }
    spec_team_join(&team);
    assert_int_equal(thrum_semaphore_value(&s.semaphore), 0);
}

static union {
    thrum_semaphore semaphore;
    thrum_barrier barrier;
} place;

static thrum_event acting, act_on;

static int act(void *arg) {
    (void)arg;
    thrum_event_set(&acting);
    thrum_event_wait(&act_on);
    return 0;
}

static void *wait_in_barrier(void *arg) {
    assert_int_equal(thrum_barrier_wait(&place.barrier), 0);
    return arg;
}

static void *observe_place(void *arg) {
    thrum_waitable any[] = {thrum_semaphore_waitable(&place.semaphore),
                            thrum_event_waitable(&s.event[0])};
    assert_int_equal(thrum_wait_any(any, 2, THRUM_NEVER, NULL), 0);
    return arg;
}

static void test_a_late_release_leaves_the_next_object_alone(void **state) {
    (void)state;
    reset();
    thrum_event_clear(&acting);
    thrum_event_clear(&act_on);
    place.semaphore = (thrum_semaphore)THRUM_SEMAPHORE_INIT(0);
    thrum_thread *observer = spec_start(observe_place, NULL);
    spec_until_waiting((char *)&place + 1, 1);
    /* An inlined release that is preempted behind its add. */
    int64_t old = __atomic_fetch_add(&place.semaphore.thrum__word, 2, __ATOMIC_RELEASE);
    assert_true(thrum_semaphore_try_acquire(&place.semaphore));
    thrum_event_set(&s.event[0]);
    spec_join(observer);
    place.barrier = (thrum_barrier)THRUM_BARRIER_INIT_ACTION(1, act, NULL);
    thrum_thread *first = spec_start(wait_in_barrier, NULL);
    thrum_event_wait(&acting);
    thrum_thread *second = spec_start(wait_in_barrier, NULL);
    spec_until_waiting((char *)&place + 2, 1);
    assert_int_equal(thrum__semaphore_released(&place.semaphore, old), 0);
    assert_int_equal(spec_waiting((char *)&place + 2), 1);
    thrum_event_set(&act_on);
    spec_join(first);
    spec_join(second);
}

SPEC_TESTS(cmocka_unit_test(test_finds_the_first_that_is_ready),
           cmocka_unit_test(test_is_woken_by_each_kind),
           cmocka_unit_test(test_every_kind_of_release_is_seen),
           cmocka_unit_test(test_many_objects_and_many_observers),
           cmocka_unit_test(test_observers_take_nothing_from_waiters),
           cmocka_unit_test(test_no_wake_is_lost_between_looks),
           cmocka_unit_test(test_a_late_release_leaves_the_next_object_alone));
