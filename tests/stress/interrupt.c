/* SPDX-License-Identifier: MIT */
/* A storm of signals: waits end with -EINTR, and no wake-up goes with them. */
#include "spec.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { STRANDS = 4 };

static struct {
    thrum_lock lock;
    thrum_condition changed;
    pthread_t targets[STRANDS];
    uint32_t ready;
    uint64_t sum, got, interrupted, handled;
    int tokens; /* under lock */
    int leaving; /* under lock */
    thrum_deadline end;
} s;

static void on_signal(int number) {
    (void)number;
    __atomic_fetch_add(&s.handled, 1, __ATOMIC_RELAXED);
}

static bool over(void) { return thrum_now().ns >= s.end.ns; }

static void count_interrupted(int rc) {
    assert_true(rc == 0 || rc == -EINTR || rc == -ETIMEDOUT);
    if (rc == -EINTR)
        __atomic_fetch_add(&s.interrupted, 1, __ATOMIC_RELAXED);
}

static void take_token(void) {
    for (bool taken = false; !taken;) {
        THRUM_GUARD(&s.lock);
        while (s.tokens == 0) {
            thrum_deadline never = THRUM_NEVER;
            thrum_deadline soon = thrum_in(spec_random(300) * 1e-6);
            count_interrupted(thrum_condition_wait_until(&s.changed, &s.lock,
                                                         spec_random(2) ? never : soon));
        }
        s.tokens -= 1;
        taken = true;
    }
}

static void give_token(void) {
    THRUM_GUARD(&s.lock);
    s.tokens += 1;
    assert_int_equal(thrum_condition_notify(&s.changed, 1), 0);
}

static void *be_interrupted(void *number) {
    uint64_t got = 0;
    thrum_interruptible(true);
    s.targets[(intptr_t)number] = pthread_self();
    __atomic_fetch_add(&s.ready, 1, __ATOMIC_RELEASE);
    while (!over()) {
        take_token();
        int rc = thrum_lock_acquire_until(&s.lock, THRUM_NEVER);
        count_interrupted(rc);
        if (rc == 0) {
            s.sum += 1;
            got += 1;
            thrum_lock_release(&s.lock);
        }
        give_token();
    }
    __atomic_fetch_add(&s.got, got, __ATOMIC_RELAXED);
    thrum_with(&s.lock) s.leaving += 1;
    while (__atomic_load_n(&s.ready, __ATOMIC_ACQUIRE) != 0)
        spec_yield();
    thrum_interruptible(false);
    return NULL;
}

static bool all_leave(void) {
    THRUM_GUARD(&s.lock);
    return s.leaving == STRANDS;
}

static void test_storm_of_signals(void **state) {
    (void)state;
    spec_needs_os("signals to one thread");
    struct sigaction action = {.sa_handler = on_signal};
    memset(&s, 0, sizeof s);
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    s.end = thrum_in(spec_stress_seconds());
    s.tokens = STRANDS / 2;
    spec_team team = {.n = 0};
    for (intptr_t i = 0; i < STRANDS; i++)
        spec_team_start(&team, 1, be_interrupted, (void *)i);
    while (__atomic_load_n(&s.ready, __ATOMIC_ACQUIRE) != STRANDS)
        spec_yield();
    while (!all_leave()) {
        pthread_kill(s.targets[spec_random(STRANDS)], SIGUSR1);
        spec_yield();
    }
    __atomic_store_n(&s.ready, 0, __ATOMIC_RELEASE);
    spec_team_join(&team);
    assert_int_equal(s.sum, s.got);
    assert_int_equal(s.tokens, STRANDS / 2);
    assert_true(s.sum > 0 && s.handled > 0 && s.interrupted > 0);
}

SPEC_TESTS(cmocka_unit_test(test_storm_of_signals));
