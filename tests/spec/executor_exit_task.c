/* SPDX-License-Identifier: MIT */
/* exit() in the middle of what a pool runs: the strand ends what it executes, and the program's end
 * waits for the others, who hear of it. */
#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CODE = 6, ITEMS = 2 };

static spec_end end;
static thrum_executor *pool, *other;
static thrum_future *exits;
static thrum_event started, go, reached;

static void say(const char *text, int rc) {
    char line[80];
    int n = snprintf(line, sizeof line, "%s %d\n", text, rc);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(3);
}

static void *call_exit(void *arg) {
    (void)arg;
    thrum_event_set(&started);
    thrum_event_wait(&go);
    exit(CODE);
}

static thrum_executor *new_pool(int workers, bool daemon) {
    return thrum_executor_new(
        &(thrum_executor_opts){.max_workers = workers, .name_prefix = "p", .daemon = daemon});
}

/* Begins the task that calls exit() once `go` is set. */
static void begin(bool daemon) {
    pool = new_pool(2, daemon);
    other = new_pool(8, false);
    thrum_submit(pool, &exits, call_exit, NULL);
    thrum_event_wait(&started);
}

static void *by_result(void *arg) {
    say("result", thrum_future_result(exits, NULL));
    return arg;
}

static void *by_wait(void *arg) {
    say("wait", thrum_wait(&exits, 1, *(thrum_wait_when *)arg, THRUM_NEVER));
    return arg;
}

static void *by_wait_any(void *arg) {
    thrum_waitable waitable = thrum_future_waitable(exits);
    say("wait", thrum_wait_any(&waitable, 1, THRUM_NEVER, NULL));
    return arg;
}

static void *by_iteration(void *arg) {
    thrum_completed *it = thrum_as_completed(&exits, 1, THRUM_NEVER);
    say("wait", thrum_completed_next(it) == exits ? 0 : 1);
    thrum_completed_free(it);
    return arg;
}

static void *by_another(void *waits) {
    say("result", thrum_future_result(waits, NULL));
    return waits;
}

static int wait_everywhere(void) {
    static thrum_wait_when all = THRUM_ALL_COMPLETED, first = THRUM_FIRST_COMPLETED;
    thrum_future *waits;
    begin(false);
    thrum_submit(pool, &waits, by_result, NULL);
    thrum_submit(other, NULL, by_result, NULL);
    thrum_submit(other, NULL, by_another, waits);
    thrum_submit(other, NULL, by_wait, &all);
    thrum_submit(other, NULL, by_wait, &first);
    thrum_submit(other, NULL, by_wait_any, NULL);
    thrum_submit(other, NULL, by_iteration, NULL);
    thrum_thread_start(NULL, by_result, NULL, NULL);
    thrum_event_set(&go);
    thrum_event_wait(&reached); /* for ever */
    return 0;
}

static void test_who_waits_for_it_goes_on(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    spec_exits(wait_everywhere, CODE, &end);
    assert_int_equal(spec_count_text(end.text, "result -125\n"), 3); /* -ECANCELED */
    assert_int_equal(spec_count_text(end.text, "result 0\n"), 1);
    assert_int_equal(spec_count_text(end.text, "wait 0\n"), 4);
    assert_int_equal(spec_count_text(end.text, "\n"), 8); /* and nothing else is said */
}

static int wait_for_a_daemon(void) {
    begin(true);
    thrum_submit(other, NULL, by_result, NULL);
    thrum_event_set(&go);
    thrum_event_wait(&reached);
    return 0;
}

static void test_a_regular_task_waits_for_a_daemon_pool(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    spec_exits(wait_for_a_daemon, CODE, &end);
    assert_int_equal(spec_count_text(end.text, "result -125\n"), 1);
}

/* Runs the task that it waits for itself. */
static void *help(void *arg) {
    thrum_future *inner;
    thrum_submit(pool, &inner, call_exit, NULL);
    thrum_event_set(&reached);
    thrum_future_result(inner, NULL);
    say("unreached", 0);
    return arg;
}

static int exit_in_a_helped_task(void) {
    thrum_event never = {0};
    pool = new_pool(1, false);
    other = new_pool(1, false);
    thrum_submit(pool, &exits, help, NULL);
    thrum_event_wait(&reached);
    thrum_submit(other, NULL, by_result, NULL);
    thrum_event_set(&go);
    thrum_event_wait(&never);
    return 0;
}

static void test_all_that_the_strand_executes_ends(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    spec_exits(exit_in_a_helped_task, CODE, &end);
    assert_string_equal(end.text, "result -125\n");
}

static void *raise_and_exit(void *arg) {
    thrum_raise(-EIO, "before");
    exit(CODE);
    return arg;
}

static int raise_before_exit(void) {
    thrum_event never = {0};
    pool = new_pool(1, false);
    thrum_submit(pool, NULL, raise_and_exit, NULL);
    thrum_event_wait(&never);
    return 0;
}

static void test_what_was_raised_is_reported(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    spec_exits(raise_before_exit, CODE, &end);
    assert_int_equal(spec_count_text(end.text, "before"), 1);
}

static int who_exits; /* 0: the item of the map's caller, 1: of who helps */
static uintptr_t caller;

static int exit_in_item(const void *item, void *result) {
    bool mine = (uintptr_t)thrum_thread_current() == caller;
    (void)item;
    (void)result;
    thrum_event_set(mine ? &started : &go);
    thrum_event_wait(mine ? &go : &started);
    if (mine == (who_exits == 0))
        exit(CODE);
    return 0;
}

static void *call_map(void *arg) {
    static int items[ITEMS];
    caller = (uintptr_t)thrum_thread_current();
    say("map", thrum_map(pool, exit_in_item, items, ITEMS, sizeof items[0], NULL, 0,
                         &(thrum_map_opts){.chunk = 1}));
    return arg;
}

static int exit_in_a_map(void) {
    thrum_event never = {0};
    pool = new_pool(2, false);
    other = new_pool(1, false);
    thrum_submit(pool, &exits, call_map, NULL);
    thrum_submit(other, NULL, by_result, NULL);
    thrum_event_wait(&never);
    return 0;
}

/* Once of who has called the map, once of who helps. */
static void test_exit_in_an_item(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    who_exits = 0;
    spec_exits(exit_in_a_map, CODE, &end);
    assert_string_equal(end.text, "result -125\n");
    who_exits = 1;
    spec_exits(exit_in_a_map, CODE, &end);
    assert_string_equal(end.text, "map -125\nresult 0\n");
}

/* Whoever does not own the fork-join takes it. */
THRUM_FORK_JOIN(int, taken, w, (int, n)) {
    (void)w;
    thrum_event_set(&go);
    if (who_exits == 1)
        exit(CODE);
    thrum_event_wait(&started); /* the owner is about to exit */
    return n;
}

THRUM_FORK_JOIN(int, idle, w, (int, n)) {
    (void)w;
    return n;
}

/* A spawn makes public what somebody has asked for. */
THRUM_FORK_JOIN(int, owner, w, (int, n)) {
    taken_spawn(w, n);
    while (!thrum_event_is_set(&go)) {
        idle_spawn(w, n);
        spec_yield();
        idle_sync(w);
    }
    thrum_event_set(&started);
    if (who_exits == 0)
        exit(CODE);
    return taken_sync(w);
}

static void *call_fork_join(void *arg) {
    say("joined", owner_run(pool, NULL, 1));
    return arg;
}

static int exit_in_a_fork_join(void) {
    thrum_event never = {0};
    pool = new_pool(2, false);
    other = new_pool(1, false);
    thrum_submit(pool, &exits, call_fork_join, NULL);
    thrum_submit(other, NULL, by_result, NULL);
    thrum_event_wait(&never);
    return 0;
}

static void test_exit_in_a_fork_join(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    who_exits = 0;
    spec_exits(exit_in_a_fork_join, CODE, &end);
    assert_string_equal(end.text, "result -125\n");
    who_exits = 1;
    spec_exits(exit_in_a_fork_join, CODE, &end);
    assert_string_equal(end.text, "joined -125\nresult 0\n");
}

static int next_item(void *arg, void *item) {
    (void)arg;
    (void)item;
    return 0;
}

static int exit_in_streamed(const void *item, void *result) {
    (void)item;
    (void)result;
    thrum_event_wait(&go);
    exit(CODE);
}

static void *read_stream(void *unordered) {
    thrum_stream *stream = thrum_stream_new(
        pool, next_item, NULL, exit_in_streamed, 1, 0,
        &(thrum_stream_opts){.buffersize = 1, .unordered = unordered != NULL});
    thrum_event_set(&go);
    say("next", thrum_stream_next_until(stream, NULL, THRUM_NEVER));
    thrum_stream_free(stream);
    return NULL;
}

static int exit_in_a_stream(void) {
    thrum_event never = {0};
    pool = new_pool(1, false);
    other = new_pool(1, false);
    thrum_submit(other, NULL, read_stream, who_exits ? &end : NULL);
    thrum_event_wait(&never);
    return 0;
}

/* The reader takes another item, which is refused or never starts. */
static void test_exit_in_a_streamed_item(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    for (who_exits = 0; who_exits < 2; who_exits++) {
        spec_exits(exit_in_a_stream, CODE, &end);
        assert_string_equal(end.text, "next -125\n");
    }
}

static void *exit_then(thrum_future *future, void *arg) {
    (void)future;
    exit(CODE);
    return arg;
}

static void *result_and_go(void *arg) {
    by_result(arg);
    thrum_event_set(&go);
    return arg;
}

static void *hold(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

/* It runs where the promise is completed: it has no pool, or that has no room. */
static int exit_in_a_continuation(void) {
    thrum_future *promise = thrum_future_new();
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .queue_limit = 1});
    other = new_pool(1, false);
    thrum_submit(pool, NULL, hold, NULL);
    thrum_event_wait(&started);
    thrum_submit(pool, NULL, hold, NULL);
    thrum_future_then(promise, &exits, who_exits ? pool : NULL, exit_then, NULL);
    thrum_submit(other, NULL, result_and_go, NULL);
    thrum_future_set_result(promise, NULL);
    return 0;
}

static void test_exit_in_a_continuation(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    for (who_exits = 0; who_exits < 2; who_exits++) {
        spec_exits(exit_in_a_continuation, CODE, &end);
        assert_string_equal(end.text, "result -125\n");
    }
}

static void *exit_at_once(void *arg) {
    (void)arg;
    thrum_event_wait(&started);
    exit(CODE);
}

static void *nothing(void *arg) { return arg; }

/* The end of the program and the owner wait for the same pool, and the owner frees it. */
static int free_beside(void) {
    thrum_event never = {0};
    for (int i = 0; i < 8; i++) {
        pool = new_pool(8, false);
        for (int j = 0; j < 20; j++)
            thrum_submit(pool, NULL, nothing, NULL);
        if (i == 4) {
            thrum_submit(pool, NULL, exit_at_once, NULL);
            thrum_event_set(&started);
        }
        thrum_executor_free(pool);
    }
    thrum_event_wait(&never);
    return 0;
}

static void test_a_pool_that_its_owner_frees(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    for (int i = 0; i < 4; i++) {
        spec_exits(free_beside, CODE, &end);
        assert_string_equal(end.text, "");
    }
}

SPEC_TESTS(cmocka_unit_test(test_who_waits_for_it_goes_on),
           cmocka_unit_test(test_a_regular_task_waits_for_a_daemon_pool),
           cmocka_unit_test(test_all_that_the_strand_executes_ends),
           cmocka_unit_test(test_what_was_raised_is_reported),
           cmocka_unit_test(test_exit_in_an_item), cmocka_unit_test(test_exit_in_a_fork_join),
           cmocka_unit_test(test_exit_in_a_streamed_item),
           cmocka_unit_test(test_exit_in_a_continuation),
           cmocka_unit_test(test_a_pool_that_its_owner_frees));
