/* SPDX-License-Identifier: MIT */
/* Includers define the type concept_rlock and, of it, rlock_acquire(), rlock_try() (true: held),
 * rlock_until(), rlock_release(), rlock_locked(). */
#ifndef THRUM_TESTS_CONCEPT_RLOCK_H
#define THRUM_TESTS_CONCEPT_RLOCK_H

#include "concept.h"

enum { C_STRANDS = 5, C_ROUNDS = 300 };

typedef struct {
    concept_rlock lock;
    int counter;
    int got;
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static void concept_reset(void) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
}

static void *c_try_held(void *arg) {
    assert_true(rlock_locked(&c->lock));
    assert_false(rlock_try(&c->lock));
    assert_int_equal(rlock_until(&c->lock, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(rlock_until(&c->lock, thrum_in(0.001)), -ETIMEDOUT);
    return arg;
}

static void test_others_do_not_get_it_until_the_last_release(void **state) {
    (void)state;
    concept_reset();
    rlock_acquire(&c->lock);
    concept_run(c_try_held, NULL);
    rlock_acquire(&c->lock);
    concept_run(c_try_held, NULL);
    rlock_release(&c->lock);
    concept_run(c_try_held, NULL);
    rlock_release(&c->lock);
    assert_true(rlock_try(&c->lock));
    rlock_release(&c->lock);
    assert_false(rlock_locked(&c->lock));
}

static void *c_exclude(void *arg) {
    for (int i = 0; i < C_ROUNDS; i++) {
        uint32_t depth = 1 + spec_random(3);
        for (uint32_t d = 0; d < depth; d++)
            rlock_acquire(&c->lock);
        int seen = c->counter;
        spec_perhaps_yield();
        c->counter = seen + 1;
        for (uint32_t d = 0; d < depth; d++) {
            rlock_release(&c->lock);
            spec_perhaps_yield();
        }
    }
    return arg;
}

static void test_excludes(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, C_STRANDS, c_exclude, NULL);
    concept_join(&team);
    assert_int_equal(c->counter, C_STRANDS * C_ROUNDS);
    assert_false(rlock_locked(&c->lock));
}

static void *c_exclude_until(void *arg) {
    for (int i = 0; i < C_ROUNDS; i++) {
        int rc = rlock_until(&c->lock, thrum_in(spec_random(40) * 1e-6));
        assert_true(rc == 0 || rc == -ETIMEDOUT);
        if (rc < 0)
            continue;
        assert_int_equal(rlock_until(&c->lock, thrum_in(-1)), 0);
        c->counter += 1;
        __atomic_fetch_add(&c->got, 1, __ATOMIC_RELAXED);
        rlock_release(&c->lock);
        spec_perhaps_yield();
        rlock_release(&c->lock);
    }
    return arg;
}

static void test_timeouts_under_contention_leave_it_usable(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, C_STRANDS, c_exclude_until, NULL);
    concept_start(&team, 1, c_exclude, NULL);
    concept_join(&team);
    assert_int_equal(c->counter, c->got + C_ROUNDS);
    assert_int_equal(spec_waiting(&c->lock), 0);
}

#define CONCEPT_RLOCK_TESTS                                                                        \
    cmocka_unit_test(test_others_do_not_get_it_until_the_last_release),                            \
        cmocka_unit_test(test_excludes),                                                           \
        cmocka_unit_test(test_timeouts_under_contention_leave_it_usable)

#endif
