/* SPDX-License-Identifier: MIT */
/* Tasks that wait for each other in a circle, in every way to wait. Each test runs in a child,
 * whose complaints are counted. */
#include "spec.h"

#include <math.h>

enum { RESULT, ERROR, ALL, FIRST, FIRST_FAILED, NEXT, ANY, WAYS, LATER, TASKS = 4 };

static thrum_executor *pool;
static thrum_event go;
static int begun;  /* tasks that wait for `go`, or did */
static int passed; /* tasks that wait no more for `go` */
static thrum_event all_ended;
static int ended;    /* waits */
static int together; /* no task ends before so many waits have; 0: whenever it likes */

/* What the task i waits for, how, and what the wait returned. */
static struct {
    thrum_future *future;
    thrum_future *targets[TASKS + 1];
    int n;
    int way;
    int code;
} tasks[TASKS];

/* For the first after `before` others. */
static int wait_next(thrum_future *const *targets, int n, int before) {
    thrum_completed *it = thrum_as_completed(targets, n, THRUM_NEVER);
    while (before-- > 0)
        (void)thrum_completed_next(it);
    int rc = thrum_completed_next(it) ? 0 : -errno;
    thrum_completed_free(it);
    return rc;
}

static int wait_any(thrum_future *const *targets, int n) {
    thrum_waitable any[TASKS + 1];
    for (int i = 0; i < n; i++)
        any[i] = thrum_future_waitable(targets[i]);
    return thrum_wait_any(any, n, THRUM_NEVER, NULL);
}

static int wait_in(int way, thrum_future *const *targets, int n) {
    const thrum_failure *failure;
    switch (way) {
    case RESULT:
        return thrum_future_result(targets[0], NULL);
    case ERROR:
        failure = thrum_future_error(targets[0]);
        return failure ? failure->code : 0;
    case ALL:
        return thrum_wait(targets, n, THRUM_ALL_COMPLETED, THRUM_NEVER);
    case FIRST:
        return thrum_wait(targets, n, THRUM_FIRST_COMPLETED, THRUM_NEVER);
    case FIRST_FAILED:
        return thrum_wait(targets, n, THRUM_FIRST_ERROR, THRUM_NEVER);
    case NEXT:
        return wait_next(targets, n, 0);
    case LATER:
        return wait_next(targets, n, 1);
    default:
        return wait_any(targets, n);
    }
}

static void *run(void *arg) {
    int i = (int)(intptr_t)arg;
    __atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
    thrum_event_wait(&go);
    __atomic_add_fetch(&passed, 1, __ATOMIC_SEQ_CST);
    tasks[i].code = wait_in(tasks[i].way, tasks[i].targets, tasks[i].n);
    if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == together)
        thrum_event_set(&all_ended);
    if (together)
        thrum_event_wait(&all_ended);
    return NULL;
}

static int ways[TASKS];
static int workers;

static void begin(int n) {
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = workers, .idle_timeout = INFINITY});
    for (int i = 0; i < n; i++) {
        tasks[i].way = ways[i];
        tasks[i].code = 1;
        tasks[i].n = 0;
        (void)thrum_submit(pool, &tasks[i].future, run, (void *)(intptr_t)i);
    }
}

static void waits_for(int i, thrum_future *target) { tasks[i].targets[tasks[i].n++] = target; }

static int end(int n, int code) {
    while (together && __atomic_load_n(&begun, __ATOMIC_SEQ_CST) != n)
        spec_yield(); /* else one might help another */
    thrum_event_set(&go);
    thrum_executor_free(pool);
    for (int i = 0; i < n; i++) {
        if (tasks[i].code != code)
            return 10 + i;
        thrum_future_free(tasks[i].future);
    }
    return 0;
}

/* Until `n` tasks wait for others, each on a worker of its own. */
static void let_wait(int n) {
    while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) != n)
        spec_yield();
    thrum_event_set(&go);
    while (__atomic_load_n(&passed, __ATOMIC_SEQ_CST) != n)
        spec_yield();
    spec_until_strands_waiting(n);
}

static int pair(void) {
    together = workers == 2 ? 2 : 0;
    begin(2);
    waits_for(0, tasks[1].future);
    waits_for(1, tasks[0].future);
    return end(2, -EDEADLK);
}

static void in_child(int (*fn)(void), int complaints) {
    static spec_end child;
    spec_exits(fn, 0, &child);
    assert_int_equal(spec_count_text(child.text, "in a circle"), complaints);
}

static void test_every_way_to_wait(void **state) {
    (void)state;
    for (ways[0] = 0; ways[0] < WAYS; ways[0]++)
        for (ways[1] = 0; ways[1] <= ways[0]; ways[1]++)
            for (workers = 1; workers <= 2; workers++)
                in_child(pair, 1);
}

static int itself(void) {
    begin(1);
    waits_for(0, tasks[0].future);
    return end(1, -EDEADLK);
}

static void *follow(thrum_future *before, void *arg) {
    (void)before;
    return arg;
}

static int follower(void) {
    thrum_future *middle = NULL, *last = NULL;
    begin(1);
    (void)thrum_future_then(tasks[0].future, &middle, pool, follow, NULL);
    (void)thrum_future_then(middle, &last, NULL, follow, NULL);
    waits_for(0, last);
    int rc = end(1, -EDEADLK);
    if (rc == 0)
        rc = thrum_future_result(last, NULL);
    thrum_future_free(middle);
    thrum_future_free(last);
    return rc;
}

static void test_itself_and_what_follows_itself(void **state) {
    (void)state;
    workers = 1;
    for (ways[0] = 0; ways[0] < WAYS; ways[0]++) {
        in_child(itself, 1);
        in_child(follower, 1);
    }
}

/* 0 waits for the first of 1 and 2, which wait for 0 and for 1. */
static int knot(void) {
    together = workers == 3 ? 3 : 0;
    begin(3);
    waits_for(0, tasks[1].future);
    waits_for(0, tasks[2].future);
    waits_for(1, tasks[0].future);
    waits_for(2, tasks[1].future);
    return end(3, -EDEADLK);
}

static void test_all_that_are_waited_for(void **state) {
    (void)state;
    for (int way = FIRST; way < WAYS; way++)
        for (workers = 1; workers <= 3; workers++) {
            ways[0] = way;
            ways[1] = RESULT;
            ways[2] = ANY;
            in_child(knot, 1);
        }
}

/* The same, but 0 waits for a promise too, which is kept when all wait. */
static int no_knot(void) {
    thrum_future *promise = thrum_future_new();
    begin(3);
    waits_for(0, tasks[1].future);
    waits_for(0, promise);
    waits_for(0, tasks[2].future);
    waits_for(1, tasks[0].future);
    waits_for(2, tasks[1].future);
    let_wait(3);
    (void)thrum_future_set_error(promise, -EIO, "this ends it");
    (void)thrum_future_error(promise);
    int rc = end(3, 0);
    thrum_future_free(promise);
    return rc;
}

static void test_one_that_goes_on_is_enough(void **state) {
    (void)state;
    workers = 3;
    for (int way = FIRST; way < WAYS; way++) {
        ways[0] = way;
        ways[1] = RESULT;
        ways[2] = FIRST;
        in_child(no_knot, 0);
    }
}

/* The promise that might have failed does not. */
static int late_knot(void) {
    thrum_future *promise = thrum_future_new();
    begin(2);
    waits_for(0, promise);
    waits_for(0, tasks[1].future);
    waits_for(1, tasks[0].future);
    let_wait(2);
    (void)thrum_future_set_result(promise, NULL);
    int rc = end(2, -EDEADLK);
    thrum_future_free(promise);
    return rc;
}

static void test_the_last_way_out_closes(void **state) {
    (void)state;
    workers = 2;
    ways[0] = FIRST_FAILED;
    ways[1] = RESULT;
    in_child(late_knot, 1);
    ways[0] = ALL;
    in_child(late_knot, 1);
}

/* An iteration has returned what was done already. */
static int rest(void) {
    thrum_future *promise = thrum_future_new();
    (void)thrum_future_set_result(promise, NULL);
    begin(2);
    waits_for(0, promise);
    waits_for(0, tasks[1].future);
    waits_for(1, tasks[0].future);
    int rc = end(2, -EDEADLK);
    thrum_future_free(promise);
    return rc;
}

static void test_the_rest_of_an_iteration(void **state) {
    (void)state;
    workers = 2;
    ways[0] = LATER;
    ways[1] = RESULT;
    in_child(rest, 1);
}

static thrum_future *own;

static void *wait_for_itself(thrum_future *before, void *arg) {
    (void)before;
    if (thrum_future_result(own, NULL) != -EDEADLK)
        thrum_raise(-EPROTO, "the circle was not found");
    return arg;
}

/* There is no room for what follows, so this thread runs it. */
static int without_room(void) {
    thrum_future *promise = thrum_future_new();
    pool = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 1, .queue_limit = 1, .overflow = THRUM_OVERFLOW_REFUSE});
    tasks[0].n = 0;
    (void)thrum_submit(pool, &tasks[0].future, run, NULL);
    waits_for(0, promise);
    while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) != 1)
        spec_yield();
    (void)thrum_submit(pool, &tasks[1].future, run, NULL);
    (void)thrum_future_then(promise, &own, pool, wait_for_itself, NULL);
    (void)thrum_future_set_result(promise, NULL);
    int rc = thrum_future_result(own, NULL);
    thrum_event_set(&go);
    thrum_executor_free(pool);
    for (int i = 0; i < 2; i++)
        thrum_future_free(tasks[i].future);
    thrum_future_free(own);
    thrum_future_free(promise);
    return rc;
}

static void test_what_found_no_room(void **state) {
    (void)state;
    in_child(without_room, 1);
}

SPEC_TESTS(cmocka_unit_test(test_every_way_to_wait),
           cmocka_unit_test(test_itself_and_what_follows_itself),
           cmocka_unit_test(test_all_that_are_waited_for),
           cmocka_unit_test(test_one_that_goes_on_is_enough),
           cmocka_unit_test(test_the_last_way_out_closes),
           cmocka_unit_test(test_the_rest_of_an_iteration),
           cmocka_unit_test(test_what_found_no_room));
