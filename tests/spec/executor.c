/* SPDX-License-Identifier: MIT */
/* Submit, order, limits, idle workers, initializers, shutdown. */
#include "spec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 1000 };

static thrum_executor *pool_of(int workers) {
    thrum_executor *pool =
        thrum_executor_new(&(thrum_executor_opts){.max_workers = workers, .name_prefix = "spec"});
    assert_non_null(pool);
    return pool;
}

static thrum_future *submit(thrum_executor *pool, void *(*fn)(void *), void *arg) {
    thrum_future *future = NULL;
    assert_int_equal(thrum_submit(pool, &future, fn, arg), 0);
    assert_non_null(future);
    return future;
}

static void *result_of(thrum_future *future) {
    void *result = NULL;
    assert_int_equal(thrum_future_result(future, &result), 0);
    thrum_future_free(future);
    return result;
}

static void *identity(void *arg) { return arg; }

static thrum_event go;
static thrum_event started;
static int order[MANY];
static int n_order;

static void *note_order(void *arg) {
    order[__atomic_fetch_add(&n_order, 1, __ATOMIC_SEQ_CST)] = (int)(intptr_t)arg;
    return arg;
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static void reset(void) {
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    n_order = 0;
}

static void test_results_come_back(void **state) {
    (void)state;
    for (int workers = 1; workers <= 4; workers++) {
        thrum_executor *pool = pool_of(workers);
        thrum_future *futures[MANY];
        for (intptr_t i = 0; i < MANY; i++) {
            futures[i] = submit(pool, identity, (void *)i);
            spec_perhaps_yield();
        }
        for (intptr_t i = 0; i < MANY; i++)
            assert_ptr_equal(result_of(futures[i]), (void *)i);
        thrum_executor_free(pool);
    }
}

static void test_one_worker_starts_tasks_in_order(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1);
    reset();
    thrum_future *first = submit(pool, wait_for_go, NULL);
    thrum_event_wait(&started);
    for (intptr_t i = 0; i < MANY; i++)
        assert_int_equal(thrum_submit(pool, NULL, note_order, (void *)i), 0);
    thrum_event_set(&go);
    result_of(first);
    thrum_executor_free(pool);
    assert_int_equal(n_order, MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(order[i], i);
}

static int running, most;

static void *count_running(void *arg) {
    int now = __atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
    int seen = __atomic_load_n(&most, __ATOMIC_SEQ_CST);
    while (now > seen && !__atomic_compare_exchange_n(&most, &seen, now, false, __ATOMIC_SEQ_CST,
                                                      __ATOMIC_SEQ_CST))
        continue;
    spec_perhaps_yield();
    __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
    return arg;
}

/* Helpers take the place of a worker: a pool of one is a lock round its tasks. */
static void test_no_more_than_max_workers_at_once(void **state) {
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        thrum_executor *pool = pool_of(workers);
        running = most = 0;
        for (int round = 0; round < 300; round++) {
            thrum_future *futures[4];
            for (int i = 0; i < 4; i++)
                futures[i] = submit(pool, count_running, NULL);
            for (int i = 0; i < 4; i++)
                result_of(futures[i]);
        }
        thrum_executor_free(pool);
        assert_in_range(most, 1, workers);
    }
}

static void *thread_name(void *out) {
    snprintf(out, 64, "%s", thrum_thread_name(thrum_thread_current()));
    return out;
}

static void test_workers_have_names(void **state) {
    (void)state;
    char name[64] = "", other[64] = "";
    thrum_executor *pool = pool_of(1);
    assert_int_equal(thrum_submit(pool, NULL, thread_name, name), 0);
    thrum_executor_free(pool);
    assert_string_equal(name, "spec_0");
    pool = thrum_executor_new(NULL);
    assert_int_equal(thrum_submit(pool, NULL, thread_name, other), 0);
    thrum_executor_free(pool);
    assert_int_equal(strncmp(other, "Pool-", 5), 0);
}

static void test_idle_workers_are_used_first(void **state) {
    (void)state;
    thrum_executor_stats stats;
    thrum_executor *pool = pool_of(8);
    for (int i = 0; i < 20; i++) {
        thrum_future *future = submit(pool, identity, NULL);
        assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        thrum_future_free(future);
        do {
            spec_yield();
            thrum_executor_get_stats(pool, &stats);
        } while (stats.idle != stats.workers);
    }
    assert_int_equal(stats.workers, 1);
    assert_int_equal(stats.submitted, 20);
    assert_int_equal(stats.completed, 20);
    thrum_executor_free(pool);
}

static void test_workers_grow_to_the_tasks(void **state) {
    (void)state;
    thrum_future *futures[5];
    thrum_executor_stats stats;
    thrum_executor *pool = pool_of(4);
    reset();
    for (int i = 0; i < 5; i++)
        futures[i] = submit(pool, wait_for_go, NULL);
    spec_until_waiting(&go, 4);
    thrum_executor_get_stats(pool, &stats);
    assert_int_equal(stats.workers, 4);
    assert_int_equal(stats.queued, 1);
    thrum_event_set(&go);
    for (int i = 0; i < 5; i++)
        result_of(futures[i]);
    thrum_executor_free(pool);
}

static void test_idle_workers_leave(void **state) {
    (void)state;
    thrum_executor_stats stats;
    thrum_executor *pool =
        thrum_executor_new(&(thrum_executor_opts){.max_workers = 3, .idle_timeout = 0.001});
    for (int round = 0; round < 5; round++) {
        thrum_future *future = submit(pool, identity, pool);
        result_of(future);
        do {
            spec_yield();
            thrum_executor_get_stats(pool, &stats);
        } while (stats.workers > 0);
    }
    thrum_executor_free(pool);
}

static void test_idle_timeout_beside_submits(void **state) {
    (void)state;
    reset();
    thrum_executor *pool =
        thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .idle_timeout = 20e-6});
    for (int i = 0; i < MANY; i++) {
        thrum_future *future = submit(pool, identity, pool);
        assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        thrum_future_free(future);
        assert_int_equal(thrum_event_wait_until(&go, thrum_in(spec_random(40) * 1e-6)), -ETIMEDOUT);
    }
    thrum_executor_free(pool);
}

static void *submit_many_inside(void *pool) {
    for (int i = 0; i < 10; i++)
        assert_int_equal(thrum_submit(pool, NULL, identity, NULL), 0);
    return pool;
}

static void test_shutdown(void **state) {
    (void)state;
    thrum_future *other = NULL;
    thrum_executor *pool = pool_of(2);
    thrum_future *future = submit(pool, submit_many_inside, pool);
    assert_int_equal(thrum_executor_shutdown(pool, false, false), 0);
    assert_int_equal(thrum_submit(pool, &other, identity, NULL), -ESHUTDOWN);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    assert_true(thrum_future_done(future));
    assert_int_equal(thrum_executor_shutdown(pool, true, true), 0);
    thrum_executor_free(pool);
    assert_int_equal(thrum_thread_active_count(), 1);
    assert_non_null(result_of(future)); /* a future outlives its pool */
    thrum_executor_free(NULL);
}

static void test_shutdown_until_and_cancel(void **state) {
    (void)state;
    thrum_future *futures[10];
    thrum_executor *pool = pool_of(1);
    reset();
    futures[0] = submit(pool, wait_for_go, NULL);
    thrum_event_wait(&started);
    for (int i = 1; i < 10; i++)
        futures[i] = submit(pool, identity, NULL);
    assert_int_equal(thrum_executor_shutdown_until(pool, false, thrum_in(0.002)), -ETIMEDOUT);
    assert_false(thrum_future_done(futures[5]));
    assert_int_equal(thrum_executor_shutdown_until(pool, true, thrum_in(0.002)), -ETIMEDOUT);
    for (int i = 1; i < 10; i++) {
        assert_true(thrum_future_cancelled(futures[i]));
        assert_int_equal(thrum_future_result(futures[i], NULL), -ECANCELED);
        thrum_future_free(futures[i]);
    }
    thrum_event_set(&go);
    assert_int_equal(thrum_executor_shutdown_until(pool, false, THRUM_NEVER), 0);
    result_of(futures[0]);
    thrum_executor_free(pool);
}

static void *shut_down_inside(void *pool) {
    return (void *)(intptr_t)thrum_executor_shutdown(pool, true, false);
}

static void test_shutdown_from_a_worker(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2);
    assert_int_equal((intptr_t)result_of(submit(pool, shut_down_inside, pool)), -EDEADLK);
    assert_int_equal(thrum_submit(pool, NULL, identity, NULL), -ESHUTDOWN);
    thrum_executor_free(pool);
}

static int initialized;
static thrum_failure seen;
static char seen_message[256];
static int n_seen;

static void hook(const thrum_failure *failure, void *arg) {
    (void)arg;
    seen = *failure;
    snprintf(seen_message, sizeof seen_message, "%s", failure->message);
    __atomic_add_fetch(&n_seen, 1, __ATOMIC_SEQ_CST);
}

static int initialize(void *arg) {
    assert_ptr_equal(arg, &initialized);
    initialized++;
    return 0;
}

static void test_initializer(void **state) {
    (void)state;
    initialized = 0;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .initializer = initialize, .initarg = &initialized});
    for (int i = 0; i < 10; i++)
        result_of(submit(pool, identity, NULL));
    thrum_executor_free(pool);
    assert_int_equal(initialized, 1);
}

static int fail_late(void *arg) {
    thrum_event_wait(arg);
    return thrum_raise(-EIO, "no %s", "disk");
}

static void test_initializer_fails(void **state) {
    (void)state;
    thrum_future *futures[5];
    reset();
    n_seen = 0;
    thrum_set_excepthook(hook, NULL);
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 1, .initializer = fail_late, .initarg = &go});
    for (int i = 0; i < 5; i++)
        futures[i] = submit(pool, identity, NULL);
    thrum_event_set(&go);
    for (int i = 0; i < 5; i++) {
        const thrum_failure *failure = thrum_future_error(futures[i]);
        assert_non_null(failure);
        assert_int_equal(failure->code, -EIO);
        assert_string_equal(failure->message, "no disk");
        thrum_future_free(futures[i]);
    }
    assert_int_equal(thrum_submit(pool, &futures[0], identity, NULL), -EPIPE);
    thrum_executor_free(pool);
    assert_int_equal(n_seen, 1); /* loudly, once */
    assert_string_equal(seen_message, "no disk");
    thrum_set_excepthook(NULL, NULL);
}

static void test_bad_options(void **state) {
    (void)state;
    static const thrum_executor_opts bad[] = {
        {.max_workers = -1},      {.max_workers = 1 << 20}, {.overflow = (thrum_overflow)7},
        {.idle_timeout = -1},     {.idle_timeout = NAN},    {.reserved = {(void *)&n_seen}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        errno = 0;
        assert_null(thrum_executor_new(&bad[i]));
        assert_int_equal(errno, EINVAL);
    }
    thrum_executor *pool = pool_of(1);
    assert_int_equal(thrum_submit(pool, NULL, NULL, NULL), -EINVAL);
    thrum_executor_free(pool);
    assert_true(thrum_default_workers() >= 1);
}

SPEC_TESTS(cmocka_unit_test(test_results_come_back),
           cmocka_unit_test(test_one_worker_starts_tasks_in_order),
           cmocka_unit_test(test_no_more_than_max_workers_at_once),
           cmocka_unit_test(test_workers_have_names),
           cmocka_unit_test(test_idle_workers_are_used_first),
           cmocka_unit_test(test_workers_grow_to_the_tasks),
           cmocka_unit_test(test_idle_workers_leave),
           cmocka_unit_test(test_idle_timeout_beside_submits), cmocka_unit_test(test_shutdown),
           cmocka_unit_test(test_shutdown_until_and_cancel),
           cmocka_unit_test(test_shutdown_from_a_worker), cmocka_unit_test(test_initializer),
           cmocka_unit_test(test_initializer_fails), cmocka_unit_test(test_bad_options));
