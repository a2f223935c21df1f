/* SPDX-License-Identifier: MIT */
/* A pool whose only worker is held in a task, while what comes after it is queued. */
#ifndef THRUM_TESTS_HELD_H
#define THRUM_TESTS_HELD_H

#include "spec.h"

static struct {
    thrum_executor *pool;
    thrum_event go, started;
} one;

/* Makes one.pool, and resets the events. */
static void held_pool(const thrum_executor_opts *opts) {
    one.go = one.started = (thrum_event)THRUM_EVENT_INIT;
    one.pool = thrum_executor_new(opts);
    assert_non_null(one.pool);
}

static thrum_future *submit_with(void *(*fn)(void *), void *arg, const thrum_task_opts *opts) {
    thrum_future *future = NULL;
    assert_int_equal(thrum_submit_with(one.pool, &future, fn, arg, opts), 0);
    assert_non_null(future);
    return future;
}

static int code_of(thrum_future *future) {
    int code = thrum_future_result(future, NULL);
    thrum_future_free(future);
    return code;
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&one.started);
    thrum_event_wait(&one.go);
    return arg;
}

/* The only worker is in a task until one.go. */
static thrum_future *hold_worker(void) {
    thrum_future *held = submit_with(wait_for_go, NULL, NULL);
    thrum_event_wait(&one.started);
    return held;
}

static size_t queued(void) {
    thrum_executor_stats stats;
    thrum_executor_get_stats(one.pool, &stats);
    return stats.queued;
}

#endif
