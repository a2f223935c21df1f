/* SPDX-License-Identifier: MIT */
/* What a child process finds after fork(): at_fork_reinit of each concept, and the threads. */
#include "spec.h"

#include <string.h>

static struct {
    thrum_lock lock;
    thrum_rlock rlock;
    thrum_condition changed;
    thrum_event event;
    thrum_event held;
    thrum_event leave;
    thrum_thread *thread;
} s;

static spec_end end;

static void *hold_all(void *arg) {
    thrum_lock_acquire(&s.lock);
    thrum_rlock_acquire(&s.rlock);
    thrum_rlock_acquire(&s.rlock);
    thrum_event_set(&s.held);
    thrum_event_wait(&s.leave);
    thrum_rlock_release(&s.rlock);
    thrum_rlock_release(&s.rlock);
    thrum_lock_release(&s.lock);
    return arg;
}

static void with_holder(int (*child)(void)) {
    memset(&s, 0, sizeof s);
    s.thread = spec_start(hold_all, NULL);
    thrum_event_wait(&s.held);
    spec_exits(child, 0, &end);
    thrum_event_set(&s.leave);
    spec_join(s.thread);
}

static int reinit_locks(void) {
    thrum_deadline soon = thrum_in(0.001);
    if (!thrum_lock_locked(&s.lock) || !thrum_rlock_locked(&s.rlock))
        return 1;
    if (thrum_lock_try_acquire(&s.lock) || thrum_rlock_try_acquire(&s.rlock))
        return 2;
    if (thrum_lock_acquire_until(&s.lock, soon) != -ETIMEDOUT)
        return 3;
    thrum_lock_at_fork_reinit(&s.lock);
    thrum_rlock_at_fork_reinit(&s.rlock);
    if (thrum_lock_locked(&s.lock) || thrum_rlock_locked(&s.rlock))
        return 4;
    if (!thrum_lock_try_acquire(&s.lock) || !thrum_rlock_try_acquire(&s.rlock))
        return 5;
    thrum_lock_release(&s.lock);
    thrum_rlock_release(&s.rlock);
    return thrum_rlock_try_release(&s.rlock) == -EPERM ? 0 : 6;
}

static void test_a_lock_of_another_thread_stays_held_until_reinit(void **state) {
    (void)state;
    with_holder(reinit_locks);
}

static int release_what_other_held(void) {
    thrum_lock_release(&s.lock);
    return thrum_lock_try_acquire(&s.lock) ? 0 : 1;
}

static void test_a_lock_of_another_thread_may_be_released(void **state) {
    (void)state;
    with_holder(release_what_other_held);
}

static int others_have_ended(void) {
    if (thrum_thread_active_count() != 1 || thrum_thread_is_alive(s.thread))
        return 1;
    void *result = &s;
    if (thrum_thread_join(s.thread, &result) != -ECANCELED || result)
        return 2;
    if (thrum_thread_join_until(s.thread, thrum_in(0), NULL) != -ECANCELED)
        return 3;
    const thrum_failure *failure = thrum_thread_error(s.thread);
    if (!failure || failure->code != -ECANCELED || !failure->message)
        return 4;
    thrum_thread_free(s.thread);
    if (thrum_thread_current() != thrum_thread_main())
        return 5;
    return thrum_thread_is_alive(thrum_thread_main()) ? 0 : 6;
}

static void test_other_threads_count_as_ended(void **state) {
    (void)state;
    with_holder(others_have_ended);
}

static int keep_own(void) {
    if (thrum_lock_holder(&s.lock) != thrum_thread_ident(thrum_thread_current()))
        return 1;
    thrum_lock_release(&s.lock);
    if (thrum_rlock_try_release(&s.rlock) || thrum_rlock_try_release(&s.rlock))
        return 2;
    return thrum_rlock_try_release(&s.rlock) == -EPERM ? 0 : 3;
}

static void test_the_forking_thread_keeps_what_it_holds(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    thrum_lock_acquire(&s.lock);
    thrum_rlock_acquire(&s.rlock);
    thrum_rlock_acquire(&s.rlock);
    spec_exits(keep_own, 0, &end);
    thrum_lock_release(&s.lock);
    thrum_rlock_release(&s.rlock);
    thrum_rlock_release(&s.rlock);
}

static void *wait_event(void *arg) {
    thrum_event_wait(&s.event);
    return arg;
}

static void *wait_condition(void *arg) {
    thrum_with(&s.lock) thrum_condition_wait(&s.changed, &s.lock);
    return arg;
}

static int reinit_waited_for(void) {
    thrum_lock_at_fork_reinit(&s.lock);
    thrum_condition_at_fork_reinit(&s.changed);
    thrum_event_at_fork_reinit(&s.event);
    if (thrum_event_is_set(&s.event) ||
        thrum_event_wait_until(&s.event, thrum_in(0)) != -ETIMEDOUT)
        return 1;
    thrum_event_set(&s.event);
    thrum_event_wait(&s.event);
    thrum_event_at_fork_reinit(&s.event);
    if (!thrum_event_is_set(&s.event))
        return 2;
    thrum_lock_acquire(&s.lock);
    if (thrum_condition_notify(&s.changed, 1) != 0)
        return 3;
    int rc = thrum_condition_wait_until(&s.changed, &s.lock, thrum_in(0.001));
    thrum_lock_release(&s.lock);
    return rc == -ETIMEDOUT ? 0 : 4;
}

static int use_threads(void) {
    int rc = reinit_waited_for();
    if (rc != 0)
        return rc;
    thrum_event_clear(&s.event);
    spec_team team = {.n = 0};
    spec_team_start(&team, 3, wait_event, NULL);
    spec_team_start(&team, 2, wait_condition, NULL);
    spec_until_waiting(&s.event, 3);
    spec_until_waiting(&s.changed, 2);
    thrum_event_set(&s.event);
    thrum_with(&s.lock) thrum_condition_notify_all(&s.changed);
    spec_team_join(&team);
    return thrum_thread_active_count() == 1 ? 0 : 20;
}

static void with_waiters(int (*child)(void)) {
    memset(&s, 0, sizeof s);
    spec_team team = {.n = 0};
    spec_team_start(&team, 3, wait_event, NULL);
    spec_team_start(&team, 2, wait_condition, NULL);
    spec_until_waiting(&s.event, 3);
    spec_until_waiting(&s.changed, 2);
    spec_exits(child, 0, &end);
    thrum_event_set(&s.event);
    thrum_with(&s.lock) thrum_condition_notify_all(&s.changed);
    spec_team_join(&team);
}

static void test_waiters_of_the_parent_are_forgotten(void **state) {
    (void)state;
    with_waiters(reinit_waited_for);
}

static void test_the_child_may_start_threads(void **state) {
    (void)state;
    spec_skip_under_tsan("allows no threads after a fork with threads");
    with_waiters(use_threads);
}

static int just_end(void) { return 0; }

static void test_exit_in_the_child_does_not_wait_for_the_parents_threads(void **state) {
    (void)state;
    with_waiters(just_end);
}

static void *fork_here(void *arg) {
    spec_end *own_end = arg;
    thrum_lock_acquire(&s.lock);
    spec_exits(release_what_other_held, 0, own_end);
    thrum_lock_release(&s.lock);
    return NULL;
}

static void test_any_thread_may_fork(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    thrum_thread *waiter = spec_start(wait_event, NULL);
    spec_until_waiting(&s.event, 1);
    spec_join(spec_start(fork_here, &end));
    thrum_event_set(&s.event);
    spec_join(waiter);
}

static void *contend(void *arg) {
    while (!thrum_event_is_set(&s.leave)) {
        thrum_with(&s.lock) spec_perhaps_yield();
        (void)!thrum_event_wait_until(&s.event, thrum_in(1e-5));
    }
    return arg;
}

static int use_the_lot(void) {
    thrum_lock_at_fork_reinit(&s.lock);
    thrum_event_at_fork_reinit(&s.event);
    thrum_with(&s.lock) {
        if (thrum_event_wait_until(&s.event, thrum_in(1e-4)) != -ETIMEDOUT)
            return 1;
    }
    return thrum_lock_locked(&s.lock) ? 2 : 0;
}

static void test_a_fork_in_the_middle_leaves_the_lot_usable(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    spec_team team = {.n = 0};
    spec_team_start(&team, 3, contend, NULL);
    for (int i = 0; i < 20; i++)
        spec_exits(use_the_lot, 0, &end);
    thrum_event_set(&s.leave);
    spec_team_join(&team);
}

SPEC_TESTS(cmocka_unit_test(test_a_lock_of_another_thread_stays_held_until_reinit),
           cmocka_unit_test(test_a_lock_of_another_thread_may_be_released),
           cmocka_unit_test(test_other_threads_count_as_ended),
           cmocka_unit_test(test_the_forking_thread_keeps_what_it_holds),
           cmocka_unit_test(test_waiters_of_the_parent_are_forgotten),
           cmocka_unit_test(test_the_child_may_start_threads),
           cmocka_unit_test(test_exit_in_the_child_does_not_wait_for_the_parents_threads),
           cmocka_unit_test(test_any_thread_may_fork),
           cmocka_unit_test(test_a_fork_in_the_middle_leaves_the_lot_usable));
