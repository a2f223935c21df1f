/* SPDX-License-Identifier: MIT */
/* Continuations whose pool, promise or thread ends. */
#include "spec.h"

#include <math.h>
#include <pthread.h>

static thrum_executor *pool;
static thrum_event go, started;
static int n_reported, calls;
static int reported_code;

static void report(const thrum_failure *failure, void *arg) {
    (void)arg;
    reported_code = failure->code;
    __atomic_add_fetch(&n_reported, 1, __ATOMIC_SEQ_CST);
}

static void begin(int workers) {
    n_reported = calls = 0;
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    thrum_set_excepthook(report, NULL);
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = workers, .idle_timeout = INFINITY});
    assert_non_null(pool);
}

static void end(void) {
    thrum_executor_free(pool);
    thrum_set_excepthook(NULL, NULL);
}

static thrum_future *submit(void *(*fn)(void *), void *arg) {
    thrum_future *future = NULL;
    assert_int_equal(thrum_submit(pool, &future, fn, arg), 0);
    return future;
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

/* Adds `n` to the result of the future before. */
static void *add(thrum_future *before, void *n) {
    void *value = NULL;
    __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    assert_true(thrum_future_done(before));
    assert_int_equal(thrum_future_result(before, &value), 0);
    return (void *)((intptr_t)value + (intptr_t)n);
}

static thrum_future *then(thrum_future *before, thrum_executor *on,
                          void *(*fn)(thrum_future *, void *), void *arg) {
    thrum_future *out = NULL;
    assert_int_equal(thrum_future_then(before, &out, on, fn, arg), 0);
    assert_non_null(out);
    return out;
}

static void result_is(thrum_future *future, intptr_t expected) {
    void *value = NULL;
    assert_int_equal(thrum_future_result(future, &value), 0);
    assert_int_equal((intptr_t)value, expected);
    thrum_future_free(future);
}

/* Its pool is gone when the promise is kept. */
static void test_a_pool_that_ends_before(void **state) {
    (void)state;
    for (int freed = 0; freed < 2; freed++) {
        begin(1);
        thrum_future *promise = thrum_future_new();
        thrum_future *out = then(promise, pool, add, NULL);
        thrum_future *last = then(out, pool, add, NULL);
        assert_int_equal(thrum_future_then(promise, NULL, pool, add, NULL), 0);
        assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
        if (freed) {
            thrum_executor_free(pool);
            assert_true(thrum_future_done(last));
        }
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        assert_int_equal(thrum_future_result(last, NULL), -ESHUTDOWN);
        if (!freed) {
            assert_int_equal(thrum_future_then(promise, NULL, pool, add, NULL), -ESHUTDOWN);
            thrum_executor_free(pool);
        }
        thrum_set_excepthook(NULL, NULL);
        thrum_future_free(promise);
        thrum_future_free(out);
        thrum_future_free(last);
        assert_int_equal(calls, 0);
        assert_int_equal(n_reported, 1); /* the one without a future */
        assert_int_equal(reported_code, -ESHUTDOWN);
    }
}

static void *go_on_for(thrum_future *before, void *n) {
    __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    (void)before;
    (void)n;
    return NULL;
}

/* What the pool's own tasks began goes on to its end. */
static void test_a_closed_pool_finishes_its_chains(void **state) {
    (void)state;
    begin(2);
    thrum_future *at = submit(wait_for_go, NULL);
    for (int i = 0; i < 20; i++) {
        thrum_future *next = then(at, i % 3 ? pool : NULL, go_on_for, NULL);
        thrum_future_free(at);
        at = next;
    }
    thrum_event_wait(&started);
    assert_int_equal(thrum_executor_shutdown(pool, false, false), 0);
    thrum_event_set(&go);
    end();
    assert_int_equal(calls, 20);
    assert_int_equal(thrum_future_result(at, NULL), 0);
    thrum_future_free(at);
}

static void *nothing(void *arg) { return arg; }

/* So it does when a thread that waits has run the task; who runs it is open. */
static void test_a_closed_pool_finishes_what_is_helped(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        begin(1);
        thrum_future *at = submit(nothing, (void *)1);
        thrum_future *next = then(at, pool, add, (void *)1);
        thrum_future *last = then(next, pool, add, (void *)1);
        thrum_future_free(next);
        assert_int_equal(thrum_executor_shutdown(pool, false, false), 0);
        result_is(at, 1);
        result_is(last, 3);
        end();
    }
}

/* A queue without room: the thread that completes runs it. */
static void test_a_full_queue(void **state) {
    (void)state;
    begin(1);
    thrum_executor_stats stats;
    thrum_executor *limited = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = 1, .overflow = THRUM_OVERFLOW_REFUSE});
    thrum_future *busy = NULL, *waits = NULL;
    assert_int_equal(thrum_submit(limited, &busy, wait_for_go, NULL), 0);
    thrum_event_wait(&started);
    assert_int_equal(thrum_submit(limited, &waits, wait_for_go, (void *)4), 0);
    thrum_future *promise = thrum_future_new();
    thrum_future *at = thrum_future_ref(promise);
    for (int i = 0; i < 100; i++) {
        thrum_future *next = then(at, limited, add, (void *)1);
        thrum_future_free(at);
        at = next;
    }
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    result_is(at, 100);
    thrum_executor_get_stats(limited, &stats);
    assert_int_equal(stats.caller_ran, 100);
    thrum_event_set(&go);
    result_is(waits, 4);
    result_is(then(promise, limited, add, (void *)9), 9);
    thrum_future_free(promise);
    thrum_future_free(busy);
    thrum_executor_free(limited);
    end();
}

static int fail_initializer(void *arg) {
    (void)arg;
    thrum_event_wait(&go);
    return -ENODEV;
}

static void test_a_broken_pool(void **state) {
    (void)state;
    begin(1);
    thrum_executor *broken = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 1, .initializer = fail_initializer});
    thrum_future *promise = thrum_future_new(), *task = NULL;
    thrum_future *out = then(promise, broken, add, NULL);
    assert_int_equal(thrum_submit(broken, &task, wait_for_go, NULL), 0);
    thrum_event_set(&go);
    assert_int_equal(thrum_future_result(task, NULL), -ENODEV);
    assert_int_equal(thrum_future_result(out, NULL), -ENODEV);
    assert_int_equal(thrum_future_then(promise, NULL, broken, add, NULL), -EPIPE);
    thrum_future_free(task);
    thrum_future_free(out);
    thrum_future_free(promise);
    thrum_executor_free(broken);
    end();
    assert_int_equal(n_reported, 1); /* the initializer's */
}

static void *end_thread(thrum_future *before, void *arg) {
    (void)before;
    pthread_exit(arg);
    return NULL;
}

static void *keep(void *promise) {
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    return NULL;
}

static void test_pthread_exit(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    for (int own = 0; own < 2; own++) {
        begin(1);
        thrum_thread *thread = NULL;
        thrum_future *promise = thrum_future_new();
        thrum_future *out = then(promise, own ? NULL : pool, end_thread, NULL);
        thrum_future *last = then(out, pool, add, NULL);
        thrum_future *other = then(promise, NULL, add, (void *)8);
        assert_int_equal(thrum_thread_start(&thread, keep, promise, NULL), 0);
        assert_int_equal(thrum_thread_join(thread, NULL), own ? -ECANCELED : 0);
        thrum_thread_free(thread);
        assert_int_equal(thrum_wait(&last, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        assert_int_equal(thrum_future_result(last, NULL), -ECANCELED);
        result_is(other, 8);
        thrum_future_free(promise);
        thrum_future_free(out);
        thrum_future_free(last);
        end();
        assert_int_equal(n_reported, 0);
    }
}

static void end_in_callback(thrum_future *future, void *arg) { (void)end_thread(future, arg); }

static thrum_future *queued[3];

static void *cancel_one(void *arg) {
    (void)thrum_future_cancel(queued[0]);
    return arg;
}

static void *cancel_all(void *arg) {
    (void)thrum_executor_shutdown(pool, false, true);
    return arg;
}

/* Who cancels ends in a callback: the rest is cancelled all the same, and counted. */
static void test_pthread_exit_of_who_cancels(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    for (int all = 0; all < 2; all++) {
        begin(1);
        thrum_thread *thread = NULL;
        thrum_future *busy = submit(wait_for_go, NULL);
        thrum_event_wait(&started);
        for (int i = 0; i < 3; i++)
            queued[i] = submit(wait_for_go, NULL);
        assert_int_equal(thrum_future_add_done_callback(queued[0], end_in_callback, NULL), 0);
        thrum_future *last = then(queued[2], pool, add, NULL);
        assert_int_equal(thrum_thread_start(&thread, all ? cancel_all : cancel_one, NULL, NULL), 0);
        assert_int_equal(thrum_thread_join(thread, NULL), -ECANCELED);
        thrum_thread_free(thread);
        assert_true(thrum_future_cancelled(queued[0]));
        assert_int_equal(thrum_future_cancelled(last), all);
        thrum_event_set(&go);
        assert_int_equal(thrum_future_result(last, NULL), all ? -ECANCELED : 0);
        for (int i = 0; i < 3; i++)
            thrum_future_free(queued[i]);
        thrum_future_free(last);
        thrum_future_free(busy);
        end();
    }
}

static void end_in_hook(const thrum_failure *failure, void *arg) {
    report(failure, arg);
    pthread_exit(arg);
}

/* Nobody has the future of what a closed pool refuses, so the hook is told by who completes the
 * promise. The pool was kept for that thread until then. */
static void test_pthread_exit_when_the_pool_refuses(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    begin(1);
    thrum_set_excepthook(end_in_hook, NULL);
    thrum_thread *thread = NULL;
    thrum_future *promise = thrum_future_new();
    thrum_future *busy = submit(wait_for_go, NULL);
    thrum_event_wait(&started);
    assert_int_equal(thrum_future_then(promise, NULL, pool, add, NULL), 0);
    assert_int_equal(thrum_executor_shutdown(pool, false, false), 0);
    assert_int_equal(thrum_thread_start(&thread, keep, promise, NULL), 0);
    assert_int_equal(thrum_thread_join(thread, NULL), -ECANCELED);
    assert_int_equal(n_reported, 1);
    assert_int_equal(reported_code, -ESHUTDOWN);
    thrum_thread_free(thread);
    thrum_event_set(&go);
    thrum_future_free(busy);
    thrum_future_free(promise);
    end();
}

static thrum_future *forked[3];

static int look_in_child(void) {
    if (thrum_future_result(forked[0], NULL) != -ECANCELED)
        return 1; /* what it waits for is the parent's */
    if (thrum_future_set_result(forked[1], NULL) != 0)
        return 2;
    return thrum_future_result(forked[2], NULL) == -EPIPE ? 0 : 3;
}

static void test_in_the_child_of_a_fork(void **state) {
    (void)state;
    static spec_end child;
    begin(1);
    thrum_future *busy = submit(wait_for_go, (void *)1);
    thrum_future *middle = then(busy, pool, add, (void *)1);
    forked[0] = then(middle, NULL, add, (void *)1);
    forked[1] = thrum_future_new();
    forked[2] = then(forked[1], pool, add, (void *)5);
    thrum_event_wait(&started);
    spec_exits(look_in_child, 0, &child);
    thrum_event_set(&go);
    result_is(forked[0], 3);
    assert_int_equal(thrum_future_set_result(forked[1], NULL), 0);
    result_is(forked[2], 5);
    thrum_future_free(forked[1]);
    thrum_future_free(middle);
    thrum_future_free(busy);
    end();
}

SPEC_TESTS(cmocka_unit_test(test_a_pool_that_ends_before),
           cmocka_unit_test(test_a_closed_pool_finishes_its_chains),
           cmocka_unit_test(test_a_closed_pool_finishes_what_is_helped),
           cmocka_unit_test(test_a_full_queue),
           cmocka_unit_test(test_a_broken_pool),
           cmocka_unit_test(test_pthread_exit), cmocka_unit_test(test_pthread_exit_of_who_cancels),
           cmocka_unit_test(test_pthread_exit_when_the_pool_refuses),
           cmocka_unit_test(test_in_the_child_of_a_fork));
