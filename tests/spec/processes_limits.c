/* SPDX-License-Identifier: MIT */
/* What a task on a pool of processes may have of its own: a time limit, and other tries. */
#include "process_pool.h"
#include "spec.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <thrum/bytes.h>
#include <thrum/shared.h>
#include <unistd.h>

THRUM_TASK(void, work_for_ever) {
    for (;;)
        pause();
}

THRUM_TASK(void, wait_for_a_byte_of, (int, fd)) {
    char byte;
    while (read(fd, &byte, 1) < 0)
        continue;
}

/* Dies until it was called so often. */
THRUM_TASK(int, die_before, (int *, calls), (int, enough)) {
    if (++*calls < enough)
        kill(getpid(), SIGKILL);
    return *calls;
}

static thrum_executor *pool_of(int n, const thrum_processes_opts *opts) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .backend_opts = opts, .max_workers = n, .name_prefix = "L"});
    assert_non_null(pool);
    return pool;
}

static void test_a_limit_of_one_task(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, NULL);
    thrum_future *f, *behind;
    int value = 0;
    assert_int_equal(work_for_ever_submit_with(pool, &f, &(thrum_task_opts){.time_limit = 0.125}),
                     0);
    assert_int_equal(number_submit(pool, &behind, 5), 0);
    assert_int_equal(work_for_ever_result(f), -ETIMEDOUT);
    assert_non_null(strstr(thrum_future_error(f)->message, "longer than 0.125 s: worker L_0"));
    assert_int_equal(number_result(behind, &value), 0);
    assert_int_equal(value, 5);
    thrum_future_free(f);
    thrum_future_free(behind);
    still_works(pool);
}

/* The other worker's task, which has begun with it or before, has had the pool's limit. */
static void test_more_time_than_the_pool_gives(void **state) {
    (void)state;
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    thrum_executor *pool = pool_of(2, &(thrum_processes_opts){.time_limit = 0.125});
    const thrum_task_opts opts = {.time_limit = INFINITY};
    thrum_future *f, *limited;
    assert_int_equal(wait_for_a_byte_of_submit_with(pool, &f, gate[0], &opts), 0);
    while (!thrum_future_running(f))
        spec_yield();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(work_for_ever_submit(pool, &limited), 0);
        assert_int_equal(work_for_ever_result(limited), -ETIMEDOUT);
        thrum_future_free(limited);
    }
    assert_false(thrum_future_done(f));
    assert_int_equal(write(gate[1], "", 1), 1);
    assert_int_equal(wait_for_a_byte_of_result(f), 0);
    thrum_future_free(f);
    still_works(pool);
    close(gate[0]);
    close(gate[1]);
}

static int die_in(thrum_executor *pool, int *calls, int enough, const thrum_task_opts *opts) {
    thrum_future *f;
    int value = 0;
    *calls = 0;
    assert_int_equal(die_before_submit_with(pool, &f, calls, enough, opts), 0);
    int rc = die_before_result(f, &value);
    assert_int_equal(value, rc == 0 ? enough : 0);
    thrum_future_free(f);
    return rc;
}

static void test_tries_of_one_task(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, NULL),
                   *other = pool_of(1, &(thrum_processes_opts){.retries = 1});
    thrum_shared *segment;
    assert_int_equal(thrum_shared_create(&segment, NULL, sizeof(int), NULL), 0);
    int *calls = thrum_shared_memory(segment);
    const thrum_task_opts two = {.retries = 2};
    assert_int_equal(die_in(pool, calls, 3, &two), 0);
    assert_int_equal(die_in(pool, calls, 4, &two), -EPIPE);
    assert_int_equal(*calls, 3);
    assert_int_equal(die_in(pool, calls, 2, NULL), -EPIPE);
    assert_int_equal(die_in(other, calls, 3, &two), 0);
    assert_int_equal(die_in(other, calls, 3, &(thrum_task_opts){.priority = 1}), -EPIPE);
    assert_int_equal(*calls, 2);
    thrum_shared_close(segment);
    thrum_executor_free(other);
    still_works(pool);
}

static int pause_for_ever(const void *arg, void *result) {
    (void)result;
    while (arg)
        pause();
    return 0;
}

static void test_limits_of_bytes(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, NULL);
    thrum_future *f;
    const thrum_task_opts opts = {.time_limit = 0.125, .retries = 5};
    assert_int_equal(thrum_submit_bytes(pool, &f, pause_for_ever, "", 1, 1, &opts), 0);
    assert_int_equal(thrum_bytes_result(f, NULL), -ETIMEDOUT); /* not tried again */
    thrum_future_free(f);
    still_works(pool);
}

static void *nothing(void *arg) { return arg; }

static void test_what_cannot_be(void **state) {
    (void)state;
    const thrum_task_opts bad[] = {{.time_limit = -1}, {.time_limit = NAN}, {.retries = -1}};
    thrum_executor *threads = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    const thrum_task_opts limit = {.time_limit = 1}, retries = {.retries = 3};
    thrum_future *f;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(number_submit_with(threads, &f, 1, &bad[i]), -EINVAL);
    assert_int_equal(number_submit_with(threads, &f, 1, &limit), -ENOTSUP);
    assert_int_equal(thrum_submit_with(threads, &f, nothing, NULL, &limit), -ENOTSUP);
    assert_int_equal(thrum_submit_bytes(threads, &f, pause_for_ever, NULL, 0, 0, &limit), -ENOTSUP);
    assert_int_equal(number_submit_with(threads, &f, 7, &retries), 0);
    assert_int_equal(number_result(f, NULL), 0);
    thrum_future_free(f);
    thrum_executor_free(threads);
    thrum_executor *pool = pool_of(1, NULL);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(number_submit_with(pool, &f, 1, &bad[i]), -EINVAL);
    still_works(pool);
}

SPEC_TESTS(cmocka_unit_test(test_a_limit_of_one_task),
           cmocka_unit_test(test_more_time_than_the_pool_gives),
           cmocka_unit_test(test_tries_of_one_task), cmocka_unit_test(test_limits_of_bytes),
           cmocka_unit_test(test_what_cannot_be));
