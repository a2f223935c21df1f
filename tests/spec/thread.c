/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

enum { JOINERS = 6 };

static thrum_event go;
static int calls;

static void *identity(void *arg) { return arg; }

static void *wait_go(void *arg) {
    thrum_event_wait(&go);
    return arg;
}

static void test_start_runs_and_join_gives_the_result(void **state) {
    (void)state;
    thrum_thread *thread = NULL;
    void *result = NULL;
    assert_int_equal(thrum_thread_start(&thread, identity, &calls, NULL), 0);
    assert_int_equal(thrum_thread_join(thread, &result), 0);
    assert_ptr_equal(result, &calls);
    assert_false(thrum_thread_is_alive(thread));
    result = NULL;
    assert_int_equal(thrum_thread_join(thread, NULL), 0);
    assert_int_equal(thrum_thread_join_until(thread, thrum_in(-1), &result), 0);
    assert_ptr_equal(result, &calls);
    assert_null(thrum_thread_error(thread));
    thrum_thread_free(thread);
    thrum_thread_free(NULL);
}

static void *join_it(void *thread) {
    void *result = NULL;
    if (spec_random(2))
        assert_int_equal(thrum_thread_join(thread, &result), 0);
    else
        assert_int_equal(thrum_thread_join_until(thread, THRUM_NEVER, &result), 0);
    return result;
}

static void test_many_join(void **state) {
    (void)state;
    thrum_event_clear(&go);
    thrum_thread *thread = spec_start(wait_go, &calls);
    thrum_thread *joiners[JOINERS];
    for (int i = 0; i < JOINERS; i++)
        joiners[i] = spec_start(join_it, thread);
    spec_until_strands_waiting(JOINERS + 1);
    thrum_event_set(&go);
    for (int i = 0; i < JOINERS; i++)
        assert_ptr_equal(spec_join(joiners[i]), &calls);
    assert_ptr_equal(spec_join(thread), &calls);
}

static void test_join_until(void **state) {
    (void)state;
    thrum_event_clear(&go);
    thrum_thread *thread = spec_start(wait_go, &calls);
    void *result = &result;
    assert_int_equal(thrum_thread_join_until(thread, thrum_in(-1), &result), -ETIMEDOUT);
    assert_int_equal(thrum_thread_join_until(thread, thrum_in(0.002), &result), -ETIMEDOUT);
    assert_ptr_equal(result, &result);
    assert_true(thrum_thread_is_alive(thread));
    thrum_event_set(&go);
    assert_int_equal(thrum_thread_join_until(thread, THRUM_NEVER, &result), 0);
    assert_ptr_equal(result, &calls);
    assert_false(thrum_thread_is_alive(thread));
    thrum_thread_free(thread);
}

static void test_free_before_the_end(void **state) {
    (void)state;
    thrum_event_clear(&go);
    thrum_thread *thread = spec_start(wait_go, NULL);
    assert_int_equal(thrum_thread_active_count(), 2);
    thrum_thread_free(thread);
    assert_int_equal(thrum_thread_active_count(), 2);
    assert_int_equal(thrum_thread_start(NULL, wait_go, NULL, NULL), 0);
    assert_int_equal(thrum_thread_active_count(), 3);
    thrum_event_set(&go);
    while (thrum_thread_active_count() > 1)
        spec_yield();
}

static void test_free_after_the_end_without_join(void **state) {
    (void)state;
    thrum_thread *thread = spec_start(identity, NULL);
    while (thrum_thread_is_alive(thread) || thrum_thread_active_count() > 1)
        spec_yield();
    thrum_thread_free(thread);
}

static void test_bad_options_are_refused(void **state) {
    (void)state;
    thrum_thread *thread = (thrum_thread *)&go;
    thrum_thread_opts opts = {.name = "x"};
    assert_int_equal(thrum_thread_start(&thread, NULL, NULL, NULL), -EINVAL);
    for (int i = 0; i < 4; i++) {
        memset(&opts, 0, sizeof opts);
        opts.reserved[i] = &go;
        assert_int_equal(thrum_thread_start(&thread, identity, NULL, &opts), -EINVAL);
    }
    opts = (thrum_thread_opts){.light = true};
    assert_int_equal(thrum_thread_start(&thread, identity, NULL, &opts), -ENOTSUP);
    assert_int_equal(thrum_thread_active_count(), 1);
}

static void *use_stack(void *arg) {
    volatile char block[8192];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)i;
    return block[77] == 77 ? arg : NULL;
}

static void test_a_small_stack_is_raised(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 4096, 65536, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        thrum_thread *thread;
        thrum_thread_opts opts = {.stack_size = sizes[i]};
        assert_int_equal(thrum_thread_start(&thread, use_stack, &go, &opts), 0);
        assert_ptr_equal(spec_join(thread), &go);
    }
}

static void test_a_stack_that_is_not_to_be_had_is_an_error(void **state) {
    (void)state;
    thrum_thread *thread = NULL;
    thrum_thread_opts opts = {.stack_size = SIZE_MAX - (1 << 20)};
    int rc = thrum_thread_start(&thread, identity, NULL, &opts);
    assert_true(rc == -EAGAIN || rc == -ENOMEM);
    assert_int_equal(thrum_thread_active_count(), 1);
    spec_join(spec_start(identity, NULL));
}

static void *is_daemon(void *arg) {
    (void)arg;
    return (void *)(uintptr_t)thrum_thread_is_daemon(thrum_thread_current());
}

static bool child_is_daemon(int daemon) {
    thrum_thread *thread;
    thrum_thread_opts opts = {.daemon = daemon};
    assert_int_equal(thrum_thread_start(&thread, is_daemon, NULL, &opts), 0);
    bool outside = thrum_thread_is_daemon(thread);
    assert_int_equal(outside, spec_join(thread) != NULL);
    return outside;
}

static void *inherits_daemon(void *arg) {
    assert_true(child_is_daemon(0));
    assert_true(child_is_daemon(true));
    assert_false(child_is_daemon(THRUM_NOT_DAEMON));
    return arg;
}

static void test_daemon_is_inherited(void **state) {
    (void)state;
    assert_false(thrum_thread_is_daemon(thrum_thread_main()));
    assert_false(child_is_daemon(0));
    assert_false(child_is_daemon(THRUM_NOT_DAEMON));
    assert_true(child_is_daemon(true));
    thrum_thread *thread;
    thrum_thread_opts opts = {.daemon = true};
    assert_int_equal(thrum_thread_start(&thread, inherits_daemon, NULL, &opts), 0);
    spec_join(thread);
}

static void *current_is(void *out) {
    *(thrum_thread **)out = thrum_thread_current();
    assert_true(thrum_thread_is_alive(thrum_thread_current()));
    return (void *)(uintptr_t)thrum_thread_ident(thrum_thread_current());
}

static void test_current_and_main(void **state) {
    (void)state;
    thrum_thread *inside = NULL;
    assert_non_null(thrum_thread_main());
    assert_ptr_equal(thrum_thread_current(), thrum_thread_main());
    assert_true(thrum_thread_is_alive(thrum_thread_main()));
    thrum_thread *thread = spec_start(current_is, &inside);
    uint32_t ident = thrum_thread_ident(thread);
    void *result;
    assert_int_equal(thrum_thread_join(thread, &result), 0);
    assert_ptr_equal(inside, thread);
    assert_int_equal((uintptr_t)result, ident);
    assert_int_equal(thrum_thread_ident(thread), ident);
    assert_int_not_equal(ident, 0);
    thrum_thread_free(thread);
}

static void test_idents_of_the_living_differ(void **state) {
    (void)state;
    thrum_event_clear(&go);
    spec_team team = {.n = 0};
    spec_team_start(&team, 12, wait_go, NULL);
    for (int i = 0; i < team.n; i++) {
        assert_int_not_equal(thrum_thread_ident(team.threads[i]), 0);
        assert_true(thrum_thread_native_id(team.threads[i]) > 0);
        for (int k = 0; k < i; k++) {
            assert_int_not_equal(thrum_thread_ident(team.threads[i]),
                                 thrum_thread_ident(team.threads[k]));
            assert_true(thrum_thread_native_id(team.threads[i]) !=
                        thrum_thread_native_id(team.threads[k]));
        }
    }
    thrum_event_set(&go);
    spec_team_join(&team);
}

static void test_enumerate_and_active_count(void **state) {
    (void)state;
    thrum_event_clear(&go);
    thrum_thread *out[16];
    assert_int_equal(thrum_thread_enumerate(NULL, 0), 1);
    spec_team team = {.n = 0};
    spec_team_start(&team, 4, wait_go, NULL);
    assert_int_equal(thrum_thread_active_count(), 5);
    assert_int_equal(thrum_thread_enumerate(out, 2), 5);
    thrum_thread_free(out[0]);
    thrum_thread_free(out[1]);
    assert_int_equal(thrum_thread_enumerate(out, 16), 5);
    for (int i = 0; i < 4; i++) {
        int found = 0;
        for (int k = 0; k < 5; k++)
            found += thrum_thread_ident(out[k]) == thrum_thread_ident(team.threads[i]);
        assert_int_equal(found, 1);
    }
    thrum_event_set(&go);
    spec_team_join(&team);
    assert_int_equal(thrum_thread_active_count(), 1);
    for (int k = 0; k < 5; k++) {
        assert_int_equal(thrum_thread_is_alive(out[k]),
                         thrum_thread_ident(out[k]) == thrum_thread_ident(thrum_thread_main()));
        thrum_thread_free(out[k]);
    }
}

static void join_oneself(void) { thrum_thread_join(thrum_thread_current(), NULL); }

static void *join_own(void *arg) {
    (void)!thrum_thread_join_until(thrum_thread_current(), thrum_in(1), NULL);
    return arg;
}

static void join_oneself_until(void) { spec_join(spec_start(join_own, NULL)); }

static void test_joining_oneself_ends_the_program(void **state) {
    (void)state;
    spec_dies(join_oneself, "thrum_thread_join");
    spec_dies(join_oneself_until, "thrum_thread_join_until");
    spec_dies(join_oneself, thrum_thread_name(thrum_thread_current()));
}

static void test_start_is_seen_before_and_join_after(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        int value = i;
        thrum_thread *thread = spec_start(identity, &value);
        assert_ptr_equal(spec_join(thread), &value);
        assert_int_equal(value, i);
    }
}

static void *add(void *arg) {
    *(int *)arg += 1;
    return NULL;
}

static void *start_adders(void *arg) {
    for (int i = 0; i < 10; i++)
        spec_join(spec_start(add, arg));
    return NULL;
}

static void test_threads_start_threads(void **state) {
    (void)state;
    int sums[6] = {0};
    spec_team team = {.n = 0};
    for (int i = 0; i < 6; i++)
        spec_team_start(&team, 1, start_adders, &sums[i]);
    spec_team_join(&team);
    for (int i = 0; i < 6; i++)
        assert_int_equal(sums[i], 10);
}

SPEC_TESTS(cmocka_unit_test(test_start_runs_and_join_gives_the_result),
           cmocka_unit_test(test_many_join), cmocka_unit_test(test_join_until),
           cmocka_unit_test(test_free_before_the_end),
           cmocka_unit_test(test_free_after_the_end_without_join),
           cmocka_unit_test(test_bad_options_are_refused),
           cmocka_unit_test(test_a_small_stack_is_raised),
           cmocka_unit_test(test_a_stack_that_is_not_to_be_had_is_an_error),
           cmocka_unit_test(test_daemon_is_inherited), cmocka_unit_test(test_current_and_main),
           cmocka_unit_test(test_idents_of_the_living_differ),
           cmocka_unit_test(test_enumerate_and_active_count),
           cmocka_unit_test(test_joining_oneself_ends_the_program),
           cmocka_unit_test(test_start_is_seen_before_and_join_after),
           cmocka_unit_test(test_threads_start_threads));
