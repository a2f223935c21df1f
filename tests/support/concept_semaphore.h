/* SPDX-License-Identifier: MIT */
/* Includers define the type concept_semaphore and, of it, SEMAPHORE(n) and BOUNDED(n)
 * (initialisers), semaphore_acquire(), semaphore_try() (true: taken), semaphore_until(),
 * semaphore_release(), semaphore_value(). */
#ifndef THRUM_TESTS_CONCEPT_SEMAPHORE_H
#define THRUM_TESTS_CONCEPT_SEMAPHORE_H

#include <limits.h>

#include "concept.h"

enum { C_STRANDS = 8 };

typedef struct {
    concept_semaphore semaphore;
    int came;
    int taken;
    int inside;
    int value;
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static void concept_reset(int permits, bool bounded) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
    if (bounded)
        c->semaphore = (concept_semaphore)BOUNDED(permits);
    else
        c->semaphore = (concept_semaphore)SEMAPHORE(permits);
}

static void test_limits(void **state) {
    (void)state;
    concept_begin();
    concept_semaphore most = SEMAPHORE(INT_MAX);
    assert_int_equal(semaphore_value(&most), INT_MAX);
    assert_int_equal(semaphore_release(&most, 1), -EOVERFLOW);
    assert_int_equal(semaphore_release(&most, INT_MAX), -EOVERFLOW);
    assert_int_equal(semaphore_value(&most), INT_MAX);
    semaphore_acquire(&most);
    assert_int_equal(semaphore_release(&most, 2), -EOVERFLOW);
    assert_int_equal(semaphore_release(&most, 1), 0);
    assert_int_equal(semaphore_value(&most), INT_MAX);
    concept_semaphore one = SEMAPHORE(1);
    assert_int_equal(semaphore_release(&one, 0), -EINVAL);
    assert_int_equal(semaphore_release(&one, -1), -EINVAL);
    assert_int_equal(semaphore_release(&one, INT_MIN), -EINVAL);
    assert_int_equal(semaphore_value(&one), 1);
}

static void test_bounded(void **state) {
    (void)state;
    concept_begin();
    concept_semaphore two = BOUNDED(2);
    concept_semaphore none = BOUNDED(0);
    concept_semaphore most = BOUNDED(INT_MAX);
    assert_int_equal(semaphore_release(&two, 1), -EOVERFLOW);
    semaphore_acquire(&two);
    assert_int_equal(semaphore_release(&two, 2), -EOVERFLOW);
    assert_int_equal(semaphore_value(&two), 1);
    assert_int_equal(semaphore_release(&two, 1), 0);
    assert_int_equal(semaphore_release(&two, 1), -EOVERFLOW);
    assert_int_equal(semaphore_value(&two), 2);
    assert_int_equal(semaphore_release(&none, 1), -EOVERFLOW);
    assert_int_equal(semaphore_release(&two, -1), -EINVAL);
    assert_false(semaphore_try(&none));
    assert_int_equal(semaphore_until(&none, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(semaphore_release(&most, 1), -EOVERFLOW);
    semaphore_acquire(&most);
    assert_int_equal(semaphore_release(&most, 1), 0);
}

static void *c_take(void *arg) {
    concept_comes();
    semaphore_acquire(&c->semaphore);
    __atomic_fetch_add(&c->taken, 1, __ATOMIC_RELAXED);
    return arg;
}

static void test_release_of_many_lets_as_many_in(void **state) {
    (void)state;
    concept_reset(0, false);
    concept_team team = {.n = 0};
    concept_start(&team, C_STRANDS, c_take, NULL);
    concept_until_waiting(&c->semaphore, &team, C_STRANDS);
    assert_int_equal(semaphore_release(&c->semaphore, 3), 0);
    while (__atomic_load_n(&c->taken, __ATOMIC_RELAXED) < 3)
        spec_yield();
    assert_int_equal(semaphore_value(&c->semaphore), 0);
    assert_int_equal(semaphore_release(&c->semaphore, C_STRANDS), 0);
    concept_join(&team);
    assert_int_equal(c->taken, C_STRANDS);
    assert_int_equal(semaphore_value(&c->semaphore), 3);
}

static void *c_take_and_give_back(void *arg) {
    concept_comes();
    semaphore_acquire(&c->semaphore);
    assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
    return arg;
}

static void test_bounded_with_waiters(void **state) {
    (void)state;
    concept_reset(1, true);
    semaphore_acquire(&c->semaphore);
    concept_team team = {.n = 0};
    concept_start(&team, 1, c_take_and_give_back, NULL);
    concept_until_waiting(&c->semaphore, &team, 1);
    assert_int_equal(semaphore_release(&c->semaphore, 2), -EOVERFLOW);
    assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
    concept_join(&team);
    assert_int_equal(semaphore_release(&c->semaphore, 1), -EOVERFLOW);
}

static void *c_use(void *arg) {
    for (int i = 0; i < 50; i++) {
        semaphore_acquire(&c->semaphore);
        assert_true(__atomic_add_fetch(&c->inside, 1, __ATOMIC_RELAXED) <= 2);
        spec_perhaps_yield();
        __atomic_sub_fetch(&c->inside, 1, __ATOMIC_RELAXED);
        assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
    }
    return arg;
}

static void test_never_more_inside_than_permits(void **state) {
    (void)state;
    for (int bounded = 0; bounded < 2; bounded++) {
        concept_reset(2, bounded);
        concept_team team = {.n = 0};
        concept_start(&team, C_STRANDS, c_use, NULL);
        concept_join(&team);
        assert_int_equal(semaphore_value(&c->semaphore), 2);
    }
}

static void *c_count_under_it(void *arg) {
    for (int i = 0; i < 200; i++) {
        semaphore_acquire(&c->semaphore);
        c->value += 1;
        if (i % 16 == 0)
            spec_perhaps_yield();
        semaphore_release(&c->semaphore, 1);
    }
    return arg;
}

static void test_one_permit_excludes_and_shows_what_happened_before(void **state) {
    (void)state;
    for (int bounded = 0; bounded < 2; bounded++) {
        concept_reset(1, bounded);
        concept_team team = {.n = 0};
        concept_start(&team, C_STRANDS, c_count_under_it, NULL);
        concept_join(&team);
        assert_int_equal(c->value, C_STRANDS * 200);
    }
}

static void *c_time_out(void *arg) {
    for (int i = 0; i < 100; i++) {
        int rc = semaphore_until(&c->semaphore, thrum_in(spec_random(50) * 1e-6));
        assert_true(rc == 0 || rc == -ETIMEDOUT);
        if (rc == 0) {
            spec_perhaps_yield();
            assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
        }
    }
    return arg;
}

static void test_no_permit_is_lost_or_made_by_time_outs(void **state) {
    (void)state;
    for (int bounded = 0; bounded < 2; bounded++) {
        concept_reset(1, bounded);
        concept_team team = {.n = 0};
        concept_start(&team, C_STRANDS, c_time_out, NULL);
        concept_join(&team);
        assert_int_equal(semaphore_value(&c->semaphore), 1);
        assert_true(semaphore_try(&c->semaphore));
        thrum_deadline deadline = thrum_in(0.002);
        assert_int_equal(semaphore_until(&c->semaphore, deadline), -ETIMEDOUT);
        assert_true(thrum_now().ns >= deadline.ns);
        assert_int_equal(semaphore_value(&c->semaphore), 0);
    }
}

#define CONCEPT_SEMAPHORE_TESTS                                                                    \
    cmocka_unit_test(test_limits), cmocka_unit_test(test_bounded),                                 \
        cmocka_unit_test(test_release_of_many_lets_as_many_in),                                    \
        cmocka_unit_test(test_bounded_with_waiters),                                               \
        cmocka_unit_test(test_never_more_inside_than_permits),                                     \
        cmocka_unit_test(test_one_permit_excludes_and_shows_what_happened_before),                 \
        cmocka_unit_test(test_no_permit_is_lost_or_made_by_time_outs)

#endif
