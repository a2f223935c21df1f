/* SPDX-License-Identifier: MIT */
/* Tasks with a deadline, and with a name. */
#include "held.h"
#include "heard.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exec/pool.h"
#include "thread/timer.h"

static struct {
    thrum_event seen, never;
    int n;
    char text[256];
} s;

static void reset(const thrum_executor_opts *opts) {
    memset(&s, 0, sizeof s);
    held_pool(opts);
}

static void one_worker(void) { reset(&(thrum_executor_opts){.max_workers = 1}); }

static void *note(void *number) {
    s.n++;
    return number;
}

static void test_a_task_that_has_not_started_by_its_deadline_fails(void **state) {
    (void)state;
    for (int priority = -1; priority <= 1; priority++) {
        one_worker();
        thrum_future *held = hold_worker();
        const thrum_task_opts opts = {
            .priority = priority, .deadline = thrum_in(0.002), .name = "urgent"};
        thrum_future *future = submit_with(note, NULL, &opts);
        const thrum_failure *failure = thrum_future_error(future);
        assert_false(thrum_future_done(held));
        assert_true(thrum_now().ns >= opts.deadline.ns);
        assert_non_null(failure);
        assert_int_equal(failure->code, -ETIMEDOUT);
        assert_string_equal(failure->task, "urgent");
        assert_non_null(strstr(failure->message, "deadline"));
        assert_int_equal(queued(), 0);
        assert_int_equal(one.pool->ranks.n, 0);
        assert_false(thrum_future_cancel(future));
        thrum_future_free(future);
        thrum_event_set(&one.go);
        assert_int_equal(code_of(held), 0);
        thrum_executor_free(one.pool);
        assert_int_equal(s.n, 0);
    }
}

static void note_failure(const thrum_failure *failure, void *arg) {
    snprintf(s.text, sizeof s.text, "%s %d", failure->task, failure->code);
    thrum_event_set(arg);
}

static void test_nobody_misses_an_expired_task(void **state) {
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "lost %d", -ETIMEDOUT);
    for (int i = 0; i < 40; i++) {
        int priority = i % 2;
        one_worker();
        thrum_set_excepthook(note_failure, &s.seen);
        thrum_future *held = hold_worker();
        const thrum_task_opts opts = {
            .priority = priority, .deadline = thrum_in(i * 1e-6), .name = "lost"};
        assert_int_equal(thrum_submit_with(one.pool, NULL, note, NULL, &opts), 0);
        if (priority)
            thrum_event_wait(&s.seen); /* it leaves its queue at once */
        while (queued() != 0)
            spec_yield();
        thrum_event_set(&one.go);
        thrum_event_wait(&s.seen); /* its last reference was in the queue */
        assert_int_equal(code_of(held), 0);
        thrum_executor_free(one.pool);
        thrum_set_excepthook(NULL, NULL);
        assert_string_equal(s.text, text);
        assert_int_equal(s.n, 0);
    }
}

/* Returns false if the deadline had come before all was prepared. */
static bool shut_down_while_it_is_heard(bool hook, double limit) {
    one_worker();
    prepare_to_hear();
    thrum_set_excepthook(shut_down_in_hook, NULL);
    thrum_future *future, *held = hold_worker();
    const thrum_task_opts opts = {.priority = hook, .deadline = thrum_in(limit)};
    assert_int_equal(thrum_submit_with(one.pool, hook ? NULL : &future, note, NULL, &opts), 0);
    if (!hook)
        assert_int_equal(thrum_future_add_done_callback(future, shut_down_in_callback, NULL), 0);
    thrum_event_wait(&heard.seen);
    thrum_event_set(&one.go);
    assert_int_equal(code_of(held), 0);
    if (!heard.missed)
        assert_int_equal(thrum_executor_shutdown_until(one.pool, false, thrum_in(0.002)),
                         -ETIMEDOUT);
    thrum_event_set(&heard.go_on);
    assert_int_equal(thrum_executor_shutdown(one.pool, true, false), 0);
    thrum_executor_stats stats;
    thrum_executor_get_stats(one.pool, &stats);
    assert_int_equal(stats.unread, hook);
    thrum_executor_free(one.pool);
    thrum_set_excepthook(NULL, NULL);
    return !heard.missed;
}

/* One hears of it by the callback, the other by the excepthook. */
static void test_a_shutdown_waits_until_all_have_heard_of_it(void **state) {
    (void)state;
    for (int hook = 0; hook < 2; hook++)
        for (double limit = 0.001; !shut_down_while_it_is_heard(hook, limit); limit *= 2)
            continue;
}

static void test_a_deadline_that_has_passed_already(void **state) {
    (void)state;
    one_worker();
    thrum_set_excepthook(note_failure, &s.seen);
    const thrum_task_opts opts = {.deadline = thrum_now(), .name = "late"};
    for (int i = 0; i < 20; i++)
        assert_int_equal(code_of(submit_with(note, NULL, &opts)), -ETIMEDOUT);
    assert_int_equal(thrum_submit_with(one.pool, NULL, note, NULL, &opts), 0);
    thrum_event_wait(&s.seen);
    thrum_executor_free(one.pool);
    thrum_set_excepthook(NULL, NULL);
    char text[32];
    snprintf(text, sizeof text, "late %d", -ETIMEDOUT);
    assert_string_equal(s.text, text);
    assert_int_equal(s.n, 0);
}

static void hold_timers(void *arg) {
    thrum_event_set(&one.started);
    thrum_event_wait(arg);
}

static void test_a_worker_looks_at_the_deadline_too(void **state) {
    (void)state;
    for (int priority = 0; priority < 2; priority++) {
        one_worker();
        thrum_timer *timer;
        assert_int_equal(thrum_timer_start(&timer, 0, hold_timers, &s.seen, NULL), 0);
        thrum_event_wait(&one.started);
        thrum_event_clear(&one.started);
        thrum_future *held = hold_worker();
        thrum_deadline deadline = thrum_in(0.001);
        thrum_future *future =
            submit_with(note, NULL, &(thrum_task_opts){.deadline = deadline, .priority = priority});
        assert_int_equal(thrum_event_wait_until(&s.never, deadline), -ETIMEDOUT);
        thrum_event_set(&one.go);
        assert_int_equal(code_of(future), -ETIMEDOUT);
        assert_int_equal(code_of(held), 0);
        thrum_event_set(&s.seen);
        thrum_timer_free(timer);
        thrum_executor_free(one.pool);
        assert_int_equal(s.n, 0);
    }
}

static void *run_late(void *arg) {
    assert_false(thrum_cancel_requested() && thrum_now().ns < ((thrum_deadline *)arg)->ns);
    while (!thrum_cancel_requested())
        spec_yield();
    assert_true(thrum_now().ns >= ((thrum_deadline *)arg)->ns);
    return arg;
}

static void test_a_task_that_runs_is_asked_to_stop(void **state) {
    (void)state;
    thrum_deadline deadline;
    int rc;
    do { /* on a machine that is so slow it may not start in time */
        one_worker();
        deadline = thrum_in(0.02);
        thrum_future *future =
            submit_with(run_late, &deadline, &(thrum_task_opts){.deadline = deadline});
        rc = code_of(future);
        thrum_executor_free(one.pool);
    } while (rc == -ETIMEDOUT);
    assert_int_equal(rc, 0);
}

static void test_who_starts_in_time_leaves_no_timer(void **state) {
    (void)state;
    one_worker();
    for (int i = 0; i < 20; i++) {
        const thrum_task_opts opts = {.priority = i % 2, .deadline = thrum_in(100000)};
        assert_int_equal(code_of(submit_with(note, NULL, &opts)), 0);
        assert_int_equal(thrum__timers_all.heap.n, 0);
    }
    assert_int_equal(code_of(submit_with(note, NULL, &(thrum_task_opts){.deadline = THRUM_NEVER})),
                     0);
    thrum_executor_free(one.pool);
}

static void test_a_full_queue_until_the_deadline(void **state) {
    (void)state;
    thrum_future *future = NULL;
    for (int overflow = THRUM_OVERFLOW_BLOCK; overflow <= THRUM_OVERFLOW_CALLER_RUNS; overflow++) {
        reset(&(thrum_executor_opts){
            .max_workers = 1, .queue_limit = 1, .overflow = (thrum_overflow)overflow});
        thrum_future *held = hold_worker(), *waits = submit_with(note, NULL, NULL);
        if (overflow == THRUM_OVERFLOW_BLOCK) {
            future = submit_with(note, NULL, &(thrum_task_opts){.deadline = thrum_in(0.001)});
            assert_true(thrum_future_done(future));
            assert_int_equal(code_of(future), -ETIMEDOUT);
        }
        if (overflow == THRUM_OVERFLOW_CALLER_RUNS) {
            future = submit_with(note, NULL, &(thrum_task_opts){.deadline = {1}, .priority = 1});
            assert_true(thrum_future_done(future));
            assert_int_equal(code_of(future), -ETIMEDOUT);
            future = submit_with(note, NULL, &(thrum_task_opts){.deadline = thrum_in(1e6)});
            assert_true(thrum_future_done(future));
            assert_int_equal(code_of(future), 0);
        }
        int ran = overflow == THRUM_OVERFLOW_CALLER_RUNS;
        assert_int_equal(s.n, ran);
        thrum_event_set(&one.go);
        assert_int_equal(code_of(waits), 0);
        assert_int_equal(code_of(held), 0);
        thrum_executor_free(one.pool);
        assert_int_equal(s.n, ran + 1);
    }
}

static bool dump_has(const char *part) {
    static char text[16384];
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(thrum_dump(fileno(file)), 0);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return strstr(text, part) != NULL;
}

static void *fail_in_task(void *arg) {
    thrum_raise(-EIO, "here");
    return arg;
}

static void *look_at_names(void *arg) {
    assert_true(dump_has("in task \"outer\""));
    thrum_future *inner = submit_with(wait_for_go, NULL, &(thrum_task_opts){.name = "inner"});
    thrum_event_set(&one.go);
    assert_int_equal(code_of(inner), 0);
    assert_true(dump_has("in task \"outer\""));
    assert_false(dump_has("in task \"inner\""));
    return arg;
}

static void test_names(void **state) {
    (void)state;
    char name[] = "reader 1";
    one_worker();
    thrum_future *held = submit_with(wait_for_go, NULL, &(thrum_task_opts){.name = name});
    memset(name, 'x', sizeof name - 1); /* it was copied */
    thrum_event_wait(&one.started);
    assert_true(dump_has("in task \"reader 1\", "));
    thrum_event_set(&one.go);
    assert_int_equal(code_of(held), 0);
    held = submit_with(fail_in_task, NULL, &(thrum_task_opts){.name = name});
    assert_string_equal(thrum_future_error(held)->task, name);
    assert_int_equal(code_of(held), -EIO);
    assert_int_equal(code_of(submit_with(look_at_names, NULL, &(thrum_task_opts){.name = "outer"})),
                     0);
    thrum_executor_free(one.pool);
    assert_false(dump_has("in task"));
}

SPEC_TESTS(cmocka_unit_test(test_a_task_that_has_not_started_by_its_deadline_fails),
           cmocka_unit_test(test_nobody_misses_an_expired_task),
           cmocka_unit_test(test_a_shutdown_waits_until_all_have_heard_of_it),
           cmocka_unit_test(test_a_deadline_that_has_passed_already),
           cmocka_unit_test(test_a_worker_looks_at_the_deadline_too),
           cmocka_unit_test(test_a_task_that_runs_is_asked_to_stop),
           cmocka_unit_test(test_who_starts_in_time_leaves_no_timer),
           cmocka_unit_test(test_a_full_queue_until_the_deadline), cmocka_unit_test(test_names));
