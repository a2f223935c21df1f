/* SPDX-License-Identifier: MIT */
/* Timers whose calls are tasks of a pool. */
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { CALLS = 5 };

static struct {
    thrum_executor *pool;
    thrum_timer *timer;
    thrum_event go, entered, done, seen, timers_go, timers_entered;
    thrum_timer *held;
    int n;
    int inside;
    int reports;
    bool result;
    char text[256], thread[64];
} s;

static void reset(const thrum_executor_opts *opts) {
    memset(&s, 0, sizeof s);
    s.pool = thrum_executor_new(opts);
    assert_non_null(s.pool);
}

static void one_worker(void) {
    reset(&(thrum_executor_opts){.max_workers = 1, .name_prefix = "own"});
}

static void start(double seconds, void (*fn)(void *), thrum_timer_opts opts) {
    opts.executor = s.pool;
    assert_int_equal(thrum_timer_start(&s.timer, seconds, fn, NULL, &opts), 0);
}

static void nothing(void *arg) { (void)arg; }

static void test_a_pool_has_to_exist(void **state) { /* the first test: there has been none */
    (void)state;
    thrum_timer *out = NULL;
    struct thrum_executor *no_pool = (struct thrum_executor *)&s;
    assert_int_equal(
        thrum_timer_start(&out, 0, nothing, NULL, &(thrum_timer_opts){.executor = no_pool}),
        -EINVAL);
    assert_null(out);
}

static void enter(void *arg) {
    (void)arg;
    snprintf(s.thread, sizeof s.thread, "%s", thrum_thread_name(thrum_thread_current()));
    thrum_event_set(&s.entered);
    thrum_event_wait(&s.go);
    s.n++;
}

static void set_done(void *arg) {
    (void)arg;
    thrum_event_set(&s.done);
}

static void test_a_slow_call_delays_no_other_timer(void **state) {
    (void)state;
    one_worker();
    start(0.001, enter, (thrum_timer_opts){.every = 0});
    thrum_event_wait(&s.entered);
    assert_string_equal(s.thread, "own_0");
    assert_false(thrum_timer_pending(s.timer));
    assert_false(thrum_timer_cancel(s.timer));
    for (int i = 0; i < CALLS; i++) {
        thrum_event_clear(&s.done);
        assert_int_equal(thrum_timer_start(NULL, 0.0001, set_done, NULL, NULL), 0);
        thrum_event_wait(&s.done);
    }
    assert_int_equal(s.n, 0);
    thrum_event_set(&s.go);
    thrum_timer_free(s.timer);
    assert_int_equal(s.n, 1);
    thrum_executor_free(s.pool);
}

static void *wait_for_go(void *arg) {
    thrum_event_set(&s.entered);
    thrum_event_wait(&s.go);
    return arg;
}

static void hold_worker(void) {
    assert_int_equal(thrum_submit(s.pool, NULL, wait_for_go, NULL), 0);
    thrum_event_wait(&s.entered);
}

static void until_queued(size_t n) {
    thrum_executor_stats stats;
    do {
        spec_yield();
        thrum_executor_get_stats(s.pool, &stats);
    } while (stats.queued != n);
}

static void enter_timers(void *arg) {
    (void)arg;
    thrum_event_set(&s.timers_entered);
    thrum_event_wait(&s.timers_go);
}

/* Nothing falls due until release_timers(). */
static void hold_timers(void) {
    assert_int_equal(thrum_timer_start(&s.held, 0, enter_timers, NULL, NULL), 0);
    thrum_event_wait(&s.timers_entered);
}

static void release_timers(void) {
    thrum_event_set(&s.timers_go);
    thrum_timer_free(s.held);
}

static void count(void *arg) {
    (void)arg;
    assert_int_equal(__atomic_add_fetch(&s.inside, 1, __ATOMIC_RELAXED), 1);
    for (int i = 0; i < 10; i++)
        spec_yield();
    __atomic_sub_fetch(&s.inside, 1, __ATOMIC_RELAXED);
    if (++s.n == CALLS)
        thrum_event_set(&s.done);
}

static void test_repeats_one_call_at_a_time(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){.max_workers = 4});
    start(0, count, (thrum_timer_opts){.every = 1e-6});
    thrum_event_wait(&s.done);
    assert_true(thrum_timer_cancel(s.timer));
    assert_false(thrum_timer_pending(s.timer));
    thrum_timer_free(s.timer);
    int n = s.n;
    thrum_executor_free(s.pool);
    assert_true(s.n <= n + 1); /* one may have been queued */
}

static void test_what_falls_due_meanwhile_is_left_out(void **state) {
    (void)state;
    one_worker();
    hold_worker();
    start(0, count, (thrum_timer_opts){.every = 1e-5});
    until_queued(1);
    for (int i = 0; i < CALLS; i++) {
        thrum_event_clear(&s.done);
        assert_int_equal(thrum_timer_start(NULL, 1e-4, set_done, NULL, NULL), 0);
        thrum_event_wait(&s.done);
        until_queued(1);
    }
    assert_true(thrum_timer_pending(s.timer));
    assert_true(thrum_timer_cancel(s.timer));
    thrum_timer_free(s.timer);
    thrum_event_set(&s.go);
    thrum_executor_free(s.pool);
}

static void test_cancel_of_a_queued_call(void **state) {
    (void)state;
    for (int every = 0; every < 2; every++) {
        one_worker();
        hold_worker();
        start(0, count, (thrum_timer_opts){.every = every});
        until_queued(1);
        assert_true(thrum_timer_pending(s.timer));
        assert_true(thrum_timer_cancel(s.timer));
        assert_false(thrum_timer_pending(s.timer));
        assert_false(thrum_timer_cancel(s.timer));
        thrum_timer_free(s.timer); /* does not wait: nothing runs */
        thrum_event_set(&s.go);
        thrum_executor_free(s.pool);
        assert_int_equal(s.n, 0);
    }
}

static void *free_it(void *timer) {
    thrum_timer_free(timer);
    assert_true(__atomic_load_n(&s.result, __ATOMIC_RELAXED));
    return NULL;
}

static void enter_and_note(void *arg) {
    enter(arg);
    for (int i = 0; i < 20; i++)
        spec_yield();
    __atomic_store_n(&s.result, true, __ATOMIC_RELAXED);
}

static void test_free_waits_for_a_call_that_runs(void **state) {
    (void)state;
    for (int every = 0; every < 2; every++) {
        one_worker();
        start(0, enter_and_note, (thrum_timer_opts){.every = every});
        thrum_event_wait(&s.entered);
        assert_int_equal(thrum_timer_cancel(s.timer), every);
        thrum_thread *thread = spec_start(free_it, s.timer);
        spec_until_waiting(s.timer, 1);
        thrum_event_set(&s.go);
        spec_join(thread);
        thrum_executor_free(s.pool);
    }
}

static void free_inside(void *arg) {
    (void)arg;
    assert_true(thrum_timer_cancel(s.timer));
    thrum_timer_free(s.timer); /* does not wait for itself */
    thrum_event_set(&s.done);
}

static void test_a_call_may_free_its_timer(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        one_worker();
        start(0, free_inside, (thrum_timer_opts){.every = 1});
        thrum_event_wait(&s.done);
        thrum_executor_free(s.pool); /* the timers' thread may be about to hand the call over
                                      * still */
    }
}

static void note_failure(const thrum_failure *failure, void *arg) {
    (void)arg;
    s.reports++;
    snprintf(s.text, sizeof s.text, "%s %d %s", failure->task, failure->code, failure->message);
    thrum_event_set(&s.seen);
}

static void fail_once(void *arg) {
    (void)arg;
    if (s.n++ == 0)
        thrum_raise(-EIO, "no");
    if (s.n == CALLS)
        thrum_event_set(&s.done);
}

static void finish(void) {
    assert_true(thrum_timer_cancel(s.timer));
    thrum_timer_free(s.timer);
    thrum_executor_free(s.pool);
}

static void expect_report(const char *name, int code, const char *message) {
    char text[256];
    thrum_event_wait(&s.seen);
    snprintf(text, sizeof text, "%s %d %s", name, code, message);
    assert_string_equal(s.text, text);
}

static void test_failures_go_to_the_excepthook(void **state) {
    (void)state;
    one_worker();
    thrum_set_excepthook(note_failure, NULL);
    start(0, fail_once, (thrum_timer_opts){.every = 1e-5, .name = "ticker"});
    thrum_event_wait(&s.done);
    finish();
    expect_report("ticker", -EIO, "no");
    assert_int_equal(s.reports, 1);
    thrum_set_excepthook(NULL, NULL);
}

static const char refused[] = "its executor did not take the call of a timer";

static void test_a_pool_that_takes_no_call_is_reported(void **state) {
    (void)state;
    thrum_set_excepthook(note_failure, NULL);
    for (int every = 0; every < 2; every++) {
        one_worker();
        hold_timers();
        start(0, count, (thrum_timer_opts){.every = every * 1e-5, .name = "late"});
        assert_int_equal(thrum_executor_shutdown(s.pool, true, false), 0);
        release_timers();
        expect_report("late", -ESHUTDOWN, refused);
        while (thrum_timer_pending(s.timer)) /* for good */
            spec_yield();
        thrum_timer_free(s.timer);
        assert_int_equal(s.reports, 1);
        assert_int_equal(s.n, 0);
        thrum_executor_free(s.pool);
    }
    thrum_set_excepthook(NULL, NULL);
}

static void test_another_pool_in_the_place_of_the_freed_one(void **state) {
    (void)state;
    thrum_set_excepthook(note_failure, NULL);
    one_worker();
    hold_timers();
    start(0, count, (thrum_timer_opts){.every = 1e-5, .name = "stale"});
    thrum_executor *first = s.pool;
    thrum_executor_free(s.pool);
    s.pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_ptr_equal(s.pool, first); /* else this test shows nothing */
    release_timers();
    expect_report("stale", -ESHUTDOWN, refused);
    while (thrum_timer_pending(s.timer))
        spec_yield();
    thrum_timer_free(s.timer);
    thrum_executor_free(s.pool);
    assert_int_equal(s.n, 0);
    thrum_set_excepthook(NULL, NULL);
}

static void test_beyond_the_limit_of_the_queue(void **state) {
    (void)state;
    for (int overflow = THRUM_OVERFLOW_BLOCK; overflow <= THRUM_OVERFLOW_CALLER_RUNS; overflow++) {
        reset(&(thrum_executor_opts){
            .max_workers = 1, .queue_limit = 1, .overflow = (thrum_overflow)overflow});
        hold_worker();
        assert_int_equal(thrum_submit(s.pool, NULL, wait_for_go, NULL), 0);
        start(0, count, (thrum_timer_opts){.every = 0});
        until_queued(2);
        thrum_event_set(&s.go);
        until_queued(0);
        thrum_timer_free(s.timer);
        thrum_event_clear(&s.go);
        thrum_event_clear(&s.entered);
        hold_worker();
        assert_int_equal(thrum_submit(s.pool, NULL, wait_for_go, NULL), 0);
        if (overflow == THRUM_OVERFLOW_REFUSE) /* the limit is what it was */
            assert_int_equal(thrum_submit(s.pool, NULL, wait_for_go, NULL), -EAGAIN);
        thrum_event_set(&s.go);
        thrum_executor_free(s.pool);
        assert_int_equal(s.n, 1);
    }
}

static void test_a_queued_call_that_a_shutdown_cancels(void **state) {
    (void)state;
    thrum_set_excepthook(note_failure, NULL);
    one_worker();
    hold_worker();
    start(0, count, (thrum_timer_opts){.every = 1e-3, .name = "ticker"});
    until_queued(1);
    assert_int_equal(thrum_executor_shutdown(s.pool, false, true), 0);
    expect_report("ticker", -ESHUTDOWN, refused); /* the next one */
    while (thrum_timer_pending(s.timer))
        spec_yield();
    thrum_event_set(&s.go);
    thrum_timer_free(s.timer);
    thrum_executor_free(s.pool);
    assert_int_equal(s.n, 0);
    assert_int_equal(s.reports, 1);
    thrum_set_excepthook(NULL, NULL);
}

static void leave_thread(void *arg) {
    (void)arg;
    if (++s.n == CALLS)
        thrum_event_set(&s.done);
    pthread_exit(NULL);
}

static void test_a_call_that_ends_its_thread(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    one_worker();
    thrum_set_excepthook(note_failure, NULL);
    start(0, leave_thread, (thrum_timer_opts){.every = 1e-5, .name = "ticker"});
    thrum_event_wait(&s.done);
    finish();
    thrum_set_excepthook(NULL, NULL);
    assert_int_equal(s.reports, s.n);
    assert_true(s.n >= CALLS);
}

SPEC_TESTS(cmocka_unit_test(test_a_pool_has_to_exist),
           cmocka_unit_test(test_a_slow_call_delays_no_other_timer),
           cmocka_unit_test(test_repeats_one_call_at_a_time),
           cmocka_unit_test(test_what_falls_due_meanwhile_is_left_out),
           cmocka_unit_test(test_cancel_of_a_queued_call),
           cmocka_unit_test(test_free_waits_for_a_call_that_runs),
           cmocka_unit_test(test_a_call_may_free_its_timer),
           cmocka_unit_test(test_failures_go_to_the_excepthook),
           cmocka_unit_test(test_a_pool_that_takes_no_call_is_reported),
           cmocka_unit_test(test_another_pool_in_the_place_of_the_freed_one),
           cmocka_unit_test(test_beyond_the_limit_of_the_queue),
           cmocka_unit_test(test_a_queued_call_that_a_shutdown_cancels),
           cmocka_unit_test(test_a_call_that_ends_its_thread));
