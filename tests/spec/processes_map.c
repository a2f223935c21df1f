/* SPDX-License-Identifier: MIT */
/* thrum_map() on a pool of processes: as on threads, whatever becomes of the workers. */
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <thrum/processes.h>
#include <unistd.h>

#include "exec/items.h"

static thrum_executor *pool_of(int n, const thrum_processes_opts *opts) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .backend_opts = opts, .max_workers = n, .name_prefix = "M"});
    assert_non_null(pool);
    return pool;
}

static int square(const void *item, void *result) {
    double x = *(const double *)item;
    *(double *)result = x * x;
    return 0;
}

static void check_squares(thrum_executor *pool, size_t n, const thrum_map_opts *opts) {
    double *in = calloc(n + 1, sizeof *in), *out = calloc(n + 1, sizeof *out);
    for (size_t i = 0; i < n; i++)
        in[i] = (double)i;
    assert_int_equal(thrum_map(pool, square, in, n, sizeof *in, out, sizeof *out, opts), 0);
    for (size_t i = 0; i < n; i++)
        assert_true(out[i] == (double)i * (double)i);
    assert_true(out[n] == 0);
    free(in);
    free(out);
}

static void test_all_items(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(3, NULL);
    check_squares(pool, 0, NULL);
    check_squares(pool, 1, NULL);
    check_squares(pool, 1000, NULL);
    check_squares(pool, 300, &(thrum_map_opts){.chunk = 7});
    check_squares(pool, 200000, NULL);
    check_squares(pool, 200000, &(thrum_map_opts){.chunk = 100000});
    thrum_executor_free(pool);
}

static int process_of(const void *item, void *result) {
    (void)item;
    *(int *)result = (int)getpid();
    return 0;
}

static void test_items_run_elsewhere(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2, NULL);
    int pids[40];
    assert_int_equal(thrum_map(pool, process_of, NULL, 40, 0, pids, sizeof pids[0], NULL), 0);
    for (int i = 0; i < 40; i++)
        assert_true(pids[i] != (int)getpid() && pids[i] != 0);
    thrum_executor_free(pool);
}

/* An item that is told how to end: 0 well, -code by its code, code by thrum_raise(). */
static int as_told(const void *item, void *result) {
    int how = *(const int *)item;
    if (result)
        *(int *)result = 1000 + how;
    if (how > 0)
        thrum_raise(-how, "no row %d", how);
    return how < 0 ? how : 0;
}

static void test_the_first_failure_and_all_codes(void **state) {
    (void)state;
    enum { N = 400 };
    thrum_executor *pool = pool_of(3, NULL);
    static int in[N], out[N], codes[N];
    size_t failed;
    assert_int_equal(thrum_map(pool, as_told, in, N, sizeof in[0], out, sizeof out[0],
                               &(thrum_map_opts){.failed = &failed}), 0);
    assert_int_equal(failed, SIZE_MAX);
    for (size_t chunk = 0; chunk < 60; chunk += 19) {
        memset(in, 0, sizeof in);
        memset(out, 0, sizeof out);
        in[390] = -EDOM;
        in[37] = ERANGE;
        in[38] = -EACCES;
        assert_int_equal(thrum_map(pool, as_told, in, N, sizeof in[0], out, sizeof out[0],
                                   &(thrum_map_opts){.chunk = chunk, .codes = codes,
                                                     .failed = &failed}),
                         -ERANGE);
        assert_int_equal(failed, 37);
        for (int i = 0; i < N; i++) {
            assert_int_equal(codes[i],
                             i == 390 ? -EDOM : i == 37 ? -ERANGE : i == 38 ? -EACCES : 0);
            assert_int_equal(out[i], codes[i] ? 0 : 1000);
        }
    }
    thrum_executor_free(pool);
}

/* The failure is raised again in the task that has called the map. */
typedef struct inner {
    thrum_executor *pool;
    int how;
} inner;

static void *run_inner(void *arg) {
    inner *it = arg;
    int out;
    assert_int_equal(
        thrum_map(it->pool, as_told, &it->how, 1, sizeof it->how, &out, sizeof out, NULL),
        it->how > 0 ? -it->how : it->how);
    return NULL;
}

static void test_what_was_raised_is_raised_again(void **state) {
    (void)state;
    inner it = {pool_of(1, NULL), EDOM};
    thrum_executor *threads = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    thrum_future *f;
    assert_int_equal(thrum_submit(threads, &f, run_inner, &it), 0);
    const thrum_failure *failure = thrum_future_error(f);
    assert_non_null(failure);
    assert_int_equal(failure->code, -EDOM);
    assert_string_equal(failure->message, "no row 33");
    assert_non_null(strstr(failure->file, "processes_map.c"));
    assert_true(failure->line > 60);
    thrum_future_free(f);
    it.how = -EDOM;
    assert_int_equal(thrum_submit(threads, &f, run_inner, &it), 0);
    assert_null(thrum_future_error(f));
    thrum_future_free(f);
    thrum_executor_free(threads);
    thrum_executor_free(it.pool);
}

static void test_stop_on_error(void **state) {
    (void)state;
    enum { N = 2000 };
    static int in[N], codes[N];
    thrum_executor *pool = pool_of(1, NULL);
    in[5] = -EDOM;
    for (size_t chunk = 0; chunk <= N; chunk += N / 2) {
        int out[N];
        assert_int_equal(
            thrum_map(pool, as_told, in, N, sizeof in[0], out, sizeof out[0],
                      &(thrum_map_opts){.chunk = chunk, .codes = codes, .stop_on_error = true}),
            -EDOM);
        for (int i = 0; i < N; i++)
            assert_int_equal(codes[i], i < 5 ? 0 : i == 5 ? -EDOM : -ECANCELED);
    }
    thrum_executor_free(pool);
}

/* Lasts until the time that the item says. */
static int last_until(const void *item, void *result) {
    (void)result;
    while (thrum_now().ns < *(const int64_t *)item)
        continue;
    return 0;
}

static void test_deadline(void **state) {
    (void)state;
    enum { N = 50 };
    int64_t in[N] = {0};
    int codes[N], ran = 0;
    thrum_executor *pool = pool_of(2, NULL);
    assert_int_equal(thrum_map(pool, last_until, in, N, sizeof in[0], NULL, 0,
                               &(thrum_map_opts){.deadline = thrum_in(0), .codes = codes}),
                     -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        assert_int_equal(codes[i], -ECANCELED);
    assert_int_equal(thrum_map(pool, last_until, in, N, sizeof in[0], NULL, 0,
                               &(thrum_map_opts){.deadline = THRUM_NEVER, .codes = codes}),
                     0);
    thrum_deadline soon = thrum_in(0.2);
    for (int i = 0; i < N; i++)
        in[i] = soon.ns;
    assert_int_equal(thrum_map(pool, last_until, in, N, sizeof in[0], NULL, 0,
                               &(thrum_map_opts){.chunk = N / 2, .deadline = soon, .codes = codes}),
                     -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        ran += codes[i] == 0;
    assert_true(ran <= 2); /* the first of each part, if anything */
    thrum_executor_free(pool);
}

/* The limit is one for each item, not for all that are sent at once. */
static void test_time_limit(void **state) {
    (void)state;
    enum { N = 16 };
    int64_t in[N];
    int codes[N];
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.time_limit = 1});
    for (int i = 0; i < N; i++)
        in[i] = i < N - 1 ? thrum_in(0.1 * (i + 1)).ns : INT64_MAX;
    assert_int_equal(thrum_map(pool, last_until, in, N, sizeof in[0], NULL, 0,
                               &(thrum_map_opts){.chunk = N, .codes = codes}),
                     -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        assert_int_equal(codes[i], i < N - 1 ? 0 : -ETIMEDOUT);
    thrum_executor_free(pool);
}

/* One that is alone has it once, and no more. */
static void test_time_limit_of_one_item(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.time_limit = 2});
    assert_int_equal(thrum_map(pool, process_of, NULL, 1, 0, (int[1]){0}, sizeof(int), NULL), 0);
    int64_t in = thrum_in(3.8).ns;
    assert_int_equal(thrum_map(pool, last_until, &in, 1, sizeof in, NULL, 0, NULL), -ETIMEDOUT);
    thrum_executor_free(pool);
}

static int die_at(const void *item, void *result) {
    int how = *(const int *)item;
    *(int *)result = 7;
    if (how > 0)
        kill(getpid(), how);
    return 0;
}

/* A worker that dies: its item fails, in shared memory nothing else does; what comes behind is run
 * by others. */
static void check_deaths(size_t chunk, int *out) {
    enum { N = 300 };
    static int in[N], codes[N];
    int lost = 0;
    thrum_executor *pool = pool_of(2, NULL);
    memset(in, 0, sizeof in);
    in[40] = in[41] = in[220] = SIGKILL;
    assert_int_equal(thrum_map(pool, die_at, in, N, sizeof in[0], out, sizeof out[0],
                               &(thrum_map_opts){.chunk = chunk, .codes = codes}),
                     -EPIPE);
    for (int i = 0; i < N; i++) {
        assert_true(codes[i] == 0 || codes[i] == -EPIPE);
        assert_int_equal(codes[i], in[i] ? -EPIPE : codes[i]);
        if (codes[i] == 0)
            assert_int_equal(out[i], 7);
        lost += codes[i] != 0;
        assert_true(chunk != 0 || codes[i] == 0 || i <= 220);
    }
    if (chunk == 1)
        assert_int_equal(lost, 3);
    thrum_executor_free(pool);
}

static void test_a_worker_that_dies(void **state) {
    (void)state;
    int out[300];
    check_deaths(1, out);
    check_deaths(0, out);
    check_deaths(300, out);
}

static int fill(const void *item, void *result) {
    memset(result, *(const char *)item, 100000);
    return 0;
}

/* More than goes through a socket at once: parts in shared memory. */
static void test_large_results(void **state) {
    (void)state;
    enum { N = 40, SIZE = 100000 };
    thrum_executor *pool = pool_of(2, NULL);
    char in[N], *out = malloc((size_t)N * SIZE);
    for (int i = 0; i < N; i++)
        in[i] = (char)(i + 1);
    for (size_t chunk = 0; chunk < 30; chunk += 13) {
        memset(out, 0, (size_t)N * SIZE);
        assert_int_equal(
            thrum_map(pool, fill, in, N, 1, out, SIZE, &(thrum_map_opts){.chunk = chunk}), 0);
        for (size_t i = 0; i < (size_t)N * SIZE; i++)
            assert_true(out[i] == in[i / SIZE]);
    }
    free(out);
    thrum_executor_free(pool);
}

/* A worker that writes over what it answers: whatever comes, the parent goes on. */
static int write_over(const void *item, void *result) {
    size_t before = 16 + sizeof(thrum__answer);
    memset((char *)result - before, *(const unsigned char *)item, before + 300000);
    return 0;
}

static void test_an_answer_that_is_nonsense(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, NULL);
    char *out = malloc(300000), item;
    for (int i = 0; i < 256; i += 51) {
        item = (char)i;
        int rc = thrum_map(pool, write_over, &item, 1, 1, out, 300000, NULL);
        assert_true(rc <= 0);
        assert_int_equal(rc == 0, i == 0);
    }
    free(out);
    check_squares(pool, 1000, NULL);
    thrum_executor_free(pool);
}

static int initialized;

static int initializer(void *arg) {
    (void)arg;
    initialized = 4711;
    return 0;
}

static int bad_initializer(void *arg) {
    (void)arg;
    thrum_raise(-EACCES, "no licence");
    return 0;
}

static int what_it_was(const void *item, void *result) {
    (void)item;
    *(int *)result = initialized;
    return 0;
}

static void test_refusals_and_initializers(void **state) {
    (void)state;
    int out[3] = {0}, codes[3];
    thrum_executor_free(pool_of(1, NULL)); /* or skipped */
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1, .initializer = initializer});
    assert_int_equal(thrum_map(pool, what_it_was, NULL, 3, 0, out, sizeof out[0], NULL), 0);
    assert_int_equal(out[2], 4711);
    assert_int_equal(initialized, 0);
    assert_int_equal(thrum_map(pool, NULL, NULL, 3, 0, out, sizeof out[0], NULL), -EINVAL);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    assert_int_equal(thrum_map(pool, what_it_was, NULL, 3, 0, out, sizeof out[0], NULL),
                     -ESHUTDOWN);
    thrum_executor_free(pool);
    pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1, .initializer = bad_initializer});
    assert_int_equal(thrum_map(pool, what_it_was, NULL, 3, 0, out, sizeof out[0],
                               &(thrum_map_opts){.codes = codes}),
                     -EACCES);
    assert_int_equal(thrum_map(pool, what_it_was, NULL, 3, 0, out, sizeof out[0], NULL), -EPIPE);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_all_items), cmocka_unit_test(test_items_run_elsewhere),
           cmocka_unit_test(test_the_first_failure_and_all_codes),
           cmocka_unit_test(test_what_was_raised_is_raised_again),
           cmocka_unit_test(test_stop_on_error), cmocka_unit_test(test_deadline),
           cmocka_unit_test(test_time_limit), cmocka_unit_test(test_time_limit_of_one_item),
           cmocka_unit_test(test_a_worker_that_dies), cmocka_unit_test(test_large_results),
           cmocka_unit_test(test_an_answer_that_is_nonsense),
           cmocka_unit_test(test_refusals_and_initializers));
