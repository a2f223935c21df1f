/* SPDX-License-Identifier: MIT */
/* One future: results, failures read and unread, cancel, callbacks, promises, and waiting for
 * several. */
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static thrum_executor *pool;
static thrum_event go;
static thrum_event started;

static int n_seen;
static thrum_failure seen;
static char seen_message[256], seen_thread[64];

static void hook(const thrum_failure *failure, void *arg) {
    seen = *failure;
    snprintf(seen_message, sizeof seen_message, "%s", failure->message);
    snprintf(seen_thread, sizeof seen_thread, "%s", failure->thread ? failure->thread : "NULL");
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
}

static void begin(int workers) {
    n_seen = 0;
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    thrum_set_excepthook(hook, &n_seen);
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = workers, .name_prefix = "spec"});
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

static void *identity(void *arg) { return arg; }

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static void *raise_twice(void *arg) {
    thrum_raise(-EIO, "disk %d", (int)(intptr_t)arg);
    thrum_raise(-EPERM, "the second does not count");
    return arg;
}

/* A worker that is busy until `go`. */
static thrum_future *keep_busy(void) {
    thrum_future *busy = submit(wait_for_go, &go);
    thrum_event_wait(&started);
    return busy;
}

static void let_go(thrum_future *busy) {
    thrum_event_set(&go);
    assert_int_equal(thrum_future_result(busy, NULL), 0);
    thrum_future_free(busy);
}

static void test_states_of_a_task(void **state) {
    (void)state;
    void *result = &seen;
    begin(1);
    thrum_future *busy = keep_busy();
    thrum_future *next = submit(identity, &go);
    assert_true(thrum_future_running(busy));
    assert_false(thrum_future_running(next));
    assert_false(thrum_future_done(busy));
    assert_int_equal(thrum_future_result_until(next, thrum_in(0), &result), -ETIMEDOUT);
    assert_ptr_equal(result, &seen);
    let_go(busy);
    assert_int_equal(thrum_future_result_until(next, THRUM_NEVER, &result), 0);
    assert_ptr_equal(result, &go);
    assert_true(thrum_future_done(next));
    assert_false(thrum_future_running(next));
    assert_false(thrum_future_cancelled(next));
    assert_null(thrum_future_error(next));
    assert_false(thrum_future_cancel(next));
    thrum_future_free(next);
    thrum_future_free(NULL);
    end();
}

static void test_a_failure_travels(void **state) {
    (void)state;
    void *result = &seen;
    const thrum_failure *failure;
    begin(1);
    thrum_future *busy = keep_busy();
    thrum_future *future = submit(raise_twice, (void *)7);
    let_go(busy);
    assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_int_equal(thrum_future_result(future, &result), -EIO);
    assert_ptr_equal(result, &seen);
    assert_int_equal(thrum_future_error_until(future, thrum_in(0), &failure), 0);
    thrum_executor_free(pool);
    assert_int_equal(failure->code, -EIO);
    assert_string_equal(failure->message, "disk 7");
    assert_non_null(strstr(failure->file, "future.c"));
    assert_true(failure->line > 0);
    assert_string_equal(failure->thread, "spec_0");
    assert_null(failure->task);
    thrum_future_free(future);
    assert_int_equal(n_seen, 0);
    thrum_set_excepthook(NULL, NULL);
}

static void test_an_unread_failure_is_reported_once(void **state) {
    (void)state;
    thrum_executor_stats stats;
    begin(2);
    thrum_future *future = submit(raise_twice, (void *)1);
    thrum_future *other = thrum_future_ref(future);
    assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_true(thrum_future_done(future));
    thrum_future_free(future);
    assert_int_equal(n_seen, 0);
    thrum_future_free(other);
    assert_int_equal(n_seen, 1);
    assert_string_equal(seen_message, "disk 1");
    /* nobody could read this one */
    assert_int_equal(thrum_submit(pool, NULL, raise_twice, (void *)2), 0);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    assert_int_equal(n_seen, 2);
    assert_string_equal(seen_message, "disk 2");
    thrum_executor_get_stats(pool, &stats);
    assert_int_equal(stats.unread, 2);
    end();
}

static void test_a_handle_dropped_early(void **state) {
    (void)state;
    begin(1);
    thrum_future *busy = keep_busy();
    thrum_future_free(submit(raise_twice, (void *)3));
    let_go(busy);
    end();
    assert_int_equal(n_seen, 1);
}

static void test_cancel(void **state) {
    (void)state;
    begin(1);
    thrum_future *busy = keep_busy();
    thrum_future *waits = submit(raise_twice, NULL);
    assert_true(thrum_future_cancel(waits));
    assert_true(thrum_future_cancel(waits));
    assert_true(thrum_future_cancelled(waits));
    assert_true(thrum_future_done(waits));
    assert_int_equal(thrum_future_result(waits, NULL), -ECANCELED);
    assert_int_equal(thrum_future_error(waits)->code, -ECANCELED);
    assert_false(thrum_future_cancel(busy));
    assert_false(thrum_future_cancelled(busy));
    thrum_future_free(waits);
    let_go(busy);
    end();
    assert_int_equal(n_seen, 0);
}

static void *poll_cancel(void *arg) {
    thrum_event_set(&started);
    while (!thrum_cancel_requested())
        spec_yield();
    return arg;
}

static void test_cancel_of_what_runs(void **state) {
    (void)state;
    begin(1);
    thrum_future *future = submit(poll_cancel, &go);
    thrum_event_wait(&started);
    assert_false(thrum_future_cancel(future));
    assert_int_equal(thrum_future_result(future, NULL), 0);
    assert_false(thrum_future_cancelled(future));
    thrum_future_free(future);
    end();
}

static char called[64];

static void note(thrum_future *future, void *arg) {
    assert_true(thrum_future_done(future));
    strcat(called, arg);
}

static int add(thrum_future *future, const char *letter) {
    return thrum_future_add_done_callback(future, note, (void *)(uintptr_t)letter);
}

static void raise_in_callback(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    thrum_raise(-EBUSY, "callback");
}

static void test_callbacks(void **state) {
    (void)state;
    begin(1);
    called[0] = '\0';
    thrum_future *busy = keep_busy();
    assert_int_equal(add(busy, "a"), 0);
    assert_int_equal(thrum_future_add_done_callback(busy, raise_in_callback, NULL), 0);
    assert_int_equal(add(busy, "b"), 0);
    thrum_future *waits = submit(identity, NULL);
    assert_int_equal(add(waits, "c"), 0);
    assert_true(thrum_future_cancel(waits)); /* which completes it: here and now */
    assert_string_equal(called, "c");
    assert_int_equal(add(waits, "d"), 0);
    assert_string_equal(called, "cd");
    thrum_future_free(waits);
    thrum_event_set(&go);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    assert_string_equal(called, "cdab");
    thrum_future_free(busy);
    end();
    assert_int_equal(n_seen, 1);
    assert_string_equal(seen_message, "callback");
}

static void test_a_callback_is_a_function(void **state) {
    (void)state;
    thrum_future *promise = thrum_future_new();
    assert_int_equal(thrum_future_add_done_callback(promise, NULL, NULL), -EINVAL);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    assert_int_equal(thrum_future_add_done_callback(promise, NULL, NULL), -EINVAL); /* done, too */
    thrum_future_free(promise);
}

static void test_a_callback_reads_the_failure(void **state) {
    (void)state;
    begin(1);
    called[0] = '\0';
    thrum_future *busy = keep_busy();
    thrum_future *future = submit(raise_twice, NULL);
    assert_int_equal(add(future, "x"), 0);
    thrum_future_free(future);
    let_go(busy);
    end();
    assert_string_equal(called, "x");
    assert_int_equal(n_seen, 0);
}

static void test_promises(void **state) {
    (void)state;
    void *result = NULL;
    n_seen = 0;
    thrum_set_excepthook(hook, &n_seen);
    thrum_future *f = thrum_future_new();
    assert_false(thrum_future_done(f));
    assert_int_equal(thrum_future_set_running(f), 0);
    assert_int_equal(thrum_future_set_running(f), -EBUSY);
    assert_true(thrum_future_running(f));
    assert_false(thrum_future_cancel(f));
    assert_int_equal(thrum_future_set_result(f, &go), 0);
    assert_int_equal(thrum_future_set_result(f, &seen), -EBUSY);
    assert_int_equal(thrum_future_set_error(f, -EIO, "late"), -EBUSY);
    assert_int_equal(thrum_future_set_running(f), -EBUSY);
    assert_int_equal(thrum_future_result(f, &result), 0);
    assert_ptr_equal(result, &go);
    thrum_future_free(f);
    f = thrum_future_new();
    assert_int_equal(thrum_future_set_error(f, 5, "number %d", 5), 0);
    assert_int_equal(thrum_future_result(f, NULL), -EINVAL);
    assert_string_equal(thrum_future_error(f)->message, "number 5");
    thrum_future_free(f);
    f = thrum_future_new();
    assert_true(thrum_future_cancel(f));
    assert_int_equal(thrum_future_set_running(f), -ECANCELED);
    assert_int_equal(thrum_future_set_result(f, NULL), -ECANCELED);
    thrum_future_free(f);
    f = thrum_future_new();
    assert_int_equal(add(f, "never"), 0);
    thrum_future_free(f); /* given up */
    assert_int_equal(n_seen, 0);
    f = thrum_future_new();
    assert_int_equal(thrum_future_set_error(f, -EIO, "unread"), 0);
    thrum_future_free(f);
    assert_int_equal(n_seen, 1);
    begin(1);
    f = submit(wait_for_go, NULL); /* a pool's is not the user's to complete */
    assert_int_equal(thrum_future_set_result(f, NULL), -EBUSY);
    let_go(f);
    end();
}

static void *set_later(void *promise) {
    spec_perhaps_yield();
    assert_int_equal(thrum_future_set_result(promise, promise), 0);
    return NULL;
}

static void test_many_wait_for_one(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        thrum_future *f = thrum_future_new();
        thrum_thread *setter = spec_start(set_later, f);
        void *result = NULL;
        assert_int_equal(thrum_future_result(f, &result), 0);
        assert_ptr_equal(result, f);
        spec_join(setter);
        thrum_future_free(f);
    }
}

static void test_waitable(void **state) {
    (void)state;
    int which = -1;
    thrum_future *f[2] = {thrum_future_new(), thrum_future_new()};
    thrum_waitable any[] = {thrum_future_waitable(f[0]), thrum_future_waitable(f[1])};
    assert_int_equal(thrum_wait_any(any, 2, thrum_in(0.001), &which), -ETIMEDOUT);
    thrum_thread *setter = spec_start(set_later, f[1]);
    assert_int_equal(thrum_wait_any(any, 2, THRUM_NEVER, &which), 0);
    assert_int_equal(which, 1);
    spec_join(setter);
    thrum_future_free(f[0]);
    thrum_future_free(f[1]);
}

static void *leave_thread(void *arg) {
    pthread_exit(arg);
    return NULL;
}

static void test_pthread_exit_in_a_task(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    begin(1);
    thrum_future *future = submit(leave_thread, NULL);
    thrum_future *next = submit(identity, &go);
    assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_int_equal(thrum_future_result(future, NULL), -ECANCELED);
    assert_int_equal(thrum_wait(&next, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    thrum_future_free(future);
    thrum_future_free(next); /* another worker took its place */
    end();
    assert_int_equal(n_seen, 0);
}

static void *use_from_outside(void *arg) {
    thrum_future *future = submit(identity, arg);
    void *result = NULL;
    assert_int_equal(thrum_future_result(future, &result), 0);
    assert_ptr_equal(result, arg);
    thrum_future_free(future);
    return NULL;
}

static void test_foreign_threads(void **state) {
    (void)state;
    spec_needs_os("threads that thrum did not start");
    pthread_t threads[4];
    begin(2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_from_outside, &go), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    end();
}

SPEC_TESTS(cmocka_unit_test(test_states_of_a_task), cmocka_unit_test(test_a_failure_travels),
           cmocka_unit_test(test_an_unread_failure_is_reported_once),
           cmocka_unit_test(test_a_handle_dropped_early), cmocka_unit_test(test_cancel),
           cmocka_unit_test(test_cancel_of_what_runs), cmocka_unit_test(test_callbacks),
           cmocka_unit_test(test_a_callback_is_a_function),
           cmocka_unit_test(test_a_callback_reads_the_failure), cmocka_unit_test(test_promises),
           cmocka_unit_test(test_many_wait_for_one), cmocka_unit_test(test_waitable),
           cmocka_unit_test(test_pthread_exit_in_a_task), cmocka_unit_test(test_foreign_threads));
