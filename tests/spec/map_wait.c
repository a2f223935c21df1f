/* SPDX-License-Identifier: MIT */
/* Items that wait: for other tasks, and while the map is to end. */
#include "spec.h"

#include <errno.h>

enum { N = 4 };

static thrum_executor *pool, *prepared;
static int in[N];
static thrum_future *awaited;

static void make_pools(int workers) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
    assert_non_null(pool);
    for (int i = 0; i < N; i++)
        in[i] = i;
}

static __attribute__((noinline)) void dirty_the_stack(void) {
    volatile char bytes[16384];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0x5a;
}

static int wait_for_it(const void *item, void *result) {
    (void)item;
    (void)result;
    return thrum_future_result(awaited, NULL);
}

static void *set_when_awaited(void *arg) {
    spec_until_waiting(awaited, 1);
    thrum_future_set_result(awaited, NULL);
    return arg;
}

static void test_an_item_that_waits_for_a_future(void **state) {
    (void)state;
    make_pools(1);
    awaited = thrum_future_new();
    thrum_thread *setter = spec_start(set_when_awaited, NULL);
    dirty_the_stack();
    assert_int_equal(thrum_map(pool, wait_for_it, in, N, sizeof in[0], NULL, 0, NULL), 0);
    spec_join(setter);
    thrum_future_free(awaited);
    thrum_executor_free(pool);
}

static int prepare(void *arg) {
    (void)arg;
    return 0;
}

static thrum_event go;
static int begun, ended;

/* With the initializer, the map runs as a task of its own, which the caller awaits. */
static int close_the_circle(const void *item, void *result) {
    (void)item;
    __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
    int rc = thrum_future_result(awaited, NULL);
    for (int i = 0; i < 100; i++)
        spec_yield();
    *(int *)result = 7;
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
    return rc;
}

static void *map_elsewhere(void *code) {
    int out[N];
    thrum_map_opts opts = {.chunk = N};
    thrum_event_wait(&go);
    *(int *)code = thrum_map(prepared, close_the_circle, in, N, sizeof in[0], out, sizeof out[0],
                             &opts);
    assert_int_equal(__atomic_load_n(&begun, __ATOMIC_RELAXED),
                     __atomic_load_n(&ended, __ATOMIC_RELAXED));
    return NULL;
}

static void test_a_circle_ends_the_map_after_its_items(void **state) {
    (void)state;
    make_pools(1);
    prepared = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .initializer = prepare});
    int code = 0;
    begun = ended = 0;
    thrum_event_clear(&go);
    assert_int_equal(thrum_submit(pool, &awaited, map_elsewhere, &code), 0);
    thrum_event_set(&go);
    const thrum_failure *failure = thrum_future_error(awaited);
    assert_non_null(failure);
    assert_int_equal(failure->code, -EDEADLK);
    assert_int_equal(code, -EDEADLK);
    assert_true(begun > 0);
    thrum_future_free(awaited);
    thrum_executor_free(prepared);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_an_item_that_waits_for_a_future),
           cmocka_unit_test(test_a_circle_ends_the_map_after_its_items));
