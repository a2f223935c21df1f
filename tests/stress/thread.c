/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

enum { STARTERS = 4 };

static thrum_deadline end;
static uint64_t ran;
static uint64_t wanted;

static bool over(void) { return thrum_now().ns >= end.ns; }

static void *note(void *arg) {
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    if (spec_random(4) == 0)
        spec_yield();
    return arg;
}

static void dispose(thrum_thread *thread) {
    void *result = NULL;
    switch (spec_random(4)) {
    case 0:
        break;
    case 1:
        if (thrum_thread_join_until(thread, thrum_in(spec_random(100) * 1e-6), &result) == 0)
            assert_ptr_equal(result, &ran);
        break;
    case 2:
        assert_int_equal(thrum_thread_join(thread, &result), 0);
        assert_ptr_equal(result, &ran);
        break;
    default:
        assert_int_equal(thrum_thread_set_name(thread, "renamed"), 0);
        assert_null(thrum_thread_error(thread));
    }
    thrum_thread_free(thread);
}

static void look_round(void) {
    thrum_thread *threads[8];
    int n = thrum_thread_enumerate(threads, 8);
    assert_true(n >= 1);
    for (int i = 0; i < n && i < 8; i++) {
        assert_int_not_equal(thrum_thread_ident(threads[i]), 0);
        assert_true(strlen(thrum_thread_name(threads[i])) > 0);
        thrum_thread_free(threads[i]);
    }
}

static void *start_and_dispose(void *arg) {
    uint64_t started = 0;
    while (!over()) {
        dispose(spec_start(note, &ran));
        started += 1;
        if (spec_random(8) == 0)
            look_round();
    }
    __atomic_fetch_add(&wanted, started, __ATOMIC_RELAXED);
    return arg;
}

static void *start_nameless(void *arg) {
    uint64_t started = 0;
    for (; !over(); started++)
        while (thrum_thread_start(NULL, note, &ran, NULL) == -EAGAIN)
            spec_yield();
    __atomic_fetch_add(&wanted, started, __ATOMIC_RELAXED);
    return arg;
}

static void test_storm_of_threads(void **state) {
    (void)state;
    end = thrum_in(spec_stress_seconds());
    ran = wanted = 0;
    spec_team team = {.n = 0};
    spec_team_start(&team, STARTERS - 1, start_and_dispose, NULL);
    spec_team_start(&team, 1, start_nameless, NULL);
    spec_team_join(&team);
    while (thrum_thread_active_count() > 1)
        spec_yield();
    assert_true(wanted > 0);
    assert_int_equal(__atomic_load_n(&ran, __ATOMIC_RELAXED), wanted);
}

static thrum_thread *shared;

static void *join_shared(void *arg) {
    void *result = NULL;
    assert_int_equal(thrum_thread_join(shared, &result), 0);
    assert_ptr_equal(result, &ran);
    return arg;
}

static void test_many_join_one(void **state) {
    (void)state;
    for (end = thrum_in(spec_stress_seconds() / 2); !over();) {
        shared = spec_start(note, &ran);
        spec_team team = {.n = 0};
        spec_team_start(&team, STARTERS, join_shared, NULL);
        spec_team_join(&team);
        thrum_thread_free(shared);
    }
}

static thrum_event never;

static void *outlast_the_notice(void *arg) {
    (void)!thrum_event_wait_until(&never, thrum_in(5.5));
    return arg;
}

static int end_late(void) {
    thrum_thread_opts opts = {.name = "latecomer"};
    return thrum_thread_start(NULL, outlast_the_notice, NULL, &opts);
}

static int end_late_in_silence(void) {
    setenv("THRUM_EXIT_NOTICE", "0", 1);
    return end_late();
}

static void test_exit_tells_for_whom_it_waits(void **state) {
    (void)state;
    static spec_end told;
    spec_exits(end_late, 0, &told);
    assert_int_equal(spec_count_text(told.text, "latecomer"), 1);
    assert_int_equal(spec_count_text(told.text, "\n"), 1);
    spec_exits(end_late_in_silence, 0, &told);
    assert_null(strstr(told.text, "latecomer"));
}

SPEC_TESTS(cmocka_unit_test(test_storm_of_threads), cmocka_unit_test(test_many_join_one),
           cmocka_unit_test(test_exit_tells_for_whom_it_waits));
