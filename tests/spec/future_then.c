/* SPDX-License-Identifier: MIT */
/* thrum_future_then() and thrum_future_then_always(). */
#include "spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static thrum_executor *pool;
static thrum_event go, started;
static int n_reported, calls;
static int reported_code;
static char reported[256];

static void report(const thrum_failure *failure, void *arg) {
    (void)arg;
    reported_code = failure->code;
    snprintf(reported, sizeof reported, "%s", failure->message);
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

static void *fail_task(void *arg) {
    thrum_event_wait(&go);
    thrum_raise(-EIO, "disk");
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

static void test_a_chain(void **state) {
    (void)state;
    for (int workers = 1; workers < 4; workers++) {
        begin(workers);
        thrum_future *first = submit(wait_for_go, (void *)1);
        thrum_future *second = then(first, pool, add, (void *)10);
        thrum_future *third = then(second, NULL, add, (void *)100);
        thrum_future *other = then(first, pool, add, (void *)1000);
        assert_false(thrum_future_done(third));
        assert_false(thrum_future_running(third));
        assert_int_equal(thrum_future_set_result(third, NULL), -EBUSY); /* nobody's promise */
        assert_int_equal(thrum_future_set_running(third), -EBUSY);
        assert_int_equal(thrum_future_then(first, NULL, NULL, add, (void *)1), 0);
        thrum_event_set(&go);
        result_is(third, 111);
        result_is(other, 1001);
        result_is(then(second, pool, add, (void *)2), 13); /* of what is done already */
        result_is(then(second, NULL, add, (void *)3), 14);
        thrum_future_free(first);
        thrum_future_free(second);
        end();
        assert_int_equal(calls, 6);
    }
}

static void test_a_failure_passes_through_and_is_one(void **state) {
    (void)state;
    for (int reader = 0; reader < 4; reader++) {
        begin(2);
        thrum_future *all[3];
        all[0] = submit(fail_task, NULL);
        all[1] = then(all[0], pool, add, NULL);
        all[2] = then(all[1], NULL, add, NULL);
        thrum_future *branch = then(all[0], NULL, add, NULL);
        thrum_event_set(&go);
        assert_int_equal(thrum_wait(all, 3, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        if (reader < 3) {
            const thrum_failure *failure = thrum_future_error(all[reader]);
            assert_int_equal(failure->code, -EIO);
            assert_string_equal(failure->message, "disk");
            assert_non_null(strstr(failure->file, "future_then.c"));
            assert_non_null(failure->thread);
        }
        thrum_future_free(branch);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(n_reported, 0);
            thrum_future_free(all[i]);
        }
        end();
        assert_int_equal(n_reported, reader == 3);
        assert_int_equal(calls, 0);
    }
    begin(1);
    thrum_future *source = submit(fail_task, NULL);
    assert_int_equal(thrum_future_then(source, NULL, pool, add, NULL), 0);
    thrum_future_free(source);
    thrum_event_set(&go);
    end();
    assert_int_equal(n_reported, 1);
    assert_string_equal(reported, "disk");
}

static void *give_fallback(thrum_future *before, void *fallback) {
    const thrum_failure *failure = thrum_future_error(before);
    return failure ? (void *)((intptr_t)fallback - failure->code) : NULL;
}

static void *do_not_look(thrum_future *before, void *arg) {
    (void)before;
    return arg;
}

static void test_always(void **state) {
    (void)state;
    begin(2);
    thrum_future *source = submit(fail_task, NULL), *out = NULL, *own = NULL;
    assert_int_equal(thrum_future_then_always(source, &out, pool, give_fallback, (void *)5), 0);
    assert_int_equal(thrum_future_then_always(source, &own, NULL, give_fallback, (void *)6), 0);
    thrum_future_free(source);
    thrum_event_set(&go);
    result_is(out, 5 + EIO);
    result_is(own, 6 + EIO);
    thrum_future *promise = thrum_future_new();
    assert_int_equal(thrum_future_then_always(promise, &out, pool, give_fallback, (void *)7), 0);
    assert_true(thrum_future_cancel(promise));
    result_is(out, 7 + ECANCELED);
    thrum_future_free(promise);
    source = submit(fail_task, NULL);
    assert_int_equal(thrum_future_then_always(source, &out, pool, do_not_look, (void *)8), 0);
    thrum_future_free(source);
    result_is(out, 8);
    end();
    assert_int_equal(n_reported, 0);
}

static void *fail_after(thrum_future *before, void *arg) {
    (void)before;
    thrum_raise(-EPERM, "second");
    return arg;
}

static void test_its_own_failure(void **state) {
    (void)state;
    begin(1);
    for (int own = 0; own < 2; own++) {
        thrum_future *promise = thrum_future_new();
        thrum_future *out = then(promise, own ? NULL : pool, fail_after, NULL);
        thrum_future *last = then(out, pool, add, NULL);
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        assert_int_equal(thrum_future_error(last)->code, -EPERM);
        assert_string_equal(thrum_future_error(last)->message, "second");
        thrum_future_free(promise);
        thrum_future_free(out);
        thrum_future_free(last);
    }
    assert_int_equal(thrum_future_then(NULL, NULL, NULL, NULL, NULL), -EINVAL);
    end();
    assert_int_equal(n_reported, 0);
}

static void test_cancel(void **state) {
    (void)state;
    begin(1);
    thrum_future *promise = thrum_future_new();
    thrum_future *out = then(promise, pool, add, NULL);
    thrum_future *last = then(out, NULL, add, NULL);
    thrum_future *other = then(promise, pool, add, (void *)1);
    assert_true(thrum_future_cancel(out));
    assert_true(thrum_future_cancelled(last));
    assert_int_equal(thrum_future_result(last, NULL), -ECANCELED);
    assert_false(thrum_future_done(promise));
    thrum_future_free(out);
    thrum_future_free(last);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    result_is(other, 1);
    thrum_future *busy = submit(wait_for_go, NULL);
    thrum_event_wait(&started);
    out = then(promise, pool, add, NULL); /* in the queue */
    assert_true(thrum_future_cancel(out));
    thrum_future_free(out);
    out = then(busy, pool, add, NULL);
    assert_int_equal(thrum_executor_shutdown(pool, false, true), 0);
    assert_true(thrum_future_cancelled(out));
    thrum_event_set(&go);
    thrum_future_free(out);
    thrum_future_free(busy);
    thrum_future_free(promise);
    end();
    assert_int_equal(calls, 1);
    assert_int_equal(n_reported, 0);
}

static void *poll_cancel(thrum_future *before, void *arg) {
    (void)before;
    thrum_event_set(&started);
    while (!thrum_cancel_requested())
        spec_yield();
    return arg;
}

static void test_cancel_of_what_runs(void **state) {
    (void)state;
    begin(1);
    thrum_future *promise = thrum_future_new();
    thrum_future *out = then(promise, pool, poll_cancel, (void *)3);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    thrum_event_wait(&started);
    assert_true(thrum_future_running(out));
    assert_false(thrum_future_cancel(out));
    result_is(out, 3);
    thrum_future_free(promise);
    end();
}

static void test_a_promise_that_is_given_up(void **state) {
    (void)state;
    begin(1);
    thrum_future *promise = thrum_future_new();
    thrum_future *out = then(promise, pool, add, NULL);
    thrum_future *last = then(out, NULL, add, NULL);
    assert_int_equal(thrum_future_then_always(out, NULL, pool, give_fallback, NULL), 0);
    thrum_future_free(promise);
    assert_int_equal(thrum_future_result(last, NULL), -EPIPE);
    thrum_future_free(out);
    thrum_future_free(last);
    end();
    assert_int_equal(n_reported, 0);
}

enum { LONG = 30000 };

/* Neither the stack nor the time grows with the length; each end of the first goes to the last. */
static void test_a_long_chain(void **state) {
    (void)state;
    for (int way = 0; way < 5; way++) {
        begin(1);
        thrum_future *promise = thrum_future_new();
        thrum_future *at = thrum_future_ref(promise);
        for (int i = 0; i < LONG; i++) {
            thrum_future *next = then(at, way == 1 ? pool : NULL, add, (void *)1);
            thrum_future_free(at);
            at = next;
        }
        int code = way == 2 ? -EIO : way == 3 ? -ECANCELED : way == 4 ? -EPIPE : 0;
        if (way < 2)
            assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        else if (way == 2)
            assert_int_equal(thrum_future_set_error(promise, -EIO, "first"), 0);
        else if (way == 3)
            assert_true(thrum_future_cancel(promise));
        thrum_future_free(promise);
        void *value = NULL;
        assert_int_equal(thrum_future_result(at, &value), code);
        assert_int_equal((intptr_t)value, code ? 0 : LONG);
        thrum_future_free(at);
        end();
        assert_int_equal(n_reported, 0);
    }
}

SPEC_TESTS(cmocka_unit_test(test_a_chain),
           cmocka_unit_test(test_a_failure_passes_through_and_is_one),
           cmocka_unit_test(test_always), cmocka_unit_test(test_its_own_failure),
           cmocka_unit_test(test_cancel), cmocka_unit_test(test_cancel_of_what_runs),
           cmocka_unit_test(test_a_promise_that_is_given_up), cmocka_unit_test(test_a_long_chain));
