/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdio.h>
#include <string.h>

enum { STRANDS = 6, ITEMS = 400, ROOM = 3 };

static struct {
    thrum_lock lock;
    thrum_lock other;
    thrum_rlock rlock;
    thrum_condition changed;
    int order[SPEC_TEAM_MAX];
    int woken;
    int timed_out;
} s;

static void reset(void) { memset(&s, 0, sizeof s); }

static int (*volatile symbol_notify)(thrum_condition *, int) = thrum_condition_notify;
static void (*volatile symbol_notify_all)(thrum_condition *) = thrum_condition_notify_all;

typedef thrum_lock concept_lock;
typedef thrum_rlock concept_rlock;
typedef thrum_condition concept_condition;
#define lock_acquire thrum_lock_acquire
#define lock_release thrum_lock_release
#define lock_locked thrum_lock_locked
#define rlock_acquire thrum_rlock_acquire
#define rlock_try thrum_rlock_try_acquire
#define rlock_release thrum_rlock_release
#define rlock_locked thrum_rlock_locked
#define condition_wait thrum_condition_wait
#define condition_until thrum_condition_wait_until
/* Half of the calls go to the symbols. */
#define condition_notify (spec_random(2) ? thrum_condition_notify : symbol_notify)
#define condition_notify_all (spec_random(2) ? thrum_condition_notify_all : symbol_notify_all)
#include "concept_condition.h"

static void *wait_once(void *number) {
    thrum_lock_acquire(&s.lock);
    thrum_condition_wait(&s.changed, &s.lock);
    assert_int_equal(thrum_lock_holder(&s.lock), thrum_thread_ident(thrum_thread_current()));
    s.order[s.woken++] = (int)(intptr_t)number;
    thrum_lock_release(&s.lock);
    return NULL;
}

static void start_waiters(spec_team *team, int n) {
    for (int i = 0; i < n; i++) {
        spec_team_start(team, 1, wait_once, (void *)(intptr_t)team->n);
        spec_until_waiting(&s.changed, team->n);
    }
}

static void until_woken(int n) {
    for (bool done = false; !done; spec_yield()) {
        thrum_with(&s.lock) done = s.woken == n;
    }
}

static void test_notify_lets_n_go_first_come_first(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    start_waiters(&team, STRANDS);
    thrum_with(&s.lock) assert_int_equal(thrum_condition_notify(&s.changed, 1), 0);
    until_woken(1);
    assert_int_equal(spec_waiting(&s.changed), STRANDS - 1);
    thrum_with(&s.lock) assert_int_equal(symbol_notify(&s.changed, 2), 0);
    until_woken(3);
    assert_int_equal(spec_waiting(&s.changed), STRANDS - 3);
    thrum_with(&s.lock) assert_int_equal(thrum_condition_notify(&s.changed, 100), 0);
    spec_team_join(&team);
    assert_int_equal(s.woken, STRANDS);
    for (int i = 0; i < STRANDS; i++)
        assert_int_equal(s.order[i], i);
}

static void test_the_notified_run_when_the_lock_is_released(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    start_waiters(&team, 3);
    thrum_lock_acquire(&s.lock);
    thrum_condition_notify_all(&s.changed);
    assert_int_equal(spec_waiting(&s.changed), 0);
    assert_int_equal(spec_waiting(&s.lock), 3);
    for (int i = 0; i < 20; i++)
        spec_yield();
    assert_int_equal(s.woken, 0);
    assert_int_equal(spec_waiting(&s.lock), 3);
    thrum_lock_release(&s.lock);
    spec_team_join(&team);
    assert_int_equal(s.woken, 3);
}

static void *wait_or_time_out(void *arg) {
    thrum_with(&s.lock) {
        double seconds = spec_random(200) * 1e-6;
        int rc = thrum_condition_wait_until(&s.changed, &s.lock, thrum_in(seconds));
        assert_true(rc == 0 || rc == -ETIMEDOUT);
        *(rc == 0 ? &s.woken : &s.timed_out) += 1;
    }
    return arg;
}

static void test_as_many_are_woken_as_were_notified(void **state) {
    (void)state;
    for (int round = 0; round < 40; round++) {
        reset();
        int notified = 0;
        spec_team team = {.n = 0};
        spec_team_start(&team, STRANDS, wait_or_time_out, NULL);
        for (bool all_gone = false; !all_gone; spec_perhaps_yield()) {
            thrum_with(&s.lock) {
                int waiting = spec_waiting(&s.changed);
                int n = 1 + (int)spec_random(2);
                assert_int_equal(thrum_condition_notify(&s.changed, n), 0);
                notified += waiting - spec_waiting(&s.changed);
                all_gone = s.woken + s.timed_out == STRANDS;
            }
        }
        spec_team_join(&team);
        assert_true(spec_is_test_strand() ? s.woken == notified : s.woken <= notified);
        assert_int_equal(spec_waiting(&s.changed), 0);
        thrum_with(&s.lock) assert_int_equal(
            thrum_condition_wait_until(&s.changed, &s.lock, thrum_in(0)), -ETIMEDOUT);
    }
}

static void test_an_rlock_is_restored_after_a_timeout(void **state) {
    (void)state;
    reset();
    thrum_rlock_acquire(&s.rlock);
    thrum_rlock_acquire(&s.rlock);
    assert_int_equal(thrum_condition_wait_until(&s.changed, &s.rlock, thrum_in(0.001)),
                     -ETIMEDOUT);
    assert_int_equal(thrum_rlock_try_release(&s.rlock), 0);
    assert_int_equal(thrum_rlock_holder(&s.rlock), thrum_thread_ident(thrum_thread_current()));
    assert_int_equal(thrum_rlock_try_release(&s.rlock), 0);
    assert_int_equal(thrum_rlock_try_release(&s.rlock), -EPERM);
}

static void wait_without_lock(void) {
    reset();
    thrum_condition_wait(&s.changed, &s.lock);
}

static void wait_without_rlock(void) {
    reset();
    thrum_condition_wait(&s.changed, &s.rlock);
}

static void *wait_with_other_lock(void *arg) {
    thrum_lock_acquire(&s.other);
    thrum_condition_wait(&s.changed, &s.other);
    return arg;
}

static void wait_with_two_locks(void) {
    reset();
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    wait_with_other_lock(NULL);
}

static void notify_without_lock(void) {
    reset();
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    (void)thrum_condition_notify(&s.changed, 1);
}

static void test_misuse_ends_the_program(void **state) {
    (void)state;
    char object[32];
    snprintf(object, sizeof object, "%p", (void *)&s.changed);
    spec_dies(wait_without_lock, "thrum_condition_wait");
    spec_dies(wait_without_rlock, "thrum_condition_wait");
    spec_dies(wait_with_two_locks, "thrum_condition_wait");
    spec_dies(wait_with_two_locks, object);
    spec_dies(notify_without_lock, "thrum_condition_notify");
    spec_dies(notify_without_lock, object);
}

SPEC_TESTS(CONCEPT_CONDITION_TESTS, cmocka_unit_test(test_notify_lets_n_go_first_come_first),
           cmocka_unit_test(test_the_notified_run_when_the_lock_is_released),
           cmocka_unit_test(test_as_many_are_woken_as_were_notified),
           cmocka_unit_test(test_an_rlock_is_restored_after_a_timeout),
           cmocka_unit_test(test_misuse_ends_the_program));
