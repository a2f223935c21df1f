/* SPDX-License-Identifier: MIT */
/* Continuations: memory is needed when one is made and never afterwards. Linked with --wrap for
 * these functions. */
#include "fault.h"

static int n_seen;

static void hook(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
    n_seen++;
}

static void *count(thrum_future *before, void *arg) {
    (void)before;
    return (void *)((intptr_t)arg + 1);
}

static void test_made_without_memory(void **state) {
    (void)state;
    thrum_future *promise = thrum_future_new();
    int made = 0;
    for (int n = 1; n <= 3; n++) {
        thrum_future *out = NULL;
        fail_from(n, 0, false);
        int rc = thrum_future_then(promise, &out, NULL, count, NULL);
        fail_no_more();
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_true((rc == 0) == (out != NULL));
        made += rc == 0;
        thrum_future_free(out);
    }
    assert_in_range(made, 1, 2);
    thrum_future_free(promise);
}

/* The first one starts the timers' thread. */
static void test_made_with_options_without_memory(void **state) {
    (void)state;
    const thrum_then_opts opts = {.deadline = thrum_in(1e6), .name = "named"};
    int refused = 0, n = 0, rc;
    do {
        thrum_future *promise = thrum_future_new(), *out = NULL;
        fail_from(++n, 0, false);
        rc = thrum_future_then_with(promise, &out, NULL, count, NULL, &opts);
        fail_no_more();
        assert_true(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
        assert_true((rc == 0) == (out != NULL));
        refused += rc != 0;
        assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        assert_true(!out || thrum_future_done(out));
        thrum_future_free(out);
        thrum_future_free(promise);
    } while (rc != 0);
    assert_true(refused >= 3); /* block, options, timer */
}

enum { CHAIN = 20000 };

static thrum_future *chain(thrum_future *promise, thrum_executor *pool) {
    thrum_future *at = thrum_future_ref(promise);
    for (int i = 0; i < CHAIN; i++) {
        thrum_future *next = NULL;
        assert_int_equal(thrum_future_then(at, &next, i % 4 ? pool : NULL, count, (void *)41), 0);
        thrum_future_free(at);
        at = next;
    }
    return at;
}

/* All that runs does, in the thread that completes, without the stack of each in the other. */
static void test_neither_memory_nor_threads(void **state) {
    (void)state;
    spec_needs_os("that every start fails");
    for (int way = 0; way < 3; way++) {
        n_seen = 0;
        thrum_set_excepthook(hook, NULL);
        thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
        thrum_future *promise = thrum_future_new();
        thrum_future *last = chain(promise, pool), *other = chain(promise, NULL);
        void *value = NULL;
        fail_from(1, 1, true);
        if (way == 0)
            assert_int_equal(thrum_future_set_result(promise, NULL), 0);
        else if (way == 1)
            assert_int_equal(thrum_future_set_error(promise, -EIO, "lost text"), 0);
        else
            assert_true(thrum_future_cancel(promise));
        fail_no_more();
        thrum_future_free(promise);
        assert_true(thrum_future_done(last));
        int code = way == 0 ? 0 : way == 1 ? -EIO : -ECANCELED;
        assert_int_equal(thrum_future_result(last, &value), code);
        assert_int_equal((intptr_t)value, code ? 0 : 42);
        thrum_future_free(last);
        thrum_future_free(other);
        thrum_executor_free(pool);
        assert_int_equal(n_seen, way == 1); /* without memory each branch has a copy of the code */
        thrum_set_excepthook(NULL, NULL);
    }
}

static void test_a_pool_that_ends_without_memory(void **state) {
    (void)state;
    n_seen = 0;
    thrum_set_excepthook(hook, NULL);
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    thrum_future *promise = thrum_future_new();
    thrum_future *last = chain(promise, pool);
    fail_from(1, 0, true);
    thrum_executor_free(pool);
    assert_int_equal(thrum_future_set_result(promise, NULL), 0);
    fail_no_more();
    assert_int_equal(thrum_future_result(last, NULL), -ESHUTDOWN);
    thrum_future_free(last);
    thrum_future_free(promise);
    assert_int_equal(n_seen, 0);
    thrum_set_excepthook(NULL, NULL);
}

SPEC_TESTS(cmocka_unit_test(test_made_without_memory),
           cmocka_unit_test(test_made_with_options_without_memory),
           cmocka_unit_test(test_neither_memory_nor_threads),
           cmocka_unit_test(test_a_pool_that_ends_without_memory));
