/* SPDX-License-Identifier: MIT */
/* exit() in what follows a future: what else follows it goes on, and the program ends. */
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CODE = 6 };

static spec_end end;
static thrum_executor *pool;
static thrum_future *promise, *out;
static thrum_event started;

static void say(const char *text, int rc) {
    char line[80];
    int n = snprintf(line, sizeof line, "%s %d\n", text, rc);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(3);
}

static void *call_exit(thrum_future *before, void *arg) {
    (void)before;
    (void)arg;
    exit(CODE);
}

static void exit_in_callback(thrum_future *before, void *arg) { (void)call_exit(before, arg); }

static void *pass(thrum_future *before, void *arg) {
    (void)before;
    return arg;
}

static void *by_result(void *arg) {
    thrum_event_set(&started);
    say("result", thrum_future_result(out, NULL));
    return arg;
}

static void begin(size_t limit) {
    pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = limit, .overflow = THRUM_OVERFLOW_REFUSE});
    promise = thrum_future_new();
}

/* A worker waits for `out`, which this thread, no worker, brings about. */
static int keep_promise(void) {
    thrum_submit(pool, NULL, by_result, NULL);
    thrum_event_wait(&started);
    thrum_future_set_result(promise, NULL);
    say("unreached", 0);
    return 0;
}

static int exit_where_it_is_completed(void) {
    begin(0);
    thrum_future_then(promise, &out, NULL, call_exit, NULL);
    return keep_promise();
}

static void test_exit_where_it_is_completed(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_where_it_is_completed, CODE, &end);
    assert_string_equal(end.text, "result -125\n"); /* -ECANCELED */
}

static void *nothing(void *arg) { return arg; }

/* Keeps its slot. */
static void *by_looking(void *arg) {
    thrum_event_set(&started);
    while (!thrum_future_done(out))
        spec_yield();
    return by_result(arg);
}

/* The queue is full, so the continuation runs in this thread, with a slot of the pool. */
static int exit_without_room(void) {
    begin(1);
    thrum_future_then(promise, &out, pool, call_exit, NULL);
    thrum_submit(pool, NULL, by_looking, NULL);
    thrum_event_wait(&started);
    thrum_submit(pool, NULL, nothing, NULL);
    thrum_future_set_result(promise, NULL);
    say("unreached", 0);
    return 0;
}

static void test_exit_without_room(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_without_room, CODE, &end);
    assert_string_equal(end.text, "result -125\n");
}

static int exit_before_others(void) {
    begin(0);
    thrum_future_add_done_callback(promise, exit_in_callback, NULL);
    thrum_future_then(promise, &out, NULL, pass, NULL);
    return keep_promise();
}

static void test_exit_in_a_callback_keeps_nothing_from_others(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_before_others, CODE, &end);
    assert_string_equal(end.text, "result 0\n");
}

/* Nobody has the future of what calls exit(). */
static int exit_without_a_future(void) {
    begin(0);
    thrum_future_then(promise, NULL, NULL, call_exit, NULL);
    thrum_future_set_result(promise, NULL);
    say("unreached", 0);
    return 0;
}

static void *exit_in_task(void *arg) {
    (void)arg;
    exit(CODE);
}

static int exit_in_a_task_without_a_future(void) {
    thrum_event never = {0};
    begin(0);
    thrum_submit(pool, NULL, exit_in_task, NULL);
    thrum_event_wait(&never);
    return 0;
}

static void test_exit_is_no_failure_to_be_reported(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_in_a_task_without_a_future, CODE, &end);
    assert_string_equal(end.text, "");
    spec_exits(exit_without_a_future, CODE, &end);
    assert_string_equal(end.text, "");
}

SPEC_TESTS(cmocka_unit_test(test_exit_where_it_is_completed),
           cmocka_unit_test(test_exit_without_room),
           cmocka_unit_test(test_exit_in_a_callback_keeps_nothing_from_others),
           cmocka_unit_test(test_exit_is_no_failure_to_be_reported));
