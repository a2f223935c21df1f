/* SPDX-License-Identifier: MIT */
/* Tasks with options, and calls of timers that are tasks, when memory or threads fail, as in
 * executor.c. Linked with
 * --wrap for these functions. */
#include "fault.h"

#include <stdlib.h>

static int ran;

static void *work(void *arg) {
    __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
    return arg;
}

static thrum_executor *pool;

static int try_with_options(int i, thrum_future **out) {
    const thrum_task_opts opts = {
        .priority = i % 3 - 1, .deadline = i % 2 ? thrum_in(1e6) : THRUM_NEVER, .name = "task"};
    return thrum_submit_with(pool, out, work, &ran, &opts);
}

static void test_no_thread_for_deadlines(void **state) { /* the first with a deadline in this
                                                          * program */
    (void)state;
    spec_needs_os("that every start fails");
    thrum_future *future = NULL;
    pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = 1, .overflow = THRUM_OVERFLOW_REFUSE});
    ran = 0;
    fail_from(0, 1, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(try_with_options(1, &future), -EAGAIN);
    fail_no_more();
    assert_null(future);
    assert_int_equal(ran, 0);
    assert_int_equal(try_with_options(1, &future), 0); /* the room was given back */
    assert_int_equal(thrum_future_result(future, NULL), 0);
    thrum_future_free(future);
    thrum_executor_free(pool);
}

static void test_options_without_memory(void **state) {
    (void)state;
    for (int n = 1; n < 30; n++) {
        int taken = 0;
        thrum_future *futures[6];
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
        ran = 0;
        fail_from(n, 0, false);
        for (int i = 0; i < 6; i++) {
            thrum_future *future = NULL;
            int rc = try_with_options(i, &future);
            assert_true(rc == 0 || rc == -EAGAIN || rc == -ENOMEM);
            assert_int_equal(rc == 0, future != NULL);
            if (rc == 0)
                futures[taken++] = future;
        }
        fail_no_more();
        for (int i = 0; i < taken; i++) {
            assert_int_equal(thrum_future_result(futures[i], NULL), 0);
            thrum_future_free(futures[i]);
        }
        assert_int_equal(ran, taken);
        assert_true(taken >= 5);
        thrum_executor_free(pool);
    }
}

static thrum_event seen, done, both;

static void note_code(const thrum_failure *failure, void *code) {
    *(int *)code = failure->code;
    fail_no_more();
    thrum_event_set(&seen);
}

static void set_event(void *event) { thrum_event_set(event); }

static void fail_memory(void *arg) {
    thrum_event_wait(arg);
    fail_from(1, 0, true);
}

static void test_a_call_without_memory_is_reported(void **state) {
    (void)state;
    int code = 0;
    thrum_timer *timer;
    thrum_set_excepthook(note_code, &code);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(thrum_submit(pool, NULL, work, NULL), 0); /* a worker is there */
    const thrum_timer_opts opts = {.executor = pool, .every = 1e-3, .name = "ticker"};
    assert_int_equal(thrum_timer_start(NULL, 0, fail_memory, &both, NULL), 0);
    assert_int_equal(thrum_timer_start(&timer, 0, set_event, &done, &opts), 0);
    thrum_event_set(&both);
    thrum_event_wait(&seen);
    assert_int_equal(code, -ENOMEM);
    thrum_event_wait(&done); /* it goes on */
    assert_true(thrum_timer_cancel(timer));
    thrum_timer_free(timer);
    thrum_executor_free(pool);
    thrum_set_excepthook(NULL, NULL);
}

enum { CODE = 6 };

static spec_end end;
static thrum_event never;

static void call_exit(void *arg) {
    (void)arg;
    fail_no_more();
    exit(CODE);
}

/* The timers' thread is there, a worker cannot be had. */
static int exit_in_a_call_without_workers(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    thrum_event_clear(&done);
    if (thrum_timer_start(NULL, 0, set_event, &done, NULL) != 0)
        return 1;
    thrum_event_wait(&done);
    fail_from(0, 1, true);
    if (thrum_timer_start(NULL, 0, call_exit, NULL, &(thrum_timer_opts){.executor = pool}) != 0)
        return 1;
    thrum_event_wait(&never);
    return 0;
}

static int initialize(void *arg) {
    (void)arg;
    return 0;
}

static void exit_in_hook(const thrum_failure *failure, void *arg) {
    if (failure->code == -EAGAIN)
        call_exit(arg);
}

/* The submitter fails what is queued, and so calls the hook. */
static int exit_in_a_drain(void) {
    thrum_set_excepthook(exit_in_hook, NULL);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .initializer = initialize});
    fail_from(0, 1, true);
    return thrum_submit(pool, NULL, work, NULL);
}

static void test_exit_without_workers_leaves_no_pool_pinned(void **state) {
    (void)state;
    spec_needs_os("an exit() of a program");
    spec_skip_under_tsan("allows no threads after a fork with threads");
    spec_skip_under_emulation("aborts when a program with threads forks");
    spec_exits(exit_in_a_call_without_workers, CODE, &end);
    spec_exits(exit_in_a_drain, CODE, &end);
}

SPEC_TESTS(cmocka_unit_test(test_no_thread_for_deadlines),
           cmocka_unit_test(test_options_without_memory),
           cmocka_unit_test(test_a_call_without_memory_is_reported),
           cmocka_unit_test(test_exit_without_workers_leaves_no_pool_pinned));
