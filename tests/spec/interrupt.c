/* SPDX-License-Identifier: MIT */
/* Signals and waits: the int verbs of an interruptible thread end with -EINTR, no others do. */
#include "spec.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static struct {
    thrum_lock lock;
    thrum_rlock rlock;
    thrum_condition changed;
    thrum_event event;
    thrum_event never;
    thrum_thread *thread;
    pthread_t target;
    uint32_t handled;
    uint32_t returned;
    int rc;
    bool interruptible;
} s;

static void on_signal(int number) {
    (void)number;
    __atomic_fetch_add(&s.handled, 1, __ATOMIC_RELAXED);
}

static void setup_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    spec_needs_os("signals to one thread");
    memset(&s, 0, sizeof s);
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

static int wait_lock(void) { return thrum_lock_acquire_until(&s.lock, THRUM_NEVER); }

static int wait_rlock(void) { return thrum_rlock_acquire_until(&s.rlock, THRUM_NEVER); }

static int wait_event(void) { return thrum_event_wait_until(&s.never, THRUM_NEVER); }

static int wait_thread(void) { return thrum_thread_join_until(s.thread, THRUM_NEVER, NULL); }

static int wait_condition(void) {
    thrum_lock own = THRUM_LOCK_INIT;
    thrum_lock_acquire(&own);
    int rc = thrum_condition_wait_until(&s.changed, &own, THRUM_NEVER);
    assert_true(thrum_lock_locked(&own));
    thrum_lock_release(&own);
    return rc;
}

static int wait_condition_rlock(void) {
    thrum_rlock own = THRUM_RLOCK_INIT;
    thrum_rlock_acquire(&own);
    thrum_rlock_acquire(&own);
    int rc = thrum_condition_wait_until(&s.changed, &own, THRUM_NEVER);
    assert_int_equal(thrum_rlock_try_release(&own), 0);
    assert_int_equal(thrum_rlock_try_release(&own), 0);
    assert_int_equal(thrum_rlock_try_release(&own), -EPERM);
    return rc;
}

static void *run_wait(void *wait) {
    assert_false(thrum_interruptible(s.interruptible));
    s.target = pthread_self();
    thrum_event_set(&s.event);
    s.rc = ((int (*)(void))(uintptr_t)wait)();
    __atomic_store_n(&s.returned, 1, __ATOMIC_RELEASE);
    thrum_interruptible(false);
    return NULL;
}

static bool has_returned(void) { return __atomic_load_n(&s.returned, __ATOMIC_ACQUIRE) != 0; }

static thrum_thread *start_wait(int (*wait)(void), bool interruptible) {
    s.interruptible = interruptible;
    s.returned = 0;
    thrum_event_clear(&s.event);
    thrum_thread *thread = spec_start(run_wait, (void *)(uintptr_t)wait);
    thrum_event_wait(&s.event);
    return thread;
}

static void interrupt(int (*wait)(void)) {
    thrum_thread *thread = start_wait(wait, true);
    while (!has_returned()) {
        assert_int_equal(pthread_kill(s.target, SIGUSR1), 0);
        spec_yield();
    }
    assert_int_equal(s.rc, -EINTR);
    assert_true(__atomic_load_n(&s.handled, __ATOMIC_RELAXED) > 0);
    spec_join(thread);
}

static void *wait_never(void *arg) {
    thrum_event_wait(&s.never);
    return arg;
}

static void test_int_waits_end(void **state) {
    (void)state;
    setup_signals();
    thrum_lock_acquire(&s.lock);
    thrum_rlock_acquire(&s.rlock);
    s.thread = spec_start(wait_never, NULL);
    interrupt(wait_lock);
    interrupt(wait_rlock);
    interrupt(wait_event);
    interrupt(wait_thread);
    interrupt(wait_condition);
    interrupt(wait_condition_rlock);
    assert_int_equal(spec_waiting(&s.lock), 0);
    assert_int_equal(spec_waiting(&s.rlock), 0);
    assert_int_equal(spec_waiting(&s.changed), 0);
    assert_int_equal(spec_waiting(&s.never), 1);
    thrum_lock_release(&s.lock);
    thrum_rlock_release(&s.rlock);
    thrum_event_set(&s.never);
    spec_join(s.thread);
}

static int wait_lock_void(void) {
    thrum_lock_acquire(&s.lock);
    thrum_lock_release(&s.lock);
    return 1;
}

static int wait_rlock_void(void) {
    thrum_rlock_acquire(&s.rlock);
    thrum_rlock_release(&s.rlock);
    return 1;
}

static int wait_event_void(void) {
    thrum_event_wait(&s.never);
    return 1;
}

static int wait_thread_void(void) { return thrum_thread_join(s.thread, NULL) + 1; }

static int wait_condition_void(void) {
    thrum_with(&s.lock) thrum_condition_wait(&s.changed, &s.lock);
    return 1;
}

static void signal_many(int n) {
    for (int i = 0; i < n; i++) {
        uint32_t before = __atomic_load_n(&s.handled, __ATOMIC_RELAXED);
        assert_int_equal(pthread_kill(s.target, SIGUSR1), 0);
        while (__atomic_load_n(&s.handled, __ATOMIC_RELAXED) == before)
            spec_yield();
    }
    assert_false(has_returned());
}

static void endure(int (*wait)(void), bool interruptible, void (*finish)(void)) {
    thrum_thread *thread = start_wait(wait, interruptible);
    signal_many(20);
    finish();
    spec_join(thread);
    assert_int_equal(s.rc, interruptible ? 1 : 0);
}

static void free_lock(void) { thrum_lock_release(&s.lock); }

static void free_rlock(void) { thrum_rlock_release(&s.rlock); }

static void set_never(void) { thrum_event_set(&s.never); }

static void notify(void) {
    spec_until_waiting(&s.changed, 1);
    thrum_with(&s.lock) thrum_condition_notify_all(&s.changed);
}

static void end_thread(void) {
    set_never();
    spec_until_strands_woken(0);
}

static void test_void_waits_do_not_end(void **state) {
    (void)state;
    spec_skip_under_tsan("defers handlers while a thread sleeps");
    setup_signals();
    thrum_lock_acquire(&s.lock);
    endure(wait_lock_void, true, free_lock);
    thrum_rlock_acquire(&s.rlock);
    endure(wait_rlock_void, true, free_rlock);
    endure(wait_event_void, true, set_never);
    endure(wait_condition_void, true, notify);
    thrum_event_clear(&s.never);
    s.thread = spec_start(wait_never, NULL);
    endure(wait_thread_void, true, end_thread);
    spec_join(s.thread);
}

static int wait_lock_and_free(void) {
    int rc = wait_lock();
    thrum_lock_release(&s.lock);
    return rc;
}

static void test_waits_of_other_threads_do_not_end(void **state) {
    (void)state;
    spec_skip_under_tsan("defers handlers while a thread sleeps");
    setup_signals();
    thrum_lock_acquire(&s.lock);
    endure(wait_lock_and_free, false, free_lock);
    endure(wait_event, false, set_never);
}

SPEC_TESTS(cmocka_unit_test(test_int_waits_end), cmocka_unit_test(test_void_waits_do_not_end),
           cmocka_unit_test(test_waits_of_other_threads_do_not_end));
