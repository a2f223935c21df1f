/* SPDX-License-Identifier: MIT */
#define CONCEPT_PROCESSES
#include "spec.h"

typedef thrum_shared_lock concept_lock;
typedef thrum_shared_rlock concept_rlock;
typedef thrum_shared_condition concept_condition;
#define lock_acquire(lock) assert_int_equal(thrum_shared_lock_acquire(lock), 0)
#define lock_release thrum_shared_lock_release
#define lock_locked thrum_shared_lock_locked
#define rlock_acquire(rlock) assert_int_equal(thrum_shared_rlock_acquire(rlock), 0)
#define rlock_try(rlock) (thrum_shared_rlock_try_acquire(rlock) == 0)
#define rlock_release thrum_shared_rlock_release
#define rlock_locked thrum_shared_rlock_locked
#define condition_wait(condition, lock)                                                            \
    assert_int_equal(thrum_shared_condition_wait(condition, lock), 0)
#define condition_until thrum_shared_condition_wait_until
#define condition_notify thrum_shared_condition_notify
#define condition_notify_all thrum_shared_condition_notify_all
#include "concept_condition.h"

#include <unistd.h>

enum { KILLS = 25, WORKERS = 2 };

static void wait_without_lock(void) { (void)!thrum_shared_condition_wait(&c->changed, &c->lock); }

static void wait_without_rlock(void) {
    (void)!thrum_shared_condition_wait(&c->changed, &c->rlock);
}

static void test_misuse_ends_the_program(void **state) {
    (void)state;
    concept_reset();
    spec_dies(wait_without_lock, "thrum_shared_condition_wait");
    spec_dies(wait_without_rlock, "thrum_shared_condition_wait");
}

static void test_a_notification_passes_those_that_were_killed(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    c_start_waiters(&team, 4);
    spec_until_asleep(&team, 4);
    for (int i = 0; i < 2; i++)
        spec_processes_kill(&team);
    c_notify(1);
    c_until(&c->woken, 1);
    c_notify(1);
    concept_join(&team);
    assert_int_equal(c->woken, 2);
}

/* What a notifier leaves that is killed before its wake. */
static void test_a_notification_without_its_wake_is_found(void **state) {
    (void)state;
    concept_reset();
    concept_team team = {.n = 0};
    c_start_waiters(&team, 2);
    spec_until_asleep(&team, 2);
    lock_acquire(&c->lock);
    c->changed.thrum__limit = c->changed.thrum__came;
    __atomic_store_n(&c->changed.thrum__tokens, 2, __ATOMIC_RELEASE);
    lock_release(&c->lock);
    concept_join(&team);
    assert_int_equal(c->woken, 2);
}

static void *wait_for_heritage(void *arg) {
    lock_acquire(&c->lock);
    c->came += 1;
    assert_int_equal(thrum_shared_condition_wait(&c->changed, &c->lock), -EOWNERDEAD);
    lock_release(&c->lock);
    return arg;
}

static void *notify_and_stay(void *arg) {
    lock_acquire(&c->lock);
    thrum_shared_condition_notify_all(&c->changed);
    __atomic_store_n(&c->put, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

static void test_a_wait_inherits_the_lock(void **state) {
    (void)state;
    concept_reset();
    concept_team waiter = {.n = 0};
    concept_team notifier = {.n = 0};
    concept_start(&waiter, 1, wait_for_heritage, NULL);
    c_until(&c->came, 1);
    concept_start(&notifier, 1, notify_and_stay, NULL);
    while (!__atomic_load_n(&c->put, __ATOMIC_ACQUIRE))
        spec_yield();
    spec_processes_kill(&notifier);
    concept_join(&waiter);
    c_until(&c->came, 1);
}

static void *be_interrupted(void *arg) {
    spec_expect_signals();
    lock_acquire(&c->lock);
    c->came += 1;
    assert_int_equal(condition_until(&c->changed, &c->lock, THRUM_NEVER), -EINTR);
    assert_true(lock_locked(&c->lock));
    lock_release(&c->lock);
    return arg;
}

static void test_interruption(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset();
    concept_start(&team, 1, be_interrupted, NULL);
    c_until(&c->came, 1);
    spec_processes_interrupt(&team);
    c_until(&c->came, 1);
    assert_int_equal(c->changed.thrum__waiting, 0);
}

/* What a program does: `put` and `got` are the truth; who died may have been the one notified. */
static void repair_after(int rc) {
    if (rc == -EOWNERDEAD) {
        c->held = c->put - c->got;
        thrum_shared_condition_notify_all(&c->not_empty);
        thrum_shared_condition_notify_all(&c->not_full);
    } else {
        assert_int_equal(rc, 0);
    }
}

static void move_one(bool produces) {
    thrum_shared_condition *mine = produces ? &c->not_full : &c->not_empty;
    repair_after(thrum_shared_lock_acquire(&c->lock));
    while (!c->timed_out && c->held == (produces ? C_ROOM : 0))
        repair_after(thrum_shared_condition_wait(mine, &c->lock));
    assert_int_equal(c->held, c->put - c->got);
    assert_in_range(c->held, 0, C_ROOM);
    if (!c->timed_out) {
        *(volatile int *)(produces ? &c->put : &c->got) += 1;
        spec_perhaps_yield();
        c->held += produces ? 1 : -1;
        (void)thrum_shared_condition_notify(produces ? &c->not_empty : &c->not_full, 1);
    }
    thrum_shared_lock_release(&c->lock);
}

static void *move_until_stopped(void *produces) {
    while (!__atomic_load_n(&c->timed_out, __ATOMIC_RELAXED))
        move_one(produces != NULL);
    return NULL;
}

static void test_kills_stop_nobody_else(void **state) {
    (void)state;
    concept_team workers = {.n = 0};
    concept_reset();
    concept_start(&workers, WORKERS, move_until_stopped, NULL);
    concept_start(&workers, WORKERS, move_until_stopped, c);
    for (int i = 0; i < KILLS; i++) {
        concept_team victim = {.n = 0};
        int before = __atomic_load_n(&c->got, __ATOMIC_RELAXED);
        concept_start(&victim, 1, move_until_stopped, i % 2 ? c : NULL);
        while (__atomic_load_n(&c->got, __ATOMIC_RELAXED) - before < 20)
            spec_yield();
        for (uint32_t n = spec_random(20); n > 0; n--)
            spec_yield();
        spec_processes_kill(&victim);
    }
    repair_after(thrum_shared_lock_acquire(&c->lock));
    __atomic_store_n(&c->timed_out, 1, __ATOMIC_RELAXED);
    thrum_shared_condition_notify_all(&c->not_empty);
    thrum_shared_condition_notify_all(&c->not_full);
    lock_release(&c->lock);
    concept_join(&workers);
    assert_int_equal(c->held, c->put - c->got);
}

SPEC_TESTS(CONCEPT_CONDITION_TESTS, cmocka_unit_test(test_misuse_ends_the_program),
           cmocka_unit_test(test_a_notification_passes_those_that_were_killed),
           cmocka_unit_test(test_a_notification_without_its_wake_is_found),
           cmocka_unit_test(test_a_wait_inherits_the_lock),
           cmocka_unit_test(test_interruption),
           cmocka_unit_test(test_kills_stop_nobody_else));
