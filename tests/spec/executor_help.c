/* SPDX-License-Identifier: MIT */
/* What a task may run in the middle of another one, and what it may not. */
#include "spec.h"

#include <math.h>

static thrum_executor *pool;
static thrum_future *promise;
static thrum_future *outer;
static thrum_event started;
static thrum_event go;

static thrum_future *submit(void *(*fn)(void *), void *arg) {
    thrum_future *future = NULL;
    assert_int_equal(thrum_submit(pool, &future, fn, arg), 0);
    return future;
}

static void *result_of(thrum_future *future) {
    void *result = NULL;
    assert_int_equal(thrum_future_result(future, &result), 0);
    thrum_future_free(future);
    return result;
}

static void begin(int workers) {
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = workers, .idle_timeout = INFINITY});
    assert_non_null(pool);
    promise = thrum_future_new();
    assert_non_null(promise);
    thrum_event_clear(&started);
    thrum_event_clear(&go);
}

static void end(void) {
    thrum_executor_free(pool);
    thrum_future_free(promise);
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

/* Submits a task that needs what this one does after its wait. */
static void *promise_then_go(void *arg) {
    thrum_future *inner = submit(wait_for_go, arg);
    assert_int_equal(thrum_future_result(promise, NULL), 0);
    thrum_event_set(&go);
    return result_of(inner);
}

static void test_what_is_not_waited_for_is_not_run_inside(void **state) {
    (void)state;
    begin(1);
    thrum_future *future = submit(promise_then_go, &pool);
    thrum_event_wait(&started);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    assert_ptr_equal(result_of(future), &pool);
    end();
}

static void *wait_for_outer(void *arg) {
    (void)arg;
    thrum_event_set(&started);
    return (void *)(intptr_t)thrum_future_result(outer, NULL);
}

static thrum_future *inner_future;

static void *submit_one_that_waits(void *arg) {
    (void)arg;
    thrum_event_wait(&go);
    inner_future = submit(wait_for_outer, NULL);
    return (void *)(intptr_t)thrum_future_result(promise, NULL);
}

static void test_a_task_may_wait_for_who_submitted_it(void **state) {
    (void)state;
    begin(1);
    outer = submit(submit_one_that_waits, NULL);
    thrum_event_set(&go);
    thrum_event_wait(&started);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    void *code = &code;
    assert_int_equal(thrum_future_result(outer, &code), 0);
    assert_null(code);
    assert_null(result_of(inner_future));
    thrum_future_free(outer);
    end();
}

enum { BACK = 2 };
static int steps;        /* of what comes back and ends: only so can be told who runs beside whom */
static bool second_runs; /* atomic, as steps */

static void until_step(int step) {
    while (__atomic_load_n(&steps, __ATOMIC_ACQUIRE) < step)
        spec_yield();
}

static void next_step(void) { __atomic_fetch_add(&steps, 1, __ATOMIC_RELEASE); }

/* The first and the second of them end one after the other. Returns whether what is queued was
 * started beside it. */
static void *comes_back(void *index) {
    int own = (int)(intptr_t)index;
    thrum_event_set(&started);
    assert_int_equal(thrum_future_result(promise, NULL), 0);
    next_step();
    until_step(BACK + 1 + own);
    bool seen = false;
    for (int i = 0; i < 1000 && !seen; i++, spec_yield())
        seen = __atomic_load_n(&second_runs, __ATOMIC_RELAXED);
    next_step();
    return (void *)(intptr_t)seen;
}

static void *brings_them_back(void *arg) {
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    until_step(BACK);
    next_step();
    return arg;
}

static void *second(void *arg) {
    __atomic_store_n(&second_runs, true, __ATOMIC_RELAXED);
    return arg;
}

static void test_who_is_one_too_many_goes(void **state) {
    (void)state;
    thrum_future *back[BACK];
    begin(1);
    second_runs = false;
    steps = 0;
    for (intptr_t i = 0; i < BACK; i++) {
        thrum_event_clear(&started);
        back[i] = submit(comes_back, (void *)i);
        thrum_event_wait(&started);
    }
    thrum_future *futures[] = {submit(brings_them_back, &pool), submit(second, &pool)};
    for (int i = 0; i < BACK; i++)
        assert_null(result_of(back[i]));
    assert_ptr_equal(result_of(futures[0]), &pool);
    assert_ptr_equal(result_of(futures[1]), &pool);
    end();
}

/* Ends the wait for the first, and then what that one needs. */
static void *first_then_go(void *arg) {
    thrum_future *futures[] = {submit(wait_for_go, arg), promise};
    thrum_wait_when when = *(thrum_wait_when *)arg;
    if (when == THRUM_ALL_COMPLETED) {
        thrum_completed *it = thrum_as_completed(futures, 2, THRUM_NEVER);
        assert_non_null(it);
        assert_ptr_equal(thrum_completed_next(it), promise);
        thrum_completed_free(it);
    } else {
        assert_int_equal(thrum_wait(futures, 2, when, THRUM_NEVER), 0);
    }
    thrum_event_set(&go);
    return result_of(futures[0]);
}

static void test_who_waits_for_the_first_runs_none_of_them(void **state) {
    (void)state;
    for (int i = THRUM_ALL_COMPLETED; i <= THRUM_FIRST_ERROR; i++) {
        thrum_wait_when when = (thrum_wait_when)i;
        begin(1);
        thrum_future *future = submit(first_then_go, &when);
        thrum_event_wait(&started);
        if (when == THRUM_FIRST_ERROR)
            assert_true(thrum_future_cancel(promise));
        else
            assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        assert_ptr_equal(result_of(future), &when);
        end();
    }
}

static void *nothing(void *arg) { return arg; }

static int waited; /* atomic */

/* In the thread that has helped the task, as a rule. */
static void wait_for_another(thrum_future *future, void *arg) {
    (void)future;
    assert_ptr_equal(result_of(submit(nothing, arg)), arg);
    __atomic_fetch_add(&waited, 1, __ATOMIC_RELEASE);
}

static void test_a_callback_of_who_helps_leaves_its_slot(void **state) {
    (void)state;
    thrum_executor_stats stats = {.helped = 0};
    begin(1);
    waited = 0;
    for (int i = 0; i < 1000 && stats.helped < 50; i++) {
        thrum_future *future = submit(nothing, &pool);
        assert_int_equal(thrum_future_add_done_callback(future, wait_for_another, &pool), 0);
        (void)result_of(future);
        thrum_executor_get_stats(pool, &stats);
    }
    end();
    assert_true(waited > 0);
}

/* Who helps finds that the deadline has come, if the timers' thread has not. */
static void test_a_callback_of_who_finds_it_late_leaves_the_slot(void **state) {
    (void)state;
    enum { LATE = 300 };
    begin(1);
    waited = 0;
    for (int i = 0; i < LATE; i++) {
        thrum_future *future;
        thrum_task_opts opts = {.deadline = thrum_in(1e-6)};
        assert_int_equal(thrum_submit_with(pool, &future, nothing, &pool, &opts), 0);
        assert_int_equal(thrum_future_add_done_callback(future, wait_for_another, &pool), 0);
        int rc = thrum_future_result(future, NULL);
        assert_true(rc == 0 || rc == -ETIMEDOUT);
        thrum_future_free(future);
    }
    while (__atomic_load_n(&waited, __ATOMIC_ACQUIRE) < LATE)
        spec_yield(); /* a callback may be called by the timers' thread */
    end();
}

static int shut_down; /* what that returned */

static void shut_down_and_wait(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    shut_down = thrum_executor_shutdown(pool, true, false);
}

static void test_a_callback_of_who_helps_cannot_wait_for_the_end(void **state) {
    (void)state;
    thrum_executor_stats stats = {.helped = 0};
    for (int i = 0; i < 1000 && stats.helped == 0; i++) {
        begin(1);
        thrum_future *future = submit(nothing, &pool);
        assert_int_equal(thrum_future_add_done_callback(future, shut_down_and_wait, NULL), 0);
        (void)result_of(future);
        thrum_executor_get_stats(pool, &stats);
        end();
    }
    assert_int_equal(shut_down, stats.helped ? -EDEADLK : shut_down);
}

/* What it waits for waits for it: that ends the wait, and only that one. */
static void *wait_in_circle(void *arg) {
    (void)arg;
    thrum_event_wait(&go);
    thrum_future *inner = submit(wait_for_outer, NULL);
    intptr_t rc = thrum_wait(&inner, 1, THRUM_ALL_COMPLETED, THRUM_NEVER);
    (void)thrum_future_result(inner, NULL);
    thrum_future_free(inner);
    assert_ptr_equal(result_of(submit(nothing, &pool)), &pool);
    return (void *)rc;
}

static int circle_through_wait(void) {
    void *code = NULL;
    begin(1);
    outer = submit(wait_in_circle, NULL);
    thrum_event_set(&go);
    thrum_event_wait(&started);
    assert_int_equal(thrum_future_result(outer, &code), 0);
    assert_int_equal((intptr_t)code, -EDEADLK);
    thrum_future_free(outer);
    end();
    return 0;
}

static thrum_future *pair[2];

static void *wait_for_other(void *other) {
    thrum_event_wait(&go);
    return (void *)(intptr_t)thrum_wait((thrum_future **)other, 1, THRUM_ALL_COMPLETED,
                                        THRUM_NEVER);
}

static int circle_of_waits(void) {
    begin(2);
    for (int i = 0; i < 2; i++)
        pair[i] = submit(wait_for_other, &pair[1 - i]);
    thrum_event_set(&go);
    for (int i = 0; i < 2; i++) {
        void *code = NULL;
        assert_int_equal(thrum_future_result(pair[i], &code), 0);
        assert_int_equal((intptr_t)code, -EDEADLK);
    }
    for (int i = 0; i < 2; i++)
        thrum_future_free(pair[i]);
    end();
    return 0;
}

static void test_a_circle_through_thrum_wait(void **state) {
    (void)state;
    static spec_end ended;
    spec_exits(circle_of_waits, 0, &ended);
    assert_int_equal(spec_count_text(ended.text, "in a circle"), 1);
    spec_exits(circle_through_wait, 0, &ended);
    assert_int_equal(spec_count_text(ended.text, "in a circle"), 1);
}

SPEC_TESTS(cmocka_unit_test(test_what_is_not_waited_for_is_not_run_inside),
           cmocka_unit_test(test_a_task_may_wait_for_who_submitted_it),
           cmocka_unit_test(test_who_waits_for_the_first_runs_none_of_them),
           cmocka_unit_test(test_who_is_one_too_many_goes),
           cmocka_unit_test(test_a_callback_of_who_helps_leaves_its_slot),
           cmocka_unit_test(test_a_callback_of_who_helps_cannot_wait_for_the_end),
           cmocka_unit_test(test_a_circle_through_thrum_wait), /* forks: before there is a timer */
           cmocka_unit_test(test_a_callback_of_who_finds_it_late_leaves_the_slot));
