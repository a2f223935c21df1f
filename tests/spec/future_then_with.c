/* SPDX-License-Identifier: MIT */
/* Continuations with a priority, a deadline, a name. */
#include "held.h"

#include <string.h>

#include "thread/timer.h"

enum { PRIORITIES = 5, ROUNDS = 60 };

static thrum_future *promise;
static int calls; /* atomic */
static int order[PRIORITIES];

static void *note(thrum_future *before, void *arg) {
    (void)before;
    int n = __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    if (n < PRIORITIES)
        order[n] = (int)(intptr_t)arg;
    return arg;
}

static void begin(void) {
    calls = 0;
    promise = thrum_future_new();
    assert_non_null(promise);
    held_pool(&(thrum_executor_opts){.max_workers = 1});
}

static void finish(void) {
    thrum_future_free(promise);
    thrum_executor_free(one.pool);
}

static thrum_future *then_with(thrum_executor *pool, void *arg, const thrum_then_opts *opts) {
    thrum_future *out = NULL;
    assert_int_equal(thrum_future_then_with(promise, &out, pool, note, arg, opts), 0);
    assert_non_null(out);
    return out;
}

static void test_without_options(void **state) {
    (void)state;
    begin();
    thrum_future *outs[] = {then_with(one.pool, NULL, NULL),
                            then_with(NULL, NULL, &(thrum_then_opts){.always = false}),
                            then_with(NULL, NULL, &(thrum_then_opts){.always = true})};
    assert_int_equal(thrum_future_set_error(promise, -EIO, "no"), 0);
    assert_int_equal(code_of(outs[0]), -EIO);
    assert_int_equal(code_of(outs[1]), -EIO);
    assert_int_equal(code_of(outs[2]), 0);
    assert_int_equal(calls, 1);
    finish();
}

static void test_bad_options(void **state) {
    (void)state;
    begin();
    thrum_future *out = NULL;
    const thrum_then_opts odd = {.reserved = {&out}}, lonely = {.priority = 1};
    assert_int_equal(thrum_future_then_with(promise, &out, one.pool, note, NULL, &odd), -EINVAL);
    assert_int_equal(thrum_future_then_with(promise, &out, NULL, note, NULL, &lonely), -EINVAL);
    assert_int_equal(thrum_future_then_with(promise, &out, NULL, NULL, NULL, NULL), -EINVAL);
    assert_null(out);
    finish();
}

static void test_the_highest_priority_runs_first(void **state) {
    (void)state;
    static const int priorities[PRIORITIES] = {-1, 0, 7, 2, -5};
    static const int expected[PRIORITIES] = {7, 2, 0, -1, -5};
    thrum_future *outs[PRIORITIES];
    begin();
    thrum_future *held = hold_worker();
    for (int i = 0; i < PRIORITIES; i++)
        outs[i] = then_with(one.pool, (void *)(intptr_t)priorities[i],
                            &(thrum_then_opts){.priority = priorities[i]});
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    thrum_event_set(&one.go);
    assert_int_equal(thrum_wait(outs, PRIORITIES, THRUM_ALL_COMPLETED, thrum_in(1e6)), 0);
    for (int i = 0; i < PRIORITIES; i++) {
        assert_int_equal(order[i], expected[i]);
        assert_int_equal(code_of(outs[i]), 0);
    }
    assert_int_equal(code_of(held), 0);
    finish();
}

static size_t timers(void) {
    thrum__raw_lock_acquire(&thrum__timers_all.lock);
    size_t n = thrum__timers_all.heap.n;
    thrum__raw_lock_release(&thrum__timers_all.lock);
    return n;
}

static void fails_in_time(thrum_future *out, thrum_deadline deadline) {
    const thrum_failure *failure = thrum_future_error(out);
    assert_true(thrum_now().ns >= deadline.ns);
    assert_non_null(failure);
    assert_int_equal(failure->code, -ETIMEDOUT);
    assert_string_equal(failure->task, "late");
    thrum_future_free(out);
}

static void test_the_future_before_is_late(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        begin();
        const thrum_then_opts opts = {.always = way & 1, .deadline = thrum_in(0.002),
                                      .priority = way & 2 ? -1 : 0, .name = "late"};
        thrum_future *out = then_with(way & 2 ? one.pool : NULL, NULL, &opts), *behind = NULL;
        assert_int_equal(thrum_future_then(out, &behind, NULL, note, NULL), 0);
        fails_in_time(out, opts.deadline);
        assert_int_equal(code_of(behind), -ETIMEDOUT);
        assert_false(thrum_future_done(promise));
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        finish();
        assert_int_equal(calls, 0);
    }
}

static void test_the_workers_are_late(void **state) {
    (void)state;
    for (int priority = -1; priority <= 1; priority++) {
        begin();
        thrum_future *held = hold_worker();
        const thrum_then_opts opts = {
            .deadline = thrum_in(0.002), .priority = priority, .name = "late"};
        thrum_future *out = then_with(one.pool, NULL, &opts);
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        fails_in_time(out, opts.deadline);
        assert_int_equal(queued(), 0);
        thrum_event_set(&one.go);
        assert_int_equal(code_of(held), 0);
        finish();
        assert_int_equal(calls, 0);
    }
}

static void test_a_deadline_that_has_passed(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        begin();
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        const thrum_then_opts opts = {.deadline = thrum_in(-1), .name = "late"};
        fails_in_time(then_with(way ? one.pool : NULL, NULL, &opts), opts.deadline);
        finish();
        assert_int_equal(calls, 0);
    }
}

static void hold_timers(void *arg) {
    (void)arg;
    thrum_event_set(&one.started);
    thrum_event_wait(&one.go);
}

/* Whoever would call it looks at the deadline too. */
static void test_the_timers_are_late(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        begin();
        thrum_timer *timer;
        assert_int_equal(thrum_timer_start(&timer, 0, hold_timers, NULL, NULL), 0);
        thrum_event_wait(&one.started);
        const thrum_then_opts opts = {.deadline = thrum_in(-1), .name = "late"};
        thrum_future *out = then_with(way ? one.pool : NULL, NULL, &opts);
        assert_false(thrum_future_done(out));
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        fails_in_time(out, opts.deadline);
        thrum_event_set(&one.go);
        thrum_timer_free(timer);
        finish();
        assert_int_equal(calls, 0);
    }
}

/* Ends that come before the deadline leave no timer. */
static int end_before(int way, thrum_future *out) {
    switch (way) {
    case 0:
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        return 0;
    case 1:
        assert_int_equal(thrum_future_set_error(promise, -EIO, "no"), 0);
        return -EIO;
    case 2:
        assert_true(thrum_future_cancel(promise));
        return -ECANCELED;
    case 3:
        assert_true(thrum_future_cancel(out));
        return -ECANCELED;
    default:
        thrum_future_free(promise);
        promise = NULL;
        return -EPIPE;
    }
}

static void test_who_is_in_time_leaves_no_timer(void **state) {
    (void)state;
    for (int way = 0; way < 10; way++) {
        begin();
        size_t before = timers();
        const thrum_then_opts opts = {.deadline = thrum_in(1e6), .name = "in time"};
        thrum_future *out = then_with(way % 2 ? one.pool : NULL, NULL, &opts);
        assert_int_equal(timers(), before + 1);
        int code = end_before(way / 2, out);
        assert_int_equal(code_of(out), code);
        assert_int_equal(timers(), before);
        finish();
        assert_int_equal(calls, code == 0);
    }
}

static void test_a_pool_that_ends_leaves_no_timer(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        begin();
        size_t before = timers();
        const thrum_then_opts opts = {.deadline = thrum_in(1e6), .priority = 1};
        thrum_future *out = then_with(one.pool, NULL, &opts);
        if (way)
            assert_int_equal(thrum_executor_shutdown(one.pool, true, true), 0);
        thrum_executor_free(one.pool);
        assert_int_equal(code_of(out), way ? -ECANCELED : -ESHUTDOWN);
        assert_int_equal(timers(), before);
        thrum_future_free(promise);
    }
}

static void *set_promise(void *arg) {
    for (uint32_t i = spec_random(30); i > 0; i--)
        spec_yield();
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    return arg;
}

/* Deadline and future come at the same time: one of them has it. */
static void test_either_late_or_called(void **state) {
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        begin();
        thrum_thread *thread = spec_start(set_promise, NULL);
        const thrum_then_opts opts = {.deadline = thrum_in(spec_random(40) * 1e-6),
                                      .priority = i % 3 ? 0 : 1};
        thrum_future *out = then_with(i % 3 == 1 ? NULL : one.pool, NULL, &opts);
        int code = code_of(out);
        assert_true(code == 0 || code == -ETIMEDOUT);
        spec_join(thread);
        finish();
        assert_int_equal(calls, code == 0);
    }
}

static void *until_asked(thrum_future *before, void *arg) {
    while (!thrum_cancel_requested())
        spec_yield();
    return note(before, arg);
}

/* It has to start in time for that; the first deadline may be too near. */
static void test_what_runs_is_asked_to_stop(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        int code = -ETIMEDOUT;
        for (double seconds = 0.001; code == -ETIMEDOUT; seconds *= 2) {
            begin();
            thrum_future *out = NULL;
            const thrum_then_opts opts = {.deadline = thrum_in(seconds)};
            assert_int_equal(thrum_future_then_with(promise, &out, way ? one.pool : NULL,
                                                    until_asked, NULL, &opts),
                             0);
            assert_int_equal(thrum_future_set_result(promise, NULL), 0);
            code = code_of(out);
            finish();
        }
        assert_int_equal(code, 0);
        assert_int_equal(calls, 1);
    }
}

SPEC_TESTS(cmocka_unit_test(test_without_options), cmocka_unit_test(test_bad_options),
           cmocka_unit_test(test_the_highest_priority_runs_first),
           cmocka_unit_test(test_the_future_before_is_late),
           cmocka_unit_test(test_the_workers_are_late),
           cmocka_unit_test(test_a_deadline_that_has_passed),
           cmocka_unit_test(test_the_timers_are_late),
           cmocka_unit_test(test_who_is_in_time_leaves_no_timer),
           cmocka_unit_test(test_a_pool_that_ends_leaves_no_timer),
           cmocka_unit_test(test_either_late_or_called),
           cmocka_unit_test(test_what_runs_is_asked_to_stop));
