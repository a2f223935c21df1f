/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

static thrum_executor *pool;

static void make_pool(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    assert_non_null(pool);
}

static void free_pool(void) { thrum_executor_free(pool); }

typedef struct vector {
    double x, y, z;
    char text[100];
} vector;

static int ticks;

THRUM_TASK(double, area, (double, w), (double, h)) { return w * h; }

THRUM_TASK(void, tick) { __atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED); }

THRUM_TASK(const char *, no_parameters) { return "none"; }

THRUM_TASK(vector, scale, (vector, v), (char, c), (double, by)) {
    v.x *= by;
    v.y *= by;
    v.z *= by;
    v.text[0] = c;
    return v;
}

THRUM_TASK(long long, eight, (char, a), (short, b), (int, c), (long, d), (long long, e),
           (unsigned char, f), (float, g), (void *, h)) {
    return a + b + c + d + e + f + (int)g + (intptr_t)h;
}

THRUM_TASK(int, refuse, (int, code), (const char *, what)) {
    thrum_raise(code, "cannot %s", what);
    return 1;
}

static thrum_event held, go;

THRUM_TASK(vector, hold, (vector, v)) {
    thrum_event_set(&held);
    thrum_event_wait(&go);
    return v;
}

static void test_arguments_and_results_of_all_kinds(void **state) {
    (void)state;
    make_pool();
    thrum_future *f[5];
    double value = 0;
    const char *text = NULL;
    long long sum = 0;
    vector v = {1, 2, 3, "?ext"};
    ticks = 0;
    assert_int_equal(area_submit(pool, &f[0], 2, 3.5), 0);
    assert_int_equal(tick_submit(pool, &f[1]), 0);
    assert_int_equal(no_parameters_submit(pool, &f[2]), 0);
    assert_int_equal(scale_submit(pool, &f[3], v, 't', 2), 0);
    assert_int_equal(eight_submit(pool, &f[4], 1, 2, 3, 4, 5, 6, 7.5f, (void *)8), 0);
    memset(&v, 0, sizeof v);
    assert_int_equal(area_result(f[0], &value), 0);
    assert_true(value == 7);
    assert_int_equal(area_result(f[0], &value), 0);
    assert_int_equal(area_result(f[0], NULL), 0);
    assert_int_equal(tick_result(f[1]), 0);
    assert_int_equal(ticks, 1);
    assert_int_equal(no_parameters_result(f[2], &text), 0);
    assert_string_equal(text, "none");
    assert_int_equal(scale_result_until(f[3], thrum_in(100), &v), 0);
    assert_true(v.x == 2 && v.y == 4 && v.z == 6);
    assert_string_equal(v.text, "text");
    assert_int_equal(eight_result(f[4], &sum), 0);
    assert_true(sum == 36);
    for (int i = 0; i < 5; i++)
        thrum_future_free(f[i]);
    free_pool();
}

static void test_the_function_stays_one(void **state) {
    (void)state;
    make_pool();
    assert_true(area(3, 4) == 12);
    assert_int_equal(area_submit(pool, NULL, 1, 2), 0);
    free_pool();
}

static void test_a_failure_names_its_task(void **state) {
    (void)state;
    make_pool();
    thrum_future *future;
    int value = 5;
    assert_int_equal(refuse_submit(pool, &future, -ENOENT, "find it"), 0);
    assert_int_equal(refuse_result(future, &value), -ENOENT);
    assert_int_equal(value, 5);
    const thrum_failure *failure = thrum_future_error(future);
    assert_string_equal(failure->message, "cannot find it");
    assert_string_equal(failure->task, "refuse");
    thrum_future_free(future);
    free_pool();
}

/* AddressSanitizer sees to it that nothing leaks. */
static void test_cancelled_dropped_and_timed_out(void **state) {
    (void)state;
    make_pool();
    thrum_future *running[2], *pending;
    vector v = {1, 2, 3, "v"}, got = {0, 0, 0, ""};
    thrum_event_clear(&go);
    for (int i = 0; i < 2; i++) {
        thrum_event_clear(&held);
        assert_int_equal(hold_submit(pool, &running[i], v), 0);
        thrum_event_wait(&held);
    }
    assert_int_equal(scale_submit(pool, &pending, v, 'x', 1), 0);
    assert_int_equal(scale_submit(pool, NULL, v, 'x', 1), 0);
    assert_int_equal(hold_result_until(running[0], thrum_in(0.001), &got), -ETIMEDOUT);
    assert_true(thrum_future_cancel(pending));
    assert_int_equal(scale_result(pending, &got), -ECANCELED);
    assert_string_equal(got.text, "");
    thrum_future_free(pending);
    thrum_future_free(running[1]);
    thrum_event_set(&go);
    assert_int_equal(hold_result(running[0], &got), 0);
    assert_string_equal(got.text, "v");
    thrum_future_free(running[0]);
    assert_int_equal(thrum_executor_shutdown(pool, true, true), 0);
    assert_int_equal(scale_submit(pool, &pending, v, 'x', 1), -ESHUTDOWN);
    free_pool();
}

static void *plain(void *arg) { return arg; }

static void test_the_future_of_another_task(void **state) {
    (void)state;
    make_pool();
    thrum_future *future, *other;
    double value = 1;
    assert_int_equal(thrum_submit(pool, &future, plain, NULL), 0);
    assert_int_equal(area_result(future, &value), -EINVAL);
    assert_int_equal(no_parameters_submit(pool, &other), 0);
    assert_int_equal(area_result(other, &value), -EINVAL);
    assert_true(value == 1);
    thrum_future_free(future);
    thrum_future_free(other);
    free_pool();
}

static void test_with_options(void **state) {
    (void)state;
    thrum_future *future = NULL;
    double value = 0;
    make_pool();
    assert_int_equal(area_submit_with(pool, &future, 2, 3.5, &(thrum_task_opts){.priority = 1}), 0);
    assert_int_equal(area_result(future, &value), 0);
    assert_true(value == 7);
    thrum_future_free(future);
    assert_int_equal(refuse_submit_with(pool, &future, -EIO, "read", NULL), 0);
    assert_string_equal(thrum_future_error(future)->task, "refuse");
    thrum_future_free(future);
    assert_int_equal(
        refuse_submit_with(pool, &future, -EIO, "read", &(thrum_task_opts){.name = "reader"}), 0);
    assert_string_equal(thrum_future_error(future)->task, "reader");
    thrum_future_free(future);
    const thrum_task_opts late = {.deadline = {1}, .name = "late"};
    future = NULL;
    assert_int_equal(eight_submit_with(pool, &future, 1, 2, 3, 4, 5, 6, 7, NULL, &late), 0);
    assert_string_equal(thrum_future_error(future)->task, "late");
    assert_int_equal(eight_result(future, NULL), -ETIMEDOUT);
    thrum_future_free(future);
    ticks = 0;
    assert_int_equal(tick_submit_with(pool, NULL, &(thrum_task_opts){.reserved = {&ticks}}),
                     -EINVAL);
    free_pool();
    assert_int_equal(ticks, 0);
}

static void test_as_a_thread(void **state) {
    (void)state;
    thrum_thread *thread;
    ticks = 0;
    assert_int_equal(tick_start(&thread, NULL), 0);
    assert_int_equal(thrum_thread_join(thread, NULL), 0);
    assert_int_equal(ticks, 1);
    thrum_thread_free(thread);
    assert_int_equal(refuse_start(&thread, -EIO, "read", &(thrum_thread_opts){.name = "io"}), 0);
    assert_int_equal(thrum_thread_join(thread, NULL), -EIO);
    assert_string_equal(thrum_thread_name(thread), "io");
    thrum_thread_free(thread);
    assert_int_equal(tick_start(&thread, &(thrum_thread_opts){.light = true}), -ENOTSUP);
}

static void test_descriptors(void **state) {
    (void)state;
    const thrum_task_type *type = thrum_task_find("scale");
    assert_ptr_equal(type, &scale_task);
    assert_string_equal(type->name, "scale");
    assert_string_equal(type->result_type, "vector");
    assert_int_equal(type->result_size, sizeof(vector));
    assert_int_equal(type->n_parameters, 3);
    assert_string_equal(type->parameters[0].type, "vector");
    assert_string_equal(type->parameters[1].name, "c");
    assert_int_equal(type->parameters[1].offset, sizeof(vector));
    assert_int_equal(type->parameters[2].size, sizeof(double));
    assert_true(type->parameters[2].offset + sizeof(double) <= type->args_size);
    assert_ptr_equal((void *)type->function, (void *)scale);
    assert_int_equal(tick_task.result_size + tick_task.args_size + tick_task.n_parameters, 0);
    assert_int_equal(eight_task.n_parameters, 8);
    errno = 0;
    assert_null(thrum_task_find("nobody"));
    assert_int_equal(errno, ENOENT);
    assert_null(thrum_task_find(NULL));
    const struct {
        double w, h;
    } args = {3, 5};
    double result = 0;
    thrum_task_find("area")->run(&args, &result);
    assert_true(result == 15);
}

typedef const float *image;
enum colour { RED, GREEN };

THRUM_TASK(const char *, words, (bool, a), (signed char, b), (unsigned short, c), (unsigned, d),
           (unsigned long, e), (unsigned long long, f), (const int, g), (enum colour, h)) {
    return a && b && c && d && e && f && g && h == GREEN ? "all" : "";
}

THRUM_TASK(void, pointers, (void *, a), (const void *, b), (double *, c), (image, d),
           (const vector *, e), (vector *, f), (const char **, g), (unsigned char *const, h)) {
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
}

static void check_formats(const thrum_task_type *type, const char *const *formats) {
    for (size_t i = 0; i < type->n_parameters; i++)
        assert_string_equal(type->parameters[i].format, formats[i]);
}

static void test_formats(void **state) {
    (void)state;
    check_formats(&eight_task, (const char *const[]){"c", "h", "i", "l", "q", "B", "f", "wv"});
    check_formats(&words_task, (const char *const[]){"?", "b", "H", "I", "L", "Q", "i", "I"});
    check_formats(&pointers_task,
                  (const char *const[]){"wv", "rv", "wd", "rf", "w", "w", "w", "wB"});
    check_formats(&scale_task, (const char *const[]){"", "c", "d"});
    assert_string_equal(words_task.result_format, "rc");
    assert_string_equal(pointers_task.result_format, "");
    assert_string_equal(scale_task.result_format, "");
    assert_string_equal(area_task.result_format, "d");
}

static void test_enumerate(void **state) {
    (void)state;
    const thrum_task_type *types[32] = {NULL};
    int n = thrum_task_enumerate(types, 32), known = 0;
    assert_true(n >= 8 && n < 32);
    assert_null(types[n]);
    for (int i = 0; i < n; i++) {
        assert_ptr_equal(thrum_task_find(types[i]->name), types[i]);
        known += types[i] == &area_task || types[i] == &tick_task || types[i] == &pointers_task;
    }
    assert_int_equal(known, 3);
    types[1] = NULL;
    assert_int_equal(thrum_task_enumerate(types, 1), n);
    assert_null(types[1]);
    assert_int_equal(thrum_task_enumerate(NULL, 0), n);
}

SPEC_TESTS(cmocka_unit_test(test_arguments_and_results_of_all_kinds),
           cmocka_unit_test(test_the_function_stays_one),
           cmocka_unit_test(test_a_failure_names_its_task),
           cmocka_unit_test(test_cancelled_dropped_and_timed_out),
           cmocka_unit_test(test_the_future_of_another_task), cmocka_unit_test(test_as_a_thread),
           cmocka_unit_test(test_with_options), cmocka_unit_test(test_descriptors),
           cmocka_unit_test(test_formats), cmocka_unit_test(test_enumerate));
