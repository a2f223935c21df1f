/* SPDX-License-Identifier: MIT */
/* What is queued when a pool cancels it, breaks or is freed: all of it is done before the first
 * callback, whatever that does. */
#include "spec.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CODE = 6, TASKS = 5 };

static spec_end end;
static thrum_executor *pool;
static thrum_future *held, *promise;
static thrum_future *futures[TASKS];
static thrum_event go, started, called, never;
static int seen[TASKS], calls, waited;

static void say(const char *text, int rc) {
    char line[80];
    int n = snprintf(line, sizeof line, "%s %d\n", text, rc);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(3);
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static void *nothing(void *arg) { return arg; }

static void *pass(thrum_future *before, void *arg) {
    (void)before;
    return arg;
}

static void count(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
}

static void open_pool(int (*initializer)(void *)) {
    calls = waited = 0;
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    thrum_event_clear(&called);
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 1, .initializer = initializer});
    assert_non_null(pool);
}

/* A worker is held, and tasks are queued; `first` is called when the first of them is done. */
static void fill(void (*first)(thrum_future *, void *)) {
    open_pool(NULL);
    assert_int_equal(thrum_submit(pool, &held, wait_for_go, NULL), 0);
    thrum_event_wait(&started);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(thrum_submit(pool, &futures[i], nothing, NULL), 0);
        thrum_future_add_done_callback(futures[i], i ? count : first, NULL);
    }
}

static void empty(int code) {
    thrum_event_set(&go);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(thrum_future_result(futures[i], NULL), code);
        thrum_future_free(futures[i]);
    }
    assert_int_equal(thrum_future_result(held, NULL), 0);
    thrum_future_free(held);
    thrum_executor_free(pool); /* the callbacks were called by then */
    assert_int_equal(calls, TASKS - 1);
}

static void wait_for_the_others(thrum_future *future, void *arg) {
    (void)arg;
    for (int i = 0; i < TASKS; i++)
        seen[i] = thrum_future_result(futures[i], NULL);
    waited += future == futures[0];
    thrum_event_set(&called);
}

static void test_a_callback_may_wait_for_another_that_is_cancelled(void **state) {
    (void)state;
    fill(wait_for_the_others);
    assert_int_equal(thrum_executor_shutdown(pool, false, true), 0);
    assert_int_equal(waited, 1);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(seen[i], -ECANCELED);
    empty(-ECANCELED);
}

/* New futures would take the place of one that is gone. */
static void read_it(thrum_future *future, void *arg) {
    thrum_future *others[2 * TASKS];
    for (int i = 0; i < 2 * TASKS; i++)
        others[i] = thrum_future_new();
    *(int *)arg += thrum_future_cancelled(future);
    for (int i = 0; i < 2 * TASKS; i++)
        thrum_future_free(others[i]);
}

/* The record stays until the last callback has had it, though a continuation passes on at once. */
static void test_a_future_lives_as_long_as_its_callbacks(void **state) {
    (void)state;
    int cancelled = 0;
    fill(count);
    for (int i = 0; i < TASKS; i++) {
        thrum_future *last = NULL;
        thrum_future_add_done_callback(futures[i], read_it, &cancelled);
        assert_int_equal(thrum_future_then(futures[i], &last, NULL, pass, NULL), 0);
        thrum_future_free(futures[i]);
        futures[i] = last;
    }
    assert_int_equal(thrum_executor_shutdown(pool, false, true), 0);
    assert_int_equal(cancelled, TASKS);
    calls -= 1; /* the first counts here too */
    empty(-ECANCELED);
}

static int fail_when_told(void *arg) {
    (void)arg;
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return -EIO;
}

static void ignore(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
}

static void test_a_callback_may_wait_for_another_that_fails(void **state) {
    (void)state;
    open_pool(fail_when_told);
    thrum_set_excepthook(ignore, NULL);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(thrum_submit(pool, &futures[i], nothing, NULL), 0);
        thrum_future_add_done_callback(futures[i], i ? count : wait_for_the_others, NULL);
    }
    held = thrum_future_new();
    assert_int_equal(thrum_future_set_result(held, NULL), 0);
    thrum_event_set(&go);
    thrum_event_wait(&called);
    empty(-EIO);
    thrum_set_excepthook(NULL, NULL);
    assert_int_equal(waited, 1);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(seen[i], -EIO);
}

static void *wait_for_the_last(void *arg) {
    thrum_event_set(&started);
    say("result", thrum_future_result(futures[TASKS - 1], NULL));
    return arg;
}

static void call_exit(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    thrum_event_set(&go);
    exit(CODE);
}

static void start_waiting(void) {
    thrum_event_clear(&started);
    if (thrum_thread_start(NULL, wait_for_the_last, NULL, NULL) != 0)
        _exit(3);
    thrum_event_wait(&started);
}

/* The end waits for a thread that waits for the last of the tasks. */
static int exit_in_a_callback_of_shutdown(void) {
    fill(call_exit);
    start_waiting();
    thrum_executor_shutdown(pool, false, true);
    return 0;
}

static int exit_in_a_callback_of_what_breaks(void) {
    open_pool(fail_when_told);
    for (int i = 0; i < TASKS; i++) {
        thrum_submit(pool, &futures[i], nothing, NULL);
        thrum_future_add_done_callback(futures[i], i ? count : call_exit, NULL);
    }
    thrum_event_wait(&started);
    start_waiting();
    thrum_event_set(&go);
    thrum_event_wait(&never);
    return 0;
}

static void test_exit_in_a_callback_of_shutdown(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_skip_under_tsan("counts workers that left before the end of the program saw the pool");
    spec_exits(exit_in_a_callback_of_shutdown, CODE, &end);
    assert_string_equal(end.text, "result -125\n"); /* -ECANCELED */
}

static void test_exit_in_a_callback_of_what_breaks(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_in_a_callback_of_what_breaks, CODE, &end);
    assert_int_equal(spec_count_text(end.text, "result -5\n"), 1); /* -EIO */
}

static void exit_for_a_task(const thrum_failure *failure, void *arg) {
    (void)arg;
    if (failure->code == -EIO && ++waited == 2) /* the first is the initializer's own */
        exit(CODE);
}

static void say_called(thrum_future *future, void *arg) {
    (void)arg;
    say("called", thrum_future_result(future, NULL));
}

/* The first task has no future, so that its failure is reported. */
static int exit_in_the_excepthook(void) {
    open_pool(fail_when_told);
    thrum_set_excepthook(exit_for_a_task, NULL);
    thrum_submit(pool, NULL, nothing, NULL);
    thrum_submit(pool, &futures[0], nothing, NULL);
    thrum_future_add_done_callback(futures[0], say_called, NULL);
    thrum_event_set(&go);
    thrum_event_wait(&never);
    return 0;
}

static void test_exit_in_the_excepthook(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_in_the_excepthook, CODE, &end);
    assert_string_equal(end.text, "called -5\n"); /* -EIO */
}

/* The failure of a continuation without a future is reported while others are not done yet. */
static int exit_in_the_excepthook_of_a_continuation(void) {
    open_pool(fail_when_told);
    promise = thrum_future_new();
    thrum_set_excepthook(exit_for_a_task, NULL);
    thrum_future_then(promise, NULL, pool, pass, NULL);
    thrum_future_then(promise, &futures[1], pool, pass, NULL);
    thrum_future_add_done_callback(futures[1], say_called, NULL);
    thrum_submit(pool, &futures[0], nothing, NULL);
    thrum_future_add_done_callback(futures[0], say_called, NULL);
    thrum_event_set(&go);
    thrum_event_wait(&never);
    return 0;
}

static void test_exit_in_the_excepthook_of_a_continuation(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_in_the_excepthook_of_a_continuation, CODE, &end);
    assert_string_equal(end.text, "called -5\ncalled -5\n"); /* -EIO */
}

/* Continuations that wait for a promise stand in the pool when it is freed. */
static void chain(void (*first)(thrum_future *, void *)) {
    open_pool(NULL);
    promise = thrum_future_new();
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(thrum_future_then(promise, &futures[i], pool, pass, NULL), 0);
        thrum_future_add_done_callback(futures[i], i ? count : first, NULL);
    }
}

static int exit_in_a_callback_of_free(void) {
    chain(call_exit);
    start_waiting();
    thrum_executor_free(pool);
    return 0;
}

static void test_exit_in_a_callback_of_free(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_exits(exit_in_a_callback_of_free, CODE, &end);
    assert_string_equal(end.text, "result -108\n"); /* -ESHUTDOWN */
}

static void call_pthread_exit(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    pthread_exit(NULL);
}

static void *free_it(void *arg) {
    thrum_executor_free(pool);
    return arg;
}

/* The memory of a pool that was freed is the next one's. */
static void test_pthread_exit_in_a_callback_of_free(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    chain(call_pthread_exit);
    const thrum_executor *freed = pool;
    thrum_thread *thread = spec_start(free_it, NULL);
    assert_int_equal(thrum_thread_join(thread, NULL), -ECANCELED);
    thrum_thread_free(thread);
    assert_int_equal(calls, TASKS - 1);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(thrum_future_result(futures[i], NULL), -ESHUTDOWN);
        thrum_future_free(futures[i]);
    }
    thrum_future_free(promise);
    open_pool(NULL);
    assert_ptr_equal(pool, freed);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_a_callback_may_wait_for_another_that_is_cancelled),
           cmocka_unit_test(test_a_future_lives_as_long_as_its_callbacks),
           cmocka_unit_test(test_a_callback_may_wait_for_another_that_fails),
           cmocka_unit_test(test_exit_in_a_callback_of_shutdown),
           cmocka_unit_test(test_exit_in_a_callback_of_what_breaks),
           cmocka_unit_test(test_exit_in_the_excepthook),
           cmocka_unit_test(test_exit_in_the_excepthook_of_a_continuation),
           cmocka_unit_test(test_exit_in_a_callback_of_free),
           cmocka_unit_test(test_pthread_exit_in_a_callback_of_free));
