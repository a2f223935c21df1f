/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

enum { PARTIES = 4 };

static struct {
    thrum_barrier barrier;
    uint64_t at[PARTIES];
    uint64_t acted;
    uint64_t broken;
    bool over;
    thrum_deadline end;
} s;

static int act(void *arg) {
    uint64_t first = s.at[0];
    for (int i = 1; i < PARTIES; i++)
        assert_int_equal(s.at[i], first);
    s.acted++;
    s.over = thrum_now().ns >= s.end.ns;
    return arg != &s;
}

static void *go(void *number) {
    int i = (int)(intptr_t)number;
    while (!s.over) {
        s.at[i]++;
        assert_in_range(thrum_barrier_wait(&s.barrier), 0, PARTIES - 1);
        assert_in_range(thrum_barrier_wait(&s.barrier), 0, PARTIES - 1);
    }
    return NULL;
}

static void test_phases_with_an_action(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.barrier = (thrum_barrier)THRUM_BARRIER_INIT_ACTION(PARTIES, act, &s);
    s.end = thrum_in(spec_stress_seconds() / 2);
    spec_team team = {.n = 0};
    for (intptr_t i = 0; i < PARTIES; i++)
        spec_team_start(&team, 1, go, (void *)i);
    spec_team_join(&team);
    assert_int_equal(s.acted, 2 * s.at[0]);
}

static bool over(void) {
    return thrum_now().ns >= s.end.ns && __atomic_load_n(&s.broken, __ATOMIC_RELAXED) > 0 &&
           __atomic_load_n(&s.acted, __ATOMIC_RELAXED) > 0;
}

static void *break_and_mend(void *arg) {
    while (!over()) {
        int rc = spec_random(2)
                     ? thrum_barrier_wait_until(&s.barrier, thrum_in(spec_random(80) * 1e-6))
                     : thrum_barrier_wait(&s.barrier);
        assert_true((rc >= 0 && rc < PARTIES) || rc == -EPIPE || rc == -ETIMEDOUT);
        if (rc < 0) {
            __atomic_add_fetch(&s.broken, 1, __ATOMIC_RELAXED);
            thrum_barrier_reset(&s.barrier);
        } else {
            __atomic_add_fetch(&s.acted, 1, __ATOMIC_RELAXED);
        }
    }
    thrum_barrier_abort(&s.barrier);
    return arg;
}

static void test_broken_and_reset_at_random(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.barrier = (thrum_barrier)THRUM_BARRIER_INIT(PARTIES);
    s.end = thrum_in(spec_stress_seconds() / 2);
    spec_team team = {.n = 0};
    spec_team_start(&team, PARTIES + 2, break_and_mend, NULL);
    while (!over())
        spec_yield();
    for (bool alive = true; alive; spec_yield()) {
        alive = false;
        thrum_barrier_abort(&s.barrier);
        for (int i = 0; i < team.n; i++)
            alive = alive || thrum_thread_is_alive(team.threads[i]);
    }
    spec_team_join(&team);
}

SPEC_TESTS(cmocka_unit_test(test_phases_with_an_action),
           cmocka_unit_test(test_broken_and_reset_at_random));
