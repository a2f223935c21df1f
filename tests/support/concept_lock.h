/* SPDX-License-Identifier: MIT */
/* Includers define the type concept_lock and, of it, lock_acquire(), lock_try() (true: held),
 * lock_until(), lock_release(), lock_locked(). */
#ifndef THRUM_TESTS_CONCEPT_LOCK_H
#define THRUM_TESTS_CONCEPT_LOCK_H

#include "concept.h"

enum { C_STRANDS = 6, C_ROUNDS = 400 };

typedef struct {
    concept_lock lock;
    int counter;
    int inside;
    int rounds;
    int stop;
    int came;
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static void concept_reset(void) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
}

static void c_section(void) {
    assert_int_equal(__atomic_fetch_add(&c->inside, 1, __ATOMIC_RELAXED), 0);
    int seen = c->counter;
    spec_perhaps_yield();
    c->counter = seen + 1;
    __atomic_fetch_sub(&c->inside, 1, __ATOMIC_RELAXED);
}

static void *c_exclude(void *arg) {
    for (int i = 0; i < C_ROUNDS; i++) {
        lock_acquire(&c->lock);
        c_section();
        lock_release(&c->lock);
        spec_perhaps_yield();
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
    assert_false(lock_locked(&c->lock));
}

static void *c_exclude_until(void *arg) {
    int got = 0;
    for (int i = 0; i < C_ROUNDS; i++) {
        int rc = lock_until(&c->lock, thrum_in(spec_random(40) * 1e-6));
        assert_true(rc == 0 || rc == -ETIMEDOUT);
        if (rc < 0)
            continue;
        c_section();
        got += 1;
        lock_release(&c->lock);
    }
    __atomic_fetch_add(&c->rounds, got, __ATOMIC_RELAXED);
    return arg;
}

static void test_timeouts_under_contention_leave_it_usable(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, C_STRANDS, c_exclude_until, NULL);
    concept_start(&team, 2, c_exclude, NULL);
    concept_join(&team);
    assert_int_equal(c->counter, c->rounds + 2 * C_ROUNDS);
    assert_true(lock_try(&c->lock));
    lock_release(&c->lock);
    assert_int_equal(spec_waiting(&c->lock), 0);
}

static void test_until(void **state) {
    (void)state;
    concept_reset();
    assert_int_equal(lock_until(&c->lock, thrum_in(-1)), 0);
    assert_int_equal(lock_until(&c->lock, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(lock_until(&c->lock, thrum_in(0.002)), -ETIMEDOUT);
    lock_release(&c->lock);
    assert_int_equal(lock_until(&c->lock, THRUM_NEVER), 0);
    lock_release(&c->lock);
}

static void test_until_does_not_return_before_its_deadline(void **state) {
    (void)state;
    concept_reset();
    lock_acquire(&c->lock);
    for (int i = 0; i < 20; i++) {
        thrum_deadline deadline = thrum_in(spec_random(300) * 1e-6);
        assert_int_equal(lock_until(&c->lock, deadline), -ETIMEDOUT);
        assert_true(thrum_now().ns >= deadline.ns);
    }
    lock_release(&c->lock);
}

static void *c_acquire_release(void *arg) {
    concept_comes();
    lock_acquire(&c->lock);
    c->counter += 1;
    lock_release(&c->lock);
    return arg;
}

static void *c_take_until_never(void *arg) {
    concept_comes();
    assert_int_equal(lock_until(&c->lock, THRUM_NEVER), 0);
    c->counter += 1;
    lock_release(&c->lock);
    return arg;
}

static void test_every_waiter_is_served(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    lock_acquire(&c->lock);
    concept_start(&team, 4, c_acquire_release, NULL);
    concept_start(&team, 4, c_take_until_never, NULL);
    concept_until_waiting(&c->lock, &team, 8);
    assert_int_equal(c->counter, 0);
    lock_release(&c->lock);
    concept_join(&team);
    assert_int_equal(c->counter, 8);
    assert_int_equal(spec_waiting(&c->lock), 0);
}

static void *c_barge(void *arg) {
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        lock_acquire(&c->lock);
        c->rounds += 1;
        lock_release(&c->lock);
        if (spec_is_test_strand())
            spec_yield();
    }
    return arg;
}

static void test_a_waiter_gets_it_though_others_barge(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, 3, c_barge, NULL);
    for (int i = 0; i < 50; i++) {
        lock_acquire(&c->lock);
        c->counter += 1;
        lock_release(&c->lock);
    }
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
    concept_join(&team);
    assert_int_equal(c->counter, 50);
}

#define CONCEPT_LOCK_TESTS                                                                         \
    cmocka_unit_test(test_excludes),                                                               \
        cmocka_unit_test(test_timeouts_under_contention_leave_it_usable),                          \
        cmocka_unit_test(test_until),                                                              \
        cmocka_unit_test(test_until_does_not_return_before_its_deadline),                          \
        cmocka_unit_test(test_every_waiter_is_served),                                             \
        cmocka_unit_test(test_a_waiter_gets_it_though_others_barge)

#endif
