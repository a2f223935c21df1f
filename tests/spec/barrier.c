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
#define BARRIER_ACTION THRUM_BARRIER_INIT_ACTION
#define barrier_act thrum_barrier_wait
#define barrier_act_until thrum_barrier_wait_until
#define barrier_until_at_gate(barrier, team, waiting, n)                                           \
    spec_until_waiting((char *)(barrier) + 2, n)
#include "concept_barrier.h"

static struct {
    thrum_barrier barrier;
    int code[2]; /* what each wait returned */
    bool acting;
    thrum_event go;
} s;

static int act(void *arg) {
    assert_ptr_equal(arg, &s);
    __atomic_store_n(&s.acting, true, __ATOMIC_RELEASE);
    thrum_event_wait(&s.go);
    return 0;
}

static int leave_thread(void *arg) {
    (void)arg;
    pthread_exit(NULL);
    return 0;
}

static void reset(int (*action)(void *)) {
    memset(&s, 0, sizeof s);
    s.barrier = (thrum_barrier)THRUM_BARRIER_INIT_ACTION(2, action, &s);
}

static void *wait_once(void *number) {
    int i = (int)(intptr_t)number;
    s.code[i] = thrum_barrier_wait(&s.barrier);
    return NULL;
}

static void *wait_until_soon(void *number) {
    int i = (int)(intptr_t)number;
    s.code[i] = thrum_barrier_wait_until(&s.barrier, thrum_in(1000));
    return NULL;
}

static void test_no_time_out_once_all_have_come(void **state) {
    (void)state;
    spec_needs_test_strand("time that passes only when nobody runs");
    reset(act);
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

static void *wait_and_vanish(void *arg) {
    (void)thrum_barrier_wait(&s.barrier);
    return arg;
}

static void test_an_action_that_ends_its_thread_breaks_the_barrier(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    reset(leave_thread);
    spec_team team = {.n = 0};
    spec_team_start(&team, 1, wait_once, (void *)0);
    spec_until_waiting(&s.barrier, 1);
    thrum_thread *last = spec_start(wait_and_vanish, NULL);
    assert_int_equal(thrum_thread_join(last, NULL), -ECANCELED);
    thrum_thread_free(last);
    spec_team_join(&team);
    assert_int_equal(s.code[0], -EPIPE);
    assert_true(thrum_barrier_broken(&s.barrier));
}

SPEC_TESTS(CONCEPT_BARRIER_TESTS, cmocka_unit_test(test_no_time_out_once_all_have_come),
           cmocka_unit_test(test_an_action_that_ends_its_thread_breaks_the_barrier));
