/* SPDX-License-Identifier: MIT */
/* The end of a pool beside its beginning: shutdowns while workers start, initialise and take. */
#include "spec.h"

#include <errno.h>
#include <math.h>

enum { ROUNDS = 300 };

static thrum_executor *pool;
static thrum_event go;

static void *set_go(void *arg) {
    thrum_event_set(&go);
    return arg;
}

static void *close_at_go(void *arg) {
    thrum_event_wait(&go);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    return arg;
}

/* The task is done, and the pool closed, before the submit that started the worker has come back. */
static void test_shutdown_while_the_first_worker_is_started(void **state) {
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        thrum_event_clear(&go);
        pool = thrum_executor_new(
            &(thrum_executor_opts){.max_workers = 1, .idle_timeout = INFINITY});
        assert_non_null(pool);
        thrum_thread *closer = spec_start(close_at_go, NULL);
        spec_perhaps_yield();
        assert_int_equal(thrum_submit(pool, NULL, set_go, NULL), 0);
        spec_join(closer);
        thrum_executor_free(pool);
    }
}

SPEC_TESTS(cmocka_unit_test(test_shutdown_while_the_first_worker_is_started));
