/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdio.h>
#include <string.h>

typedef thrum_rlock concept_rlock;
#define rlock_acquire thrum_rlock_acquire
#define rlock_try thrum_rlock_try_acquire
#define rlock_until thrum_rlock_acquire_until
#define rlock_release thrum_rlock_release
#define rlock_locked thrum_rlock_locked
#include "concept_rlock.h"

enum { STRANDS = 5, ROUNDS = 300 };

static struct {
    thrum_rlock lock;
    int counter;
    int got;
} s;

static void reset(void) { memset(&s, 0, sizeof s); }

static void (*volatile symbol_acquire)(thrum_rlock *) = thrum_rlock_acquire;
static void (*volatile symbol_release)(thrum_rlock *) = thrum_rlock_release;

static uint32_t own_ident(void) { return thrum_thread_ident(thrum_thread_current()); }

static void test_zero_is_free(void **state) {
    (void)state;
    thrum_rlock lock = THRUM_RLOCK_INIT;
    assert_int_equal(sizeof lock, 12);
    assert_false(thrum_rlock_locked(&lock));
    assert_int_equal(thrum_rlock_holder(&lock), 0);
}

static void test_nests(void **state) {
    (void)state;
    reset();
    thrum_rlock_acquire(&s.lock);
    symbol_acquire(&s.lock);
    assert_true(thrum_rlock_try_acquire(&s.lock));
    assert_int_equal(thrum_rlock_acquire_until(&s.lock, thrum_in(0)), 0);
    for (int depth = 4; depth > 0; depth--) {
        assert_true(thrum_rlock_locked(&s.lock));
        assert_int_equal(thrum_rlock_holder(&s.lock), own_ident());
        if (depth % 2)
            symbol_release(&s.lock);
        else
            thrum_rlock_release(&s.lock);
    }
    assert_false(thrum_rlock_locked(&s.lock));
    assert_int_equal(thrum_rlock_holder(&s.lock), 0);
}

static void test_try_release(void **state) {
    (void)state;
    reset();
    assert_int_equal(thrum_rlock_try_release(&s.lock), -EPERM);
    thrum_rlock_acquire(&s.lock);
    thrum_rlock_acquire(&s.lock);
    assert_int_equal(thrum_rlock_try_release(&s.lock), 0);
    assert_true(thrum_rlock_locked(&s.lock));
    assert_int_equal(thrum_rlock_try_release(&s.lock), 0);
    assert_false(thrum_rlock_locked(&s.lock));
    assert_int_equal(thrum_rlock_try_release(&s.lock), -EPERM);
}

static void release_free(void) {
    reset();
    thrum_rlock_release(&s.lock);
}

static void release_free_symbol(void) {
    reset();
    symbol_release(&s.lock);
}

static void *release_it(void *arg) {
    thrum_rlock_release(&s.lock);
    return arg;
}

static void release_of_another(void) {
    reset();
    thrum_rlock_acquire(&s.lock);
    thrum_thread_opts opts = {.name = "thief"};
    thrum_thread *thread;
    if (thrum_thread_start(&thread, release_it, NULL, &opts) == 0)
        thrum_thread_join(thread, NULL);
}

static void test_releasing_what_one_does_not_hold_ends_the_program(void **state) {
    (void)state;
    char object[32];
    snprintf(object, sizeof object, "%p", (void *)&s.lock);
    spec_dies(release_free, "thrum_rlock_release");
    spec_dies(release_free, object);
    spec_dies(release_free_symbol, "thrum_rlock_release");
    spec_dies(release_of_another, "thrum_rlock_release");
    spec_dies(release_of_another, object);
    spec_dies(release_of_another, thrum_thread_name(thrum_thread_current()));
}

SPEC_TESTS(CONCEPT_RLOCK_TESTS, cmocka_unit_test(test_zero_is_free), cmocka_unit_test(test_nests),
           cmocka_unit_test(test_try_release),
           cmocka_unit_test(test_releasing_what_one_does_not_hold_ends_the_program));
