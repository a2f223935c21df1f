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

static void test_notify_all(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        reset();
        spec_team team = {.n = 0};
        start_waiters(&team, STRANDS);
        thrum_lock_acquire(&s.lock);
        if (round % 2)
            thrum_condition_notify_all(&s.changed);
        else
            symbol_notify_all(&s.changed);
        assert_int_equal(s.woken, 0);
        thrum_lock_release(&s.lock);
        spec_team_join(&team);
        assert_int_equal(s.woken, STRANDS);
    }
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

static void test_notify_without_waiters_is_not_kept(void **state) {
    (void)state;
    reset();
    thrum_condition zero = THRUM_CONDITION_INIT;
    assert_memory_equal(&zero, &s.changed, sizeof zero);
    thrum_lock_acquire(&s.lock);
    assert_int_equal(thrum_condition_notify(&s.changed, 1), 0);
    thrum_condition_notify_all(&s.changed);
    assert_int_equal(thrum_condition_wait_until(&s.changed, &s.lock, thrum_in(0.001)), -ETIMEDOUT);
    thrum_lock_release(&s.lock);
}

static void test_notify_of_nobody_is_refused(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    start_waiters(&team, 1);
    thrum_lock_acquire(&s.lock);
    assert_int_equal(thrum_condition_notify(&s.changed, 0), -EINVAL);
    assert_int_equal(thrum_condition_notify(&s.changed, -1), -EINVAL);
    assert_int_equal(symbol_notify(&s.changed, INT32_MIN), -EINVAL);
    assert_int_equal(spec_waiting(&s.changed), 1);
    assert_int_equal(thrum_condition_notify(&s.changed, INT32_MAX), 0);
    thrum_lock_release(&s.lock);
    spec_team_join(&team);
}

static void test_timeout_holds_the_lock_again(void **state) {
    (void)state;
    reset();
    thrum_lock_acquire(&s.lock);
    thrum_deadline deadline = thrum_in(0.002);
    assert_int_equal(thrum_condition_wait_until(&s.changed, &s.lock, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_int_equal(thrum_lock_holder(&s.lock), thrum_thread_ident(thrum_thread_current()));
    assert_int_equal(thrum_condition_wait_until(&s.changed, &s.lock, thrum_in(0)), -ETIMEDOUT);
    assert_true(thrum_lock_locked(&s.lock));
    thrum_lock_release(&s.lock);
    assert_int_equal(spec_waiting(&s.changed), 0);
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

static void test_a_timed_out_waiter_takes_no_notification(void **state) {
    (void)state;
    for (int round = 0; round < 40; round++) {
        reset();
        spec_team team = {.n = 0};
        start_waiters(&team, 2);
        spec_team_start(&team, STRANDS, wait_or_time_out, NULL);
        for (bool all_gone = false; !all_gone; spec_perhaps_yield()) {
            thrum_with(&s.lock) {
                assert_int_equal(thrum_condition_notify(&s.changed, 1), 0);
                all_gone = s.woken + s.timed_out == STRANDS + 2;
            }
        }
        spec_team_join(&team);
        assert_int_equal(s.woken + s.timed_out, STRANDS + 2);
    }
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

static void *wait_deep(void *arg) {
    for (int i = 0; i < 3; i++)
        thrum_rlock_acquire(&s.rlock);
    thrum_condition_wait(&s.changed, &s.rlock);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(thrum_rlock_holder(&s.rlock), thrum_thread_ident(thrum_thread_current()));
        thrum_rlock_release(&s.rlock);
    }
    assert_int_equal(thrum_rlock_try_release(&s.rlock), -EPERM);
    return arg;
}

static void test_an_rlock_is_freed_and_its_depth_restored(void **state) {
    (void)state;
    reset();
    thrum_thread *waiter = spec_start(wait_deep, NULL);
    spec_until_waiting(&s.changed, 1);
    assert_true(thrum_rlock_try_acquire(&s.rlock));
    thrum_rlock_acquire(&s.rlock);
    thrum_condition_notify_all(&s.changed);
    thrum_rlock_release(&s.rlock);
    assert_int_equal(spec_waiting(&s.rlock), 1);
    thrum_rlock_release(&s.rlock);
    spec_join(waiter);
    assert_false(thrum_rlock_locked(&s.rlock));
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

static struct {
    thrum_lock lock;
    thrum_condition not_full, not_empty;
    int held, put, got;
} buffer;

static void *produce(void *arg) {
    for (int i = 0; i < ITEMS; i++) {
        THRUM_GUARD(&buffer.lock);
        while (buffer.held == ROOM)
            if (spec_random(2))
                thrum_condition_wait(&buffer.not_full, &buffer.lock);
            else
                (void)!thrum_condition_wait_until(&buffer.not_full, &buffer.lock,
                                                  thrum_in(spec_random(100) * 1e-6));
        buffer.held += 1;
        buffer.put += 1;
        assert_int_equal(thrum_condition_notify(&buffer.not_empty, 1), 0);
        spec_perhaps_yield();
    }
    return arg;
}

static void *consume(void *arg) {
    for (int i = 0; i < ITEMS; i++) {
        THRUM_GUARD(&buffer.lock);
        while (buffer.held == 0)
            if (spec_random(2))
                thrum_condition_wait(&buffer.not_empty, &buffer.lock);
            else
                (void)!thrum_condition_wait_until(&buffer.not_empty, &buffer.lock,
                                                  thrum_in(spec_random(100) * 1e-6));
        buffer.held -= 1;
        buffer.got += 1;
        assert_int_equal(thrum_condition_notify(&buffer.not_full, 1), 0);
    }
    return arg;
}

static void test_bounded_buffer(void **state) {
    (void)state;
    memset(&buffer, 0, sizeof buffer);
    spec_team team = {.n = 0};
    spec_team_start(&team, 3, produce, NULL);
    spec_team_start(&team, 3, consume, NULL);
    spec_team_join(&team);
    assert_int_equal(buffer.put, 3 * ITEMS);
    assert_int_equal(buffer.got, 3 * ITEMS);
    assert_int_equal(buffer.held, 0);
}

SPEC_TESTS(cmocka_unit_test(test_notify_lets_n_go_first_come_first),
           cmocka_unit_test(test_notify_all),
           cmocka_unit_test(test_the_notified_run_when_the_lock_is_released),
           cmocka_unit_test(test_notify_without_waiters_is_not_kept),
           cmocka_unit_test(test_notify_of_nobody_is_refused),
           cmocka_unit_test(test_timeout_holds_the_lock_again),
           cmocka_unit_test(test_a_timed_out_waiter_takes_no_notification),
           cmocka_unit_test(test_as_many_are_woken_as_were_notified),
           cmocka_unit_test(test_an_rlock_is_freed_and_its_depth_restored),
           cmocka_unit_test(test_an_rlock_is_restored_after_a_timeout),
           cmocka_unit_test(test_misuse_ends_the_program), cmocka_unit_test(test_bounded_buffer));
