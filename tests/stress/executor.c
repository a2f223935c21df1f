/* SPDX-License-Identifier: MIT */
/* More workers than CPUs, submits from everywhere, waits of every kind, cancels, priorities and
 * deadlines: every task is accounted for. */
#include "spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SUBMITTERS = 4, BURST = 40, DEPTH = 4 };

static struct {
    thrum_executor *pool;
    thrum_deadline end;
    uint64_t ran, submitted, cancelled;
} s;

static void add(uint64_t *to, uint64_t n) { __atomic_add_fetch(to, n, __ATOMIC_RELEASE); }

static void *leaf(void *arg) {
    add(&s.ran, 1);
    return arg;
}

/* One in four has options; its deadline is far away, or with `soon` perhaps not. */
static int submit_somehow(thrum_future **out, void *(*fn)(void *), void *arg, bool soon) {
    thrum_task_opts opts = {.priority = (int)spec_random(5) - 2, .name = "any"};
    add(&s.submitted, 1);
    if (spec_random(4))
        return thrum_submit(s.pool, out, fn, arg);
    if (spec_random(2))
        opts.deadline = thrum_in(soon && spec_random(2) ? spec_random(200) * 1e-6 : 1000);
    return thrum_submit_with(s.pool, out, fn, arg, &opts);
}

static thrum_future *submit(void *(*fn)(void *), void *arg) {
    thrum_future *future = NULL;
    assert_int_equal(submit_somehow(&future, fn, arg, false), 0);
    return future;
}

/* Of tasks without a future. */
static void count_expired(const thrum_failure *failure, void *arg) {
    assert_int_equal(failure->code, -ETIMEDOUT);
    assert_string_equal(failure->task, "any");
    add(arg, 1);
}

static void *tree(void *depth) {
    intptr_t n = (intptr_t)depth;
    add(&s.ran, 1);
    if (n == 0)
        return (void *)1;
    thrum_future *both[2] = {submit(tree, (void *)(n - 1)), submit(tree, (void *)(n - 1))};
    void *left, *right;
    if (spec_random(2))
        assert_int_equal(thrum_wait(both, 2, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_int_equal(thrum_future_result(both[0], &left), 0);
    assert_int_equal(thrum_future_result(both[1], &right), 0);
    thrum_future_free(both[0]);
    thrum_future_free(both[1]);
    return (char *)left + (intptr_t)right;
}

static void count_callback(thrum_future *future, void *arg) {
    assert_true(thrum_future_done(future));
    add(arg, 1);
}

static void burst(void) {
    thrum_future *futures[BURST];
    uint64_t called = 0;
    int n = 1 + (int)spec_random(BURST);
    for (int i = 0; i < n; i++) {
        futures[i] = NULL;
        assert_int_equal(submit_somehow(&futures[i], leaf, &futures[i], true), 0);
        assert_int_equal(thrum_future_add_done_callback(futures[i], count_callback, &called), 0);
        if (spec_random(8) == 0)
            add(&s.cancelled, thrum_future_cancel(futures[i]));
    }
    thrum_completed *it = thrum_as_completed(futures, n, THRUM_NEVER);
    for (int i = 0; i < n; i++)
        assert_true(thrum_future_done(thrum_completed_next(it)));
    thrum_completed_free(it);
    while (__atomic_load_n(&called, __ATOMIC_ACQUIRE) != (uint64_t)n)
        spec_yield();
    for (int i = 0; i < n; i++) {
        void *result = &futures[i];
        int rc = thrum_future_result(futures[i], &result);
        assert_true(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
        add(&s.cancelled, rc == -ETIMEDOUT);
        assert_ptr_equal(result, &futures[i]);
        thrum_future_free(futures[i]);
    }
}

static void forget(void) {
    for (int i = (int)spec_random(BURST); i > 0; i--) {
        assert_int_equal(submit_somehow(NULL, leaf, NULL, true), 0);
    }
}

static void one_tree(void) {
    void *leaves;
    thrum_future *future = submit(tree, (void *)DEPTH);
    assert_int_equal(thrum_future_result(future, &leaves), 0);
    assert_int_equal((intptr_t)leaves, 1 << DEPTH);
    thrum_future_free(future);
}

static void *use(void *arg) {
    static void (*const ways[])(void) = {burst, forget, one_tree};
    while (thrum_now().ns < s.end.ns)
        ways[spec_random(3)]();
    return arg;
}

static void run(const thrum_executor_opts *opts) {
    thrum_executor_stats stats;
    spec_team team = {.n = 0};
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds() / 3);
    thrum_set_excepthook(count_expired, &s.cancelled);
    s.pool = thrum_executor_new(opts);
    spec_team_start(&team, SUBMITTERS, use, NULL);
    spec_team_join(&team);
    assert_int_equal(thrum_executor_shutdown(s.pool, true, false), 0);
    thrum_executor_get_stats(s.pool, &stats);
    assert_int_equal(s.ran + s.cancelled, s.submitted);
    assert_int_equal(stats.submitted, s.submitted);
    assert_int_equal(stats.completed, s.ran);
    assert_int_equal(stats.queued, 0);
    assert_int_equal(stats.workers, 0);
    assert_true(s.ran > 0);
    thrum_executor_free(s.pool);
    thrum_set_excepthook(NULL, NULL);
}

static void test_more_workers_than_cpus(void **state) {
    (void)state;
    run(&(thrum_executor_opts){.max_workers = 8});
}

static void test_workers_that_come_and_go(void **state) {
    (void)state;
    run(&(thrum_executor_opts){.max_workers = 3, .idle_timeout = 30e-6});
}

static void test_a_full_queue(void **state) {
    (void)state;
    run(&(thrum_executor_opts){
        .max_workers = 2, .queue_limit = 5, .overflow = THRUM_OVERFLOW_CALLER_RUNS});
    run(&(thrum_executor_opts){.max_workers = 2, .queue_limit = 5});
}

static thrum_future *hot[64];

static void *free_some(void *from) {
    for (int i = (int)(intptr_t)from; i < 64; i += 2)
        thrum_future_free(hot[i]);
    return NULL;
}

static void test_pools_that_come_and_go(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds() / 3);
    while (thrum_now().ns < s.end.ns) {
        spec_team team = {.n = 0};
        s.pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1 + (int)spec_random(4)});
        for (int i = 0; i < 64; i++)
            hot[i] = submit(leaf, NULL);
        for (intptr_t i = 0; i < 2; i++)
            spec_team_start(&team, 1, free_some, (void *)i);
        if (spec_random(2))
            assert_int_equal(thrum_executor_shutdown(s.pool, false, spec_random(2)), 0);
        thrum_executor_free(s.pool);
        spec_team_join(&team);
    }
}

/* The timers' thread and the worker meet at the task, and the pool ends. */
static void test_who_is_late_is_heard_of_before_the_end(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds() / 3);
    thrum_set_excepthook(count_expired, &s.cancelled);
    while (thrum_now().ns < s.end.ns) {
        s.pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        s.ran = s.cancelled = 0;
        for (int i = 0; i < 2; i++) {
            const thrum_task_opts opts = {.priority = spec_random(2),
                                          .deadline = thrum_in(spec_random(200) * 1e-6),
                                          .name = "any"};
            assert_int_equal(thrum_submit_with(s.pool, NULL, leaf, NULL, &opts), 0);
        }
        assert_int_equal(thrum_executor_shutdown(s.pool, true, false), 0);
        assert_int_equal(s.ran + s.cancelled, 2);
        thrum_executor_free(s.pool);
    }
    thrum_set_excepthook(NULL, NULL);
}

static void *leaf_then(thrum_future *source, void *arg) {
    (void)source;
    return leaf(arg);
}

static void *complete_promise(void *promise) {
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    return promise;
}

/* The same of continuations, as soon as the pool has them. */
static void test_and_of_continuations(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds() / 3);
    thrum_set_excepthook(count_expired, &s.cancelled);
    while (thrum_now().ns < s.end.ns) {
        thrum_executor_stats stats = {.submitted = 0};
        spec_team team = {.n = 0};
        thrum_future *promise = thrum_future_new();
        s.pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        s.ran = s.cancelled = 0;
        const thrum_then_opts opts = {.priority = spec_random(2),
                                      .deadline = thrum_in(spec_random(200) * 1e-6),
                                      .name = "any"};
        assert_int_equal(thrum_future_then_with(promise, NULL, s.pool, leaf_then, NULL, &opts), 0);
        spec_team_start(&team, 1, complete_promise, promise);
        while (stats.submitted == 0 && __atomic_load_n(&s.cancelled, __ATOMIC_ACQUIRE) == 0)
            thrum_executor_get_stats(s.pool, &stats);
        assert_int_equal(thrum_executor_shutdown(s.pool, true, false), 0);
        assert_int_equal(__atomic_load_n(&s.ran, __ATOMIC_ACQUIRE) +
                             __atomic_load_n(&s.cancelled, __ATOMIC_ACQUIRE),
                         1);
        spec_team_join(&team);
        thrum_executor_free(s.pool);
        thrum_future_free(promise);
    }
    thrum_set_excepthook(NULL, NULL);
}

static thrum_event gate;

static void *wait_at_gate(void *arg) {
    thrum_event_wait(&gate);
    return arg;
}

static void *open_gate(void *arg) {
    thrum_event_set(&gate);
    return arg;
}

/* The next submit comes just when the workers have done, look for more, or are about to sleep. */
static void test_no_wake_is_lost(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds());
    s.pool =
        thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .idle_timeout = INFINITY});
    while (thrum_now().ns < s.end.ns) {
        bool pair = spec_random(4) == 0;
        thrum_event_clear(&gate);
        thrum_future *both[] = {submit(pair ? wait_at_gate : leaf, NULL), NULL};
        if (pair)
            both[1] = submit(open_gate, NULL);
        assert_int_equal(thrum_wait(both, pair ? 2 : 1, THRUM_ALL_COMPLETED, thrum_in(20)), 0);
        thrum_future_free(both[0]);
        thrum_future_free(both[1]);
        int64_t until = thrum_now().ns + spec_random(30000);
        while (thrum_now().ns < until)
            continue;
    }
    thrum_executor_free(s.pool);
}

SPEC_TESTS(cmocka_unit_test(test_more_workers_than_cpus),
           cmocka_unit_test(test_workers_that_come_and_go), cmocka_unit_test(test_a_full_queue),
           cmocka_unit_test(test_pools_that_come_and_go),
           cmocka_unit_test(test_who_is_late_is_heard_of_before_the_end),
           cmocka_unit_test(test_and_of_continuations),
           cmocka_unit_test(test_no_wake_is_lost));
