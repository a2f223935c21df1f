/* SPDX-License-Identifier: MIT */
/* Tasks with a priority; and what those with any option have in common. */
#include "held.h"

#include <string.h>

#include "exec/pool.h"
#include "thread/timer.h"

enum { TASKS = 9, RUNS = 400 };

static struct {
    int order[TASKS];
    int n;
    int ran;
    int at;
} s;

static void reset(const thrum_executor_opts *opts) {
    memset(&s, 0, sizeof s);
    held_pool(opts);
}

static void one_worker(void) { reset(&(thrum_executor_opts){.max_workers = 1}); }

static void *note(void *number) {
    s.order[s.n++] = (int)(intptr_t)number;
    return number;
}

static void *note_when(void *arg) {
    s.at = s.ran;
    return arg;
}

static const int priorities[TASKS] = {0, INT32_MIN, 5, 0, 5, INT32_MAX, -1, -1, 1};
static const int expected[TASKS] = {5, 2, 4, 8, 0, 3, 6, 7, 1};

static void *submit_all(void *arg) {
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(thrum_submit_with(one.pool, NULL, note, (void *)(intptr_t)i,
                                           &(thrum_task_opts){.priority = priorities[i]}),
                         0);
    return arg;
}

static void test_the_highest_priority_first_and_equals_in_order(void **state) {
    (void)state;
    for (int inside = 0; inside < 2; inside++) {
        one_worker();
        thrum_future *held = inside ? submit_with(submit_all, NULL, NULL) : hold_worker();
        if (!inside) {
            submit_all(NULL);
            assert_int_equal(queued(), TASKS);
        }
        thrum_event_set(&one.go);
        thrum_executor_free(one.pool);
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(s.order[i], expected[i]);
        assert_int_equal(code_of(held), 0);
    }
}

static void test_an_idle_worker_is_woken_for_them(void **state) {
    (void)state;
    one_worker();
    for (int i = 0; i < 20; i++) {
        thrum_future *future =
            submit_with(note_when, NULL, &(thrum_task_opts){.priority = i % 2 ? 1 : -1});
        assert_int_equal(thrum_future_result_until(future, thrum_in(1e6), NULL), 0); /* no help */
        thrum_future_free(future);
    }
    thrum_executor_free(one.pool);
}

static void *submit_high(void *arg) {
    note(arg);
    assert_int_equal(
        thrum_submit_with(one.pool, NULL, note, (void *)9, &(thrum_task_opts){.priority = 1}), 0);
    return arg;
}

static void test_a_higher_one_passes_what_the_worker_has_at_hand(void **state) {
    (void)state;
    one_worker();
    thrum_future *held = hold_worker();
    for (intptr_t i = 0; i < 4; i++)
        assert_int_equal(thrum_submit(one.pool, NULL, i == 1 ? submit_high : note, (void *)i), 0);
    thrum_event_set(&one.go);
    thrum_executor_free(one.pool);
    assert_int_equal(code_of(held), 0);
    static const int order[] = {0, 1, 9, 2, 3};
    assert_memory_equal(s.order, order, sizeof order);
}

/* Submits itself again and again, as a task with that priority. */
static void *go_round(void *priority) {
    if (++s.ran < RUNS)
        assert_int_equal(thrum_submit_with(one.pool, NULL, go_round, priority,
                                           &(thrum_task_opts){.priority = *(int *)priority}),
                         0);
    return priority;
}

static void test_none_starves(void **state) {
    (void)state;
    static int busy[] = {1, 0, 2};
    static const int other[] = {0, -1, 1};
    for (int i = 0; i < 3; i++) {
        one_worker();
        thrum_future *held = hold_worker();
        thrum_future *starts =
            submit_with(go_round, &busy[i], &(thrum_task_opts){.priority = busy[i]});
        thrum_future *waits =
            submit_with(note_when, NULL, &(thrum_task_opts){.priority = other[i]});
        thrum_event_set(&one.go);
        assert_int_equal(code_of(waits), 0);
        thrum_executor_free(one.pool);
        assert_int_equal(code_of(held), 0);
        assert_int_equal(code_of(starts), 0);
        assert_int_equal(s.ran, RUNS);
        assert_in_range(s.at, 1, 62);
    }
}

static void test_cancel(void **state) {
    (void)state;
    one_worker();
    thrum_future *held = hold_worker();
    thrum_future *futures[4];
    for (int i = 0; i < 4; i++)
        futures[i] = submit_with(note, (void *)(intptr_t)i, &(thrum_task_opts){.priority = i - 1});
    assert_int_equal(queued(), 4);
    assert_true(thrum_future_cancel(futures[0]));
    assert_true(thrum_future_cancel(futures[3]));
    assert_true(thrum_future_cancel(futures[3]));
    assert_int_equal(queued(), 2);
    assert_int_equal(one.pool->ranks.n, 1); /* it does not wait for its turn to be forgotten */
    thrum_event_set(&one.go);
    static const int codes[] = {-ECANCELED, 0, 0, -ECANCELED};
    for (int i = 0; i < 4; i++)
        assert_int_equal(code_of(futures[i]), codes[i]);
    thrum_executor_free(one.pool);
    assert_int_equal(code_of(held), 0);
    assert_int_equal(s.n, 2);
}

static void test_shutdown_cancels_them_too(void **state) {
    (void)state;
    one_worker();
    thrum_future *held = hold_worker();
    thrum_future *futures[3];
    for (int i = 0; i < 3; i++)
        futures[i] = submit_with(note, NULL,
                                 &(thrum_task_opts){.priority = 1 - i, .deadline = thrum_in(1000)});
    assert_int_equal(thrum_executor_shutdown(one.pool, false, true), 0);
    assert_int_equal(queued(), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(code_of(futures[i]), -ECANCELED);
    assert_int_equal(thrum__timers_all.heap.n, 0);
    thrum_event_set(&one.go);
    thrum_executor_free(one.pool);
    assert_int_equal(code_of(held), 0);
    assert_int_equal(s.n, 0);
}

static int fail_to_begin(void *arg) {
    (void)arg;
    thrum_event_wait(&one.go);
    return -EIO;
}

static void ignore(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
}

static void test_a_broken_pool_fails_them_too(void **state) {
    (void)state;
    reset(&(thrum_executor_opts){.max_workers = 1, .initializer = fail_to_begin});
    thrum_set_excepthook(ignore, NULL);
    thrum_future *high = submit_with(note, NULL, &(thrum_task_opts){.priority = 1, .name = "high"});
    thrum_future *timed = submit_with(note, NULL, &(thrum_task_opts){.deadline = thrum_in(1000)});
    thrum_event_set(&one.go);
    assert_int_equal(thrum_future_result(high, NULL), -EIO);
    assert_string_equal(thrum_future_error(high)->task, "high");
    assert_int_equal(code_of(high), -EIO);
    assert_int_equal(code_of(timed), -EIO);
    thrum_executor_free(one.pool);
    thrum_set_excepthook(NULL, NULL);
    assert_int_equal(thrum__timers_all.heap.n, 0);
}

static void test_they_take_room_in_the_queue(void **state) {
    (void)state;
    thrum_future *other = NULL;
    const thrum_task_opts high = {.priority = 1};
    reset(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = 2, .overflow = THRUM_OVERFLOW_REFUSE});
    thrum_future *held = hold_worker();
    thrum_future *first = submit_with(note, NULL, &high), *second = submit_with(note, NULL, &high);
    assert_int_equal(thrum_submit_with(one.pool, &other, note, NULL, &high), -EAGAIN);
    assert_null(other);
    assert_true(thrum_future_cancel(first));
    other = submit_with(note, NULL, &(thrum_task_opts){.deadline = thrum_in(0.001)});
    assert_int_equal(code_of(other), -ETIMEDOUT); /* gives its room back too */
    other = submit_with(note, NULL, &high);
    assert_int_equal(thrum_submit(one.pool, NULL, note, NULL), -EAGAIN);
    thrum_event_set(&one.go);
    assert_int_equal(code_of(first), -ECANCELED);
    assert_int_equal(code_of(second), 0);
    assert_int_equal(code_of(other), 0);
    assert_int_equal(code_of(held), 0);
    first = submit_with(note, NULL, &high);
    assert_int_equal(code_of(first), 0);
    thrum_executor_free(one.pool);
}

static void *wait_for_two(void *arg) {
    thrum_future *low = submit_with(note, (void *)1, &(thrum_task_opts){.priority = -1});
    thrum_future *high = submit_with(note, (void *)2, &(thrum_task_opts){.priority = 1});
    assert_int_equal(code_of(low), 0);
    assert_int_equal(one.pool->ranks.n, 1);
    assert_int_equal(code_of(high), 0);
    return arg;
}

static void test_who_waits_runs_the_very_task(void **state) {
    (void)state;
    one_worker();
    thrum_future *future = submit_with(wait_for_two, NULL, NULL);
    assert_int_equal(thrum_future_result_until(future, thrum_in(1e6), NULL), 0); /* on a worker */
    assert_int_equal(code_of(future), 0);
    assert_int_equal(s.order[0], 1);
    assert_int_equal(s.order[1], 2);
    assert_int_equal(queued(), 0);
    thrum_executor_free(one.pool);
}

static spec_end end;

static int refuse(void) {
    thrum_task_opts opts = {.reserved = {0, &end}};
    thrum_future *future = NULL;
    one_worker();
    if (thrum_submit_with(one.pool, &future, note, NULL, &opts) != -EINVAL || future)
        return 1;
    if (thrum_submit_with(one.pool, &future, NULL, NULL, NULL) != -EINVAL || future)
        return 2;
    thrum_executor_shutdown(one.pool, true, false);
    opts = (thrum_task_opts){.priority = 1, .deadline = thrum_in(1000)};
    return thrum_submit_with(one.pool, &future, note, NULL, &opts) == -ESHUTDOWN && !future ? 0 : 3;
}

static void test_bad_arguments(void **state) {
    (void)state;
    spec_exits(refuse, 0, &end);
    assert_int_equal(spec_count_text(end.text, "thrum: thrum_submit_with: "), 2);
    assert_non_null(strstr(end.text, "a reserved option is not zero\n"));
}

static thrum_future *of_parent[2];

static int forked(void) {
    for (int i = 0; i < 2; i++) {
        if (thrum_future_result(of_parent[i], NULL) != -ECANCELED)
            return 1;
        thrum_future_free(of_parent[i]);
    }
    return 0;
}

static void test_a_fork_leaves_them_to_the_parent(void **state) {
    (void)state;
    one_worker();
    thrum_future *held = hold_worker();
    of_parent[0] = submit_with(note, NULL, &(thrum_task_opts){.priority = 1});
    of_parent[1] = submit_with(note, NULL, &(thrum_task_opts){.deadline = thrum_in(100000)});
    spec_exits(forked, 0, &end);
    thrum_event_set(&one.go);
    for (int i = 0; i < 2; i++)
        assert_int_equal(code_of(of_parent[i]), 0);
    assert_int_equal(code_of(held), 0);
    thrum_executor_free(one.pool);
}

SPEC_TESTS(cmocka_unit_test(test_the_highest_priority_first_and_equals_in_order),
           cmocka_unit_test(test_an_idle_worker_is_woken_for_them),
           cmocka_unit_test(test_a_higher_one_passes_what_the_worker_has_at_hand),
           cmocka_unit_test(test_none_starves), cmocka_unit_test(test_cancel),
           cmocka_unit_test(test_shutdown_cancels_them_too),
           cmocka_unit_test(test_a_broken_pool_fails_them_too),
           cmocka_unit_test(test_they_take_room_in_the_queue),
           cmocka_unit_test(test_who_waits_runs_the_very_task),
           cmocka_unit_test(test_bad_arguments),
           cmocka_unit_test(test_a_fork_leaves_them_to_the_parent));
