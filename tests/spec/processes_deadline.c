/* SPDX-License-Identifier: MIT */
/* Tasks with a deadline, and with a name, in processes. */
#include "held_process.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <thrum/bytes.h>
#include <thrum/dump.h>
#include <thrum/timer.h>

#include "thread/timer.h"

static thrum_event seen, never;
static char text[256];
static int runs; /* of a worker */

THRUM_TASK(int, run) { return ++runs; }

static void reset(const thrum_executor_opts *opts) {
    seen = never = (thrum_event)THRUM_EVENT_INIT;
    held_pool(opts);
}

static thrum_future *submit(thrum_task_opts opts) {
    thrum_future *future = NULL;
    assert_int_equal(run_submit_with(one.pool, &future, &opts), 0);
    assert_non_null(future);
    return future;
}

/* Frees the pool, whose worker has run `n` tasks. */
static void end_after(int n) {
    int value = 0;
    open_gate();
    thrum_future *last = submit((thrum_task_opts){0});
    assert_int_equal(run_result(last, &value), 0);
    thrum_future_free(last);
    assert_int_equal(value, n + 1);
    assert_int_equal(thrum_executor_shutdown(one.pool, true, false), 0);
    assert_int_equal(queued(), 0);
    free_pool();
}

static void test_a_task_that_was_not_sent_by_its_deadline_fails(void **state) {
    (void)state;
    for (int priority = -1; priority <= 1; priority++) {
        reset(&(thrum_executor_opts){.name_prefix = "Late"});
        hold_worker();
        const thrum_task_opts opts = {
            .priority = priority, .deadline = thrum_in(0.002), .name = "urgent"};
        thrum_future *future = submit(opts);
        const thrum_failure *failure = thrum_future_error(future);
        assert_false(thrum_future_done(one.held[0]));
        assert_true(thrum_now().ns >= opts.deadline.ns);
        assert_non_null(failure);
        assert_int_equal(failure->code, -ETIMEDOUT);
        assert_string_equal(failure->task, "urgent");
        assert_string_equal(failure->thread, "Late");
        assert_non_null(strstr(failure->message, "deadline"));
        assert_int_equal(queued(), 0);
        assert_false(thrum_future_cancel(future));
        thrum_future_free(future);
        end_after(0);
    }
}

static void note_failure(const thrum_failure *failure, void *arg) {
    snprintf(text, sizeof text, "%s %d", failure->task, failure->code);
    thrum_event_set(arg);
}

static void test_nobody_misses_an_expired_task(void **state) {
    (void)state;
    char lost[32];
    snprintf(lost, sizeof lost, "lost %d", -ETIMEDOUT);
    for (int i = 0; i < 20; i++) {
        reset(&(thrum_executor_opts){0});
        thrum_set_excepthook(note_failure, &seen);
        hold_worker();
        const thrum_task_opts opts = {
            .priority = i % 2, .deadline = thrum_in(i * 1e-5), .name = "lost"};
        assert_int_equal(run_submit_with(one.pool, NULL, &opts), 0);
        thrum_event_wait(&seen); /* the held worker need not take it */
        thrum_set_excepthook(NULL, NULL);
        assert_string_equal(text, lost);
        end_after(0);
    }
}

static void test_a_deadline_that_has_passed_already(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){0});
    for (int i = 0; i < 20; i++)
        assert_int_equal(code_of(submit((thrum_task_opts){.deadline = thrum_now()})), -ETIMEDOUT);
    thrum_set_excepthook(note_failure, &seen);
    assert_int_equal(run_submit_with(one.pool, NULL, &(thrum_task_opts){.deadline = {1}}), 0);
    thrum_event_wait(&seen);
    thrum_set_excepthook(NULL, NULL);
    end_after(0);
}

static void called(thrum_future *future, void *arg) {
    (void)future;
    thrum_event_set(arg);
}

static void test_its_callbacks_run(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){0});
    hold_worker();
    thrum_future *future = submit((thrum_task_opts){.deadline = thrum_in(0.005)});
    assert_int_equal(thrum_future_add_done_callback(future, called, &seen), 0);
    thrum_event_wait(&seen);
    assert_int_equal(code_of(future), -ETIMEDOUT);
    end_after(0);
}

static void hold_timers(void *arg) {
    thrum_event_set(&seen);
    thrum_event_wait(arg);
}

/* When the timers' thread is late. */
static void test_who_sends_looks_at_the_deadline_too(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        reset(&(thrum_executor_opts){0});
        thrum_event go = THRUM_EVENT_INIT;
        thrum_timer *timer;
        hold_worker();
        assert_int_equal(thrum_timer_start(&timer, 0, hold_timers, &go, NULL), 0);
        thrum_event_wait(&seen);
        thrum_deadline deadline = thrum_in(0.001);
        thrum_future *future = submit((thrum_task_opts){.deadline = deadline, .priority = i % 2});
        if (i < 2)
            assert_int_equal(thrum_future_add_done_callback(future, called, &never), 0);
        assert_int_equal(thrum_event_wait_until(&go, deadline), -ETIMEDOUT);
        open_gate();
        assert_int_equal(code_of(future), -ETIMEDOUT);
        if (i < 2)
            thrum_event_wait(&never);
        thrum_event_set(&go);
        thrum_timer_free(timer);
        end_after(0);
    }
}

/* Submits a task to a worker that is free until it was sent in time. Returns its deadline. */
static thrum_deadline send_in_time(int (*submit_to)(thrum_future **, const thrum_task_opts *),
                                   thrum_future **future) {
    for (double time = 0.02;; time *= 2) {
        const thrum_task_opts opts = {.deadline = thrum_in(time)};
        assert_int_equal(submit_to(future, &opts), 0);
        wait_until_sent(*future);
        if (was_sent(*future))
            return opts.deadline;
        assert_int_equal(code_of(*future), -ETIMEDOUT);
    }
}

static int submit_hold(thrum_future **future, const thrum_task_opts *opts) {
    return hold_submit_with(one.pool, future, one.gate, opts);
}

static void test_what_runs_past_it_is_let(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){0});
    thrum_deadline deadline = send_in_time(submit_hold, &one.held[0]);
    assert_int_equal(thrum_event_wait_until(&never, deadline), -ETIMEDOUT);
    assert_false(thrum_future_done(one.held[0]));
    end_after(0);
}

static int submit_run(thrum_future **future, const thrum_task_opts *opts) {
    return run_submit_with(one.pool, future, opts);
}

/* Its worker dies before it has begun: it has not started by its deadline, which has passed
 * meanwhile, or will pass. */
static void test_what_is_put_back_has_not_started(void **state) {
    (void)state;
    for (int passed = 0; passed < 2; passed++) {
        reset(&(thrum_executor_opts){.backend_opts = &(thrum_processes_opts){.retries = 1}});
        thrum_future *future;
        int process;
        assert_int_equal(hold_submit(one.pool, &one.held[0], one.gate), 0);
        while ((process = __atomic_load_n(&one.gate->process, __ATOMIC_RELAXED)) == 0)
            spec_yield();
        thrum_deadline deadline = send_in_time(submit_run, &future);
        assert_int_equal(hold_submit_with(one.pool, &one.held[1], one.gate,
                                          &(thrum_task_opts){.priority = 2}), 0);
        if (passed) {
            assert_int_equal(thrum_event_wait_until(&never, deadline), -ETIMEDOUT);
            assert_false(thrum_future_done(future));
        }
        assert_int_equal(kill(process, SIGKILL), 0);
        if (passed) /* the held ones take all the new worker's places */
            assert_int_equal(code_of(future), -ETIMEDOUT);
        wait_until_sent(one.held[1]);
        open_gate();
        if (!passed) {
            int code = code_of(future);
            assert_true(code == 0 || code == -ETIMEDOUT);
        }
        assert_int_equal(thrum_executor_shutdown(one.pool, true, false), 0);
        assert_int_equal(queued(), 0);
        free_pool();
    }
}

static void test_who_is_done_leaves_no_timer(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){0});
    for (int i = 0; i < 20; i++) {
        const thrum_task_opts opts = {.priority = i % 2, .deadline = thrum_in(100000)};
        thrum_future *future = submit(opts);
        if (i % 3 == 2)
            (void)thrum_future_cancel(future);
        int code = code_of(future);
        assert_true(code == 0 || (i % 3 == 2 && code == -ECANCELED));
        assert_int_equal(thrum__timers_all.heap.n, 0);
    }
    assert_int_equal(code_of(submit((thrum_task_opts){.deadline = THRUM_NEVER})), 0);
    assert_int_equal(thrum_executor_shutdown(one.pool, true, false), 0);
    free_pool();
}

static void test_a_full_queue_until_the_deadline(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){.queue_limit = 1});
    hold_worker();
    thrum_future *waits = submit((thrum_task_opts){0});
    for (int i = 0; i < 20; i++) {
        thrum_future *future = submit((thrum_task_opts){.deadline = thrum_in(i * 1e-4)});
        assert_true(thrum_future_done(future));
        assert_int_equal(code_of(future), -ETIMEDOUT);
        assert_int_equal(queued(), 1);
    }
    open_gate();
    assert_int_equal(code_of(waits), 0);
    end_after(1);
}

static void test_it_gives_its_room_back(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){.queue_limit = 1});
    hold_worker();
    thrum_future *futures[20];
    for (int i = 0; i < 20; i++) /* each waits for the one before */
        futures[i] = submit((thrum_task_opts){.priority = i % 3 - 1,
                                              .deadline = i < 19 ? thrum_in(0.001) : THRUM_NEVER});
    for (int i = 0; i < 19; i++)
        assert_int_equal(code_of(futures[i]), -ETIMEDOUT);
    assert_false(thrum_future_done(futures[19]));
    assert_int_equal(queued(), 1);
    open_gate();
    assert_int_equal(code_of(futures[19]), 0);
    end_after(1);
}

/* Sent, expired, cancelled at the same moment: each ends once. */
static void test_a_deadline_against_all_else(void **state) {
    (void)state;
    enum { N = 600 };
    thrum_future *futures[N];
    reset(&(thrum_executor_opts){.queue_limit = 40});
    for (int i = 0; i < N; i++) {
        const thrum_task_opts opts = {.priority = (int)spec_random(3) - 1,
                                      .deadline = thrum_in(spec_random(200) * 1e-6)};
        futures[i] = submit(opts);
        if (spec_random(4) == 0)
            (void)thrum_future_cancel(futures[spec_random((uint32_t)i + 1)]);
    }
    for (int i = 0; i < N; i++) {
        int code = code_of(futures[i]);
        assert_true(code == 0 || code == -ETIMEDOUT || code == -ECANCELED);
    }
    assert_int_equal(thrum_executor_shutdown(one.pool, true, false), 0);
    assert_int_equal(queued(), 0);
    assert_int_equal(thrum__timers_all.heap.n, 0);
    free_pool();
}

static bool dump_has(const char *part) {
    static char dump[16384];
    FILE *file = tmpfile();
    if (!file || thrum_dump(fileno(file)) != 0)
        return false;
    rewind(file);
    dump[fread(dump, 1, sizeof dump - 1, file)] = '\0';
    fclose(file);
    return strstr(dump, part) != NULL;
}

/* Bits: what a worker calls its task. */
THRUM_TASK(int, names) {
    return dump_has("in task \"reader 1\", ") | dump_has("in task \"names\"") << 1 |
           dump_has("in task \"reader 2\"") << 2;
}

static int names_of_bytes(const void *arg, void *result) {
    (void)arg;
    *(int *)result = names();
    return 0;
}

static int names_of(const char *name) {
    thrum_future *future;
    int value = 0;
    assert_int_equal(names_submit_with(one.pool, &future, &(thrum_task_opts){.name = name}), 0);
    assert_int_equal(names_result(future, &value), 0);
    thrum_future_free(future);
    return value;
}

THRUM_TASK(void, refuse, (int, code)) { thrum_raise(code, "here"); }

THRUM_TASK(void, die) { kill(getpid(), SIGKILL); }

static void test_names(void **state) {
    (void)state;
    char name[] = "reader 1";
    const void *result;
    thrum_future *future, *dies;
    reset(&(thrum_executor_opts){0});
    assert_int_equal(names_of(name), 1);
    assert_int_equal(names_of(NULL), 2);
    assert_int_equal(names_of("reader 2"), 4);
    assert_int_equal(thrum_submit_bytes(one.pool, &future, names_of_bytes, NULL, 0, sizeof(int),
                                        &(thrum_task_opts){.name = name}), 0);
    assert_int_equal(thrum_bytes_result(future, &result), 0);
    assert_int_equal(*(const int *)result, 1);
    thrum_future_free(future);
    assert_int_equal(refuse_submit_with(one.pool, &future, -EIO, &(thrum_task_opts){.name = name}),
                     0);
    assert_int_equal(die_submit_with(one.pool, &dies, &(thrum_task_opts){.name = name}), 0);
    memset(name, 'x', sizeof name - 1); /* it was copied */
    assert_string_equal(thrum_future_error(future)->task, "reader 1");
    assert_int_equal(code_of(future), -EIO);
    assert_string_equal(thrum_future_error(dies)->task, "reader 1");
    assert_int_equal(code_of(dies), -EPIPE);
    open_gate();
    free_pool();
}

SPEC_TESTS(cmocka_unit_test(test_a_task_that_was_not_sent_by_its_deadline_fails),
           cmocka_unit_test(test_nobody_misses_an_expired_task),
           cmocka_unit_test(test_a_deadline_that_has_passed_already),
           cmocka_unit_test(test_its_callbacks_run),
           cmocka_unit_test(test_who_sends_looks_at_the_deadline_too),
           cmocka_unit_test(test_what_runs_past_it_is_let), cmocka_unit_test(test_names),
           cmocka_unit_test(test_what_is_put_back_has_not_started),
           cmocka_unit_test(test_who_is_done_leaves_no_timer),
           cmocka_unit_test(test_a_full_queue_until_the_deadline),
           cmocka_unit_test(test_it_gives_its_room_back),
           cmocka_unit_test(test_a_deadline_against_all_else));
