/* SPDX-License-Identifier: MIT */
/* Trees of continuations that are fired, cancelled, given up and orphaned by their pool all at
 * once: each ends, once, and each function is called once at most. */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

enum { PLANTERS = 4, NODES = 24 };

static struct {
    thrum_executor *pools[2];
    thrum_deadline end;
    uint64_t made, done, reported;
} s;

typedef struct node {
    thrum_future *future;
    int called;
} node;

static void report(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
    __atomic_add_fetch(&s.reported, 1, __ATOMIC_RELAXED);
}

static void *work(void *arg) {
    if (spec_random(4) == 0)
        thrum_raise(-EIO, "a leaf");
    return arg;
}

static void *follow(thrum_future *before, void *arg) {
    node *it = arg;
    assert_true(thrum_future_done(before));
    assert_int_equal(__atomic_add_fetch(&it->called, 1, __ATOMIC_RELAXED), 1);
    if (spec_random(8) == 0)
        thrum_raise(-EIO, "a branch");
    return arg;
}

static void *keep(void *arg) {
    thrum_future **promises = arg;
    for (int i = 0; i < NODES; i++) {
        if (!promises[i])
            continue;
        switch (spec_random(4)) {
        case 0:
            (void)thrum_future_set_error(promises[i], -EIO, "a promise");
            break;
        case 1:
            (void)thrum_future_cancel(promises[i]);
            break;
        case 2:
            (void)thrum_future_set_result(promises[i], NULL);
            break;
        default: /* given up, perhaps */
            break;
        }
        thrum_future_free(promises[i]);
    }
    return NULL;
}

/* Returns a future that somebody completes: a task, or a promise that keep() gets. */
static thrum_future *root(thrum_future **promise) {
    thrum_future *future = NULL;
    if (spec_random(2)) {
        assert_int_equal(thrum_submit(s.pools[spec_random(2)], &future, work, NULL), 0);
        return future;
    }
    *promise = thrum_future_new();
    return thrum_future_ref(*promise);
}

static void end_nodes(node *nodes, thrum_executor *own) {
    for (int i = 0; i < NODES; i++) {
        if (spec_random(4) == 0)
            thrum_executor_free(own), own = NULL;
        if (spec_random(6) == 0)
            (void)thrum_future_cancel(nodes[i].future);
    }
    thrum_executor_free(own);
}

static void tree(void) {
    node nodes[NODES];
    thrum_future *promises[NODES] = {NULL};
    spec_team team = {.n = 0};
    thrum_executor *own = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    thrum_executor *on[] = {NULL, s.pools[0], s.pools[1], own};
    for (int i = 0; i < NODES; i++) {
        nodes[i] = (node){.called = 0};
        if (i == 0 || spec_random(6) == 0) {
            nodes[i].future = root(&promises[i]);
            continue;
        }
        thrum_future *before = nodes[spec_random((uint32_t)i)].future;
        int rc = (spec_random(3) ? thrum_future_then : thrum_future_then_always)(
            before, &nodes[i].future, on[spec_random(4)], follow, &nodes[i]);
        assert_int_equal(rc, 0);
    }
    spec_team_start(&team, 1, keep, promises);
    end_nodes(nodes, own);
    spec_team_join(&team);
    /* A promise that was given up by keep() is still held here, but for this. */
    for (int i = 0; i < NODES; i++)
        if (promises[i])
            (void)thrum_future_set_result(nodes[i].future, NULL);
    for (int i = 0; i < NODES; i++) {
        int rc = thrum_future_result(nodes[i].future, NULL);
        assert_true(rc == 0 || rc == -EIO || rc == -ECANCELED || rc == -ESHUTDOWN);
        thrum_future_free(nodes[i].future);
    }
    __atomic_add_fetch(&s.done, 1, __ATOMIC_RELAXED);
}

static void *plant(void *arg) {
    while (thrum_now().ns < s.end.ns)
        tree();
    return arg;
}

static void test_trees(void **state) {
    (void)state;
    spec_team team = {.n = 0};
    memset(&s, 0, sizeof s);
    thrum_set_excepthook(report, NULL);
    s.end = thrum_in(spec_stress_seconds());
    s.pools[0] = thrum_executor_new(&(thrum_executor_opts){.max_workers = 3});
    s.pools[1] = thrum_executor_new(&(thrum_executor_opts){
        .max_workers = 2, .queue_limit = 2, .overflow = THRUM_OVERFLOW_CALLER_RUNS});
    spec_team_start(&team, PLANTERS, plant, NULL);
    spec_team_join(&team);
    thrum_executor_free(s.pools[0]);
    thrum_executor_free(s.pools[1]);
    assert_int_equal(s.reported, 0); /* every one was read */
    assert_true(s.done > 0);
    thrum_set_excepthook(NULL, NULL);
}

static void *give_up(void *promise) {
    thrum_future_free(promise);
    return NULL;
}

static void *cancel(void *future) {
    (void)thrum_future_cancel(future);
    thrum_future_free(future);
    return NULL;
}

/* Promises without any other handle, whose continuations are cancelled meanwhile. */
static void test_promises_given_up(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds() / 2);
    while (thrum_now().ns < s.end.ns) {
        node nodes[2] = {{.called = 0}, {.called = 0}};
        spec_team team = {.n = 0};
        thrum_executor *own = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        thrum_future *promise = thrum_future_new();
        for (int i = 0; i < 2; i++)
            assert_int_equal(
                thrum_future_then(promise, &nodes[i].future, i ? own : NULL, follow, &nodes[i]), 0);
        spec_team_start(&team, 1, cancel, nodes[0].future);
        spec_team_start(&team, 1, give_up, promise);
        if (spec_random(2))
            assert_int_equal(thrum_executor_shutdown(own, false, true), 0);
        thrum_executor_free(own);
        int rc = thrum_future_result(nodes[1].future, NULL);
        assert_true(rc == -EPIPE || rc == -ESHUTDOWN || rc == -ECANCELED);
        thrum_future_free(nodes[1].future);
        spec_team_join(&team);
        assert_int_equal(nodes[0].called + nodes[1].called, 0);
    }
}

SPEC_TESTS(cmocka_unit_test(test_trees), cmocka_unit_test(test_promises_given_up));
