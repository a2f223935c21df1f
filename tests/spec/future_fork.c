/* SPDX-License-Identifier: MIT */
/* What a child of a fork sees of futures that the parent's other threads were busy with. */
#include "spec.h"

#include <math.h>

static thrum_executor *pool;
static thrum_event go, started, said;
static thrum_future *busy, *early, *promise, *out, *last;
static thrum_completed *iteration;
static spec_end child;

static void begin(void) {
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    thrum_event_clear(&said);
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 2, .idle_timeout = INFINITY});
    assert_non_null(pool);
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static void *nothing(void *arg) { return arg; }

static void *say(void *event) {
    thrum_event_set(event);
    return NULL;
}

static void *wait_behind(thrum_future *before, void *arg) {
    (void)before;
    return wait_for_go(arg);
}

static void *pass(thrum_future *before, void *arg) {
    (void)before;
    return arg;
}

static void wait_in_callback(thrum_future *before, void *arg) {
    (void)wait_behind(before, arg);
}

static int iterate(void) {
    if (thrum_completed_next(iteration) != early)
        return 1;
    if (thrum_completed_next(iteration) != busy || !thrum_future_cancelled(busy))
        return 2;
    if (thrum_future_set_result(promise, NULL) != 0 ||
        thrum_completed_next(iteration) != promise)
        return 3;
    if (thrum_completed_pending(iteration) != 0 || thrum_completed_next(iteration))
        return 4;
    thrum_completed_free(iteration);
    return 0;
}

/* One future is done before the fork, one was the parent's, one is this process's to complete. */
static void test_an_iteration_goes_on(void **state) {
    (void)state;
    begin();
    promise = thrum_future_new();
    assert_int_equal(thrum_submit(pool, &busy, wait_for_go, NULL), 0);
    thrum_event_wait(&started);
    assert_int_equal(thrum_submit(pool, &early, nothing, NULL), 0);
    iteration = thrum_as_completed((thrum_future *[]){promise, busy, early}, 3, THRUM_NEVER);
    assert_non_null(iteration);
    assert_int_equal(thrum_submit(pool, NULL, say, &said), 0);
    thrum_event_wait(&said); /* the iteration has been told of `early`: the same worker ran both */
    spec_exits(iterate, 0, &child);
    thrum_event_set(&go);
    assert_ptr_equal(thrum_completed_next(iteration), early);
    assert_ptr_equal(thrum_completed_next(iteration), busy);
    assert_int_equal(thrum_future_result(busy, NULL), 0);
    thrum_completed_free(iteration);
    thrum_future_free(promise);
    thrum_future_free(early);
    thrum_future_free(busy);
    thrum_executor_free(pool);
}

static int look(void) {
    if (thrum_future_result(last, NULL) != -ECANCELED || !thrum_future_cancelled(last))
        return 1;
    return thrum_future_result(out, NULL) == -ECANCELED ? 0 : 2;
}

static void *keep(void *arg) {
    assert_int_equal(thrum_future_set_result(arg, NULL), 0);
    return NULL;
}

/* Another thread completes `promise`, and is in the middle of what follows it: `out` itself, or a
 * callback before that. */
static void test_what_another_thread_was_about_to_continue(void **state) {
    (void)state;
    for (int before = 0; before < 2; before++) {
        begin();
        promise = thrum_future_new();
        if (before)
            assert_int_equal(thrum_future_add_done_callback(promise, wait_in_callback, NULL), 0);
        assert_int_equal(
            thrum_future_then(promise, &out, NULL, before ? pass : wait_behind, NULL), 0);
        assert_int_equal(thrum_future_then(out, &last, pool, pass, NULL), 0);
        thrum_thread *thread = spec_start(keep, promise);
        thrum_event_wait(&started);
        spec_exits(look, 0, &child);
        thrum_event_set(&go);
        assert_int_equal(thrum_future_result(last, NULL), 0);
        assert_int_equal(thrum_thread_join(thread, NULL), 0);
        thrum_thread_free(thread);
        thrum_future_free(promise);
        thrum_future_free(out);
        thrum_future_free(last);
        thrum_executor_free(pool);
    }
}

SPEC_TESTS(cmocka_unit_test(test_an_iteration_goes_on),
           cmocka_unit_test(test_what_another_thread_was_about_to_continue));
