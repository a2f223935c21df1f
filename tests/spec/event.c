/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

enum { STRANDS = 8, GENERATIONS = 300 };

static struct {
    thrum_event event;
    thrum_event done;
    int value;
    int woken;
} s;

static void reset(void) { memset(&s, 0, sizeof s); }

static void (*volatile symbol_set)(thrum_event *) = thrum_event_set;
static void (*volatile symbol_clear)(thrum_event *) = thrum_event_clear;
static bool (*volatile symbol_is_set)(const thrum_event *) = thrum_event_is_set;
static void (*volatile symbol_wait)(thrum_event *) = thrum_event_wait;
static int (*volatile symbol_wait_until)(thrum_event *, thrum_deadline) = thrum_event_wait_until;

static void test_set_clear_is_set(void **state) {
    (void)state;
    thrum_event event = THRUM_EVENT_INIT;
    assert_int_equal(sizeof event, 4);
    assert_false(thrum_event_is_set(&event));
    thrum_event_clear(&event);
    assert_false(thrum_event_is_set(&event));
    thrum_event_set(&event);
    thrum_event_set(&event);
    assert_true(thrum_event_is_set(&event));
    thrum_event_wait(&event);
    assert_int_equal(thrum_event_wait_until(&event, thrum_in(-1)), 0);
    thrum_event_clear(&event);
    assert_false(thrum_event_is_set(&event));
    symbol_set(&event);
    assert_true(symbol_is_set(&event));
    symbol_wait(&event);
    assert_int_equal(symbol_wait_until(&event, thrum_in(0)), 0);
    symbol_clear(&event);
    assert_false(symbol_is_set(&event));
}

static void test_until(void **state) {
    (void)state;
    reset();
    assert_int_equal(thrum_event_wait_until(&s.event, thrum_in(0)), -ETIMEDOUT);
    thrum_deadline deadline = thrum_in(0.002);
    assert_int_equal(thrum_event_wait_until(&s.event, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(symbol_wait_until(&s.event, thrum_in(0.001)), -ETIMEDOUT);
    thrum_event_set(&s.event);
    assert_int_equal(thrum_event_wait_until(&s.event, THRUM_NEVER), 0);
    thrum_event_clear(&s.event);
    assert_int_equal(spec_waiting(&s.event), 0);
}

static void *wait_once(void *arg) {
    thrum_event_wait(&s.event);
    assert_int_equal(s.value, 42);
    __atomic_fetch_add(&s.woken, 1, __ATOMIC_RELAXED);
    return arg;
}

static void *wait_until_once(void *arg) {
    assert_int_equal(thrum_event_wait_until(&s.event, THRUM_NEVER), 0);
    assert_int_equal(s.value, 42);
    __atomic_fetch_add(&s.woken, 1, __ATOMIC_RELAXED);
    return arg;
}

static void test_set_wakes_all_and_shows_what_happened_before(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, wait_once, NULL);
    spec_team_start(&team, STRANDS, wait_until_once, NULL);
    spec_until_waiting(&s.event, 2 * STRANDS);
    assert_int_equal(__atomic_load_n(&s.woken, __ATOMIC_RELAXED), 0);
    s.value = 42;
    thrum_event_set(&s.event);
    spec_team_join(&team);
    assert_int_equal(s.woken, 2 * STRANDS);
    assert_true(thrum_event_is_set(&s.event));
}

static void test_clear_does_not_wake(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, 2, wait_once, NULL);
    spec_until_waiting(&s.event, 2);
    thrum_event_clear(&s.event);
    assert_false(thrum_event_is_set(&s.event));
    assert_int_equal(spec_waiting(&s.event), 2);
    s.value = 42;
    thrum_event_set(&s.event);
    spec_team_join(&team);
}

static void test_a_wait_that_a_set_ended_stays_ended(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        reset();
        spec_team team = {.n = 0};
        spec_team_start(&team, 3, wait_once, NULL);
        spec_until_waiting(&s.event, 3);
        s.value = 42;
        thrum_event_set(&s.event);
        thrum_event_clear(&s.event);
        spec_team_join(&team);
        assert_int_equal(s.woken, 3);
    }
}

static void *time_out(void *arg) {
    for (int i = 0; i < 100; i++) {
        int rc = thrum_event_wait_until(&s.event, thrum_in(spec_random(50) * 1e-6));
        assert_true(rc == -ETIMEDOUT || (rc == 0 && thrum_event_is_set(&s.event)));
        if (rc == 0)
            break;
    }
    return arg;
}

static void test_timed_out_waiters_are_gone(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, time_out, NULL);
    spec_team_start(&team, 2, wait_once, NULL);
    for (int i = 0; i < STRANDS; i++)
        assert_int_equal(thrum_thread_join(team.threads[i], NULL), 0);
    spec_until_waiting(&s.event, 2);
    s.value = 42;
    thrum_event_set(&s.event);
    spec_team_join(&team);
    assert_int_equal(s.woken, 2);
}

static void *set_it(void *event) {
    thrum_event_set(event);
    return NULL;
}

static void test_may_be_freed_once_its_wait_returned(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        thrum_event *event = calloc(1, sizeof *event);
        assert_non_null(event);
        thrum_thread *setter = spec_start(set_it, event);
        spec_perhaps_yield();
        thrum_event_wait(event);
        memset(event, 0xa5, sizeof *event);
        free(event);
        spec_join(setter);
    }
}

static struct {
    thrum_event turn[2];
    int seen;
} generation;

static void *follow(void *arg) {
    for (int i = 1; i <= GENERATIONS; i++) {
        thrum_event_wait(&generation.turn[0]);
        thrum_event_clear(&generation.turn[0]);
        generation.seen += 1;
        assert_int_equal(generation.seen, i);
        thrum_event_set(&generation.turn[1]);
    }
    return arg;
}

static void test_each_set_ends_the_waits_of_its_own_generation(void **state) {
    (void)state;
    memset(&generation, 0, sizeof generation);
    thrum_thread *follower = spec_start(follow, NULL);
    for (int i = 1; i <= GENERATIONS; i++) {
        thrum_event_set(&generation.turn[0]);
        thrum_event_wait(&generation.turn[1]);
        thrum_event_clear(&generation.turn[1]);
        assert_int_equal(generation.seen, i);
        assert_false(thrum_event_is_set(&generation.turn[0]));
    }
    spec_join(follower);
    assert_int_equal(generation.seen, GENERATIONS);
}

static void *wait_again(void *arg) {
    thrum_event_wait(&s.event);
    thrum_event_clear(&s.event);
    thrum_event_set(&s.done);
    thrum_event_wait(&s.event);
    s.woken += 1;
    return arg;
}

static void test_a_set_does_not_reach_the_next_generation(void **state) {
    (void)state;
    reset();
    thrum_thread *waiter = spec_start(wait_again, NULL);
    spec_until_waiting(&s.event, 1);
    thrum_event_set(&s.event);
    thrum_event_wait(&s.done);
    spec_until_waiting(&s.event, 1);
    for (int i = 0; i < 20; i++)
        spec_yield();
    assert_int_equal(spec_waiting(&s.event), 1);
    assert_int_equal(s.woken, 0);
    thrum_event_set(&s.event);
    spec_join(waiter);
    assert_int_equal(s.woken, 1);
}

SPEC_TESTS(cmocka_unit_test(test_set_clear_is_set), cmocka_unit_test(test_until),
           cmocka_unit_test(test_set_wakes_all_and_shows_what_happened_before),
           cmocka_unit_test(test_clear_does_not_wake),
           cmocka_unit_test(test_a_wait_that_a_set_ended_stays_ended),
           cmocka_unit_test(test_timed_out_waiters_are_gone),
           cmocka_unit_test(test_may_be_freed_once_its_wait_returned),
           cmocka_unit_test(test_each_set_ends_the_waits_of_its_own_generation),
           cmocka_unit_test(test_a_set_does_not_reach_the_next_generation));
