/* SPDX-License-Identifier: MIT */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

typedef thrum_shared_barrier concept_barrier;
#define BARRIER THRUM_SHARED_BARRIER_INIT
#define barrier_wait thrum_shared_barrier_wait
#define barrier_until thrum_shared_barrier_wait_until
#define barrier_reset thrum_shared_barrier_reset
#define barrier_abort thrum_shared_barrier_abort
#define barrier_parties thrum_shared_barrier_parties
#define barrier_n_waiting thrum_shared_barrier_n_waiting
#define barrier_broken thrum_shared_barrier_broken
#define BARRIER_ACTION(n, fn, arg) THRUM_SHARED_BARRIER_INIT(n)
#define barrier_act(barrier) thrum_shared_barrier_wait_action(barrier, c_act, c)
#define barrier_act_until(barrier, deadline)                                                       \
    thrum_shared_barrier_wait_action_until(barrier, c_act, c, deadline)
#define barrier_until_at_gate(barrier, team, waiting, n) spec_until_asleep(team, (waiting) + (n))
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

static void *wait_with_signals(void *arg) {
    spec_expect_signals();
    c->code[0] = barrier_until(&c->barrier, THRUM_NEVER);
    return arg;
}

static void test_no_signal_ends_a_wait_once_all_have_come(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset(2);
    c->hold_action = 1;
    concept_start(&team, 1, wait_with_signals, NULL);
    while (barrier_n_waiting(&c->barrier) != 1)
        spec_yield();
    concept_start(&team, 1, c_act_once, (void *)1);
    while (!__atomic_load_n(&c->acting, __ATOMIC_ACQUIRE))
        spec_yield();
    for (int i = 0; i < 20; i++) {
        spec_until_asleep(&team, 1);
        kill(team.pids[0], SIGUSR1);
    }
    c_let_action_end();
    concept_join(&team);
    assert_int_equal(c->code[0], 0);
    assert_int_equal(c->code[1], 1);
}

/* Who waits in the phase, and who waits at the gate: one is told, the other finds it broken. */
static void test_the_death_of_the_one_that_acts_breaks_it(void **state) {
    (void)state;
    for (int at_gate = 0; at_gate < 2; at_gate++) {
        concept_team team = {.n = 0}, others = {.n = 0};
        c_begin_action(&team);
        if (at_gate) {
            concept_start(&others, 1, c_act_once, (void *)2);
            barrier_until_at_gate(&c->barrier, &others, 0, 1);
        }
        spec_processes_kill(&team);
        concept_join(&team);
        concept_join(&others);
        c->code[2] = at_gate ? c->code[2] : -EPIPE;
        assert_true(c->code[0] == -EOWNERDEAD || c->code[2] == -EOWNERDEAD);
        assert_int_equal(c->code[0] + c->code[2], -EOWNERDEAD - EPIPE);
        assert_true(barrier_broken(&c->barrier));
        c->hold_action = 0;
        barrier_reset(&c->barrier);
        concept_start(&team, 1, c_act_once, (void *)0);
        assert_true(barrier_act(&c->barrier) >= 0);
        concept_join(&team);
    }
}

static void test_reset_when_the_one_that_acts_has_died(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset(1);
    c->hold_action = 1;
    concept_start(&team, 1, c_act_once, (void *)0);
    while (!__atomic_load_n(&c->acting, __ATOMIC_ACQUIRE))
        spec_yield();
    barrier_reset(&c->barrier);
    assert_int_equal(barrier_until(&c->barrier, thrum_in(-1)), -ETIMEDOUT);
    assert_true(barrier_broken(&c->barrier));
    spec_processes_kill(&team);
    barrier_reset(&c->barrier);
    assert_int_equal(barrier_wait(&c->barrier), 0);
}

static void test_the_gate_opens_when_the_one_that_acts_dies_alone(void **state) {
    (void)state;
    concept_team team = {.n = 0}, other = {.n = 0};
    concept_reset(1);
    c->hold_action = 1;
    concept_start(&team, 1, c_act_once, (void *)0);
    while (!__atomic_load_n(&c->acting, __ATOMIC_ACQUIRE))
        spec_yield();
    concept_start(&other, 1, c_act_once, (void *)1);
    barrier_until_at_gate(&c->barrier, &other, 0, 1);
    spec_processes_kill(&team);
    concept_join(&other);
    assert_int_equal(c->code[1], -EOWNERDEAD);
    assert_true(barrier_broken(&c->barrier));
}

static int leave_thread(void *arg) {
    (void)arg;
    pthread_exit(NULL);
    return 0;
}

static void *wait_and_vanish(void *arg) {
    c->code[0] = thrum_shared_barrier_wait_action(&c->barrier, leave_thread, NULL);
    return arg;
}

static void *vanish_in_a_thread(void *arg) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_and_vanish, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return arg;
}

static void test_an_action_that_ends_its_thread_breaks_the_barrier(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset(2);
    c->code[0] = 77;
    c_start_waiters(&team, 1);
    c->code[0] = 77;
    concept_run(vanish_in_a_thread, NULL);
    concept_join(&team);
    assert_int_equal(c->code[0], -EPIPE);
    assert_true(barrier_broken(&c->barrier));
}

/* More phases than it remembers have ended before a waiter looks. */
static void test_a_wait_that_is_long_over(void **state) {
    (void)state;
    for (int broken = 0; broken < 2; broken++) {
        concept_team team = {.n = 0};
        siginfo_t end;
        concept_reset(2);
        c_start_waiters(&team, 1);
        assert_int_equal(kill(team.pids[0], SIGSTOP), 0);
        assert_int_equal(waitid(P_PID, (id_t)team.pids[0], &end, WSTOPPED | WNOWAIT), 0);
        if (broken)
            barrier_reset(&c->barrier);
        else
            assert_int_equal(barrier_wait(&c->barrier), 1);
        c->barrier.thrum__parties = 1;
        for (int i = 0; i < 50; i++)
            assert_int_equal(barrier_wait(&c->barrier), 0);
        assert_int_equal(kill(team.pids[0], SIGCONT), 0);
        concept_join(&team);
        assert_int_equal(c->code[0], broken ? -EPIPE : 0);
    }
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
           cmocka_unit_test(test_no_signal_ends_a_wait_once_all_have_come),
           cmocka_unit_test(test_the_death_of_the_one_that_acts_breaks_it),
           cmocka_unit_test(test_the_gate_opens_when_the_one_that_acts_dies_alone),
           cmocka_unit_test(test_reset_when_the_one_that_acts_has_died),
           cmocka_unit_test(test_an_action_that_ends_its_thread_breaks_the_barrier),
           cmocka_unit_test(test_a_wait_that_is_long_over),
           cmocka_unit_test(test_kills_never_leave_anybody_waiting));
