/* SPDX-License-Identifier: MIT */
/* Includers define the type concept_barrier and, of it, BARRIER(n) and BARRIER_ACTION(n, fn, arg)
 * (initialisers), barrier_wait(), barrier_until(), barrier_act() (a wait with c_act(c) as its
 * action), barrier_act_until(), barrier_reset(), barrier_abort(), barrier_parties(),
 * barrier_n_waiting(), barrier_broken(), barrier_until_at_gate(barrier, team, waiting, n): until
 * `n` of the team, besides `waiting` in the phase, have come while its action runs. */
#ifndef THRUM_TESTS_CONCEPT_BARRIER_H
#define THRUM_TESTS_CONCEPT_BARRIER_H

#include "concept.h"

enum { C_PARTIES = 5, C_PHASES = 100 };

typedef struct {
    concept_barrier barrier;
    int at[C_PARTIES];   /* phase of each, its own until the barrier */
    int code[C_PARTIES]; /* what each wait returned */
    int indices;         /* bits, by those who passed */
    int acted;           /* calls of the action, which returns ... */
    int action_code;     /* ... this, ... */
    int hold_action;     /* ... once this is 0; atomic, as ... */
    int acting;          /* ... whether one runs */
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static void concept_reset(int parties) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
    c->barrier = (concept_barrier)BARRIER(parties);
}

static int c_act(void *arg) {
    assert_ptr_equal(arg, c);
    __atomic_fetch_add(&c->acted, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&c->acting, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&c->hold_action, __ATOMIC_ACQUIRE))
        spec_yield();
    __atomic_store_n(&c->acting, 0, __ATOMIC_RELEASE);
    return c->action_code;
}

static void concept_reset_action(int parties) {
    concept_reset(parties);
    c->barrier = (concept_barrier)BARRIER_ACTION(parties, c_act, c);
}

static void c_note(int i, int code) {
    c->code[i] = code;
    if (code >= 0)
        __atomic_fetch_or(&c->indices, 1 << code, __ATOMIC_RELAXED);
}

static void *c_act_once(void *number) {
    c_note((int)(intptr_t)number, barrier_act(&c->barrier));
    return NULL;
}

static void *c_wait_once(void *number) {
    c_note((int)(intptr_t)number, barrier_wait(&c->barrier));
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

/* Two parties: one waits, the other, as the last of the team, is in the action until it is let. */
static void c_begin_action(concept_team *team) {
    concept_reset_action(2);
    c->hold_action = 1;
    concept_start(team, 1, c_act_once, (void *)0);
    while (barrier_n_waiting(&c->barrier) != 1)
        spec_yield();
    concept_start(team, 1, c_act_once, (void *)1);
    while (!__atomic_load_n(&c->acting, __ATOMIC_ACQUIRE))
        spec_yield();
}

static void c_let_action_end(void) { __atomic_store_n(&c->hold_action, 0, __ATOMIC_RELEASE); }

static void test_the_action_runs_once_before_anybody_leaves(void **state) {
    (void)state;
    concept_reset_action(C_PARTIES);
    c->hold_action = 1;
    concept_team team = {.n = 0};
    for (intptr_t i = 0; i < C_PARTIES; i++)
        concept_start(&team, 1, c_act_once, (void *)i);
    while (!__atomic_load_n(&c->acting, __ATOMIC_ACQUIRE))
        spec_yield();
    assert_int_equal(barrier_n_waiting(&c->barrier), 0);
    for (int i = 0; i < 20; i++)
        spec_yield();
    assert_int_equal(__atomic_load_n(&c->indices, __ATOMIC_RELAXED), 0);
    c_let_action_end();
    concept_join(&team);
    assert_int_equal(c->acted, 1);
    assert_int_equal(c->indices, (1 << C_PARTIES) - 1);
}

static void test_a_failing_action_breaks_the_barrier(void **state) {
    (void)state;
    concept_reset_action(3);
    concept_team team = {.n = 0};
    for (int round = 0; round < 2; round++) {
        c->action_code = round == 0 ? -EBUSY : 0;
        for (intptr_t i = 0; i < 2; i++)
            concept_start(&team, 1, c_act_once, (void *)i);
        while (barrier_n_waiting(&c->barrier) != 2)
            spec_yield();
        assert_int_equal(barrier_act(&c->barrier), round == 0 ? -EBUSY : 2);
        concept_join(&team);
        assert_int_equal(c->code[0] + c->code[1], round == 0 ? -2 * EPIPE : 1);
        assert_true(barrier_broken(&c->barrier) == (round == 0));
        assert_int_equal(c->acted, round + 1);
        if (round == 0) {
            assert_int_equal(barrier_act(&c->barrier), -EPIPE);
            barrier_reset(&c->barrier);
        }
    }
}

static void test_those_who_come_during_the_action_are_of_the_next_phase(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    c_begin_action(&team);
    concept_start(&team, 1, c_act_once, (void *)2);
    concept_start(&team, 1, c_act_once, (void *)3);
    barrier_until_at_gate(&c->barrier, &team, 1, 2);
    assert_int_equal(barrier_n_waiting(&c->barrier), 0);
    c_let_action_end();
    concept_join(&team);
    assert_int_equal(c->acted, 2);
    assert_int_equal(c->code[0] + c->code[1], 1);
    assert_int_equal(c->code[2] + c->code[3], 1);
}

static void test_abort_during_the_action(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    c_begin_action(&team);
    barrier_abort(&c->barrier);
    assert_int_equal(barrier_act(&c->barrier), -EPIPE);
    c_let_action_end();
    concept_join(&team);
    assert_int_equal(c->code[0], -EPIPE);
    assert_int_equal(c->code[1], -EPIPE);
    assert_int_equal(c->acted, 1);
    assert_true(barrier_broken(&c->barrier));
}

static void test_a_time_out_during_the_action_breaks_the_next_phase(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    c_begin_action(&team);
    concept_start(&team, 1, c_act_once, (void *)2);
    barrier_until_at_gate(&c->barrier, &team, 1, 1);
    assert_int_equal(barrier_act_until(&c->barrier, thrum_in(0.001)), -ETIMEDOUT);
    assert_true(barrier_broken(&c->barrier));
    c_let_action_end();
    concept_join(&team);
    assert_int_equal(c->code[0] + c->code[1], 1);
    assert_int_equal(c->code[2], -EPIPE);
    assert_true(barrier_broken(&c->barrier));
    assert_int_equal(barrier_act(&c->barrier), -EPIPE);
}

static void test_reset_during_the_action(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    c_begin_action(&team);
    barrier_reset(&c->barrier);
    assert_false(barrier_broken(&c->barrier));
    concept_start(&team, 1, c_act_once, (void *)2);
    concept_start(&team, 1, c_act_once, (void *)3);
    for (int i = 0; i < 20; i++)
        spec_yield();
    assert_int_equal(barrier_n_waiting(&c->barrier), 0);
    c_let_action_end();
    concept_join(&team);
    assert_int_equal(c->code[0], -EPIPE);
    assert_int_equal(c->code[1], -EPIPE);
    assert_int_equal(c->code[2] + c->code[3], 1);
    assert_int_equal(c->acted, 2);
}

#define CONCEPT_BARRIER_TESTS                                                                      \
    cmocka_unit_test(test_the_last_lets_all_go), cmocka_unit_test(test_one_party_and_none),        \
        cmocka_unit_test(test_phases_do_not_mix),                                                  \
        cmocka_unit_test(test_who_times_out_breaks_it_for_the_others),                             \
        cmocka_unit_test(test_reset_and_abort_end_the_waits),                                      \
        cmocka_unit_test(test_the_action_runs_once_before_anybody_leaves),                         \
        cmocka_unit_test(test_a_failing_action_breaks_the_barrier),                                \
        cmocka_unit_test(test_those_who_come_during_the_action_are_of_the_next_phase),             \
        cmocka_unit_test(test_abort_during_the_action),                                            \
        cmocka_unit_test(test_a_time_out_during_the_action_breaks_the_next_phase),                 \
        cmocka_unit_test(test_reset_during_the_action)

#endif
