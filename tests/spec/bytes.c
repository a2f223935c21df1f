/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <errno.h>
#include <string.h>

typedef struct point {
    int x, y;
} point;

static int mirrored(const void *arg, void *result) {
    const point *from = arg;
    point *to = result;
    if (to->x != 0 || to->y != 0)
        return -EDOM; /* not zeroed */
    *to = (point){from->y, from->x};
    return 0;
}

static int fail_with(const void *arg, void *result) {
    (void)result;
    return *(const int *)arg;
}

static int raise_it(const void *arg, void *result) {
    (void)arg;
    (void)result;
    thrum_raise(-ERANGE, "no row %d", 3);
    return -EDOM;
}

static int nothing(const void *arg, void *result) {
    (void)arg;
    (void)result;
    return 0;
}

static void test_argument_and_result_are_copied(void **state) {
    (void)state;
    enum { N = 50 };
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    thrum_future *f[N];
    const void *result = NULL;
    point p;
    for (int i = 0; i < N; i++) {
        p = (point){i, i + 1};
        assert_int_equal(thrum_submit_bytes(pool, &f[i], mirrored, &p, sizeof p, sizeof p, NULL),
                         0);
    }
    memset(&p, 0, sizeof p);
    for (int i = 0; i < N; i++) {
        assert_int_equal(thrum_bytes_result(f[i], &result), 0);
        p = *(const point *)result;
        assert_true(p.x == i + 1 && p.y == i);
        assert_int_equal(thrum_bytes_result_until(f[i], THRUM_NEVER, &result), 0);
        assert_int_equal(((const point *)result)->x, i + 1);
        thrum_future_free(f[i]);
    }
    assert_int_equal(thrum_submit_bytes(pool, &f[0], nothing, NULL, 0, 0, NULL), 0);
    assert_int_equal(thrum_bytes_result(f[0], NULL), 0);
    thrum_future_free(f[0]);
    assert_int_equal(thrum_submit_bytes(pool, NULL, nothing, &p, sizeof p, 0, NULL), 0);
    thrum_executor_free(pool);
}

static void test_failures(void **state) {
    (void)state;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    const int codes[] = {-ENOENT, 5};
    thrum_future *f;
    const void *result = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(thrum_submit_bytes(pool, &f, fail_with, &codes[i], sizeof codes[i], 4,
                                            &(thrum_task_opts){.name = "of bytes"}),
                         0);
        assert_int_equal(thrum_bytes_result(f, &result), i == 0 ? -ENOENT : -EINVAL);
        assert_string_equal(thrum_future_error(f)->task, "of bytes");
        assert_null(result);
        thrum_future_free(f);
    }
    assert_int_equal(thrum_submit_bytes(pool, &f, raise_it, NULL, 0, 0, NULL), 0);
    assert_int_equal(thrum_bytes_result(f, NULL), -ERANGE);
    assert_string_equal(thrum_future_error(f)->message, "no row 3");
    thrum_future_free(f);
    thrum_executor_free(pool);
}

static void *plain(void *arg) { return arg; }

static void test_misuse(void **state) {
    (void)state;
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    thrum_future *f;
    assert_int_equal(thrum_submit_bytes(pool, &f, NULL, NULL, 0, 0, NULL), -EINVAL);
    assert_int_equal(thrum_submit_bytes(pool, &f, nothing, NULL, 1, 0, NULL), -EINVAL);
    assert_int_equal(thrum_submit_bytes(pool, &f, nothing, "", SIZE_MAX, 0, NULL), -EINVAL);
    assert_int_equal(thrum_submit_bytes(pool, &f, nothing, "", 1, SIZE_MAX - 8, NULL), -EINVAL);
    assert_int_equal(thrum_submit_bytes(pool, &f, nothing, "", 1, 0,
                                        &(thrum_task_opts){.reserved = {pool}}),
                     -EINVAL);
    assert_int_equal(thrum_submit(pool, &f, plain, NULL), 0);
    assert_int_equal(thrum_bytes_result(f, NULL), -EINVAL);
    assert_int_equal(thrum_bytes_result_until(f, thrum_in(5), NULL), -EINVAL);
    thrum_future_free(f);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_argument_and_result_are_copied), cmocka_unit_test(test_failures),
           cmocka_unit_test(test_misuse));
