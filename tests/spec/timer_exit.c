/* SPDX-License-Identifier: MIT */
/* Timers at the end of the program. */
#include "spec.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __clang__
static const bool built_by_clang = true;
#else
static const bool built_by_clang = false;
#endif

static spec_end end;
static thrum_timer *timer;

static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

/* The child's lines, in their order; a sanitizer may have written before them. */
static void assert_said(const char *lines) {
    size_t size = strlen(end.text), n = strlen(lines);
    if (size < n || strcmp(end.text + size - n, lines) != 0 ||
        (size > n && !strstr(end.text, "==WARNING: ")))
        fail_msg("not \"%s\" but:\n%s", lines, end.text);
}

static void call_say(void *text) { say(text); }

static void say_and_go_on(void *text) {
    say(text);
    if (thrum_timer_start(NULL, 0.001, call_say, (void *)"next\n", NULL) != 0)
        say("no timer\n");
}

static int leave_pending(void) {
    if (thrum_timer_start(NULL, 0.02, call_say, (void *)"called\n", NULL) != 0 ||
        thrum_timer_start(NULL, 0.01, say_and_go_on, (void *)"first\n", NULL) != 0)
        return 1;
    return 7;
}

static void test_exit_waits_for_pending_timers(void **state) {
    (void)state;
    spec_exits(leave_pending, 7, &end);
    assert_int_equal(spec_count_text(end.text, "called\n"), 1);
    assert_int_equal(spec_count_text(end.text, "first\n"), 1);
    assert_int_equal(spec_count_text(end.text, "next\n"), 1);
}

static int leave_others(void) {
    if (thrum_timer_start(NULL, 1000, call_say, (void *)"daemon\n",
                          &(thrum_timer_opts){.daemon = true}) ||
        thrum_timer_start(NULL, 1000, call_say, (void *)"every\n",
                          &(thrum_timer_opts){.every = 1000}) ||
        thrum_timer_start(&timer, 1000, call_say, (void *)"cancelled\n", NULL))
        return 1;
    return thrum_timer_cancel(timer) ? 7 : 2;
}

static void test_exit_does_not_wait_for_the_others(void **state) {
    (void)state;
    spec_exits(leave_others, 7, &end);
    assert_said("");
}

static void cancel_timer(void *arg) {
    (void)arg;
    say("cancels\n"); /* what comes after the cancel may not come */
    if (!thrum_timer_cancel(timer))
        say("too late\n");
}

static int leave_one_that_is_cancelled(void) {
    return thrum_timer_start(&timer, INFINITY, call_say, (void *)"never\n", NULL) ||
           thrum_timer_start(NULL, 0.01, cancel_timer, NULL,
                             &(thrum_timer_opts){.every = 1000});
}

static void test_a_cancel_ends_the_wait(void **state) {
    (void)state;
    spec_exits(leave_one_that_is_cancelled, 0, &end);
    assert_said("cancels\n");
}

static void *say_from_thread(void *text) {
    say(text);
    return NULL;
}

static void start_thread(void *text) {
    if (thrum_thread_start(NULL, say_from_thread, text, NULL) != 0)
        say("no thread\n");
}

static int leave_one_that_starts_a_thread(void) {
    return thrum_timer_start(NULL, 0.01, start_thread, (void *)"thread\n", NULL);
}

static void test_exit_waits_for_threads_that_timers_start(void **state) {
    (void)state;
    spec_exits(leave_one_that_starts_a_thread, 0, &end);
    assert_said("thread\n");
}

static void call_exit(void *arg) {
    (void)arg;
    if (thrum_timer_start(NULL, 0.001, call_say, (void *)"pending\n", NULL) != 0)
        say("no timer\n");
    say("exit\n");
    exit(5);
}

static int exit_in_a_call(void) {
    if (thrum_timer_start(NULL, 0.001, call_exit, NULL, &(thrum_timer_opts){.every = 0.001}))
        return 1;
    thrum_event never = THRUM_EVENT_INIT;
    thrum_event_wait(&never);
    return 1;
}

static void test_exit_within_a_call(void **state) {
    (void)state;
    spec_skip_under_tsan("allows no threads after a fork with threads");
    spec_exits(exit_in_a_call, 5, &end);
    assert_said("exit\npending\n");
}

static thrum_event in_exit;

static void note_exit(void) { thrum_event_set(&in_exit); }

static void call_second_exit(void *arg) {
    thrum_event_wait(&in_exit);
    spec_until_strands_waiting(1); /* main, for this timer */
    call_exit(arg);
}

static int leave_a_second_exit(void) {
    return thrum_timer_start(NULL, 0.001, call_second_exit, NULL, NULL) || atexit(note_exit);
}

static void test_a_second_exit_within_a_call(void **state) {
    (void)state;
    spec_exits(leave_a_second_exit, 0, &end);
    assert_said("exit\npending\n");
}

static int main_leaves(void) {
    if (thrum_timer_start(NULL, 0.02, call_say, (void *)"pending\n", NULL))
        return 1;
    pthread_exit(NULL);
}

static void test_main_may_end_first(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    spec_skip_under_tsan("has a thread of its own that keeps the process");
    spec_exits(main_leaves, 0, &end);
    assert_said("pending\n");
}

static int leave_a_late_one(void) {
    return thrum_timer_start(NULL, 8, call_say, (void *)"called\n",
                             &(thrum_timer_opts){.name = "save"}) ||
           thrum_timer_start(NULL, 8, call_say, (void *)"called\n", NULL) ||
           thrum_timer_start(NULL, 8, call_say, (void *)"other\n",
                             &(thrum_timer_opts){.daemon = true});
}

static void test_a_line_says_for_whom(void **state) {
    (void)state;
    spec_needs_test_strand("virtual time");
    spec_exits(leave_a_late_one, 0, &end);
    assert_int_equal(spec_count_text(end.text, "called\n"), 2);
    assert_int_equal(
        spec_count_text(end.text,
                        "thrum: the program's end waits for timer \"save\", timer \"Timer-"),
        1);
}

static void fail_now(void *arg) {
    (void)arg;
    thrum_raise(-EIO, "cannot save");
}

static int leave_one_that_fails(void) {
    return thrum_timer_start(NULL, 0, fail_now, NULL, &(thrum_timer_opts){.name = "save"});
}

static void test_a_failure_is_seen(void **state) {
    (void)state;
    spec_exits(leave_one_that_fails, 0, &end);
    assert_int_equal(spec_count_text(end.text, "thrum: task \"save\" failed: cannot save"), 1);
}

static int forks;

static void fork_in_call(void *arg) {
    (void)arg;
    pid_t child = ++forks == 1 ? fork() : -1;
    int status = -1;
    if (child > 0)
        say(waitpid(child, &status, 0) == child && status == 0 ? "child has ended\n" : "?\n");
    else if (child == 0)
        alarm(20);
    else
        say("again\n");
    if (child < 0)
        _exit(0);
}

static int fork_within_a_call(void) {
    if (thrum_timer_start(NULL, 0.001, fork_in_call, NULL, &(thrum_timer_opts){.every = 0.001}))
        return 1;
    thrum_event never = THRUM_EVENT_INIT;
    thrum_event_wait(&never);
    return 1;
}

static void test_a_fork_within_a_call(void **state) {
    (void)state;
    spec_needs_os("fork");
    spec_skip_under_tsan("allows no threads after a fork with threads");
    spec_exits(fork_within_a_call, 0, &end);
    assert_said("child has ended\nagain\n");
}

static void hook_that_leaves(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
    pthread_exit(NULL);
}

static void fail_and_leave(void *arg) {
    (void)arg;
    thrum_raise(-EIO, "lost");
    pthread_exit(NULL);
}

static void fail_in_call(void *arg) {
    (void)arg;
    thrum_raise(-EIO, "lost");
}

static int leave_hook_that_leaves(void) {
    thrum_set_excepthook(hook_that_leaves, NULL);
    return thrum_timer_start(NULL, 0.001, fail_in_call, NULL, NULL) ||
           thrum_timer_start(NULL, 0.002, call_say, (void *)"called\n", NULL);
}

static void test_a_hook_that_ends_the_thread(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    spec_exits(leave_hook_that_leaves, 0, &end);
    assert_said("called\n");
}

static int leave_hook_that_leaves_twice(void) {
    thrum_set_excepthook(hook_that_leaves, NULL);
    return thrum_timer_start(NULL, 0.001, fail_and_leave, NULL, NULL) ||
           thrum_timer_start(NULL, 0.002, call_say, (void *)"called\n", NULL);
}

static void test_a_hook_that_ends_an_ending_thread(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    if (built_by_clang) {
        print_message("skipped: clang's cleanups abort when a second pthread_exit leaves them\n");
        skip();
    }
    spec_exits(leave_hook_that_leaves_twice, 0, &end);
    assert_said("called\n");
}

static thrum_executor *pool;
static thrum_event gate, never;

static void wait_at_gate(void *arg) {
    thrum_event_wait(&gate);
    say(arg);
}

static int leave_calls_to_a_pool(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    if (!pool ||
        thrum_timer_start(NULL, 0.02, call_say, (void *)"called\n",
                          &(thrum_timer_opts){.executor = pool}) ||
        thrum_timer_start(NULL, 0, wait_at_gate, (void *)"passed\n",
                          &(thrum_timer_opts){.executor = pool}))
        return 1;
    say("main is done\n");
    thrum_event_set(&gate);
    return 7;
}

static void test_exit_waits_for_calls_of_a_pool(void **state) {
    (void)state;
    spec_exits(leave_calls_to_a_pool, 7, &end);
    assert_int_equal(spec_count_text(end.text, "called\n"), 1);
    assert_int_equal(spec_count_text(end.text, "passed\n"), 1);
    assert_true(strstr(end.text, "main is done\n") < strstr(end.text, "passed\n"));
}

static void leave_program(void *arg) {
    say(arg);
    exit(9);
}

static int leave_by_a_call_of_a_pool(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    if (!pool || thrum_timer_start(NULL, 0, leave_program, (void *)"leaves\n",
                                   &(thrum_timer_opts){.executor = pool}))
        return 1;
    thrum_event_wait(&never);
    return 2;
}

static void test_exit_in_a_call_of_a_pool(void **state) {
    (void)state;
    spec_exits(leave_by_a_call_of_a_pool, 9, &end);
    assert_int_equal(spec_count_text(end.text, "leaves\n"), 1);
}

SPEC_TESTS(cmocka_unit_test(test_exit_waits_for_pending_timers),
           cmocka_unit_test(test_exit_does_not_wait_for_the_others),
           cmocka_unit_test(test_a_cancel_ends_the_wait),
           cmocka_unit_test(test_exit_waits_for_threads_that_timers_start),
           cmocka_unit_test(test_exit_within_a_call), cmocka_unit_test(test_a_fork_within_a_call),
           cmocka_unit_test(test_a_hook_that_ends_the_thread),
           cmocka_unit_test(test_a_hook_that_ends_an_ending_thread),
           cmocka_unit_test(test_a_second_exit_within_a_call),
           cmocka_unit_test(test_main_may_end_first), cmocka_unit_test(test_a_line_says_for_whom),
           cmocka_unit_test(test_a_failure_is_seen),
           cmocka_unit_test(test_exit_waits_for_calls_of_a_pool),
           cmocka_unit_test(test_exit_in_a_call_of_a_pool));
