/* SPDX-License-Identifier: MIT */
/* Includers define the types concept_lock, concept_rlock, concept_condition and lock_acquire(),
 * lock_release(), lock_locked(), rlock_acquire(), rlock_release(), rlock_try(), rlock_locked(),
 * condition_wait() and condition_until() (of either), condition_notify(),
 * condition_notify_all(). */
#ifndef THRUM_TESTS_CONCEPT_CONDITION_H
#define THRUM_TESTS_CONCEPT_CONDITION_H

#include "concept.h"

enum { C_STRANDS = 6, C_ITEMS = 400, C_ROOM = 3 };

typedef struct {
    concept_lock lock;
    concept_rlock rlock;
    concept_condition changed, not_full, not_empty;
    int came; /* all under lock */
    int woken;
    int timed_out;
    int held, put, got;
} concept_state;

CONCEPT_MEMORY(concept_state)
static concept_state *c;

static void concept_reset(void) {
    concept_begin();
    c = concept_memory();
    memset(c, 0, sizeof *c);
}

static void *c_wait_once(void *arg) {
    lock_acquire(&c->lock);
    c->came += 1;
    condition_wait(&c->changed, &c->lock);
    assert_true(lock_locked(&c->lock));
    c->woken += 1;
    lock_release(&c->lock);
    return arg;
}

/* Waits until *count is n. Who counts itself as come has freed the lock in its wait. */
static void c_until(const int *count, int n) {
    for (bool done = false; !done; spec_yield()) {
        lock_acquire(&c->lock);
        done = *count == n;
        lock_release(&c->lock);
    }
}

static void c_start_waiters(concept_team *team, int n) {
    concept_start(team, n, c_wait_once, NULL);
    c_until(&c->came, n);
}

static void c_notify(int n) {
    lock_acquire(&c->lock);
    assert_int_equal(condition_notify(&c->changed, n), 0);
    lock_release(&c->lock);
}

static void test_notify_lets_n_go(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    c_start_waiters(&team, C_STRANDS);
    c_notify(1);
    c_until(&c->woken, 1);
    c_notify(2);
    c_until(&c->woken, 3);
    for (int i = 0; i < 20; i++)
        spec_yield();
    c_until(&c->woken, 3);
    c_notify(100);
    concept_join(&team);
    assert_int_equal(c->woken, C_STRANDS);
}

static void test_notify_all(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        concept_reset();
        concept_team team = {.n = 0};
        c_start_waiters(&team, C_STRANDS);
        lock_acquire(&c->lock);
        condition_notify_all(&c->changed);
        assert_int_equal(c->woken, 0);
        lock_release(&c->lock);
        concept_join(&team);
        assert_int_equal(c->woken, C_STRANDS);
    }
}

static void test_notify_without_waiters_is_not_kept(void **state) {
    (void)state;
    concept_reset();
    lock_acquire(&c->lock);
    assert_int_equal(condition_notify(&c->changed, 1), 0);
    condition_notify_all(&c->changed);
    assert_int_equal(condition_until(&c->changed, &c->lock, thrum_in(0.001)), -ETIMEDOUT);
    lock_release(&c->lock);
}

static void test_notify_of_nobody_is_refused(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    c_start_waiters(&team, 1);
    lock_acquire(&c->lock);
    assert_int_equal(condition_notify(&c->changed, 0), -EINVAL);
    assert_int_equal(condition_notify(&c->changed, -1), -EINVAL);
    assert_int_equal(condition_notify(&c->changed, INT32_MIN), -EINVAL);
    assert_int_equal(condition_notify(&c->changed, INT32_MAX), 0);
    lock_release(&c->lock);
    concept_join(&team);
}

static void test_timeout_holds_the_lock_again(void **state) {
    (void)state;
    concept_reset();
    lock_acquire(&c->lock);
    thrum_deadline deadline = thrum_in(0.002);
    assert_int_equal(condition_until(&c->changed, &c->lock, deadline), -ETIMEDOUT);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_true(lock_locked(&c->lock));
    assert_int_equal(condition_until(&c->changed, &c->lock, thrum_in(0)), -ETIMEDOUT);
    assert_true(lock_locked(&c->lock));
    lock_release(&c->lock);
    assert_int_equal(spec_waiting(&c->changed), 0);
}

static void *c_wait_or_time_out(void *arg) {
    lock_acquire(&c->lock);
    int rc = condition_until(&c->changed, &c->lock, thrum_in(spec_random(200) * 1e-6));
    assert_true(rc == 0 || rc == -ETIMEDOUT);
    *(rc == 0 ? &c->woken : &c->timed_out) += 1;
    lock_release(&c->lock);
    return arg;
}

static void test_a_timed_out_waiter_takes_no_notification(void **state) {
    (void)state;
    for (int round = 0; round < 40; round++) {
        concept_reset();
        concept_team team = {.n = 0};
        c_start_waiters(&team, 2);
        concept_start(&team, C_STRANDS, c_wait_or_time_out, NULL);
        for (bool all_gone = false; !all_gone; spec_perhaps_yield()) {
            lock_acquire(&c->lock);
            assert_int_equal(condition_notify(&c->changed, 1), 0);
            all_gone = c->woken + c->timed_out == C_STRANDS + 2;
            lock_release(&c->lock);
        }
        concept_join(&team);
        assert_int_equal(c->woken + c->timed_out, C_STRANDS + 2);
    }
}

static void *c_wait_deep(void *arg) {
    for (int i = 0; i < 3; i++)
        rlock_acquire(&c->rlock);
    c->came += 1;
    condition_wait(&c->changed, &c->rlock);
    for (int i = 0; i < 3; i++) {
        assert_true(rlock_locked(&c->rlock));
        rlock_release(&c->rlock);
    }
    return arg;
}

static void test_an_rlock_is_freed_and_its_depth_restored(void **state) {
    (void)state;
    concept_reset();
    concept_team waiter = {.n = 0};
    concept_start(&waiter, 1, c_wait_deep, NULL);
    for (bool waits = false; !waits; spec_yield()) {
        rlock_acquire(&c->rlock);
        waits = c->came == 1;
        rlock_release(&c->rlock);
    }
    assert_true(rlock_try(&c->rlock));
    rlock_acquire(&c->rlock);
    condition_notify_all(&c->changed);
    rlock_release(&c->rlock);
    rlock_release(&c->rlock);
    concept_join(&waiter);
    assert_false(rlock_locked(&c->rlock));
}

static void c_wait_for_change(concept_condition *condition) {
    if (spec_random(2))
        condition_wait(condition, &c->lock);
    else
        (void)!condition_until(condition, &c->lock, thrum_in(spec_random(100) * 1e-6));
}

static void *c_produce(void *arg) {
    for (int i = 0; i < C_ITEMS; i++) {
        lock_acquire(&c->lock);
        while (c->held == C_ROOM)
            c_wait_for_change(&c->not_full);
        c->held += 1;
        c->put += 1;
        assert_int_equal(condition_notify(&c->not_empty, 1), 0);
        spec_perhaps_yield();
        lock_release(&c->lock);
    }
    return arg;
}

static void *c_consume(void *arg) {
    for (int i = 0; i < C_ITEMS; i++) {
        lock_acquire(&c->lock);
        while (c->held == 0)
            c_wait_for_change(&c->not_empty);
        c->held -= 1;
        c->got += 1;
        assert_int_equal(condition_notify(&c->not_full, 1), 0);
        lock_release(&c->lock);
    }
    return arg;
}

static void test_bounded_buffer(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    concept_start(&team, 3, c_produce, NULL);
    concept_start(&team, 3, c_consume, NULL);
    concept_join(&team);
    assert_int_equal(c->put, 3 * C_ITEMS);
    assert_int_equal(c->got, 3 * C_ITEMS);
    assert_int_equal(c->held, 0);
}

#define CONCEPT_CONDITION_TESTS                                                                    \
    cmocka_unit_test(test_notify_lets_n_go), cmocka_unit_test(test_notify_all),                    \
        cmocka_unit_test(test_notify_without_waiters_is_not_kept),                                 \
        cmocka_unit_test(test_notify_of_nobody_is_refused),                                        \
        cmocka_unit_test(test_timeout_holds_the_lock_again),                                       \
        cmocka_unit_test(test_a_timed_out_waiter_takes_no_notification),                           \
        cmocka_unit_test(test_an_rlock_is_freed_and_its_depth_restored),                           \
        cmocka_unit_test(test_bounded_buffer)

#endif
