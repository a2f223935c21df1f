/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

enum { PERMITS = 3, STRANDS = 9 };

static struct {
    thrum_semaphore semaphore;
    thrum_semaphore handed;
    int inside;
    uint64_t taken;
    uint64_t timed_out;
    thrum_deadline end;
} s;

static bool over(void) { return thrum_now().ns >= s.end.ns; }

static int acquire_somehow(void) {
    switch (spec_random(3)) {
    case 0:
        thrum_semaphore_acquire(&s.semaphore);
        return 0;
    case 1:
        return thrum_semaphore_try_acquire(&s.semaphore) ? 0 : -EAGAIN;
    default:
        return thrum_semaphore_acquire_until(&s.semaphore, thrum_in(spec_random(60) * 1e-6));
    }
}

static void observe(void) {
    thrum_waitable any[] = {thrum_semaphore_waitable(&s.semaphore)};
    int rc = thrum_wait_any(any, 1, thrum_in(spec_random(60) * 1e-6), NULL);
    assert_true(rc == 0 || rc == -ETIMEDOUT);
}

static void *use(void *arg) {
    uint64_t taken = 0, timed_out = 0;
    while (!over()) {
        if (spec_random(8) == 0)
            observe();
        if (acquire_somehow() != 0) {
            timed_out++;
            continue;
        }
        assert_true(__atomic_add_fetch(&s.inside, 1, __ATOMIC_RELAXED) <= PERMITS);
        if (spec_random(16) == 0)
            spec_yield();
        __atomic_sub_fetch(&s.inside, 1, __ATOMIC_RELAXED);
        assert_int_equal(thrum_semaphore_release(&s.semaphore, 1), 0);
        taken++;
    }
    __atomic_add_fetch(&s.taken, taken, __ATOMIC_RELAXED);
    __atomic_add_fetch(&s.timed_out, timed_out, __ATOMIC_RELAXED);
    return arg;
}

static void run(thrum_semaphore semaphore) {
    memset(&s, 0, sizeof s);
    s.semaphore = semaphore;
    s.end = thrum_in(spec_stress_seconds() / 2);
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, use, NULL);
    spec_team_join(&team);
    assert_int_equal(thrum_semaphore_value(&s.semaphore), PERMITS);
    assert_true(s.taken > 0 && s.timed_out > 0);
}

static void test_permits_are_conserved(void **state) {
    (void)state;
    run((thrum_semaphore)THRUM_SEMAPHORE_INIT(PERMITS));
    run((thrum_semaphore)THRUM_BOUNDED_SEMAPHORE_INIT(PERMITS));
}

static void *take_handed(void *arg) {
    uint64_t taken = 0;
    while (!over())
        taken += thrum_semaphore_acquire_until(&s.handed, thrum_in(spec_random(50) * 1e-6)) == 0;
    __atomic_add_fetch(&s.taken, taken, __ATOMIC_RELAXED);
    return arg;
}

static void test_what_was_released_was_taken(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds() / 2);
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, take_handed, NULL);
    uint64_t given = 0;
    while (!over()) {
        int n = 1 + (int)spec_random(4);
        assert_int_equal(thrum_semaphore_release(&s.handed, n), 0);
        given += (uint64_t)n;
        if (spec_random(4) == 0)
            spec_yield();
    }
    spec_team_join(&team);
    assert_int_equal(given, s.taken + (uint64_t)thrum_semaphore_value(&s.handed));
}

SPEC_TESTS(cmocka_unit_test(test_permits_are_conserved),
           cmocka_unit_test(test_what_was_released_was_taken));
