/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <pthread.h>
#include <string.h>

typedef thrum_barrier concept_barrier;
#define BARRIER THRUM_BARRIER_INIT
#define barrier_wait thrum_barrier_wait
#define barrier_until thrum_barrier_wait_until
#define barrier_reset thrum_barrier_reset
#define barrier_abort thrum_barrier_abort
#define barrier_parties thrum_barrier_parties
#define barrier_n_waiting thrum_barrier_n_waiting
#define barrier_broken thrum_barrier_broken
#include "concept_barrier.h"

enum { PARTIES = 5, PHASES = 100 };

static struct {
    thrum_barrier barrier;
    int at[PARTIES];     /* phase of each, its own until the barrier */
    int indices;         /* bits, by those who passed */
    int code[PARTIES];   /* what each wait returned */
    int acted;
    int action_code;
    bool hold_action;
    bool acting;
    thrum_event go;
} s;

static int act(void *arg) {
    assert_ptr_equal(arg, &s);
    s.acted += 1;
    __atomic_store_n(&s.acting, true, __ATOMIC_RELEASE);
    if (s.hold_action)
        thrum_event_wait(&s.go);
    __atomic_store_n(&s.acting, false, __ATOMIC_RELEASE);
    return s.action_code;
}

static void reset(int parties) {
    memset(&s, 0, sizeof s);
    s.barrier = (thrum_barrier)THRUM_BARRIER_INIT(parties);
}

static void reset_action(int parties) {
    memset(&s, 0, sizeof s);
    s.barrier = (thrum_barrier)THRUM_BARRIER_INIT_ACTION(parties, act, &s);
}

static void *wait_once(void *number) {
    int i = (int)(intptr_t)number;
    s.code[i] = thrum_barrier_wait(&s.barrier);
    if (s.code[i] >= 0)
        __atomic_fetch_or(&s.indices, 1 << s.code[i], __ATOMIC_RELAXED);
    return NULL;
}

static void start_waiters(spec_team *team, int n) {
    for (intptr_t i = 0; i < n; i++) {
        spec_team_start(team, 1, wait_once, (void *)i);
        spec_until_waiting(&s.barrier, (int)i + 1);
    }
}

static void test_the_action_runs_once_before_anybody_leaves(void **state) {
    (void)state;
    reset_action(PARTIES);
    s.hold_action = true;
    spec_team team = {.n = 0};
    start_waiters(&team, PARTIES - 1);
    spec_team_start(&team, 1, wait_once, (void *)(intptr_t)(PARTIES - 1));
    while (!__atomic_load_n(&s.acting, __ATOMIC_ACQUIRE))
        spec_yield();
    assert_int_equal(spec_waiting(&s.barrier), PARTIES - 1);
    assert_int_equal(__atomic_load_n(&s.indices, __ATOMIC_RELAXED), 0);
    thrum_event_set(&s.go);
    spec_team_join(&team);
    assert_int_equal(s.acted, 1);
    assert_int_equal(s.indices, (1 << PARTIES) - 1);
}

static void test_a_failing_action_breaks_the_barrier(void **state) {
    (void)state;
    reset_action(3);
    s.action_code = -EBUSY;
    spec_team team = {.n = 0};
    start_waiters(&team, 2);
    assert_int_equal(thrum_barrier_wait(&s.barrier), -EBUSY);
    spec_team_join(&team);
    assert_int_equal(s.code[0], -EPIPE);
    assert_int_equal(s.code[1], -EPIPE);
    assert_true(thrum_barrier_broken(&s.barrier));
    assert_int_equal(thrum_barrier_wait(&s.barrier), -EPIPE);
    s.action_code = 0;
    thrum_barrier_reset(&s.barrier);
    start_waiters(&team, 2);
    assert_int_equal(thrum_barrier_wait(&s.barrier), 2);
    spec_team_join(&team);
    assert_int_equal(s.acted, 2);
}

static void *wait_until_soon(void *number) {
    int i = (int)(intptr_t)number;
    s.code[i] = thrum_barrier_wait_until(&s.barrier, thrum_in(1000));
    return NULL;
}

static void test_no_time_out_once_all_have_come(void **state) {
    (void)state;
    spec_needs_test_strand("time that passes only when nobody runs");
    reset_action(2);
    s.hold_action = true;
    spec_team team = {.n = 0};
    spec_team_start(&team, 1, wait_until_soon, (void *)0);
    spec_until_waiting(&s.barrier, 1);
    spec_team_start(&team, 1, wait_once, (void *)1);
    while (!__atomic_load_n(&s.acting, __ATOMIC_ACQUIRE))
        spec_yield();
    assert_int_equal(thrum_event_wait_until(&s.go, thrum_in(2000)), -ETIMEDOUT);
    assert_true(thrum_thread_is_alive(team.threads[0]));
    thrum_event_set(&s.go);
    spec_team_join(&team);
    assert_int_equal(s.code[0] + s.code[1], 1);
}

static void test_those_who_come_during_the_action_are_of_the_next_phase(void **state) {
    (void)state;
    reset_action(2);
    s.hold_action = true;
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    spec_team_start(&team, 1, wait_once, (void *)1);
    while (!__atomic_load_n(&s.acting, __ATOMIC_ACQUIRE))
        spec_yield();
    spec_team_start(&team, 1, wait_once, (void *)2);
    spec_team_start(&team, 1, wait_once, (void *)3);
    spec_until_waiting((char *)&s.barrier + 2, 2);
    assert_int_equal(thrum_barrier_n_waiting(&s.barrier), 0);
    thrum_event_set(&s.go);
    spec_team_join(&team);
    assert_int_equal(s.acted, 2);
    assert_int_equal(s.code[0] + s.code[1], 1);
    assert_int_equal(s.code[2] + s.code[3], 1);
}

static void test_abort_during_the_action(void **state) {
    (void)state;
    reset_action(2);
    s.hold_action = true;
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    spec_team_start(&team, 1, wait_once, (void *)1);
    while (!__atomic_load_n(&s.acting, __ATOMIC_ACQUIRE))
        spec_yield();
    thrum_barrier_abort(&s.barrier);
    thrum_event_set(&s.go);
    spec_team_join(&team);
    assert_int_equal(s.code[0], -EPIPE);
    assert_int_equal(s.code[1], -EPIPE);
    assert_true(thrum_barrier_broken(&s.barrier));
}

static void test_a_time_out_during_the_action_breaks_the_next_phase(void **state) {
    (void)state;
    reset_action(2);
    s.hold_action = true;
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    spec_team_start(&team, 1, wait_once, (void *)1);
    while (!__atomic_load_n(&s.acting, __ATOMIC_ACQUIRE))
        spec_yield();
    spec_team_start(&team, 1, wait_once, (void *)2);
    spec_until_waiting((char *)&s.barrier + 2, 1);
    assert_int_equal(thrum_barrier_wait_until(&s.barrier, thrum_in(0.001)), -ETIMEDOUT);
    spec_join(team.threads[--team.n]);
    assert_int_equal(s.code[2], -EPIPE);
    assert_true(thrum_barrier_broken(&s.barrier));
    thrum_event_set(&s.go);
    spec_team_join(&team);
    assert_int_equal(s.code[0] + s.code[1], 1);
    assert_true(thrum_barrier_broken(&s.barrier));
    assert_int_equal(thrum_barrier_wait(&s.barrier), -EPIPE);
}

static void test_reset_during_the_action(void **state) {
    (void)state;
    reset_action(2);
    s.hold_action = true;
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    spec_team_start(&team, 1, wait_once, (void *)1);
    while (!__atomic_load_n(&s.acting, __ATOMIC_ACQUIRE))
        spec_yield();
    thrum_barrier_reset(&s.barrier);
    spec_join(team.threads[0]);
    assert_int_equal(s.code[0], -EPIPE);
    team.threads[0] = spec_start(wait_once, (void *)2);
    spec_team_start(&team, 1, wait_once, (void *)3);
    spec_until_waiting((char *)&s.barrier + 2, 2);
    thrum_event_set(&s.go);
    spec_team_join(&team);
    assert_int_equal(s.code[1], -EPIPE);
    assert_int_equal(s.code[2] + s.code[3], 1);
    assert_int_equal(s.acted, 2);
}

static int leave_thread(void *arg) {
    (void)arg;
    pthread_exit(NULL);
    return 0;
}

static void *wait_and_vanish(void *arg) {
    (void)thrum_barrier_wait(&s.barrier);
    return arg;
}

static void test_an_action_that_ends_its_thread_breaks_the_barrier(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    reset(2);
    s.barrier = (thrum_barrier)THRUM_BARRIER_INIT_ACTION(2, leave_thread, NULL);
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    thrum_thread *last = spec_start(wait_and_vanish, NULL);
    assert_int_equal(thrum_thread_join(last, NULL), -ECANCELED);
    thrum_thread_free(last);
    spec_team_join(&team);
    assert_int_equal(s.code[0], -EPIPE);
    assert_true(thrum_barrier_broken(&s.barrier));
}

SPEC_TESTS(CONCEPT_BARRIER_TESTS, cmocka_unit_test(test_the_action_runs_once_before_anybody_leaves),
           cmocka_unit_test(test_a_failing_action_breaks_the_barrier),
           cmocka_unit_test(test_no_time_out_once_all_have_come),
           cmocka_unit_test(test_those_who_come_during_the_action_are_of_the_next_phase),
           cmocka_unit_test(test_abort_during_the_action),
           cmocka_unit_test(test_a_time_out_during_the_action_breaks_the_next_phase),
           cmocka_unit_test(test_reset_during_the_action),
           cmocka_unit_test(test_an_action_that_ends_its_thread_breaks_the_barrier));
