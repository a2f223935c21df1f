/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STRANDS = 8 };

static struct {
    thrum_once once;
    thrum_event entered;
    thrum_event leave;
    int calls;
    int inside;
    int failures_wanted;
    int value;
} s;

static void reset(void) { memset(&s, 0, sizeof s); }

static int succeed(void *arg) {
    s.calls += 1;
    s.value = (int)(intptr_t)arg;
    return 0;
}

static int fail_with(void *arg) {
    s.calls += 1;
    return (int)(intptr_t)arg;
}

static void test_is_done_one_time(void **state) {
    (void)state;
    reset();
    thrum_once once = THRUM_ONCE_INIT;
    assert_int_equal(sizeof once, 4);
    assert_false(thrum_once_done(&once));
    assert_int_equal(thrum_once_call(&once, succeed, (void *)5), 0);
    assert_true(thrum_once_done(&once));
    assert_int_equal(thrum_once_call(&once, succeed, (void *)6), 0);
    assert_int_equal(thrum_once_call(&once, fail_with, (void *)-EIO), 0);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.value, 5);
}

static void test_a_failure_does_not_count(void **state) {
    (void)state;
    reset();
    assert_int_equal(thrum_once_call(&s.once, fail_with, (void *)-EIO), -EIO);
    assert_int_equal(thrum_once_call(&s.once, fail_with, (void *)-ENOENT), -ENOENT);
    assert_false(thrum_once_done(&s.once));
    assert_int_equal(thrum_once_call(&s.once, fail_with, (void *)3), 0);
    assert_true(thrum_once_done(&s.once));
    assert_int_equal(s.calls, 3);
}

static int call_itself(void *arg) {
    (void)arg;
    s.value = thrum_once_call(&s.once, succeed, NULL);
    return 0;
}

static void test_a_call_from_within_its_own_fn(void **state) {
    (void)state;
    reset();
    assert_int_equal(thrum_once_call(&s.once, call_itself, NULL), 0);
    assert_int_equal(s.value, -EDEADLK);
    assert_int_equal(s.calls, 0);
    assert_true(thrum_once_done(&s.once));
}

static int without_fn(void) {
    thrum_once once = THRUM_ONCE_INIT;
    return thrum_once_call(&once, NULL, NULL) == -EINVAL && !thrum_once_done(&once) ? 0 : 1;
}

static void test_without_a_function(void **state) {
    (void)state;
    static spec_end end;
    spec_exits(without_fn, 0, &end);
    assert_non_null(strstr(end.text, "thrum: thrum_once_call: fn is NULL\n"));
}

static int enter_and_wait(void *arg) {
    assert_int_equal(s.inside++, 0);
    s.calls += 1;
    thrum_event_set(&s.entered);
    thrum_event_wait(&s.leave);
    s.value = 42;
    s.inside--;
    return arg ? -EIO : 0;
}

static void *call_waiting(void *arg) {
    return (void *)(intptr_t)thrum_once_call(&s.once, enter_and_wait, arg);
}

static void *call_late(void *arg) {
    assert_int_equal(thrum_once_call(&s.once, succeed, arg), 0);
    assert_int_equal(s.value, 42);
    return NULL;
}

static void test_others_wait_and_see_what_was_done(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    thrum_thread *first = spec_start(call_waiting, NULL);
    thrum_event_wait(&s.entered);
    spec_team_start(&team, STRANDS, call_late, NULL);
    spec_until_waiting(&s.once, STRANDS);
    assert_false(thrum_once_done(&s.once));
    thrum_event_set(&s.leave);
    spec_team_join(&team);
    assert_null(spec_join(first));
    assert_int_equal(s.calls, 1);
}

static int fail_in_turn(void *arg) {
    (void)arg;
    assert_int_equal(s.inside++, 0);
    spec_perhaps_yield();
    int rc = s.calls++ < s.failures_wanted ? -EIO : 0;
    s.inside--;
    return rc;
}

static void *call_in_turn(void *failed) {
    if (thrum_once_call(&s.once, fail_in_turn, NULL) != 0)
        __atomic_fetch_add((int *)failed, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void test_after_a_failure_one_that_waits_tries(void **state) {
    (void)state;
    for (int wanted = 0; wanted <= STRANDS; wanted++) {
        int failed = 0;
        reset();
        s.failures_wanted = wanted;
        spec_team team = {.n = 0};
        thrum_thread *first = spec_start(call_waiting, (void *)1);
        thrum_event_wait(&s.entered);
        spec_team_start(&team, STRANDS, call_in_turn, &failed);
        spec_until_waiting(&s.once, STRANDS);
        s.calls = 0;
        thrum_event_set(&s.leave);
        spec_team_join(&team);
        void *rc = NULL;
        assert_int_equal(thrum_thread_join(first, &rc), 0);
        thrum_thread_free(first);
        assert_int_equal((intptr_t)rc, -EIO);
        assert_int_equal(failed, wanted);
        assert_int_equal(s.calls, wanted < STRANDS ? wanted + 1 : STRANDS);
        assert_int_equal(thrum_once_done(&s.once), wanted < STRANDS);
    }
}

static int end_thread(void *arg) {
    thrum_event_set(&s.entered);
    thrum_event_wait(&s.leave);
    pthread_exit(arg);
}

static void *call_and_end(void *arg) {
    thrum_once_call(&s.once, end_thread, arg);
    return arg;
}

static void test_a_thread_that_ends_within_counts_as_a_failure(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    for (int waiters = 0; waiters < 3; waiters++) {
        reset();
        s.value = 42;
        spec_team team = {.n = 0};
        thrum_thread *first = spec_start(call_and_end, NULL);
        thrum_event_wait(&s.entered);
        spec_team_start(&team, waiters, call_late, (void *)42);
        spec_until_waiting(&s.once, waiters);
        thrum_event_set(&s.leave);
        spec_team_join(&team);
        assert_int_equal(thrum_thread_join(first, NULL), -ECANCELED);
        thrum_thread_free(first);
        assert_int_equal(thrum_once_done(&s.once), waiters > 0);
        assert_int_equal(thrum_once_call(&s.once, succeed, NULL), 0);
        assert_int_equal(s.calls, 1);
    }
}

static void test_a_dump_names_who_is_at_it(void **state) {
    (void)state;
    reset();
    char text[4096] = "", expected[64];
    int ends[2];
    thrum_thread *first = spec_start(call_waiting, NULL);
    assert_int_equal(thrum_thread_set_name(first, "maker"), 0);
    thrum_event_wait(&s.entered);
    thrum_thread *second = spec_start(call_late, NULL);
    spec_until_waiting(&s.once, 1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(thrum_dump(ends[1]), 0);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    snprintf(expected, sizeof expected, "waits for once %p of \"maker\"", (void *)&s.once);
    assert_non_null(strstr(text, expected));
    close(ends[0]);
    close(ends[1]);
    thrum_event_set(&s.leave);
    spec_join(second);
    spec_join(first);
}

static void *call_and_free(void *arg) {
    thrum_once **once = arg;
    assert_int_equal(thrum_once_call(*once, succeed, NULL), 0);
    if (__atomic_sub_fetch(&s.inside, 1, __ATOMIC_ACQ_REL) == 0) {
        memset(*once, 0xa5, sizeof **once);
        free(*once);
    }
    return NULL;
}

static void test_may_be_freed_once_the_calls_returned(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        reset();
        spec_team team = {.n = 0};
        thrum_once *once = calloc(1, sizeof *once);
        assert_non_null(once);
        s.inside = 3;
        spec_team_start(&team, 3, call_and_free, &once);
        spec_team_join(&team);
        assert_int_equal(s.calls, 1);
    }
}

static int reinit(void) {
    thrum_once done = THRUM_ONCE_INIT;
    if (thrum_once_call(&done, succeed, NULL) != 0)
        return 1;
    thrum_once_at_fork_reinit(&done);
    thrum_once_at_fork_reinit(&s.once);
    if (!thrum_once_done(&done) || thrum_once_done(&s.once))
        return 2;
    s.calls = 0;
    return thrum_once_call(&s.once, succeed, NULL) == 0 && s.calls == 1 ? 0 : 3;
}

static void test_a_fork_while_another_is_at_it(void **state) {
    (void)state;
    reset();
    static spec_end end;
    thrum_thread *first = spec_start(call_waiting, NULL);
    thrum_event_wait(&s.entered);
    thrum_thread *second = spec_start(call_late, NULL);
    spec_until_waiting(&s.once, 1);
    spec_exits(reinit, 0, &end);
    thrum_event_set(&s.leave);
    spec_join(second);
    spec_join(first);
}

static int fork_within(void *arg) {
    thrum_once_at_fork_reinit(&s.once);
    s.value = thrum_once_call(&s.once, succeed, arg);
    return 0;
}

static void test_the_forking_thread_stays_at_it(void **state) {
    (void)state;
    reset();
    assert_int_equal(thrum_once_call(&s.once, fork_within, NULL), 0);
    assert_int_equal(s.value, -EDEADLK);
    assert_true(thrum_once_done(&s.once));
}

SPEC_TESTS(cmocka_unit_test(test_is_done_one_time),
           cmocka_unit_test(test_a_failure_does_not_count),
           cmocka_unit_test(test_a_call_from_within_its_own_fn),
           cmocka_unit_test(test_without_a_function),
           cmocka_unit_test(test_others_wait_and_see_what_was_done),
           cmocka_unit_test(test_after_a_failure_one_that_waits_tries),
           cmocka_unit_test(test_a_thread_that_ends_within_counts_as_a_failure),
           cmocka_unit_test(test_a_dump_names_who_is_at_it),
           cmocka_unit_test(test_may_be_freed_once_the_calls_returned),
           cmocka_unit_test(test_a_fork_while_another_is_at_it),
           cmocka_unit_test(test_the_forking_thread_stays_at_it));
