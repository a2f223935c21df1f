/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { TIMERS = 12, CALLS = 5 };

static struct {
    thrum_event entered;
    thrum_event gate;
    thrum_event done;
    thrum_event never;
    thrum_timer *timer;
    thrum_timer *held; /* of hold_server() */
    int called[TIMERS];
    int n;
    bool result;
    int64_t at[CALLS + 1];
} s;

static void reset(void) { memset(&s, 0, sizeof s); }

static void set_event(void *event) { thrum_event_set(event); }

static void note(void *number) {
    s.called[s.n++] = (int)(intptr_t)number;
    if (s.n == TIMERS)
        thrum_event_set(&s.done);
}

static void enter(void *arg) {
    (void)arg;
    thrum_event_set(&s.entered);
    thrum_event_wait(&s.gate);
}

/* Keeps the timers' thread in a call until release_server(). */
static void hold_server(void) {
    assert_int_equal(thrum_timer_start(&s.held, 0, enter, NULL, NULL), 0);
    thrum_event_wait(&s.entered);
}

static void release_server(void) {
    thrum_event_set(&s.gate);
    thrum_timer_free(s.held);
}

static void test_calls_in_the_order_of_due_times(void **state) {
    (void)state;
    reset();
    hold_server();
    for (int i = 0; i < TIMERS; i++) {
        int due = (i * 5 + 3) % TIMERS;
        assert_int_equal(thrum_timer_start(NULL, due * 1e-3, note, (void *)(intptr_t)due, NULL), 0);
    }
    assert_int_equal(s.n, 0);
    release_server();
    thrum_event_wait(&s.done);
    for (int i = 0; i < TIMERS; i++)
        assert_int_equal(s.called[i], i);
}

static void note_time(void *arg) {
    s.at[s.n++] = thrum_now().ns;
    thrum_event_set(arg);
}

static void test_calls_not_before_its_time(void **state) {
    (void)state;
    reset();
    thrum_deadline due = thrum_in(0.003);
    thrum_timer *timer;
    assert_int_equal(thrum_timer_start(&timer, 0.003, note_time, &s.done, NULL), 0);
    thrum_event_wait(&s.done);
    thrum_timer_free(timer);
    assert_int_equal(s.n, 1);
    assert_true(s.at[0] >= due.ns);
}

static void test_at_once_and_never(void **state) {
    (void)state;
    reset();
    static const double now[] = {0, -1, -INFINITY};
    thrum_timer *never, *far;
    assert_int_equal(thrum_timer_start(&never, INFINITY, note, NULL, NULL), 0);
    assert_int_equal(thrum_timer_start(&far, 1e300, note, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        thrum_event_clear(&s.done);
        assert_int_equal(thrum_timer_start(NULL, now[i], set_event, &s.done, NULL), 0);
        thrum_event_wait(&s.done);
    }
    assert_true(thrum_timer_pending(never));
    assert_true(thrum_timer_cancel(never));
    assert_true(thrum_timer_cancel(far));
    thrum_timer_free(never);
    thrum_timer_free(far);
    assert_int_equal(s.n, 0);
}

static void test_cancel(void **state) {
    (void)state;
    reset();
    thrum_timer *timer;
    thrum_timer_free(NULL);
    assert_int_equal(thrum_timer_start(&timer, 1000, note, NULL, NULL), 0);
    assert_true(thrum_timer_pending(timer));
    assert_true(thrum_timer_cancel(timer));
    assert_false(thrum_timer_pending(timer));
    assert_false(thrum_timer_cancel(timer));
    thrum_timer_free(timer);
    hold_server();
    assert_false(thrum_timer_pending(s.held));
    assert_false(thrum_timer_cancel(s.held)); /* it runs: too late */
    assert_int_equal(thrum_timer_start(&timer, 0, note, NULL, NULL), 0);
    assert_true(thrum_timer_cancel(timer)); /* due, and not called yet */
    thrum_timer_free(timer);
    release_server();
    assert_int_equal(thrum_timer_start(&timer, 0, set_event, &s.done, NULL), 0);
    thrum_event_wait(&s.done);
    assert_false(thrum_timer_cancel(timer));
    thrum_timer_free(timer);
    assert_int_equal(s.n, 0);
}

static void count_down(void *calls) {
    assert_true(thrum_timer_pending(s.timer));
    if (++s.n < *(int *)calls)
        return;
    assert_true(thrum_timer_cancel(s.timer));
    assert_false(thrum_timer_cancel(s.timer));
    assert_false(thrum_timer_pending(s.timer));
    thrum_timer_free(s.timer); /* does not wait: it is called from here */
    thrum_event_set(&s.done);
}

static void test_repeats_until_cancel(void **state) {
    (void)state;
    for (int calls = 1; calls <= CALLS; calls++) {
        reset();
        thrum_timer_opts opts = {.every = 0.0005};
        assert_int_equal(thrum_timer_start(&s.timer, 0.0005, count_down, &calls, &opts), 0);
        thrum_event_wait(&s.done);
        hold_server();
        release_server();
        assert_int_equal(s.n, calls);
    }
}

static void note_phase(void *deadline) {
    s.at[s.n < CALLS ? s.n : CALLS] = thrum_now().ns;
    if (s.n == 1) { /* the calls of 20 and 30 ms are missed */
        thrum_deadline late = *(thrum_deadline *)deadline;
        assert_int_equal(thrum_event_wait_until(&s.never, late), -ETIMEDOUT);
    }
    if (++s.n == CALLS)
        thrum_event_set(&s.done);
}

static void test_keeps_its_phase_and_leaves_out_what_it_missed(void **state) {
    (void)state;
    static const int expected[CALLS] = {0, 1, 4, 5, 6};
    reset();
    enum { EVERY_NS = 10000000 };
    thrum_deadline start = thrum_in(0.02);
    thrum_deadline late = {start.ns + 7 * EVERY_NS / 2};
    thrum_timer *timer;
    thrum_timer_opts opts = {.every = 0.01};
    assert_int_equal(thrum_timer_start(&timer, 0.02, note_phase, &late, &opts), 0);
    thrum_event_wait(&s.done);
    assert_true(thrum_timer_cancel(timer));
    thrum_timer_free(timer);
    for (int i = 0; i < CALLS; i++)
        assert_true(s.at[i] >= start.ns + (int64_t)expected[i] * EVERY_NS);
    for (int i = 0; i < CALLS && spec_is_test_strand(); i++)
        assert_true(s.at[i] < start.ns + (int64_t)expected[i] * EVERY_NS + EVERY_NS / 4);
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
        reset();
        thrum_timer_opts opts = {.every = every};
        assert_int_equal(thrum_timer_start(&s.timer, 0, enter_and_note, NULL, &opts), 0);
        thrum_event_wait(&s.entered);
        assert_int_equal(thrum_timer_cancel(s.timer), every);
        thrum_thread *thread = spec_start(free_it, s.timer);
        spec_until_waiting(s.timer, 1);
        thrum_event_set(&s.gate);
        spec_join(thread);
    }
}

static void test_goes_on_without_its_handle(void **state) {
    (void)state;
    reset();
    thrum_timer *timer;
    assert_int_equal(thrum_timer_start(&timer, 0.001, set_event, &s.done, NULL), 0);
    thrum_timer_free(timer);
    thrum_event_wait(&s.done);
}

static void start_next(void *arg) {
    if (++s.n < CALLS)
        assert_int_equal(thrum_timer_start(NULL, 0.0001, start_next, arg, NULL), 0);
    else
        thrum_event_set(arg);
}

static void test_a_call_may_start_timers(void **state) {
    (void)state;
    reset();
    assert_int_equal(thrum_timer_start(NULL, 0, start_next, &s.done, NULL), 0);
    thrum_event_wait(&s.done);
    assert_int_equal(s.n, CALLS);
}

static struct {
    int n;
    char text[CALLS][128];
} hook;

static void note_failure(const thrum_failure *failure, void *arg) {
    (void)arg;
    if (hook.n++ < CALLS) /* on a busy machine there are more */
        snprintf(hook.text[hook.n - 1], sizeof hook.text[0], "%s %s %s %d", failure->task,
                 failure->thread, failure->message, failure->code);
    thrum_raise(-EDOM, "in the hook");
}

static void fail_twice(void *arg) {
    s.n += 1;
    if (s.n != 2)
        thrum_raise(-EIO, "call %d", s.n);
    thrum_raise(-EDOM, s.n == 2 ? "the second" : "too late");
    if (s.n == 3)
        thrum_event_set(arg);
}

static void test_failures_go_to_the_excepthook(void **state) {
    (void)state;
    reset();
    memset(&hook, 0, sizeof hook);
    thrum_set_excepthook(note_failure, NULL);
    thrum_timer_opts opts = {.every = 0.0001, .name = "ticker"};
    assert_int_equal(thrum_timer_start(&s.timer, 0, fail_twice, &s.done, &opts), 0);
    thrum_event_wait(&s.done);
    assert_true(thrum_timer_cancel(s.timer));
    thrum_timer_free(s.timer);
    hold_server();
    release_server();
    thrum_set_excepthook(NULL, NULL);
    assert_int_equal(hook.n, s.n);
    assert_string_equal(hook.text[0], "ticker thrum-timer call 1 -5");
    assert_string_equal(hook.text[1], "ticker thrum-timer the second -33");
    assert_string_equal(hook.text[2], "ticker thrum-timer call 3 -5");
}

static void leave_thread(void *arg) {
    s.n += 1;
    if (s.n == CALLS)
        thrum_event_set(arg);
    pthread_exit(NULL);
}

static void test_a_call_that_ends_the_thread_ends_no_timer(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    reset();
    thrum_timer *other;
    thrum_timer_opts opts = {.every = 0.001};
    assert_int_equal(thrum_timer_start(&other, 1000, note, NULL, NULL), 0);
    assert_int_equal(thrum_timer_start(&s.timer, 0, leave_thread, &s.done, &opts), 0);
    thrum_event_wait(&s.done);
    assert_true(thrum_timer_cancel(s.timer));
    thrum_timer_free(s.timer);
    assert_true(thrum_timer_cancel(other));
    thrum_timer_free(other);
    thrum_event_clear(&s.done);
    assert_int_equal(thrum_timer_start(NULL, 0, set_event, &s.done, NULL), 0);
    thrum_event_wait(&s.done);
    while (thrum_thread_active_count() > 2)
        spec_yield();
}

static spec_end end;

static int refuse(void) {
    thrum_timer *out = s.timer;
    thrum_timer_opts minus = {.every = -1}, nan_every = {.every = NAN}, odd = {.reserved = {&out}};
    if (thrum_timer_start(&out, 1, NULL, NULL, NULL) != -EINVAL ||
        thrum_timer_start(&out, NAN, note, NULL, NULL) != -EINVAL ||
        thrum_timer_start(&out, 1, note, NULL, &minus) != -EINVAL ||
        thrum_timer_start(&out, 1, note, NULL, &nan_every) != -EINVAL ||
        thrum_timer_start(&out, 1, note, NULL, &odd) != -EINVAL)
        return 1;
    return out != NULL;
}

static void test_bad_arguments(void **state) {
    (void)state;
    reset();
    spec_exits(refuse, 0, &end);
    assert_int_equal(spec_count_text(end.text, "thrum: thrum_timer_start: "), 5);
    assert_non_null(strstr(end.text, "thrum: thrum_timer_start: seconds is NaN\n"));
    assert_int_equal(spec_count_text(end.text, "every is negative or NaN\n"), 2);
}

static int forked(void) {
    if (thrum_timer_pending(s.timer) || thrum_timer_cancel(s.timer))
        return 1;
    thrum_timer_free(s.timer);
    return s.n;
}

static int forked_and_used(void) {
    int rc = forked();
    thrum_event done = THRUM_EVENT_INIT;
    if (rc != 0 || thrum_timer_start(NULL, 0.001, set_event, &done, NULL) != 0)
        return 2;
    thrum_event_wait(&done);
    return 0;
}

static void with_pending(int (*child)(void)) {
    reset();
    assert_int_equal(thrum_timer_start(&s.timer, 1000, note, NULL, NULL), 0);
    spec_exits(child, 0, &end);
    assert_true(thrum_timer_cancel(s.timer));
    thrum_timer_free(s.timer);
    reset();
    thrum_timer_opts opts = {.every = 1};
    assert_int_equal(thrum_timer_start(&s.timer, 0, enter, NULL, &opts), 0);
    thrum_event_wait(&s.entered);
    spec_exits(child, 0, &end);
    assert_true(thrum_timer_cancel(s.timer));
    thrum_event_set(&s.gate);
    thrum_timer_free(s.timer);
}

static void test_a_fork_leaves_the_timers_to_the_parent(void **state) {
    (void)state;
    with_pending(forked);
}

/* One runs in a pool, the other is queued there. */
static void test_a_fork_leaves_calls_of_a_pool_to_the_parent(void **state) {
    (void)state;
    reset();
    thrum_executor_stats stats = {.queued = 0};
    const thrum_executor_opts single = {.max_workers = 1};
    thrum_timer_opts opts = {.executor = thrum_executor_new(&single)};
    assert_int_equal(thrum_timer_start(&s.held, 0, enter, NULL, &opts), 0);
    thrum_event_wait(&s.entered);
    assert_int_equal(thrum_timer_start(&s.timer, 0, note, NULL, &opts), 0);
    for (; stats.queued == 0; thrum_executor_get_stats(opts.executor, &stats))
        spec_yield();
    spec_exits(forked, 0, &end);
    assert_true(thrum_timer_cancel(s.timer));
    thrum_timer_free(s.timer);
    s.timer = s.held;
    spec_exits(forked, 0, &end);
    release_server();
    thrum_executor_free(opts.executor);
}

static void test_a_forked_child_may_start_timers(void **state) {
    (void)state;
    spec_skip_under_tsan("allows no threads after a fork with threads");
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    with_pending(forked_and_used);
}

SPEC_TESTS(cmocka_unit_test(test_calls_in_the_order_of_due_times), cmocka_unit_test(test_cancel),
           cmocka_unit_test(test_calls_not_before_its_time), cmocka_unit_test(test_bad_arguments),
           cmocka_unit_test(test_at_once_and_never), cmocka_unit_test(test_repeats_until_cancel),
           cmocka_unit_test(test_keeps_its_phase_and_leaves_out_what_it_missed),
           cmocka_unit_test(test_free_waits_for_a_call_that_runs),
           cmocka_unit_test(test_goes_on_without_its_handle),
           cmocka_unit_test(test_a_call_may_start_timers),
           cmocka_unit_test(test_failures_go_to_the_excepthook),
           cmocka_unit_test(test_a_call_that_ends_the_thread_ends_no_timer),
           cmocka_unit_test(test_a_fork_leaves_the_timers_to_the_parent),
           cmocka_unit_test(test_a_fork_leaves_calls_of_a_pool_to_the_parent),
           cmocka_unit_test(test_a_forked_child_may_start_timers));
