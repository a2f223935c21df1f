/* SPDX-License-Identifier: MIT */
/* Threads come and go, each with values of locals that others make, use and clear; and of onces
 * that some fail. Every value is destroyed one time. */
#include "spec.h"

#include <stdlib.h>

enum { LOCALS = 40, SHORT_LIVED = 3 };

static struct {
    thrum_local lasting[LOCALS];
    thrum_deadline end;
    int64_t made;      /* atomic */
    int64_t destroyed; /* atomic */
} s;

static bool over(void) { return thrum_now().ns >= s.end.ns; }

static void destroy(void *value) {
    int *number = value;
    assert_int_equal(*number, 77);
    *number = -1;
    free(number);
    __atomic_fetch_add(&s.destroyed, 1, __ATOMIC_RELAXED);
}

static int *make(void) {
    int *number = malloc(sizeof *number);
    assert_non_null(number);
    *number = 77;
    __atomic_fetch_add(&s.made, 1, __ATOMIC_RELAXED);
    return number;
}

static void *use_some(void *arg) {
    for (int i = 0; i < 10; i++) {
        thrum_local *local = &s.lasting[spec_random(LOCALS)];
        int *number = thrum_local_get(local);
        if (number)
            assert_int_equal(*number, 77);
        else
            assert_int_equal(thrum_local_set(local, make()), 0);
        spec_perhaps_yield();
    }
    return arg;
}

static void *start_threads(void *arg) {
    while (!over()) {
        spec_team team = {.n = 0};
        spec_team_start(&team, SHORT_LIVED, use_some, NULL);
        use_some(NULL);
        spec_team_join(&team);
    }
    return arg;
}

static void *set_one(void *local) {
    assert_null(thrum_local_get(local));
    assert_int_equal(thrum_local_set(local, make()), 0);
    return NULL;
}

static void *make_and_clear(void *arg) {
    while (!over()) {
        thrum_local *local = calloc(1, sizeof *local);
        assert_non_null(local);
        *local = (thrum_local)THRUM_LOCAL_INIT(destroy);
        set_one(local);
        spec_join(spec_start(set_one, local));
        thrum_local_clear(local);
        assert_null(thrum_local_get(local));
        free(local);
    }
    return arg;
}

static void test_values(void **state) {
    (void)state;
    s.end = thrum_in(spec_stress_seconds());
    for (int i = 0; i < LOCALS; i++)
        s.lasting[i] = (thrum_local)THRUM_LOCAL_INIT(destroy);
    spec_team team = {.n = 0};
    spec_team_start(&team, 3, start_threads, NULL);
    spec_team_start(&team, 3, make_and_clear, NULL);
    spec_team_join(&team);
    assert_true(s.made > 0);
    assert_int_equal(s.made, s.destroyed);
    for (int i = 0; i < LOCALS; i++)
        thrum_local_clear(&s.lasting[i]);
}

static struct {
    thrum_once once;
    int inside;
    int done;
    int value;
} o;

static int try_it(void *arg) {
    (void)arg;
    assert_int_equal(o.inside++, 0);
    spec_perhaps_yield();
    bool success = spec_random(4) == 0;
    o.value += 1;
    o.done += success;
    o.inside--;
    return success ? 0 : -EIO;
}

static void *call_until_done(void *arg) {
    while (thrum_once_call(&o.once, try_it, NULL) != 0)
        spec_perhaps_yield();
    assert_int_equal(o.done, 1);
    assert_true(thrum_once_done(&o.once));
    return arg;
}

static void test_once(void **state) {
    (void)state;
    s.end = thrum_in(spec_stress_seconds() / 2);
    while (!over()) {
        o.once = (thrum_once)THRUM_ONCE_INIT;
        o.done = o.inside = o.value = 0;
        spec_team team = {.n = 0};
        spec_team_start(&team, 4, call_until_done, NULL);
        spec_team_join(&team);
    }
}

SPEC_TESTS(cmocka_unit_test(test_values), cmocka_unit_test(test_once));
