/* SPDX-License-Identifier: MIT */
/* Queues with a limit: what a submit does when there is no room. */
#include "spec.h"

#include <stdio.h>
#include <string.h>

static thrum_event go;
static thrum_event started;

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

static void *thread_name(void *out) {
    snprintf(out, 64, "%s", thrum_thread_name(thrum_thread_current()));
    return out;
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static void reset(void) {
    thrum_event_clear(&go);
    thrum_event_clear(&started);
}

static thrum_executor *limited(thrum_overflow overflow) {
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 1, .queue_limit = 2, .overflow = overflow});
    assert_non_null(pool);
    reset();
    return pool;
}

/* The worker is busy, and sleeps; the queue is full. */
static void fill(thrum_executor *pool, thrum_future *futures[3]) {
    int waiting = spec_strands_waiting();
    futures[0] = submit(pool, wait_for_go, NULL);
    thrum_event_wait(&started);
    spec_until_strands_waiting(waiting + 1);
    futures[1] = submit(pool, identity, NULL);
    futures[2] = submit(pool, identity, NULL);
}

static void finish(thrum_executor *pool, thrum_future *futures[3]) {
    thrum_event_set(&go);
    for (int i = 0; i < 3; i++)
        result_of(futures[i]);
    thrum_executor_free(pool);
}

static void test_overflow_refuse(void **state) {
    (void)state;
    thrum_future *futures[3], *other = NULL;
    thrum_executor *pool = limited(THRUM_OVERFLOW_REFUSE);
    fill(pool, futures);
    assert_int_equal(thrum_submit(pool, &other, identity, NULL), -EAGAIN);
    assert_null(other);
    assert_true(thrum_future_cancel(futures[2])); /* what is cancelled waits no more */
    thrum_future_free(futures[2]);
    futures[2] = submit(pool, identity, NULL);
    assert_int_equal(thrum_submit(pool, &other, identity, NULL), -EAGAIN);
    finish(pool, futures);
}

static void test_overflow_caller_runs(void **state) {
    (void)state;
    thrum_future *futures[3];
    char name[64] = "";
    thrum_executor_stats stats;
    thrum_executor *pool = limited(THRUM_OVERFLOW_CALLER_RUNS);
    fill(pool, futures);
    thrum_future *future = submit(pool, thread_name, name);
    assert_true(thrum_future_done(future));
    assert_string_equal(name, thrum_thread_name(thrum_thread_current()));
    assert_ptr_equal(result_of(future), name);
    thrum_executor_get_stats(pool, &stats);
    assert_int_equal(stats.caller_ran, 1);
    assert_int_equal(stats.queued, 2);
    finish(pool, futures);
}

static void *submit_one(void *pool) {
    thrum_future *future = NULL;
    int rc = thrum_submit(pool, &future, identity, pool);
    if (rc == 0)
        assert_ptr_equal(result_of(future), pool);
    return (void *)(intptr_t)rc;
}

static void test_overflow_block(void **state) {
    (void)state;
    thrum_future *futures[3];
    thrum_executor *pool = limited(THRUM_OVERFLOW_BLOCK);
    fill(pool, futures);
    int waiting = spec_strands_waiting();
    thrum_thread *blocked = spec_start(submit_one, pool);
    spec_until_strands_waiting(waiting + 1);
    thrum_event_set(&go);
    assert_int_equal((intptr_t)spec_join(blocked), 0);
    finish(pool, futures);
}

static void test_shutdown_frees_blocked_submitters(void **state) {
    (void)state;
    thrum_future *futures[3];
    thrum_thread *blocked[3];
    thrum_executor *pool = limited(THRUM_OVERFLOW_BLOCK);
    fill(pool, futures);
    int waiting = spec_strands_waiting();
    for (int i = 0; i < 3; i++)
        blocked[i] = spec_start(submit_one, pool);
    spec_until_strands_waiting(waiting + 3);
    assert_int_equal(thrum_executor_shutdown(pool, false, false), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal((intptr_t)spec_join(blocked[i]), -ESHUTDOWN);
    finish(pool, futures);
}

static void *submit_many_inside(void *pool) {
    for (int i = 0; i < 10; i++)
        assert_int_equal(thrum_submit(pool, NULL, identity, NULL), 0);
    return pool;
}

static void test_a_worker_never_waits_for_room(void **state) {
    (void)state;
    thrum_executor *pool = limited(THRUM_OVERFLOW_BLOCK);
    thrum_executor_stats stats;
    result_of(submit(pool, submit_many_inside, pool));
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    thrum_executor_get_stats(pool, &stats);
    assert_int_equal(stats.submitted, 11);
    assert_int_equal(stats.completed, 11);
    thrum_executor_free(pool);
}

enum { LARGE = 256, BETWEEN_LOOKS = LARGE / 64 };

static void submit_many(thrum_executor *pool, int n) {
    for (int i = 0; i < n; i++)
        assert_int_equal(thrum_submit(pool, NULL, identity, NULL), 0);
}

/* Who has found no room does not look for it each time; but it does look. */
static void test_a_large_limit_and_caller_runs(void **state) {
    (void)state;
    thrum_executor_stats stats;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = LARGE, .overflow = THRUM_OVERFLOW_CALLER_RUNS});
    assert_non_null(pool);
    for (int round = 1; round <= 3; round++) {
        reset();
        thrum_future *held = submit(pool, wait_for_go, NULL);
        thrum_event_wait(&started);
        thrum_executor_get_stats(pool, &stats);
        uint64_t before = stats.caller_ran;
        submit_many(pool, LARGE);
        thrum_executor_get_stats(pool, &stats);
        assert_int_equal(stats.caller_ran, before);
        assert_int_equal(stats.queued, LARGE);
        submit_many(pool, 10);
        thrum_executor_get_stats(pool, &stats);
        assert_int_equal(stats.caller_ran, before + 10);
        assert_int_equal(stats.queued, LARGE);
        thrum_event_set(&go);
        result_of(held);
        for (; stats.queued > 0; thrum_executor_get_stats(pool, &stats))
            spec_yield();
        submit_many(pool, BETWEEN_LOOKS);
        thrum_executor_get_stats(pool, &stats);
        assert_true(stats.caller_ran < before + 10 + BETWEEN_LOOKS);
    }
    thrum_executor_free(pool);
}

/* It looks for room at once where workers have nothing to do: its tasks may be long. */
static void test_caller_runs_leaves_no_worker_idle(void **state) {
    (void)state;
    thrum_executor_stats stats;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = LARGE, .overflow = THRUM_OVERFLOW_CALLER_RUNS});
    reset();
    thrum_future *held = submit(pool, wait_for_go, NULL);
    thrum_event_wait(&started);
    submit_many(pool, LARGE + 1);
    thrum_event_set(&go);
    result_of(held);
    do {
        spec_yield();
        thrum_executor_get_stats(pool, &stats);
    } while (stats.queued > 0 || stats.idle == 0);
    submit_many(pool, BETWEEN_LOOKS);
    thrum_executor_get_stats(pool, &stats);
    assert_int_equal(stats.caller_ran, 1);
    thrum_executor_free(pool);
}

static thrum_executor *limited_pool;
static thrum_event others_ran;

static void *submit_another(void *arg) {
    assert_int_equal(thrum_submit(limited_pool, NULL, wait_for_go, arg), 0);
    return arg;
}

/* Run by who submits it, until the idle worker has run what another thread submits meanwhile. */
static void *wait_for_another(void *arg) {
    thrum_executor_stats stats;
    thrum_event_set(&go);
    do {
        spec_yield();
        thrum_executor_get_stats(limited_pool, &stats);
    } while (stats.queued > 0 || stats.idle == 0);
    thrum_event_clear(&started);
    spec_join(spec_start(submit_another, NULL));
    thrum_event_wait(&started);
    thrum_event_set(&others_ran);
    return arg;
}

static void test_caller_runs_beside_all_workers(void **state) {
    (void)state;
    thrum_future *futures[3];
    thrum_event_clear(&others_ran);
    thrum_executor *pool = limited_pool = limited(THRUM_OVERFLOW_CALLER_RUNS);
    fill(pool, futures);
    result_of(submit(pool, wait_for_another, NULL));
    assert_true(thrum_event_is_set(&others_ran));
    finish(pool, futures);
}

enum { SUBMITTERS = 4, EACH = 16, ROUNDS = 200 };

static uint32_t at_start;

static void *submit_each(void *arg) {
    __atomic_fetch_add(&at_start, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&at_start, __ATOMIC_RELAXED) < SUBMITTERS)
        spec_yield();
    submit_many(limited_pool, EACH);
    return arg;
}

/* Several who submit at once, and count the queue at once. */
static thrum_executor_stats submit_together(size_t limit, bool blocked) {
    thrum_executor_stats stats;
    thrum_future *held = NULL;
    spec_team team = {.n = 0};
    thrum_executor *pool = limited_pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = limit, .overflow = THRUM_OVERFLOW_CALLER_RUNS});
    reset();
    __atomic_store_n(&at_start, 0, __ATOMIC_RELAXED);
    if (blocked) {
        held = submit(pool, wait_for_go, NULL);
        thrum_event_wait(&started);
    }
    spec_team_start(&team, SUBMITTERS, submit_each, NULL);
    spec_team_join(&team);
    thrum_executor_get_stats(pool, &stats);
    thrum_event_set(&go);
    if (held)
        result_of(held);
    thrum_executor_free(pool);
    return stats;
}

static int shut_down; /* what that returned */

static void shut_down_and_wait(const thrum_failure *failure, void *pool) {
    (void)failure;
    shut_down = thrum_executor_shutdown(pool, true, false);
}

static void *raise_unread(void *arg) {
    thrum_raise(-EIO, "nobody reads it");
    return arg;
}

/* The excepthook is called by who has run the task, which the end waits for. */
static void test_who_runs_what_it_submits_cannot_wait_for_the_end(void **state) {
    (void)state;
    thrum_future *futures[3];
    thrum_executor *pool = limited(THRUM_OVERFLOW_CALLER_RUNS);
    fill(pool, futures);
    shut_down = 0;
    thrum_set_excepthook(shut_down_and_wait, pool);
    assert_int_equal(thrum_submit(pool, NULL, raise_unread, NULL), 0);
    thrum_set_excepthook(NULL, NULL);
    assert_int_equal(shut_down, -EDEADLK);
    finish(pool, futures);
}

/* They neither run what there is room for, nor pass the limit by more than one each. */
static void test_caller_runs_counts_room(void **state) {
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(submit_together(SUBMITTERS * EACH, false).caller_ran, 0);
        thrum_executor_stats stats = submit_together(EACH, true);
        assert_true(stats.queued >= EACH && stats.queued < EACH + SUBMITTERS);
        assert_int_equal(stats.queued + stats.caller_ran, SUBMITTERS * EACH);
    }
}

SPEC_TESTS(cmocka_unit_test(test_overflow_refuse), cmocka_unit_test(test_overflow_caller_runs),
           cmocka_unit_test(test_overflow_block),
           cmocka_unit_test(test_shutdown_frees_blocked_submitters),
           cmocka_unit_test(test_a_worker_never_waits_for_room),
           cmocka_unit_test(test_a_large_limit_and_caller_runs),
           cmocka_unit_test(test_caller_runs_leaves_no_worker_idle),
           cmocka_unit_test(test_caller_runs_beside_all_workers),
           cmocka_unit_test(test_who_runs_what_it_submits_cannot_wait_for_the_end),
           cmocka_unit_test(test_caller_runs_counts_room));
