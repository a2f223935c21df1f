/* SPDX-License-Identifier: MIT */
/* Tasks that wait for tasks of their own pool, and what a task is inside another one. */
#include "spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static thrum_executor *pool;

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

static void with_pool(int workers, void (*body)(void)) {
    /* Nobody times out, which would hide a lost wake. */
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = workers, .idle_timeout = INFINITY});
    assert_non_null(pool);
    body();
    thrum_executor_free(pool);
}

static void *identity(void *arg) { return arg; }

static void *nest(void *depth) {
    intptr_t n = (intptr_t)depth;
    return n == 0 ? depth : (char *)result_of(submit(nest, (void *)(n - 1))) + 1;
}

/* The stacks of the test strand are small. */
static void deep(void) {
    intptr_t depth = spec_is_test_strand() ? 60 : 1000;
    assert_int_equal((intptr_t)result_of(submit(nest, (void *)depth)), depth);
}

static void test_nested_to_depth_1000(void **state) {
    (void)state;
    with_pool(2, deep);
}

static void *wait_inside(void *arg) { return result_of(submit(identity, arg)); }

static void waits_on_itself(void) {
    assert_ptr_equal(result_of(submit(wait_inside, &pool)), &pool);
}

static void test_a_pool_of_one_that_waits_on_itself(void **state) {
    (void)state;
    with_pool(1, waits_on_itself);
}

static thrum_event go;
static thrum_event started;

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static void *free_go(void *arg) {
    thrum_event_set(&go);
    return arg;
}

/* The task that is waited for runs already, and ends only when another one of the queue has run. */
static void *wait_for_running(void *future) {
    void *result = NULL;
    assert_int_equal(thrum_future_result(future, &result), 0);
    return result;
}

static void others_take_the_place(void) {
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    thrum_future *runs = submit(wait_for_go, &go);
    thrum_event_wait(&started);
    thrum_future *waits = submit(wait_for_running, runs);
    thrum_future *frees = submit(free_go, NULL);
    assert_ptr_equal(result_of(waits), &go);
    result_of(frees);
    result_of(runs);
}

static void test_another_worker_takes_the_place_of_who_waits(void **state) {
    (void)state;
    with_pool(2, others_take_the_place);
}

/* The first waits, unknown to the pool, for the second; both may be submitted while one worker is
 * being woken. */
static void pairs(void) {
    for (int i = 0; i < 100; i++) {
        thrum_event_clear(&go);
        thrum_future *both[] = {submit(wait_for_go, &go), submit(free_go, NULL)};
        assert_int_equal(thrum_wait(both, 2, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        result_of(both[0]);
        result_of(both[1]);
        for (int yields = (int)spec_random(4); yields > 0; yields--)
            spec_yield();
    }
}

static void test_a_woken_worker_wakes_the_next(void **state) {
    (void)state;
    with_pool(2, pairs);
}

static thrum_future *promise;

static void *wait_promise(void *arg) {
    (void)arg;
    void *result = NULL;
    assert_int_equal(thrum_future_result(promise, &result), 0);
    return result;
}

static void *set_promise(void *arg) {
    assert_int_equal(thrum_future_set_result(promise, arg), 0);
    return NULL;
}

static void *wait_promise_any(void *arg) {
    thrum_waitable any = thrum_future_waitable(promise);
    assert_int_equal(thrum_wait_any(&any, 1, THRUM_NEVER, NULL), 0);
    return wait_promise(arg);
}

static void *wait_promise_all(void *arg) {
    assert_int_equal(thrum_wait(&promise, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    return wait_promise(arg);
}

static void *wait_promise_until(void *arg) {
    void *result = NULL;
    (void)arg;
    assert_int_equal(thrum_future_result_until(promise, thrum_in(1000), &result), 0);
    return result;
}

static void *wait_promise_next(void *arg) {
    thrum_completed *it = thrum_as_completed(&promise, 1, THRUM_NEVER);
    assert_ptr_equal(thrum_completed_next(it), promise);
    thrum_completed_free(it);
    return wait_promise(arg);
}

/* On one worker: each kind of wait lets the task run that ends it. */
static void promises(void) {
    static void *(*const waits[])(void *) = {wait_promise, wait_promise_any, wait_promise_all,
                                             wait_promise_until, wait_promise_next};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        promise = thrum_future_new();
        thrum_future *waiting = submit(waits[i], NULL);
        thrum_future *setting = submit(set_promise, &promise);
        assert_ptr_equal(result_of(waiting), &promise);
        result_of(setting);
        thrum_future_free(promise);
    }
}

static void test_every_kind_of_wait_frees_the_worker(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        with_pool(1, promises);
}

static void *wait_for_many(void *arg) {
    thrum_future *futures[50];
    for (int i = 0; i < 50; i++)
        futures[i] = submit(identity, &futures[i]);
    assert_int_equal(thrum_wait(futures, 50, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    for (int i = 0; i < 50; i++)
        assert_ptr_equal(result_of(futures[i]), &futures[i]);
    return arg;
}

static void many_waits(void) { result_of(submit(wait_for_many, NULL)); }

static void test_wait_for_many_inside(void **state) {
    (void)state;
    with_pool(1, many_waits);
    with_pool(3, many_waits);
}

static thrum_future *a, *b;
static int a_code, b_code;

static void *wait_for_b(void *arg) {
    thrum_event_wait(&go);
    a_code = thrum_future_result(b, NULL);
    return arg;
}

static void *wait_for_a(void *arg) {
    thrum_event_wait(&go);
    b_code = thrum_future_result(a, NULL);
    return arg;
}

static void circle(void) {
    thrum_event_clear(&go);
    a_code = b_code = 0;
    a = submit(wait_for_b, &a);
    b = submit(wait_for_a, &b);
    thrum_event_set(&go);
    assert_ptr_equal(result_of(a), &a);
    assert_ptr_equal(result_of(b), &b);
    assert_int_equal(a_code, -EDEADLK);
    assert_int_equal(b_code, -EDEADLK);
}

static int circle_of_one(void) {
    with_pool(1, circle);
    return 0;
}

static int circle_of_two(void) {
    with_pool(2, circle);
    return 0;
}

static void test_a_circle_is_found(void **state) {
    (void)state;
    static spec_end end;
    for (int i = 0; i < 10; i++) {
        spec_exits(circle_of_one, 0, &end);
        assert_int_equal(spec_count_text(end.text, "in a circle"), 1);
        spec_exits(circle_of_two, 0, &end);
        assert_int_equal(spec_count_text(end.text, "in a circle"), 1);
    }
}

static void *wait_for_itself(void *arg) {
    thrum_event_wait(&go);
    return (void *)(intptr_t)thrum_future_result(*(thrum_future **)arg, NULL);
}

static int itself(void) {
    pool = thrum_executor_new(NULL);
    thrum_event_clear(&go);
    a = submit(wait_for_itself, &a);
    thrum_event_set(&go);
    void *code;
    if (thrum_future_result(a, &code) != 0 || (intptr_t)code != -EDEADLK)
        return 1;
    thrum_executor_free(pool);
    return 0;
}

static void test_a_task_that_waits_for_itself(void **state) {
    (void)state;
    static spec_end end;
    spec_exits(itself, 0, &end);
    assert_int_equal(spec_count_text(end.text, "in a circle"), 1);
}

static thrum_rlock rlock;

static void *try_rlock(void *arg) {
    (void)arg;
    bool held = thrum_rlock_try_acquire(&rlock);
    if (held)
        thrum_rlock_release(&rlock);
    return (void *)(intptr_t)held;
}

static void *hold_rlock_and_help(void *arg) {
    void *held;
    thrum_rlock_acquire(&rlock);
    held = result_of(submit(try_rlock, NULL));
    assert_true(thrum_rlock_try_acquire(&rlock)); /* still its own */
    thrum_rlock_release(&rlock);
    thrum_rlock_release(&rlock);
    (void)arg;
    return held;
}

static void *raise_in_helped(void *arg) {
    thrum_raise(-EIO, "inner");
    return arg;
}

static void *read_inner_failure(void *arg) {
    thrum_future *inner = submit(raise_in_helped, NULL);
    assert_int_equal(thrum_future_result(inner, NULL), -EIO);
    thrum_future_free(inner);
    return arg;
}

static void identity_of_helped(void) {
    assert_null(result_of(submit(hold_rlock_and_help, NULL)));
    thrum_rlock_acquire(&rlock); /* an outside thread that helps */
    assert_null(result_of(submit(try_rlock, NULL)));
    thrum_rlock_release(&rlock);
    assert_ptr_equal(result_of(submit(read_inner_failure, &a)), &a);
}

static void test_a_helped_task_is_itself(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        with_pool(1, identity_of_helped);
}

static void *cancelled_inside(void *arg) {
    (void)arg;
    return (void *)(intptr_t)thrum_cancel_requested();
}

static void *help_under_cancel(void *arg) {
    (void)arg;
    thrum_event_set(&started);
    thrum_event_wait(&go);
    assert_true(thrum_cancel_requested());
    return result_of(submit(cancelled_inside, NULL));
}

static void cancel_of_outer(void) {
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    thrum_future *outer = submit(help_under_cancel, NULL);
    thrum_event_wait(&started);
    assert_false(thrum_future_cancel(outer));
    thrum_event_set(&go);
    assert_null(result_of(outer));
}

static void test_the_cancel_token_is_the_tasks_own(void **state) {
    (void)state;
    assert_false(thrum_cancel_requested());
    with_pool(1, cancel_of_outer);
}

/* Two pools of one worker each, whose tasks wait for the other pool's. */
static thrum_executor *other_pool;

static void *wait_for_first_pool(void *arg) { return result_of(submit(identity, arg)); }

static void *wait_for_other_pool(void *arg) {
    thrum_future *future = NULL;
    assert_int_equal(thrum_submit(other_pool, &future, wait_for_first_pool, arg), 0);
    return result_of(future);
}

static void across(void) {
    other_pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_ptr_equal(result_of(submit(wait_for_other_pool, &a)), &a);
    thrum_executor_free(other_pool);
}

static void test_pools_that_wait_for_each_other(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        with_pool(1, across);
}

SPEC_TESTS(cmocka_unit_test(test_nested_to_depth_1000),
           cmocka_unit_test(test_a_pool_of_one_that_waits_on_itself),
           cmocka_unit_test(test_a_woken_worker_wakes_the_next),
           cmocka_unit_test(test_another_worker_takes_the_place_of_who_waits),
           cmocka_unit_test(test_every_kind_of_wait_frees_the_worker),
           cmocka_unit_test(test_wait_for_many_inside), cmocka_unit_test(test_a_circle_is_found),
           cmocka_unit_test(test_a_task_that_waits_for_itself),
           cmocka_unit_test(test_a_helped_task_is_itself),
           cmocka_unit_test(test_the_cancel_token_is_the_tasks_own),
           cmocka_unit_test(test_pools_that_wait_for_each_other));
