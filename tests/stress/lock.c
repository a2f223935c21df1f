/* SPDX-License-Identifier: MIT */
/* Locks under every mix of verbs: nobody is inside with another, and nobody is forgotten (the
 * watchdog of the program ends a test that hangs). */
#include "spec.h"

#include <string.h>

enum { STRANDS_MAX = 10, LOCKS = 3 };

static struct {
    struct {
        thrum_lock lock;
        int inside;
        uint64_t sum;
    } plain[LOCKS];
    thrum_rlock rlock;
    uint64_t rlock_sum;
    thrum_deadline end;
    uint64_t got, rlock_got;
} s;

static void reset(void) {
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds());
}

static bool over(void) { return thrum_now().ns >= s.end.ns; }

static bool take(thrum_lock *lock) {
    switch (spec_random(4)) {
    case 0:
        return thrum_lock_try_acquire(lock);
    case 1:
        return thrum_lock_acquire_until(lock, thrum_in(spec_random(300) * 1e-6)) == 0;
    case 2:
        return thrum_lock_acquire_until(lock, THRUM_NEVER) == 0;
    default:
        thrum_lock_acquire(lock);
        return true;
    }
}

static void work(void) {
    for (volatile uint32_t i = spec_random(200); i > 0; i--)
        continue;
    if (spec_random(50) == 0)
        spec_yield();
}

static void *mix(void *arg) {
    uint64_t got = 0;
    while (!over()) {
        uint32_t k = spec_random(LOCKS);
        if (!take(&s.plain[k].lock))
            continue;
        assert_int_equal(__atomic_fetch_add(&s.plain[k].inside, 1, __ATOMIC_RELAXED), 0);
        s.plain[k].sum += 1;
        got += 1;
        work();
        __atomic_fetch_sub(&s.plain[k].inside, 1, __ATOMIC_RELAXED);
        thrum_lock_release(&s.plain[k].lock);
        work();
    }
    __atomic_fetch_add(&s.got, got, __ATOMIC_RELAXED);
    return arg;
}

static void *mix_rlock(void *arg) {
    uint64_t got = 0;
    while (!over()) {
        int depth = 0;
        if (spec_random(2))
            depth += thrum_rlock_acquire_until(&s.rlock, thrum_in(spec_random(200) * 1e-6)) == 0;
        else
            depth += thrum_rlock_try_acquire(&s.rlock);
        for (uint32_t more = spec_random(3); depth > 0 && more > 0; more--, depth++)
            thrum_rlock_acquire(&s.rlock);
        if (depth > 0) {
            s.rlock_sum += 1;
            got += 1;
        }
        work();
        for (; depth > 0; depth--)
            thrum_rlock_release(&s.rlock);
    }
    __atomic_fetch_add(&s.rlock_got, got, __ATOMIC_RELAXED);
    return arg;
}

static void test_every_verb_excludes(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, 4 + (int)spec_random(STRANDS_MAX - 3), mix, NULL);
    spec_team_join(&team);
    uint64_t sum = 0;
    for (int i = 0; i < LOCKS; i++) {
        sum += s.plain[i].sum;
        assert_false(thrum_lock_locked(&s.plain[i].lock));
        assert_int_equal(spec_waiting(&s.plain[i].lock), 0);
    }
    assert_true(sum > 0);
    assert_int_equal(sum, s.got);
}

static void test_every_verb_of_rlock_excludes(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, 4 + (int)spec_random(STRANDS_MAX - 3), mix_rlock, NULL);
    spec_team_join(&team);
    assert_true(s.rlock_sum > 0);
    assert_int_equal(s.rlock_sum, s.rlock_got);
    assert_false(thrum_rlock_locked(&s.rlock));
}

SPEC_TESTS(cmocka_unit_test(test_every_verb_excludes),
           cmocka_unit_test(test_every_verb_of_rlock_excludes));
