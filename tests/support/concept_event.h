/* SPDX-License-Identifier: MIT */
/* Includers define the type concept_event and, of it, event_set(), event_clear(), event_is_set(),
 * event_wait(), event_until(). */
#ifndef THRUM_TESTS_CONCEPT_EVENT_H
#define THRUM_TESTS_CONCEPT_EVENT_H

#include "concept.h"

enum { C_STRANDS = 8, C_GENERATIONS = 300 };

typedef struct {
    concept_event event;
    concept_event turn[2];
    int value;
    int woken;
    int came;
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static void concept_reset(void) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
}

static void test_until(void **state) {
    (void)state;
    concept_reset();
    assert_int_equal(event_until(&c->event, thrum_in(0)), -ETIMEDOUT);
    thrum_deadline deadline = thrum_in(0.002);
    assert_int_equal(event_until(&c->event, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    event_set(&c->event);
    assert_int_equal(event_until(&c->event, THRUM_NEVER), 0);
    assert_int_equal(event_until(&c->event, thrum_in(-1)), 0);
    event_clear(&c->event);
    assert_false(event_is_set(&c->event));
    assert_int_equal(spec_waiting(&c->event), 0);
}

static void *c_wait_once(void *arg) {
    concept_comes();
    event_wait(&c->event);
    assert_int_equal(c->value, 42);
    __atomic_fetch_add(&c->woken, 1, __ATOMIC_RELAXED);
    return arg;
}

static void *c_wait_until_once(void *arg) {
    concept_comes();
    assert_int_equal(event_until(&c->event, THRUM_NEVER), 0);
    assert_int_equal(c->value, 42);
    __atomic_fetch_add(&c->woken, 1, __ATOMIC_RELAXED);
    return arg;
}

static void test_set_wakes_all_and_shows_what_happened_before(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, C_STRANDS, c_wait_once, NULL);
    concept_start(&team, C_STRANDS, c_wait_until_once, NULL);
    concept_until_waiting(&c->event, &team, 2 * C_STRANDS);
    assert_int_equal(__atomic_load_n(&c->woken, __ATOMIC_RELAXED), 0);
    c->value = 42;
    event_set(&c->event);
    concept_join(&team);
    assert_int_equal(c->woken, 2 * C_STRANDS);
    assert_true(event_is_set(&c->event));
}

static void test_clear_does_not_wake(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, 2, c_wait_once, NULL);
    concept_until_waiting(&c->event, &team, 2);
    event_clear(&c->event);
    assert_false(event_is_set(&c->event));
    concept_until_waiting(&c->event, &team, 2);
    assert_int_equal(__atomic_load_n(&c->woken, __ATOMIC_RELAXED), 0);
    c->value = 42;
    event_set(&c->event);
    concept_join(&team);
}

static void test_a_wait_that_a_set_ended_stays_ended(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        concept_reset();
        concept_team team = {.n = 0};
        concept_start(&team, 3, c_wait_once, NULL);
        concept_until_waiting(&c->event, &team, 3);
        c->value = 42;
        event_set(&c->event);
        event_clear(&c->event);
        concept_join(&team);
        assert_int_equal(c->woken, 3);
    }
}

static void *c_time_out(void *arg) {
    for (int i = 0; i < 100; i++) {
        int rc = event_until(&c->event, thrum_in(spec_random(50) * 1e-6));
        assert_true(rc == -ETIMEDOUT || (rc == 0 && event_is_set(&c->event)));
        if (rc == 0)
            break;
    }
    return arg;
}

static void test_timed_out_waiters_are_gone(void **state) {
    (void)state;
    concept_reset();
    concept_team hasty = {.n = 0};
    concept_team patient = {.n = 0};
    concept_start(&hasty, C_STRANDS, c_time_out, NULL);
    concept_start(&patient, 2, c_wait_once, NULL);
    concept_join(&hasty);
    concept_until_waiting(&c->event, &patient, 2);
    c->value = 42;
    event_set(&c->event);
    concept_join(&patient);
    assert_int_equal(c->woken, 2);
}

static void *c_follow(void *arg) {
    for (int i = 1; i <= C_GENERATIONS; i++) {
        event_wait(&c->turn[0]);
        event_clear(&c->turn[0]);
        c->woken += 1;
        assert_int_equal(c->woken, i);
        event_set(&c->turn[1]);
    }
    return arg;
}

static void test_each_set_ends_the_waits_of_its_own_generation(void **state) {
    (void)state;
    concept_reset();
    concept_team follower = {.n = 0};
    concept_start(&follower, 1, c_follow, NULL);
    for (int i = 1; i <= C_GENERATIONS; i++) {
        event_set(&c->turn[0]);
        event_wait(&c->turn[1]);
        event_clear(&c->turn[1]);
        assert_int_equal(c->woken, i);
        assert_false(event_is_set(&c->turn[0]));
    }
    concept_join(&follower);
    assert_int_equal(c->woken, C_GENERATIONS);
}

static void *c_wait_again(void *arg) {
    concept_comes();
    event_wait(&c->event);
    event_clear(&c->event);
    event_set(&c->turn[0]);
    event_wait(&c->event);
    c->woken += 1;
    return arg;
}

static void test_a_set_does_not_reach_the_next_generation(void **state) {
    (void)state;
    concept_reset();
    concept_team waiter = {.n = 0};
    concept_start(&waiter, 1, c_wait_again, NULL);
    concept_until_waiting(&c->event, &waiter, 1);
    event_set(&c->event);
    event_wait(&c->turn[0]);
    concept_until_waiting(&c->event, &waiter, 1);
    for (int i = 0; i < 20; i++)
        spec_yield();
    concept_until_waiting(&c->event, &waiter, 1);
    assert_int_equal(c->woken, 0);
    event_set(&c->event);
    concept_join(&waiter);
    assert_int_equal(c->woken, 1);
}

#define CONCEPT_EVENT_TESTS                                                                        \
    cmocka_unit_test(test_until),                                                                  \
        cmocka_unit_test(test_set_wakes_all_and_shows_what_happened_before),                       \
        cmocka_unit_test(test_clear_does_not_wake),                                                \
        cmocka_unit_test(test_a_wait_that_a_set_ended_stays_ended),                                \
        cmocka_unit_test(test_timed_out_waiters_are_gone),                                         \
        cmocka_unit_test(test_each_set_ends_the_waits_of_its_own_generation),                      \
        cmocka_unit_test(test_a_set_does_not_reach_the_next_generation)

#endif
