/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

typedef thrum_event concept_event;
#define event_set thrum_event_set
#define event_clear thrum_event_clear
#define event_is_set thrum_event_is_set
#define event_wait thrum_event_wait
#define event_until thrum_event_wait_until
#include "concept_event.h"

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

SPEC_TESTS(CONCEPT_EVENT_TESTS, cmocka_unit_test(test_set_clear_is_set),
           cmocka_unit_test(test_may_be_freed_once_its_wait_returned));
