/* SPDX-License-Identifier: MIT */
/* Includers define the type concept_barrier and, of it, BARRIER(n) (an initialiser),
 * barrier_wait(), barrier_until(), barrier_reset(), barrier_abort(), barrier_parties(),
 * barrier_n_waiting(), barrier_broken(). */
#ifndef THRUM_TESTS_CONCEPT_BARRIER_H
#define THRUM_TESTS_CONCEPT_BARRIER_H

#include "concept.h"

enum { C_PARTIES = 5, C_PHASES = 100 };

typedef struct {
    concept_barrier barrier;
    int at[C_PARTIES];   /* phase of each, its own until the barrier */
    int code[C_PARTIES]; /* what each wait returned */
    int indices;         /* bits, by those who passed */
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static void concept_reset(int parties) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
    c->barrier = (concept_barrier)BARRIER(parties);
}

static void *c_wait_once(void *number) {
    int i = (int)(intptr_t)number;
    c->code[i] = barrier_wait(&c->barrier);
    if (c->code[i] >= 0)
        __atomic_fetch_or(&c->indices, 1 << c->code[i], __ATOMIC_RELAXED);
    return NULL;
}

static void c_start_waiters(concept_team *team, int n) {
    for (intptr_t i = 0; i < n; i++) {
        concept_start(team, 1, c_wait_once, (void *)i);
        while (barrier_n_waiting(&c->barrier) != (int)i + 1)
            spec_yield();
    }
}

static void test_the_last_lets_all_go(void **state) {
    (void)state;
    concept_reset(C_PARTIES);
    concept_team team = {.n = 0};
    assert_int_equal(barrier_parties(&c->barrier), C_PARTIES);
    c_start_waiters(&team, C_PARTIES - 1);
    assert_int_equal(barrier_n_waiting(&c->barrier), C_PARTIES - 1);
    assert_int_equal(barrier_wait(&c->barrier), C_PARTIES - 1);
    concept_join(&team);
    for (int i = 0; i < C_PARTIES - 1; i++)
        assert_int_equal(c->code[i], i);
    assert_int_equal(c->indices, (1 << (C_PARTIES - 1)) - 1);
    assert_int_equal(barrier_n_waiting(&c->barrier), 0);
    assert_false(barrier_broken(&c->barrier));
}

static void test_one_party_and_none(void **state) {
    (void)state;
    concept_begin();
    concept_barrier one = BARRIER(1);
    concept_barrier none = BARRIER(0);
    concept_barrier negative = BARRIER(-3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(barrier_wait(&one), 0);
    assert_int_equal(barrier_until(&one, thrum_in(0)), 0);
    assert_int_equal(barrier_wait(&none), -EINVAL);
    assert_int_equal(barrier_until(&negative, thrum_in(0)), -EINVAL);
}

static void *c_go_through_phases(void *number) {
    int i = (int)(intptr_t)number;
    for (int phase = 1; phase <= C_PHASES; phase++) {
        c->at[i] = phase;
        if (spec_random(4) == 0)
            spec_yield();
        int index = barrier_wait(&c->barrier);
        assert_in_range(index, 0, C_PARTIES - 1);
        int before = __atomic_fetch_or(&c->indices, 1 << index, __ATOMIC_RELAXED);
        assert_int_equal(before & 1 << index, 0);
        for (int other = 0; other < C_PARTIES; other++)
            assert_int_equal(c->at[other], phase);
        if (barrier_wait(&c->barrier) == 0) {
            assert_int_equal(c->indices, (1 << C_PARTIES) - 1);
            c->indices = 0;
        }
        assert_true(barrier_wait(&c->barrier) >= 0);
    }
    return NULL;
}

static void test_phases_do_not_mix(void **state) {
    (void)state;
    concept_reset(C_PARTIES);
    concept_team team = {.n = 0};
    for (intptr_t i = 0; i < C_PARTIES; i++)
        concept_start(&team, 1, c_go_through_phases, (void *)i);
    concept_join(&team);
}

static void *c_time_out(void *arg) {
    assert_int_equal(barrier_until(&c->barrier, thrum_in(0.005)), -ETIMEDOUT);
    return arg;
}

static void test_who_times_out_breaks_it_for_the_others(void **state) {
    (void)state;
    concept_reset(C_PARTIES);
    concept_team team = {.n = 0};
    c_start_waiters(&team, 2);
    concept_run(c_time_out, NULL);
    concept_join(&team);
    assert_int_equal(c->code[0], -EPIPE);
    assert_int_equal(c->code[1], -EPIPE);
    assert_true(barrier_broken(&c->barrier));
    assert_int_equal(barrier_n_waiting(&c->barrier), 0);
    assert_int_equal(barrier_until(&c->barrier, thrum_in(1)), -EPIPE);
    barrier_reset(&c->barrier);
    assert_false(barrier_broken(&c->barrier));
    c_start_waiters(&team, C_PARTIES - 1);
    assert_int_equal(barrier_until(&c->barrier, thrum_in(0)), C_PARTIES - 1);
    concept_join(&team);
}

static void test_reset_and_abort_end_the_waits(void **state) {
    (void)state;
    concept_reset(C_PARTIES);
    concept_team team = {.n = 0};
    c_start_waiters(&team, 3);
    barrier_reset(&c->barrier);
    concept_join(&team);
    for (int i = 0; i < 3; i++)
        assert_int_equal(c->code[i], -EPIPE);
    assert_false(barrier_broken(&c->barrier));
    c_start_waiters(&team, 3);
    barrier_abort(&c->barrier);
    concept_join(&team);
    for (int i = 0; i < 3; i++)
        assert_int_equal(c->code[i], -EPIPE);
    assert_true(barrier_broken(&c->barrier));
    assert_int_equal(barrier_wait(&c->barrier), -EPIPE);
    barrier_reset(&c->barrier);
    c_start_waiters(&team, C_PARTIES - 1);
    assert_int_equal(barrier_wait(&c->barrier), C_PARTIES - 1);
    concept_join(&team);
}

#define CONCEPT_BARRIER_TESTS                                                                      \
    cmocka_unit_test(test_the_last_lets_all_go), cmocka_unit_test(test_one_party_and_none),        \
        cmocka_unit_test(test_phases_do_not_mix),                                                  \
        cmocka_unit_test(test_who_times_out_breaks_it_for_the_others),                             \
        cmocka_unit_test(test_reset_and_abort_end_the_waits)

#endif
