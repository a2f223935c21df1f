/* SPDX-License-Identifier: MIT */
/* The n-th call of malloc(), calloc() or pthread_create() fails, for every n until none is left:
 * what was submitted runs, what was not taken says so, and no failure is lost. Linked with --wrap
 * for these functions. */
#include "fault.h"

static int ran;

static void *work(void *arg) {
    __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
    return arg;
}

static thrum_executor *pool;

static void *nest(void *arg) {
    thrum_future *future = NULL;
    __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
    if (thrum_submit(pool, &future, work, arg) != 0)
        return arg;
    void *result = arg;
    int rc = thrum_future_result(future, &result);
    assert_true(rc == 0 || rc == -EAGAIN); /* nobody can be had to take its place */
    thrum_future_free(future);
    return result;
}

/* Returns how many submits were refused. */
static int use(int n) {
    thrum_future *futures[8];
    int refused = 0, taken = 0;
    ran = 0;
    for (int i = 0; i < n; i++) {
        thrum_future *future = NULL;
        int rc = thrum_submit(pool, &future, i % 2 ? nest : work, &futures[i]);
        assert_true(rc == 0 || rc == -EAGAIN || rc == -ENOMEM);
        assert_int_equal(rc == 0, future != NULL);
        refused += rc != 0;
        if (rc == 0)
            futures[taken++] = future;
    }
    fail_no_more();
    for (int i = 0; i < taken; i++) {
        void *result = NULL;
        assert_int_equal(thrum_future_result(futures[i], &result), 0);
        assert_non_null(result);
        thrum_future_free(futures[i]);
    }
    assert_true(ran >= taken);
    return refused;
}

static void test_no_pool_without_memory(void **state) {
    (void)state;
    int n = 1;
    for (;; n++) {
        fail_from(n, 0, false);
        pool = thrum_executor_new(NULL);
        fail_no_more();
        if (pool)
            break;
        assert_int_equal(errno, ENOMEM);
    }
    assert_in_range(n, 2, 10);
    assert_int_equal(use(4), 0);
    thrum_executor_free(pool);
}

static void test_submits_without_memory(void **state) {
    (void)state;
    for (int n = 1; n < 30; n++) {
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 3});
        fail_from(n, 0, false);
        (void)use(8);
        assert_int_equal(use(8), 0);
        thrum_executor_free(pool);
        assert_int_equal(thrum_thread_active_count(), 1);
    }
}

static void test_submits_without_threads(void **state) {
    (void)state;
    int refused = 0;
    for (int n = 1; n < 6; n++) {
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 4});
        fail_from(0, n, false);
        refused += use(8);
        thrum_executor_free(pool);
    }
    assert_int_equal(refused, 1); /* with one worker the pool runs on */
}

static void test_no_thread_at_all(void **state) {
    (void)state;
    spec_needs_os("that every start fails");
    thrum_future *future = NULL;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 4});
    ran = 0;
    fail_from(0, 1, true);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(thrum_submit(pool, &future, work, NULL), -EAGAIN);
        assert_null(future);
    }
    assert_int_equal(ran, 0);
    assert_int_equal(thrum_submit(pool, NULL, work, NULL), 0); /* taken: then it runs here */
    assert_int_equal(ran, 1);
    fail_no_more();
    assert_int_equal(use(4), 0);
    thrum_executor_free(pool);
}

/* Its queue holds a task, and nobody else can run it. */
static void *wait_any_alone(void *promise) {
    thrum_waitable waitable = thrum_future_waitable(promise);
    thrum_future *queued = NULL;
    assert_int_equal(thrum_submit(pool, &queued, work, promise), 0);
    fail_from(0, 1, true);
    int rc = thrum_wait_any(&waitable, 1, THRUM_NEVER, NULL);
    fail_no_more();
    assert_int_equal(thrum_future_result(queued, NULL), 0);
    thrum_future_free(queued);
    return (void *)(intptr_t)rc;
}

static void test_wait_any_without_another_worker(void **state) {
    (void)state;
    spec_needs_os("that every start fails");
    thrum_future *promise = thrum_future_new();
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    for (int i = 0; i < 3; i++) {
        thrum_future *future = NULL;
        void *code = NULL;
        assert_int_equal(thrum_submit(pool, &future, wait_any_alone, promise), 0);
        thrum_waitable waitable = thrum_future_waitable(future);
        assert_int_equal(thrum_wait_any(&waitable, 1, THRUM_NEVER, NULL), 0);
        assert_int_equal(thrum_future_result(future, &code), 0);
        assert_int_equal((intptr_t)code, -EAGAIN);
        thrum_future_free(future);
    }
    thrum_executor_free(pool);
    thrum_future_free(promise);
}

/* No other worker can be had for what it has queued: it waits in its place. */
static void *end_other_alone(void *other) {
    assert_int_equal(thrum_submit(pool, NULL, work, NULL), 0);
    assert_int_equal(thrum_submit(other, NULL, work, NULL), 0);
    fail_from(0, 1, true);
    assert_int_equal(thrum_executor_shutdown(other, true, false), 0);
    fail_no_more();
    return other;
}

static void test_shutdown_inside_without_another_worker(void **state) {
    (void)state;
    spec_needs_os("that every start fails");
    thrum_future *future = NULL;
    thrum_executor *other = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    ran = 0;
    assert_int_equal(thrum_submit(pool, &future, end_other_alone, other), 0);
    thrum_executor_free(pool);
    assert_int_equal(thrum_future_result(future, NULL), 0);
    assert_int_equal(ran, 2);
    thrum_future_free(future);
    thrum_executor_free(other);
}

static int n_seen, seen_code;

static void hook(const thrum_failure *failure, void *arg) {
    (void)arg;
    n_seen++;
    seen_code = failure->code;
    assert_non_null(failure->message);
}

enum { ROUNDS = 100, SUBMITTERS = 4 };

static int inside, most;

static void *count_inside(void *arg) {
    int n = __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);
    if (n > 1)
        __atomic_store_n(&most, n, __ATOMIC_RELAXED);
    for (int i = 0; i < 20; i++)
        spec_yield();
    __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
    return work(arg);
}

static void *submit_without_future(void *go) {
    thrum_event_wait(go);
    assert_int_equal(thrum_submit(pool, NULL, count_inside, NULL), 0);
    return NULL;
}

static void test_submitters_run_no_more_than_there_are_slots(void **state) {
    (void)state;
    spec_needs_os("that every start fails");
    ran = most = 0;
    for (int i = 0; i < ROUNDS; i++) {
        spec_team team = {.n = 0};
        thrum_event go = {0};
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        spec_team_start(&team, SUBMITTERS, submit_without_future, &go);
        fail_from(0, 1, true);
        __atomic_store_n(&dawdles, true, __ATOMIC_RELAXED);
        thrum_event_set(&go);
        spec_team_join(&team);
        __atomic_store_n(&dawdles, false, __ATOMIC_RELAXED);
        fail_no_more();
        thrum_executor_free(pool);
    }
    assert_int_equal(ran, ROUNDS * SUBMITTERS);
    assert_int_equal(most, 0);
}

static int initialize(void *arg) {
    (void)arg;
    return 0;
}

static void test_an_initializer_and_no_thread(void **state) {
    (void)state;
    spec_needs_os("that every start fails");
    thrum_future *future = NULL;
    n_seen = 0;
    thrum_set_excepthook(hook, NULL);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .initializer = initialize});
    ran = 0;
    fail_from(0, 1, true);
    assert_int_equal(thrum_submit(pool, &future, work, NULL), -EAGAIN);
    assert_null(future);
    assert_int_equal(thrum_submit(pool, NULL, work, NULL), 0);
    fail_no_more();
    assert_int_equal(ran, 0);
    assert_int_equal(n_seen, 1);
    assert_int_equal(seen_code, -EAGAIN);
    assert_int_equal(use(4), 0);
    thrum_executor_free(pool);
    thrum_set_excepthook(NULL, NULL);
}

static void *submit_some(void *refused) {
    for (int i = 0; i < 50; i++) {
        thrum_future *future = NULL;
        int rc = thrum_submit(pool, &future, nest, refused);
        assert_true(rc == 0 || rc == -EAGAIN || rc == -ENOMEM);
        if (rc == 0) {
            assert_int_equal(thrum_future_result(future, NULL), 0);
            thrum_future_free(future);
        }
    }
    return NULL;
}

static void test_failures_among_many_submitters(void **state) {
    (void)state;
    for (int n = 1; n < 10; n++) {
        spec_team team = {.n = 0};
        int refused = 0;
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .idle_timeout = 20e-6});
        spec_team_start(&team, 3, submit_some, &refused);
        fail_from(3 * n, n, false);
        spec_team_join(&team);
        fail_no_more();
        thrum_executor_free(pool);
    }
}

static void *fail_without_memory(void *arg) {
    fail_from(1, 0, true);
    thrum_raise(-EIO, "kept");
    return arg;
}

static void test_a_failure_is_not_lost_without_memory(void **state) {
    (void)state;
    thrum_future *future = NULL;
    n_seen = 0;
    thrum_set_excepthook(hook, NULL);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(thrum_submit(pool, &future, fail_without_memory, NULL), 0);
    assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    fail_no_more();
    assert_int_equal(thrum_future_result(future, NULL), -EIO);
    assert_int_equal(thrum_future_error(future)->code, -EIO);
    thrum_future_free(future);
    assert_int_equal(n_seen, 0);
    assert_int_equal(thrum_submit(pool, NULL, fail_without_memory, NULL), 0);
    thrum_executor_free(pool);
    fail_no_more();
    assert_int_equal(n_seen, 1);
    assert_int_equal(seen_code, -EIO);
    thrum_set_excepthook(NULL, NULL);
}

static void never_called(thrum_future *future, void *arg) {
    (void)arg;
    fail_msg("a callback of future %p, which was not added", (void *)future);
}

static void test_callbacks_and_iterations_without_memory(void **state) {
    (void)state;
    thrum_future *promise = thrum_future_new();
    fail_from(1, 0, true);
    assert_int_equal(thrum_future_add_done_callback(promise, never_called, NULL), -ENOMEM);
    for (int n = 1; n <= 3; n++) {
        fail_from(n, 0, false);
        assert_null(thrum_as_completed(&promise, 1, THRUM_NEVER));
        assert_int_equal(errno, ENOMEM);
    }
    fail_no_more();
    thrum_future_free(promise);
}

enum { HOT = 64, HOT_ROUNDS = 1500, WARM = 50 };
static thrum_future *hot[HOT];
static thrum_semaphore filled = THRUM_SEMAPHORE_INIT(0), freed = THRUM_SEMAPHORE_INIT(0);

static void *free_rounds(void *arg) {
    for (int round = 0; round < HOT_ROUNDS; round++) {
        thrum_semaphore_acquire(&filled);
        for (int i = 0; i < HOT; i++)
            thrum_future_free(hot[i]);
        thrum_semaphore_release(&freed, 1);
    }
    return arg;
}

/* Records that are freed by another thread come back. Their memory is never given back, so no
 * sanitizer would miss one. */
static void test_records_are_used_again(void **state) {
    (void)state;
    thrum_thread *thread;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .idle_timeout = 1000});
    assert_int_equal(thrum_thread_start(&thread, free_rounds, NULL, NULL), 0);
    for (int round = 0; round < HOT_ROUNDS; round++) {
        for (int i = 0; i < HOT; i++)
            assert_int_equal(thrum_submit(pool, &hot[i], work, NULL), 0);
        assert_int_equal(thrum_wait(hot, HOT, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        if (round == WARM)
            fail_from(1, 0, true);
        thrum_semaphore_release(&filled, 1);
        thrum_semaphore_acquire(&freed);
    }
    fail_no_more();
    assert_int_equal(thrum_thread_join(thread, NULL), 0);
    thrum_thread_free(thread);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_no_pool_without_memory),
           cmocka_unit_test(test_submits_without_memory),
           cmocka_unit_test(test_submits_without_threads), cmocka_unit_test(test_no_thread_at_all),
           cmocka_unit_test(test_wait_any_without_another_worker),
           cmocka_unit_test(test_shutdown_inside_without_another_worker),
           cmocka_unit_test(test_submitters_run_no_more_than_there_are_slots),
           cmocka_unit_test(test_an_initializer_and_no_thread),
           cmocka_unit_test(test_failures_among_many_submitters),
           cmocka_unit_test(test_a_failure_is_not_lost_without_memory),
           cmocka_unit_test(test_callbacks_and_iterations_without_memory),
           cmocka_unit_test(test_records_are_used_again));
