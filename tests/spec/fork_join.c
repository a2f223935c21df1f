/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

static thrum_executor *pool;

static void make_pool(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 3});
    assert_non_null(pool);
}

static void free_pool(void) { thrum_executor_free(pool); }

THRUM_FORK_JOIN(int, fib, w, (int, n)) {
    if (n < 2)
        return n;
    fib_spawn(w, n - 1);
    int b = fib(w, n - 2);
    spec_perhaps_yield();
    int a = fib_sync(w);
    return a + b;
}

static void *plain_fib(thrum_worker *w, void *arg) {
    intptr_t n = (intptr_t)arg;
    if (n < 2)
        return arg;
    thrum_spawn(w, plain_fib, (void *)(n - 1));
    intptr_t b = (intptr_t)plain_fib(w, (void *)(n - 2));
    return (void *)(b + (intptr_t)thrum_sync(w));
}

static void test_fibonacci(void **state) {
    (void)state;
    make_pool();
    int value = -1;
    void *result = NULL;
    assert_int_equal(fib_run(pool, &value, 16), 0);
    assert_int_equal(value, 987);
    assert_int_equal(fib_run(pool, NULL, 5), 0);
    assert_int_equal(thrum_fork_join(pool, plain_fib, (void *)16, &result), 0);
    assert_int_equal((intptr_t)result, 987);
    assert_int_equal(thrum_fork_join(pool, plain_fib, (void *)5, NULL), 0);
    free_pool();
}

typedef struct vector {
    double x, y, z;
} vector;

THRUM_FORK_JOIN(vector, add, w, (vector, a), (vector, b)) {
    (void)w;
    return (vector){a.x + b.x, a.y + b.y, a.z + b.z};
}

static int calls;

THRUM_FORK_JOIN(void, note, w, (int, n)) {
    (void)w;
    __atomic_fetch_add(&calls, n, __ATOMIC_RELAXED);
    spec_perhaps_yield();
}

THRUM_FORK_JOIN(const char *, nothing, w) {
    (void)w;
    return "nothing";
}

THRUM_FORK_JOIN(int, eight, w, (int, a), (char, b), (short, c), (int, d), (int, e), (int, f),
                (int, g), (long, h)) {
    (void)w;
    return a + b + c + d + e + f + g + (int)h;
}

THRUM_FORK_JOIN(int, mixed, w, (int, n)) {
    static const vector one = {1, 2, 3};
    eight_spawn(w, 1, 2, 3, 4, 5, 6, 7, n);
    add_spawn(w, one, one);
    note_spawn(w, 5);
    nothing_spawn(w);
    thrum_spawn(w, plain_fib, (void *)7);
    assert_int_equal((intptr_t)thrum_sync(w), 13);
    assert_string_equal(nothing_sync(w), "nothing");
    note_sync(w);
    vector sum = add_sync(w);
    assert_true(sum.x == 2 && sum.y == 4 && sum.z == 6);
    return eight_sync(w);
}

static void test_kinds_of_parameters_and_results(void **state) {
    (void)state;
    make_pool();
    int value = 0;
    const char *text = NULL;
    calls = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(mixed_run(pool, &value, i), 0);
        assert_int_equal(value, 28 + i);
    }
    assert_int_equal(calls, 100);
    assert_int_equal(note_run(pool, 1), 0);
    assert_int_equal(nothing_run(pool, &text), 0);
    assert_string_equal(text, "nothing");
    free_pool();
}

enum { MANY = 100000 };

THRUM_FORK_JOIN(int, count, w, (int, i)) {
    (void)w;
    return i;
}

THRUM_FORK_JOIN(int64_t, spawn_many, w, (int, n)) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        count_spawn(w, i);
    for (int i = n; i-- > 0;) {
        int value = count_sync(w);
        assert_int_equal(value, i);
        sum += value;
    }
    return sum;
}

static void test_more_spawns_than_a_stack_holds(void **state) {
    (void)state;
    make_pool();
    int64_t sum = 0;
    assert_int_equal(spawn_many_run(pool, &sum, MANY), 0);
    assert_true(sum == (int64_t)MANY * (MANY - 1) / 2);
    free_pool();
}

static struct {
    thrum_event started;
    thrum_event go;
    thrum_thread *by;
} taken;

THRUM_FORK_JOIN(int, rendezvous, w, (int, n)) {
    (void)w;
    taken.by = thrum_thread_current();
    thrum_event_set(&taken.started);
    thrum_event_wait(&taken.go);
    return n + 1;
}

THRUM_FORK_JOIN(int, meet, w, (int, n)) {
    rendezvous_spawn(w, n);
    while (!thrum_event_is_set(&taken.started)) {
        note_spawn(w, 0);
        note_sync(w);
        spec_yield();
    }
    assert_ptr_not_equal(taken.by, thrum_thread_current());
    note_spawn(w, 0);
    note_sync(w);
    thrum_event_set(&taken.go);
    return rendezvous_sync(w);
}

static void test_an_idle_worker_takes_what_was_spawned(void **state) {
    (void)state;
    make_pool();
    for (int i = 0; i < 5; i++) {
        int value = 0;
        memset(&taken, 0, sizeof taken);
        assert_int_equal(meet_run(pool, &value, i), 0);
        assert_int_equal(value, i + 1);
    }
    free_pool();
}

static void *run_meet(void *arg) {
    int value = 0;
    memset(&taken, 0, sizeof taken);
    assert_int_equal(meet_run(pool, &value, 1), 0);
    assert_int_equal(value, 2);
    return arg;
}

static void test_inside_a_task(void **state) {
    (void)state;
    make_pool();
    thrum_future *future;
    assert_int_equal(thrum_submit(pool, &future, run_meet, NULL), 0);
    assert_int_equal(thrum_future_result(future, NULL), 0);
    thrum_future_free(future);
    free_pool();
}

THRUM_FORK_JOIN(int, nested, w, (int, depth)) {
    int below = 0, inner = 0;
    if (depth == 0)
        return 1;
    nested_spawn(w, depth - 1);
    assert_int_equal(nested_run(pool, &inner, depth - 1), 0);
    below = nested_sync(w);
    assert_int_equal(below, inner);
    return below + inner;
}

static void test_a_fork_join_inside_another(void **state) {
    (void)state;
    make_pool();
    int value = 0;
    assert_int_equal(nested_run(pool, &value, 6), 0);
    assert_int_equal(value, 64);
    free_pool();
}

THRUM_FORK_JOIN(void, refuse, w, (int, n)) {
    (void)w;
    spec_perhaps_yield();
    if (n == 7)
        thrum_raise(-ENOENT, "no row %d", n);
}

THRUM_FORK_JOIN(int, fail_below, w, (int, n)) {
    for (int i = 0; i < n; i++)
        refuse_spawn(w, i);
    for (int i = 0; i < n; i++)
        refuse_sync(w);
    return n;
}

static void *run_failing(void *code) {
    int value = -1;
    *(int *)code = fail_below_run(pool, &value, 20);
    assert_int_equal(value, -1);
    return NULL;
}

static void test_a_failure_fails_the_whole_and_the_caller(void **state) {
    (void)state;
    make_pool();
    int code = 0, value = 0;
    thrum_thread *thread = spec_start(run_failing, &code);
    const thrum_failure *failure = thrum_thread_error(thread);
    assert_non_null(failure);
    assert_int_equal(failure->code, -ENOENT);
    assert_string_equal(failure->message, "no row 7");
    assert_non_null(strstr(failure->file, "fork_join.c"));
    assert_int_equal(code, -ENOENT);
    thrum_thread_free(thread);
    assert_int_equal(fail_below_run(pool, &value, 7), 0);
    assert_int_equal(value, 7);
    free_pool();
}

THRUM_FORK_JOIN(void, refuse_elsewhere, w) {
    (void)w;
    taken.by = thrum_thread_current();
    thrum_raise(-EBUSY, "taken");
    thrum_event_set(&taken.started);
}

THRUM_FORK_JOIN(int, refused_elsewhere, w) {
    refuse_elsewhere_spawn(w);
    while (!thrum_event_is_set(&taken.started)) {
        note_spawn(w, 0);
        note_sync(w);
        spec_yield();
    }
    assert_ptr_not_equal(taken.by, thrum_thread_current());
    refuse_elsewhere_sync(w);
    return 1;
}

static void *run_refused_elsewhere(void *code) {
    *(int *)code = refused_elsewhere_run(pool, NULL);
    return NULL;
}

static void test_a_failure_on_another_worker(void **state) {
    (void)state;
    make_pool();
    int code = 0;
    memset(&taken, 0, sizeof taken);
    thrum_thread *thread = spec_start(run_refused_elsewhere, &code);
    const thrum_failure *failure = thrum_thread_error(thread);
    assert_non_null(failure);
    assert_int_equal(failure->code, -EBUSY);
    assert_string_equal(failure->message, "taken");
    assert_int_equal(code, -EBUSY);
    thrum_thread_free(thread);
    free_pool();
}

static void test_arguments_and_a_closed_pool(void **state) {
    (void)state;
    make_pool();
    int value = 3;
    thrum_executor *closed = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(thrum_fork_join(pool, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(fib_run(closed, &value, 6), 0);
    assert_int_equal(value, 8);
    assert_int_equal(thrum_executor_shutdown(closed, true, false), 0);
    assert_int_equal(fib_run(closed, &value, 7), -ESHUTDOWN);
    assert_int_equal(value, 8);
    thrum_executor_free(closed);
    free_pool();
}

THRUM_FORK_JOIN(int, no_spawn, w, (int, n)) {
    (void)n;
    return count_sync(w);
}

THRUM_FORK_JOIN(int, other_spawn, w, (int, n)) {
    nothing_spawn(w);
    return n + count_sync(w);
}

THRUM_FORK_JOIN(int, no_sync, w, (int, n)) {
    count_spawn(w, n);
    return n;
}

static int initialize(void *arg) {
    (void)arg;
    return 0;
}

static void *wait_for_go(void *go) {
    thrum_event_wait(go);
    return NULL;
}

/* The call is a task of a pool with an initializer, which its submitter runs here. */
static void test_a_full_pool_with_an_initializer(void **state) {
    (void)state;
    thrum_event go = {0};
    int value = 0;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1,
                                                     .initializer = initialize,
                                                     .queue_limit = 1,
                                                     .overflow = THRUM_OVERFLOW_CALLER_RUNS});
    assert_non_null(pool);
    assert_int_equal(thrum_submit(pool, NULL, wait_for_go, &go), 0);
    spec_until_waiting(&go, 1);
    assert_int_equal(thrum_submit(pool, NULL, wait_for_go, &go), 0);
    assert_int_equal(fib_run(pool, &value, 7), 0);
    assert_int_equal(value, 13);
    thrum_event_set(&go);
    free_pool();
}

static thrum_executor *new_pool(void) {
    return thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
}

static void sync_nothing(void) { no_spawn_run(new_pool(), NULL, 1); }

static void sync_another(void) { other_spawn_run(new_pool(), NULL, 1); }

static void sync_not(void) { no_sync_run(new_pool(), NULL, 1); }

static void test_misuse(void **state) {
    (void)state;
    spec_dies(sync_nothing, "thrum_sync: the last spawn that has not been synced is not of this");
    spec_dies(sync_another, "thrum_sync: the last spawn that has not been synced is not of this");
    spec_dies(sync_not, "a spawned call returned without a thrum_sync for each thrum_spawn");
}

SPEC_TESTS(cmocka_unit_test(test_fibonacci), cmocka_unit_test(test_kinds_of_parameters_and_results),
           cmocka_unit_test(test_more_spawns_than_a_stack_holds),
           cmocka_unit_test(test_an_idle_worker_takes_what_was_spawned),
           cmocka_unit_test(test_inside_a_task), cmocka_unit_test(test_a_fork_join_inside_another),
           cmocka_unit_test(test_a_failure_fails_the_whole_and_the_caller),
           cmocka_unit_test(test_a_failure_on_another_worker),
           cmocka_unit_test(test_arguments_and_a_closed_pool),
           cmocka_unit_test(test_a_full_pool_with_an_initializer), cmocka_unit_test(test_misuse));
