/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static thrum_event go;
static thrum_event awake;
static spec_end end;

static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

/* Ends once `waiting` strands wait: those inside exit() and whoever else the test knows to. */
static void *linger_and_say(void *waiting) {
    thrum_event_wait(&go);
    thrum_event_set(&awake);
    while (spec_strands_waiting() < (intptr_t)waiting)
        spec_yield();
    say("finished\n");
    return NULL;
}

static void *wait_for_ever(void *arg) {
    thrum_event_wait(&go);
    say("finished\n");
    return arg;
}

static void at_exit_say(void) { say("at exit\n"); }

static int start(void *(*fn)(void *), int daemon) {
    return thrum_thread_start(NULL, fn, (void *)1, &(thrum_thread_opts){.daemon = daemon});
}

static int start_lingering(intptr_t waiting) {
    return thrum_thread_start(NULL, linger_and_say, (void *)waiting, NULL);
}

static int leave_a_regular_thread(void) {
    thrum_event_clear(&go);
    if (start(linger_and_say, THRUM_NOT_DAEMON) || start(linger_and_say, THRUM_NOT_DAEMON))
        return 1;
    thrum_event_set(&go);
    say("main is done\n");
    return 7;
}

static void test_exit_waits_for_regular_threads(void **state) {
    (void)state;
    spec_exits(leave_a_regular_thread, 7, &end);
    assert_int_equal(spec_count_text(end.text, "finished\n"), 2);
    assert_non_null(strstr(end.text, "main is done\n"));
}

static int leave_a_daemon(void) {
    thrum_event_clear(&go);
    return start(wait_for_ever, true);
}

static void test_exit_does_not_wait_for_daemons(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        spec_exits(leave_a_daemon, 0, &end);
        assert_int_equal(spec_count_text(end.text, "finished"), 0);
    }
}

static int leave_both(void) {
    thrum_event_clear(&go);
    if (start(linger_and_say, true) || start(linger_and_say, 0))
        return 1;
    thrum_event_set(&go);
    return 0;
}

static void test_exit_waits_for_the_regular_among_daemons(void **state) {
    (void)state;
    spec_exits(leave_both, 0, &end);
    assert_true(spec_count_text(end.text, "finished\n") >= 1);
}

static void *start_another(void *arg) {
    thrum_event_wait(&go);
    if (start(linger_and_say, 0))
        say("no thread\n");
    return arg;
}

static int leave_a_thread_that_starts_another(void) {
    thrum_event_clear(&go);
    if (start(start_another, 0))
        return 1;
    thrum_event_set(&go);
    return 0;
}

static void test_exit_waits_for_threads_started_meanwhile(void **state) {
    (void)state;
    spec_exits(leave_a_thread_that_starts_another, 0, &end);
    assert_int_equal(spec_count_text(end.text, "finished\n"), 1);
}

static int exit_handlers_and_threads(void) {
    atexit(at_exit_say);
    return leave_a_regular_thread();
}

static void test_exit_handlers_run_too(void **state) {
    (void)state;
    spec_exits(exit_handlers_and_threads, 7, &end);
    assert_int_equal(spec_count_text(end.text, "at exit\n"), 1);
    assert_int_equal(spec_count_text(end.text, "finished\n"), 2);
}

static int end_at_once(void) {
    thrum_event_clear(&go);
    if (start(wait_for_ever, 0))
        return 1;
    _exit(5);
}

static int end_quickly(void) {
    thrum_event_clear(&go);
    if (start(wait_for_ever, 0))
        return 1;
    quick_exit(6);
}

static void end_by_abort(void) {
    thrum_event_clear(&go);
    if (start(wait_for_ever, 0) == 0) {
        say("aborting\n");
        abort();
    }
}

static void test_ends_that_do_not_wait(void **state) {
    (void)state;
    spec_exits(end_at_once, 5, &end);
    assert_int_equal(spec_count_text(end.text, "finished"), 0);
    spec_exits(end_quickly, 6, &end);
    assert_int_equal(spec_count_text(end.text, "finished"), 0);
    spec_dies(end_by_abort, "aborting");
}

static void *call_exit(void *arg) {
    thrum_event_wait(&go);
    exit((int)(intptr_t)arg);
}

static int exit_from_a_thread(void) {
    thrum_event_clear(&go);
    if (start_lingering(2))
        return 1;
    thrum_thread *thread;
    if (thrum_thread_start(&thread, call_exit, (void *)9, NULL))
        return 1;
    thrum_event_set(&go);
    thrum_thread_join(thread, NULL);
    return 1;
}

static void test_the_thread_inside_exit_is_not_waited_for(void **state) {
    (void)state;
    spec_exits(exit_from_a_thread, 9, &end);
    assert_int_equal(spec_count_text(end.text, "finished\n"), 1);
}

static thrum_thread *target;

static void say_rc(const char *text, int rc) {
    char line[80];
    snprintf(line, sizeof line, "%s %d\n", text, rc);
    say(line);
}

static void *join_target(void *arg) {
    say_rc("joined", thrum_thread_join(target, NULL));
    return arg;
}

static void *wait_for_target(void *arg) {
    thrum_waitable one = thrum_thread_waitable(target);
    say_rc("ready", thrum_wait_any(&one, 1, THRUM_NEVER, NULL));
    say_rc("joined", thrum_thread_error(target)->code);
    return arg;
}

static int exit_beside_joiners(void) {
    thrum_event_clear(&go);
    if (thrum_thread_start(&target, call_exit, (void *)9, NULL) || start(join_target, 0) ||
        start(wait_for_target, 0))
        return 1;
    spec_until_strands_waiting(3);
    thrum_event_set(&go);
    thrum_thread_join(target, NULL);
    say("main goes on\n");
    return 1;
}

/* As a rule it comes after the exit() has begun. */
static void *join_late(void *arg) {
    thrum_event_wait(&go);
    return join_target(arg);
}

static int exit_of_main_beside_joiners(void) {
    thrum_event_clear(&go);
    target = thrum_thread_main();
    if (start(join_target, 0) || start(join_late, 0))
        return 1;
    thrum_event_set(&go);
    return 9;
}

static void test_who_joins_a_thread_inside_exit_goes_on(void **state) {
    (void)state;
    spec_exits(exit_beside_joiners, 9, &end);
    assert_int_equal(spec_count_text(end.text, "joined -125\n"), 2); /* -ECANCELED */
    assert_int_equal(spec_count_text(end.text, "ready 0\n"), 1);
    assert_int_equal(spec_count_text(end.text, "main goes on"), 0);
    spec_exits(exit_of_main_beside_joiners, 9, &end);
    assert_int_equal(spec_count_text(end.text, "joined -125\n"), 2);
}

static thrum_event inside_exit;

static void note_exit(void) { thrum_event_set(&inside_exit); }

static void *exit_too(void *arg) {
    thrum_event_wait(&inside_exit);
    thrum_event_wait(&awake);
    while (spec_strands_waiting() == 0)
        spec_yield();
    say("second exit\n");
    exit((int)(intptr_t)arg);
}

static int exit_twice(void) {
    thrum_event_clear(&go);
    thrum_event_clear(&inside_exit);
    thrum_event_clear(&awake);
    thrum_thread *thread;
    if (thrum_thread_start(&thread, exit_too, (void *)8, NULL) || start_lingering(2))
        return 1;
    atexit(note_exit);
    thrum_event_set(&go);
    return 4;
}

static void test_a_second_exit_parks(void **state) {
    (void)state;
    spec_exits(exit_twice, 4, &end);
    assert_int_equal(spec_count_text(end.text, "second exit\n"), 1);
    assert_int_equal(spec_count_text(end.text, "finished\n"), 1);
}

static int main_leaves_first(void) {
    thrum_event_clear(&go);
    if (start_lingering(0) || start_lingering(0))
        return 1;
    thrum_event_set(&go);
    pthread_exit(NULL);
}

static int main_leaves_daemons(void) {
    if (leave_a_daemon() != 0)
        return 1;
    pthread_exit(NULL);
}

static void test_main_may_end_by_pthread_exit(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    spec_skip_under_tsan("has a thread of its own that keeps the process");
    spec_exits(main_leaves_first, 0, &end);
    assert_int_equal(spec_count_text(end.text, "finished\n"), 2);
    spec_exits(main_leaves_daemons, 0, &end);
    assert_int_equal(spec_count_text(end.text, "finished"), 0);
}

static void *time_out_for_ever(void *arg) {
    while (thrum_event_wait_until(&go, thrum_in(0.0001)) == -ETIMEDOUT)
        spec_yield();
    return arg;
}

static int daemons_in_the_middle(void) {
    thrum_event_clear(&go);
    for (int i = 0; i < 4; i++)
        if (start(time_out_for_ever, true))
            return 1;
    return 0;
}

static void test_daemons_end_where_they_are(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        spec_exits(daemons_in_the_middle, 0, &end);
}

SPEC_TESTS(cmocka_unit_test(test_exit_waits_for_regular_threads),
           cmocka_unit_test(test_exit_does_not_wait_for_daemons),
           cmocka_unit_test(test_exit_waits_for_the_regular_among_daemons),
           cmocka_unit_test(test_exit_waits_for_threads_started_meanwhile),
           cmocka_unit_test(test_exit_handlers_run_too),
           cmocka_unit_test(test_ends_that_do_not_wait),
           cmocka_unit_test(test_the_thread_inside_exit_is_not_waited_for),
           cmocka_unit_test(test_who_joins_a_thread_inside_exit_goes_on),
           cmocka_unit_test(test_a_second_exit_parks),
           cmocka_unit_test(test_main_may_end_by_pthread_exit),
           cmocka_unit_test(test_daemons_end_where_they_are));
