/* SPDX-License-Identifier: MIT */
/* thrum_wait() and thrum_as_completed(). */
#include "spec.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { MANY = 100 };

static thrum_future *promises[MANY];

static void make(int n) {
    for (int i = 0; i < n; i++)
        promises[i] = thrum_future_new();
}

static void drop(int n) {
    for (int i = 0; i < n; i++)
        thrum_future_free(promises[i]);
}

static void set(int i) { assert_int_equal(thrum_future_set_result(promises[i], NULL), 0); }

static void *set_all(void *n) {
    for (intptr_t i = 0; i < (intptr_t)n; i++) {
        spec_perhaps_yield();
        set((int)i);
    }
    return NULL;
}

static void *fail_second(void *arg) {
    (void)arg;
    set(0);
    spec_yield();
    assert_int_equal(thrum_future_set_error(promises[1], -EIO, "second"), 0);
    return NULL;
}

static void *cancel_second(void *arg) {
    (void)arg;
    set(0);
    spec_yield();
    assert_true(thrum_future_cancel(promises[1]));
    return NULL;
}

static void test_wait_for_all(void **state) {
    (void)state;
    for (int n = 1; n <= MANY; n += 33) {
        make(n);
        assert_int_equal(thrum_wait(promises, n, THRUM_ALL_COMPLETED, thrum_in(0.001)), -ETIMEDOUT);
        thrum_thread *setter = spec_start(set_all, (void *)(intptr_t)n);
        assert_int_equal(thrum_wait(promises, n, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        for (int i = 0; i < n; i++)
            assert_true(thrum_future_done(promises[i]));
        assert_int_equal(thrum_wait(promises, n, THRUM_ALL_COMPLETED, thrum_in(0)), 0);
        spec_join(setter);
        drop(n);
    }
}

/* The other begins with the last, and waits at some of them one by one. */
static void *set_backwards(void *n) {
    for (intptr_t i = (intptr_t)n; i-- > 0;) {
        if (i >= (intptr_t)n - 16)
            spec_until_waiting(promises[i], 1);
        set((int)i);
        spec_perhaps_yield();
    }
    return NULL;
}

static void test_wait_for_all_backwards(void **state) {
    (void)state;
    static const double limits[] = {1000, INFINITY};
    for (int i = 0; i < 2; i++) {
        make(MANY);
        thrum_thread *setter = spec_start(set_backwards, (void *)MANY);
        assert_int_equal(thrum_wait(promises, MANY, THRUM_ALL_COMPLETED, thrum_in(limits[i])), 0);
        for (int k = 0; k < MANY; k++)
            assert_true(thrum_future_done(promises[k]));
        spec_join(setter);
        drop(MANY);
    }
}

static void test_wait_for_the_first(void **state) {
    (void)state;
    make(3);
    assert_int_equal(thrum_wait(promises, 3, THRUM_FIRST_COMPLETED, thrum_in(0.001)), -ETIMEDOUT);
    thrum_thread *setter = spec_start(set_all, (void *)1);
    assert_int_equal(thrum_wait(promises, 3, THRUM_FIRST_COMPLETED, THRUM_NEVER), 0);
    assert_true(thrum_future_done(promises[0]));
    assert_false(thrum_future_done(promises[2]));
    spec_join(setter);
    drop(3);
}

static void test_wait_for_the_first_error(void **state) {
    (void)state;
    static void *(*const ways[])(void *) = {fail_second, cancel_second};
    for (int way = 0; way < 2; way++) {
        make(3);
        thrum_thread *setter = spec_start(ways[way], NULL);
        assert_int_equal(thrum_wait(promises, 3, THRUM_FIRST_ERROR, THRUM_NEVER), 0);
        assert_true(thrum_future_done(promises[1]));
        assert_false(thrum_future_done(promises[2]));
        spec_join(setter);
        assert_int_equal(thrum_future_result(promises[1], NULL), way ? -ECANCELED : -EIO);
        drop(3);
    }
    make(2);
    thrum_thread *setter = spec_start(set_all, (void *)2);
    assert_int_equal(thrum_wait(promises, 2, THRUM_FIRST_ERROR, THRUM_NEVER), 0);
    assert_true(thrum_future_done(promises[1]));
    spec_join(setter);
    drop(2);
}

static void test_wait_takes_what_it_gets(void **state) {
    (void)state;
    make(1);
    thrum_future *twice[] = {promises[0], promises[0]};
    assert_int_equal(thrum_wait(promises, -1, THRUM_ALL_COMPLETED, THRUM_NEVER), -EINVAL);
    assert_int_equal(thrum_wait(promises, 1, (thrum_wait_when)9, THRUM_NEVER), -EINVAL);
    assert_int_equal(thrum_wait(promises, 0, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    set(0);
    assert_int_equal(thrum_wait(twice, 2, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    drop(1);
}

static void *set_in_order(void *order) {
    const int *at = order;
    for (int i = 0; i < 5; i++) {
        set(at[i]);
        spec_perhaps_yield();
    }
    return NULL;
}

static void test_as_completed_is_in_that_order(void **state) {
    (void)state;
    static int order[] = {3, 0, 4, 1, 2};
    for (int round = 0; round < 20; round++) {
        make(5);
        thrum_completed *it = thrum_as_completed(promises, 5, THRUM_NEVER);
        assert_int_equal(thrum_completed_pending(it), 5);
        thrum_thread *setter = spec_start(set_in_order, order);
        for (int i = 0; i < 5; i++)
            assert_ptr_equal(thrum_completed_next(it), promises[order[i]]);
        assert_null(thrum_completed_next(it));
        assert_int_equal(thrum_completed_pending(it), 0);
        spec_join(setter);
        thrum_completed_free(it);
        drop(5);
    }
}

static void test_as_completed_with_a_deadline(void **state) {
    (void)state;
    make(3);
    set(1);
    thrum_future *array[] = {promises[0], promises[1], promises[1], promises[2], promises[0]};
    thrum_completed *it = thrum_as_completed(array, 5, thrum_in(0.001));
    assert_int_equal(thrum_completed_pending(it), 3);
    assert_ptr_equal(thrum_completed_next(it), promises[1]);
    errno = 0;
    assert_null(thrum_completed_next(it));
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(thrum_completed_pending(it), 2);
    set(0); /* after the time: what is done still comes */
    assert_ptr_equal(thrum_completed_next(it), promises[0]);
    thrum_completed_free(it);
    thrum_completed_free(NULL);
    drop(3);
    it = thrum_as_completed(NULL, 0, THRUM_NEVER);
    assert_null(thrum_completed_next(it));
    thrum_completed_free(it);
    assert_null(thrum_as_completed(promises, -1, THRUM_NEVER));
    assert_int_equal(errno, EINVAL);
}

static void *set_two(void *arg) {
    set(2);
    return arg;
}

static void test_futures_freed_by_others_meanwhile(void **state) {
    (void)state;
    make(3);
    thrum_completed *it = thrum_as_completed(promises, 3, THRUM_NEVER);
    thrum_future *own = thrum_future_ref(promises[2]);
    thrum_future_free(promises[0]);
    thrum_future_free(promises[1]);
    thrum_thread *setter = spec_start(set_two, NULL);
    assert_ptr_equal(thrum_completed_next(it), own);
    spec_join(setter);
    thrum_completed_free(it);
    thrum_future_free(own);
    thrum_future_free(promises[2]);
}

static thrum_future *next_promise;

static void free_and_reuse(thrum_future *future, void *arg) {
    (void)arg;
    thrum_future_free(future);
    next_promise = thrum_future_new();
}

static void look_at(thrum_future *future, void *done) {
    *(bool *)done = thrum_future_done(future) && future != next_promise;
}

/* Neither who completes a promise nor who cancels it needs a handle while the callbacks run. */
static void test_the_last_handle_goes_in_a_callback(void **state) {
    (void)state;
    for (int cancel = 0; cancel < 2; cancel++) {
        bool done = false;
        thrum_future *promise = thrum_future_new();
        assert_int_equal(thrum_future_add_done_callback(promise, free_and_reuse, NULL), 0);
        assert_int_equal(thrum_future_add_done_callback(promise, look_at, &done), 0);
        if (cancel)
            assert_true(thrum_future_cancel(promise));
        else
            assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        assert_true(done);
        thrum_future_free(next_promise);
    }
}

static char called[16];
static int n_reported;

static void report(const thrum_failure *failure, void *arg) {
    (void)arg;
    assert_int_equal(failure->code, -EBUSY);
    __atomic_add_fetch(&n_reported, 1, __ATOMIC_SEQ_CST);
}

static void note(thrum_future *future, void *letter) {
    assert_int_equal(thrum_future_result(future, NULL), -EIO);
    strcat(called, letter);
}

static void end_thread(thrum_future *future, void *arg) {
    note(future, arg);
    thrum_raise(-EBUSY, "told all the same");
    pthread_exit(arg);
}

static void *fail_promise(void *promise) {
    (void)thrum_future_set_error(promise, -EIO, "fails");
    return NULL;
}

static void *fail_alone(void *arg) {
    thrum_raise(-EIO, "fails");
    return arg;
}

static char letters[] = "a\0b\0c\0d\0e";

static void add_callbacks(thrum_future *future) {
    called[0] = '\0';
    assert_int_equal(thrum_future_add_done_callback(future, note, letters + 0), 0);
    assert_int_equal(thrum_future_add_done_callback(future, end_thread, letters + 2), 0);
    assert_int_equal(thrum_future_add_done_callback(future, note, letters + 4), 0);
    assert_int_equal(thrum_future_add_done_callback(future, note, letters + 6), 0);
    assert_int_equal(thrum_future_add_done_callback(future, note, letters + 8), 0);
}

static void *wait_event(void *event) {
    thrum_event_wait(event);
    return fail_alone(event);
}

/* The other callbacks are called, and the thread ends. */
static void test_a_callback_ends_its_thread(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    n_reported = 0;
    thrum_set_excepthook(report, NULL);
    thrum_thread *thread = NULL;
    thrum_future *promise = thrum_future_new();
    add_callbacks(promise);
    assert_int_equal(thrum_thread_start(&thread, fail_promise, promise, NULL), 0);
    assert_int_equal(thrum_thread_join(thread, NULL), -ECANCELED);
    assert_string_equal(called, "abcde");
    thrum_thread_free(thread);
    thrum_future_free(promise);

    thrum_event go = {0};
    thrum_future *task = NULL, *next = NULL;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(thrum_submit(pool, &task, wait_event, &go), 0);
    add_callbacks(task);
    thrum_event_set(&go);
    assert_int_equal(thrum_submit(pool, &next, fail_alone, NULL), 0);
    assert_int_equal(thrum_wait(&next, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_int_equal(thrum_future_result(next, NULL), -EIO); /* another worker came */
    thrum_future_free(next);
    thrum_future_free(task);
    thrum_executor_free(pool);
    assert_string_equal(called, "abcde");
    assert_int_equal(n_reported, 2);
    thrum_set_excepthook(NULL, NULL);
}

static void count(thrum_future *future, void *n) {
    (void)future;
    ++*(int *)n;
}

/* As many as one likes: none is looked for from the first. */
static void test_many_callbacks(void **state) {
    (void)state;
    enum { CALLBACKS = 50000 };
    int n = 0;
    thrum_future *promise = thrum_future_new();
    for (int i = 0; i < CALLBACKS; i++)
        assert_int_equal(thrum_future_add_done_callback(promise, count, &n), 0);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    assert_int_equal(n, CALLBACKS);
    thrum_future_free(promise);
}

SPEC_TESTS(cmocka_unit_test(test_wait_for_all), cmocka_unit_test(test_wait_for_all_backwards),
           cmocka_unit_test(test_wait_for_the_first),
           cmocka_unit_test(test_wait_for_the_first_error),
           cmocka_unit_test(test_wait_takes_what_it_gets),
           cmocka_unit_test(test_as_completed_is_in_that_order),
           cmocka_unit_test(test_as_completed_with_a_deadline),
           cmocka_unit_test(test_futures_freed_by_others_meanwhile),
           cmocka_unit_test(test_the_last_handle_goes_in_a_callback),
           cmocka_unit_test(test_a_callback_ends_its_thread),
           cmocka_unit_test(test_many_callbacks));
