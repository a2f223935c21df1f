/* SPDX-License-Identifier: MIT */
#define CONCEPT_PROCESSES
#include "spec.h"

typedef thrum_shared_event concept_event;
#define event_set thrum_shared_event_set
#define event_clear thrum_shared_event_clear
#define event_is_set thrum_shared_event_is_set
#define event_wait thrum_shared_event_wait
#define event_until thrum_shared_event_wait_until
#include "concept_event.h"

enum { KILLS = 40, LATER_SET = 5 };

static void test_set_clear_is_set(void **state) {
    (void)state;
    concept_reset();
    assert_int_equal(sizeof c->event, 4);
    assert_false(thrum_shared_event_is_set(&c->event));
    thrum_shared_event_clear(&c->event);
    thrum_shared_event_set(&c->event);
    thrum_shared_event_set(&c->event);
    assert_true(thrum_shared_event_is_set(&c->event));
    thrum_shared_event_wait(&c->event);
    assert_int_equal(thrum_shared_event_wait_until(&c->event, thrum_in(-1)), 0);
    thrum_shared_event_clear(&c->event);
    assert_false(thrum_shared_event_is_set(&c->event));
}

/* What a setter that is killed behind its change leaves: nobody calls for those who sleep. */
static void test_a_set_without_its_wake_is_seen(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, 2, c_wait_once, NULL);
    concept_until_waiting(&c->event, &team, 2);
    c->value = 42;
    __atomic_store_n(&c->event.thrum__word, LATER_SET, __ATOMIC_RELEASE);
    concept_join(&team);
    assert_int_equal(c->woken, 2);
}

static void *be_interrupted(void *arg) {
    spec_expect_signals();
    concept_comes();
    assert_int_equal(event_until(&c->event, THRUM_NEVER), -EINTR);
    return arg;
}

static void test_interruption(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset();
    concept_start(&team, 1, be_interrupted, NULL);
    concept_until_waiting(&c->event, &team, 1);
    spec_processes_interrupt(&team);
    assert_false(event_is_set(&c->event));
}

static void test_waiters_that_are_killed_are_not_missed(void **state) {
    (void)state;
    concept_reset();
    concept_team stays = {.n = 0};
    concept_start(&stays, 1, c_wait_once, NULL);
    for (int i = 0; i < KILLS; i++) {
        concept_team victim = {.n = 0};
        concept_start(&victim, 1, c_wait_once, NULL);
        for (uint32_t n = spec_random(30); n > 0; n--)
            spec_yield();
        spec_processes_kill(&victim);
    }
    c->value = 42;
    thrum_shared_event_set(&c->event);
    concept_join(&stays);
    assert_int_equal(c->woken, 1);
}

SPEC_TESTS(cmocka_unit_test(test_set_clear_is_set), CONCEPT_EVENT_TESTS,
           cmocka_unit_test(test_a_set_without_its_wake_is_seen),
           cmocka_unit_test(test_interruption),
           cmocka_unit_test(test_waiters_that_are_killed_are_not_missed));
