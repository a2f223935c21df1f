/* SPDX-License-Identifier: MIT */
#define CONCEPT_PROCESSES
#include "spec.h"

typedef thrum_shared_barrier concept_barrier;
#define BARRIER THRUM_SHARED_BARRIER_INIT
#define barrier_wait thrum_shared_barrier_wait
#define barrier_until thrum_shared_barrier_wait_until
#define barrier_reset thrum_shared_barrier_reset
#define barrier_abort thrum_shared_barrier_abort
#define barrier_parties thrum_shared_barrier_parties
#define barrier_n_waiting thrum_shared_barrier_n_waiting
#define barrier_broken thrum_shared_barrier_broken
#include "concept_barrier.h"

enum { KILLS = 20 };

static int count_code(int n, int code) {
    int found = 0;
    for (int i = 0; i < n; i++)
        found += c->code[i] == code;
    return found;
}

static void test_the_death_of_one_that_waits_breaks_it(void **state) {
    (void)state;
    concept_reset(C_PARTIES);
    concept_team team = {.n = 0};
    c_start_waiters(&team, 3);
    spec_processes_kill(&team);
    concept_join(&team);
    assert_int_equal(count_code(2, -EOWNERDEAD), 1);
    assert_int_equal(count_code(2, -EPIPE), 1);
    assert_true(thrum_shared_barrier_broken(&c->barrier));
    assert_int_equal(thrum_shared_barrier_wait(&c->barrier), -EPIPE);
    thrum_shared_barrier_reset(&c->barrier);
    c_start_waiters(&team, C_PARTIES - 1);
    assert_int_equal(thrum_shared_barrier_wait(&c->barrier), C_PARTIES - 1);
    concept_join(&team);
}

/* What is left when the last to come is killed behind its change: the phase has ended, nobody said
 * so. */
static void test_a_phase_that_ended_without_its_wake(void **state) {
    (void)state;
    concept_reset(3);
    concept_team team = {.n = 0};
    c_start_waiters(&team, 2);
    __atomic_store_n(&c->barrier.thrum__state, 1, __ATOMIC_RELEASE);
    concept_join(&team);
    assert_int_equal(c->code[0], 0);
    assert_int_equal(c->code[1], 1);
}

static void *be_interrupted(void *arg) {
    spec_expect_signals();
    assert_int_equal(thrum_shared_barrier_wait_until(&c->barrier, THRUM_NEVER), -EINTR);
    return arg;
}

static void test_interruption(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset(2);
    concept_start(&team, 1, be_interrupted, NULL);
    while (thrum_shared_barrier_n_waiting(&c->barrier) != 1)
        spec_yield();
    spec_processes_interrupt(&team);
    assert_int_equal(thrum_shared_barrier_wait(&c->barrier), -EPIPE);
}

static void *wait_for_ever(void *arg) {
    while (thrum_shared_barrier_wait(&c->barrier) >= 0)
        __atomic_fetch_add(&c->indices, 1, __ATOMIC_RELAXED);
    return arg;
}

static void test_kills_never_leave_anybody_waiting(void **state) {
    (void)state;
    for (int i = 0; i < KILLS; i++) {
        concept_team team = {.n = 0};
        concept_reset(3);
        concept_start(&team, 3, wait_for_ever, NULL);
        while (__atomic_load_n(&c->indices, __ATOMIC_RELAXED) < 12)
            spec_yield();
        for (uint32_t n = spec_random(10); n > 0; n--)
            spec_yield();
        spec_processes_kill(&team);
        /* It may have died between two waits: then only somebody else can tell. */
        if (!thrum_shared_barrier_broken(&c->barrier))
            thrum_shared_barrier_abort(&c->barrier);
        concept_join(&team);
        thrum_shared_barrier_reset(&c->barrier);
        assert_int_equal(thrum_shared_barrier_n_waiting(&c->barrier), 0);
    }
}

SPEC_TESTS(CONCEPT_BARRIER_TESTS, cmocka_unit_test(test_the_death_of_one_that_waits_breaks_it),
           cmocka_unit_test(test_a_phase_that_ended_without_its_wake),
           cmocka_unit_test(test_interruption),
           cmocka_unit_test(test_kills_never_leave_anybody_waiting));
