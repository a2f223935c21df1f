/* SPDX-License-Identifier: MIT */
/* The end of a pool beside its beginning: shutdowns while workers start, initialise and take. */
#include "spec.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

enum { ROUNDS = 300, TASKS = 1000, WORKERS = 2 };

static thrum_executor *pool;
static thrum_event go;

static void *set_go(void *arg) {
    thrum_event_set(&go);
    return arg;
}

static void *close_at_go(void *arg) {
    thrum_event_wait(&go);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    return arg;
}

/* The task is done, and the pool closed, before the submit that started the worker has come
 * back. */
static void test_shutdown_while_the_first_worker_is_started(void **state) {
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        thrum_event_clear(&go);
        pool = thrum_executor_new(
            &(thrum_executor_opts){.max_workers = 1, .idle_timeout = INFINITY});
        assert_non_null(pool);
        thrum_thread *closer = spec_start(close_at_go, NULL);
        spec_perhaps_yield();
        assert_int_equal(thrum_submit(pool, NULL, set_go, NULL), 0);
        spec_join(closer);
        thrum_executor_free(pool);
    }
}

static int ran; /* relaxed */

static void *count(void *arg) {
    __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
    return arg;
}

/* Workers move batches from queue to queue all the while. Each holds one task at most that it is
 * about to run. */
static void test_what_has_not_started_is_cancelled(void **state) {
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = WORKERS});
        assert_non_null(pool);
        for (int k = 0; k < TASKS; k++)
            assert_int_equal(thrum_submit(pool, NULL, count, NULL), 0);
        spec_perhaps_yield();
        assert_int_equal(thrum_executor_shutdown(pool, false, true), 0);
        int before = __atomic_load_n(&ran, __ATOMIC_RELAXED);
        assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
        assert_in_range(__atomic_load_n(&ran, __ATOMIC_RELAXED) - before, 0, WORKERS);
        thrum_executor_free(pool);
    }
}

static void *wait_for_go(void *arg) {
    thrum_event_wait(&go);
    return arg;
}

static void free_the_pool(thrum_future *future, void *freed) {
    (void)future;
    thrum_event_set(&go);
    thrum_executor_free(pool);
    *(bool *)freed = true;
}

static void test_a_callback_of_a_cancel_may_free_the_pool(void **state) {
    (void)state;
    thrum_future *future;
    bool freed = false;
    thrum_event_clear(&go);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .queue_limit = 2});
    assert_non_null(pool);
    assert_int_equal(thrum_submit(pool, NULL, wait_for_go, NULL), 0);
    assert_int_equal(thrum_submit(pool, &future, count, NULL), 0);
    assert_int_equal(thrum_future_add_done_callback(future, free_the_pool, &freed), 0);
    assert_true(thrum_future_cancel(future));
    assert_true(freed);
    thrum_future_free(future);
}

static thrum_event begun;
static int initializers; /* relaxed */

/* The second waits for a task. */
static int wait_in_the_second(void *arg) {
    (void)arg;
    if (__atomic_add_fetch(&initializers, 1, __ATOMIC_RELAXED) == 2) {
        thrum_event_set(&begun);
        thrum_event_wait(&go);
    }
    return 0;
}

static void *wait_begun(void *arg) {
    thrum_event_wait(&begun);
    return arg;
}

static void test_a_worker_that_initialises_is_not_relied_upon(void **state) {
    (void)state;
    thrum_event_clear(&go);
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 2, .initializer = wait_in_the_second});
    assert_non_null(pool);
    assert_int_equal(thrum_submit(pool, NULL, wait_begun, NULL), 0);
    assert_int_equal(thrum_submit(pool, NULL, wait_begun, NULL), 0);
    spec_until_waiting(pool, 1);
    assert_int_equal(thrum_submit(pool, NULL, set_go, NULL), 0);
    thrum_executor_free(pool);
    assert_int_equal(initializers, 2);
}

static void test_one_task_starts_one_worker(void **state) {
    (void)state;
    initializers = 2;
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 4, .initializer = wait_in_the_second});
    assert_non_null(pool);
    assert_int_equal(thrum_submit(pool, NULL, count, NULL), 0);
    thrum_executor_free(pool);
    assert_int_equal(initializers, 3);
}

static thrum_executor *other;
static thrum_future *behind; /* stands in the queue of `pool` */

static void *wait_behind(void *arg) {
    assert_int_equal(thrum_future_result(behind, NULL), 0);
    return arg;
}

enum { SHUT_DOWN, SHUT_DOWN_UNTIL, FREE, LEAVE_BLOCK, WAYS };

/* Ends another pool, whose task waits for one that needs this one's place. */
static void *end_other(void *way) {
    assert_int_equal(thrum_submit(pool, &behind, count, NULL), 0);
    if ((intptr_t)way == LEAVE_BLOCK) {
        thrum_with_executor(block, &(thrum_executor_opts){.max_workers = 1})
            assert_int_equal(thrum_submit(block, NULL, wait_behind, NULL), 0);
        return way;
    }
    other = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_non_null(other);
    assert_int_equal(thrum_submit(other, NULL, wait_behind, NULL), 0);
    if ((intptr_t)way == SHUT_DOWN)
        assert_int_equal(thrum_executor_shutdown(other, true, false), 0);
    if ((intptr_t)way == SHUT_DOWN_UNTIL)
        assert_int_equal(thrum_executor_shutdown_until(other, false, THRUM_NEVER), 0);
    thrum_executor_free(other);
    return way;
}

static void test_who_ends_another_pool_leaves_its_place(void **state) {
    (void)state;
    for (intptr_t way = 0; way < WAYS; way++) {
        thrum_future *future;
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        assert_non_null(pool);
        assert_int_equal(thrum_submit(pool, &future, end_other, (void *)way), 0);
        assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        assert_int_equal(thrum_future_result(future, NULL), 0);
        thrum_future_free(future);
        thrum_future_free(behind);
        thrum_executor_free(pool);
    }
}

static void end_slowly(void *value);
static thrum_local slow = THRUM_LOCAL_INIT(end_slowly);
static thrum_event destroys;

/* The thread of a worker that has left ends only after a task that comes later. */
static void end_slowly(void *value) {
    (void)value;
    thrum_event_set(&destroys);
    thrum_event_wait(&go);
}

static void *set_slow(void *arg) {
    assert_int_equal(thrum_local_set(&slow, &slow), 0);
    return arg;
}

static void test_nobody_waits_for_the_thread_of_a_worker_that_has_left(void **state) {
    (void)state;
    thrum_event_clear(&go);
    thrum_event_clear(&begun);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .idle_timeout = 1e-6});
    assert_non_null(pool);
    assert_int_equal(thrum_submit(pool, NULL, wait_begun, NULL), 0);
    assert_int_equal(thrum_submit(pool, NULL, set_slow, NULL), 0);
    thrum_event_wait(&destroys);
    assert_int_equal(thrum_submit(pool, NULL, set_go, NULL), 0);
    thrum_event_wait(&go);
    thrum_event_set(&begun);
    thrum_executor_free(pool);
    assert_int_equal(thrum_thread_active_count(), 1);
}

static int accepted, elsewhere; /* relaxed */

static void *count_where(void *arg) {
    if (strncmp(thrum_thread_name(thrum_thread_current()), "late", 4) != 0)
        __atomic_add_fetch(&elsewhere, 1, __ATOMIC_RELAXED);
    return count(arg);
}

static void *submit_until_refused(void *arg) {
    thrum_event_wait(&go);
    while (thrum_submit(pool, NULL, count_where, NULL) == 0) {
        __atomic_add_fetch(&accepted, 1, __ATOMIC_RELAXED);
        spec_perhaps_yield();
    }
    return arg;
}

/* What was taken while the pool was shut down is run, once, by a worker. */
static void test_the_last_submits(void **state) {
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        spec_team team = {.n = 0};
        thrum_event_clear(&go);
        ran = accepted = elsewhere = 0;
        pool = thrum_executor_new(
            &(thrum_executor_opts){.max_workers = WORKERS, .name_prefix = "late"});
        assert_non_null(pool);
        assert_int_equal(thrum_submit(pool, NULL, set_go, NULL), 0);
        spec_team_start(&team, 3, submit_until_refused, NULL);
        thrum_event_wait(&go);
        spec_perhaps_yield();
        assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
        spec_team_join(&team);
        assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
        assert_int_equal(ran, accepted);
        assert_int_equal(elsewhere, 0);
        thrum_executor_free(pool);
    }
}

static int end_thread(void *arg) {
    (void)arg;
    pthread_exit(NULL);
}

static void test_an_initializer_that_ends_its_thread(void **state) {
    thrum_future *future = NULL;
    (void)state;
    spec_needs_os("pthread_exit()");
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .initializer = end_thread});
    assert_non_null(pool);
    int rc = thrum_submit(pool, &future, count, NULL);
    assert_int_equal(rc == 0 ? thrum_future_result(future, NULL) : rc,
                     rc == 0 ? -ECANCELED : -EPIPE);
    thrum_future_free(future);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_shutdown_while_the_first_worker_is_started),
           cmocka_unit_test(test_what_has_not_started_is_cancelled),
           cmocka_unit_test(test_a_callback_of_a_cancel_may_free_the_pool),
           cmocka_unit_test(test_a_worker_that_initialises_is_not_relied_upon),
           cmocka_unit_test(test_one_task_starts_one_worker),
           cmocka_unit_test(test_who_ends_another_pool_leaves_its_place),
           cmocka_unit_test(test_nobody_waits_for_the_thread_of_a_worker_that_has_left),
           cmocka_unit_test(test_the_last_submits),
           cmocka_unit_test(test_an_initializer_that_ends_its_thread));
