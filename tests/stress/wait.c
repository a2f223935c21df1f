/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

enum { OBJECTS = 20, OBSERVERS = 4, GIVERS = 3 };

static struct {
    thrum_semaphore semaphore[OBJECTS];
    thrum_event stop;
    uint64_t given;
    uint64_t taken;
    thrum_deadline end;
} s;

static void *give(void *arg) {
    uint64_t given = 0;
    while (thrum_now().ns < s.end.ns) {
        thrum_semaphore_release(&s.semaphore[spec_random(OBJECTS)], 1);
        given++;
        if (spec_random(3) == 0)
            spec_yield();
    }
    __atomic_add_fetch(&s.given, given, __ATOMIC_RELAXED);
    return arg;
}

static void *take(void *arg) {
    thrum_waitable any[OBJECTS + 1];
    uint64_t taken = 0;
    int which = -1;
    int n = spec_random(2) ? OBJECTS : OBJECTS / 2;
    for (int i = 0; i < n; i++)
        any[i] = thrum_semaphore_waitable(&s.semaphore[i]);
    any[n] = thrum_event_waitable(&s.stop);
    do {
        thrum_deadline limit = spec_random(2) ? THRUM_NEVER : thrum_in(spec_random(60) * 1e-6);
        int rc = thrum_wait_any(any, n + 1, limit, &which);
        if (rc == -ETIMEDOUT)
            continue;
        assert_int_equal(rc, 0);
        if (which < n)
            taken += thrum_semaphore_try_acquire(&s.semaphore[which]);
    } while (which < n);
    __atomic_add_fetch(&s.taken, taken, __ATOMIC_RELAXED);
    return arg;
}

static void test_all_that_is_given_is_seen(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds());
    spec_team takers = {.n = 0}, givers = {.n = 0};
    spec_team_start(&takers, OBSERVERS, take, NULL);
    spec_team_start(&givers, GIVERS, give, NULL);
    spec_team_join(&givers);
    thrum_event_set(&s.stop);
    spec_team_join(&takers);
    uint64_t left = 0;
    for (int i = 0; i < OBJECTS; i++)
        left += (uint64_t)thrum_semaphore_value(&s.semaphore[i]);
    assert_int_equal(s.given, s.taken + left);
    assert_true(s.taken > 0);
}

static struct {
    thrum_event event;
    thrum_barrier round;
    thrum_deadline end;
    bool over;
} toggled;

static void *see_the_last_set(void *arg) {
    thrum_waitable any[] = {thrum_event_waitable(&toggled.event)};
    while (!toggled.over) {
        assert_int_equal(thrum_wait_any(any, 1, THRUM_NEVER, NULL), 0);
        assert_in_range(thrum_barrier_wait(&toggled.round), 0, OBSERVERS);
        assert_in_range(thrum_barrier_wait(&toggled.round), 0, OBSERVERS);
    }
    return arg;
}

static void test_a_set_after_clears_wakes(void **state) {
    (void)state;
    memset(&toggled, 0, sizeof toggled);
    toggled.round = (thrum_barrier)THRUM_BARRIER_INIT(OBSERVERS + 1);
    toggled.end = thrum_in(spec_stress_seconds());
    spec_team team = {.n = 0};
    spec_team_start(&team, OBSERVERS, see_the_last_set, NULL);
    while (!toggled.over) {
        for (uint32_t i = spec_random(20); i > 0; i--) {
            thrum_event_set(&toggled.event);
            thrum_event_clear(&toggled.event);
        }
        thrum_event_set(&toggled.event);
        assert_in_range(thrum_barrier_wait(&toggled.round), 0, OBSERVERS);
        thrum_event_clear(&toggled.event);
        toggled.over = thrum_now().ns >= toggled.end.ns;
        assert_in_range(thrum_barrier_wait(&toggled.round), 0, OBSERVERS);
    }
    spec_team_join(&team);
}

SPEC_TESTS(cmocka_unit_test(test_all_that_is_given_is_seen),
           cmocka_unit_test(test_a_set_after_clears_wakes));
