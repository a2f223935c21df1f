/* SPDX-License-Identifier: MIT */
/* Floor 4: the state of a pool. */
#include "spec.h"

#include <errno.h>

#include "exec/pool.h"
#include "thread/thread.h"

static void *nothing(void *arg) { return arg; }

/* Who has come upon a task of a pool before it was freed comes too late for a slot; its memory
 * stays. */
static void test_a_freed_pool_gives_no_slot(void **state) {
    (void)state;
    for (int used = 0; used <= 1; used++) {
        thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        assert_non_null(pool);
        assert_true(thrum__state_take_slot(pool, THRUM__POOL_BUSY, THRUM__POOL_LEAVING));
        assert_false(thrum__pool_seal(pool));
        thrum__pool_release_slot(pool);
        if (used)
            assert_int_equal(thrum_submit(pool, NULL, nothing, NULL), 0);
        thrum_executor_free(pool);
        assert_false(thrum__state_take_slot(pool, THRUM__POOL_BUSY, THRUM__POOL_LEAVING));
    }
}

static thrum_event go;
static thrum_future *promise;

static void *wait_for_go(void *arg) {
    thrum_event_wait(&go);
    return arg;
}

static int fail_when_told(void *arg) {
    (void)arg;
    thrum_event_wait(&go);
    return -EIO;
}

static void wait_for_promise(thrum_future *future, void *called) {
    (void)future;
    thrum_event_set(called);
    (void)thrum_future_result(promise, NULL);
}

static void ignore(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
}

/* A worker whose initializer has failed calls callbacks, and has no slot that it could leave. */
static void test_a_worker_without_a_slot_keeps_none(void **state) {
    (void)state;
    thrum_event called = {0};
    thrum_future *future;
    thrum_set_excepthook(ignore, NULL);
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 1, .initializer = fail_when_told});
    promise = thrum_future_new();
    thrum_event_clear(&go);
    assert_int_equal(thrum_submit(pool, &future, nothing, NULL), 0);
    thrum_future_add_done_callback(future, wait_for_promise, &called);
    thrum_event_set(&go);
    thrum_event_wait(&called);
    spec_until_waiting(promise, 1);
    uint64_t counts = thrum__state_load(pool);
    thrum_future_set_result(promise, NULL);
    assert_int_equal(THRUM__POOL_COUNT(counts, THRUM__POOL_BUSY), 0);
    assert_int_equal(THRUM__POOL_COUNT(counts, THRUM__POOL_BLOCKED), 0);
    assert_int_equal(THRUM__POOL_COUNT(counts, THRUM__POOL_PINNED), 1);
    assert_int_equal(thrum_future_result(future, NULL), -EIO);
    thrum_executor_free(pool);
    thrum_future_free(future);
    thrum_future_free(promise);
    thrum_set_excepthook(NULL, NULL);
}

/* The counts of the state have 12 bits each. */
static void test_a_crowd_lets_nobody_in(void **state) {
    (void)state;
    thrum_future *future = NULL;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = 1, .overflow = THRUM_OVERFLOW_CALLER_RUNS});
    thrum_event_clear(&go);
    assert_int_equal(thrum_submit(pool, NULL, wait_for_go, NULL), 0);
    spec_until_waiting(&go, 1);
    assert_int_equal(thrum_submit(pool, &future, nothing, NULL), 0);
    assert_int_equal(thrum_submit(pool, NULL, nothing, NULL), 0);
    thrum__state_add(pool, THRUM__POOL_CROWD * THRUM__POOL_PINNED);
    assert_int_equal(thrum_submit(pool, NULL, nothing, NULL), -EAGAIN);
    thrum_event_set(&go);
    assert_int_equal(thrum_future_result(future, NULL), 0);
    assert_int_equal(THRUM__POOL_COUNT(thrum__state_load(pool), THRUM__POOL_PINNED),
                     THRUM__POOL_CROWD);
    thrum__state_add(pool, -(THRUM__POOL_CROWD * THRUM__POOL_PINNED));
    thrum_future_free(future);
    thrum_executor_free(pool);
}

static void *has_one_before(void *arg) {
    (void)arg;
    return thrum__worker_current()->before;
}

/* Who comes into the place of a worker that has left keeps no thread that is gone. */
static void test_threads_that_are_gone_are_let_go_of(void **state) {
    (void)state;
    void *before = &before;
    thrum_executor *pool =
        thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .idle_timeout = 1e-6});
    for (int i = 0; i < 1000 && before; i++) {
        thrum_future *future;
        assert_int_equal(thrum_submit(pool, &future, i ? has_one_before : wait_for_go, pool), 0);
        thrum_event_set(&go);
        while (!thrum_future_done(future))
            spec_yield();
        assert_int_equal(thrum_future_result(future, &before), 0);
        thrum_future_free(future);
        while (!thrum__pool_at_rest(pool) || thrum_thread_is_alive(pool->workers[0]->thread))
            spec_yield();
    }
    assert_null(before);
    thrum_executor_free(pool);
}

/* Who joins it may be in the middle of that: what says so is read under its lock. */
static void test_a_thread_that_another_joins_is_kept(void **state) {
    (void)state;
    thrum_future *future;
    void *before = NULL;
    thrum_executor *pool =
        thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .idle_timeout = 1e-6});
    assert_int_equal(thrum_submit(pool, NULL, nothing, NULL), 0);
    while (thrum__pool_queued(pool) != 0 || !thrum__pool_at_rest(pool) ||
           thrum_thread_is_alive(pool->workers[0]->thread))
        spec_yield();
    thrum_thread *thread = pool->workers[0]->thread;
    thrum_lock_acquire(&thread->reaping);
    thread->reaped = thread->own.ops->reap(&thread->own, true);
    assert_true(thread->reaped);
    assert_int_equal(thrum_submit(pool, &future, has_one_before, NULL), 0);
    while (!thrum_future_done(future))
        spec_yield();
    thrum_lock_release(&thread->reaping);
    assert_int_equal(thrum_future_result(future, &before), 0);
    assert_ptr_equal(before, thread);
    thrum_future_free(future);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_a_freed_pool_gives_no_slot),
           cmocka_unit_test(test_a_crowd_lets_nobody_in),
           cmocka_unit_test(test_threads_that_are_gone_are_let_go_of),
           cmocka_unit_test(test_a_thread_that_another_joins_is_kept),
           cmocka_unit_test(test_a_worker_without_a_slot_keeps_none));
