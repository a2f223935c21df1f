/* SPDX-License-Identifier: MIT */
/* Pools of processes: plain functions, found by the build of what they stand in and their place
 * there. */
#include "spec.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <thrum/processes.h>
#include <unistd.h>

#ifndef PLUGIN_sha1
#define PLUGIN_sha1 ""
#define PLUGIN_none ""
#define PLUGIN_other ""
#endif

static thrum_executor *pool_with(int (*initializer)(void *), void *initarg, size_t size) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1, .name_prefix = "B",
        .initializer = initializer, .initarg = initarg,
        .backend_opts = &(thrum_processes_opts){.initarg_size = size}});
    assert_non_null(pool);
    return pool;
}

static int inverse(const void *arg, void *result) {
    size_t n = *(const size_t *)arg;
    const unsigned char *from = (const unsigned char *)arg + sizeof n;
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)result)[i] = (unsigned char)~from[i];
    return getpid() == getppid() ? -EDOM : 0;
}

static void check_inverse(thrum_executor *pool, size_t n) {
    unsigned char *arg = malloc(sizeof n + n);
    const void *result = NULL;
    thrum_future *f;
    memcpy(arg, &n, sizeof n);
    for (size_t i = 0; i < n; i++)
        arg[sizeof n + i] = (unsigned char)(i * 7);
    assert_int_equal(thrum_submit_bytes(pool, &f, inverse, arg, sizeof n + n, n, NULL), 0);
    memset(arg, 0, sizeof n + n);
    assert_int_equal(thrum_bytes_result(f, &result), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(((const unsigned char *)result)[i], (unsigned char)~(i * 7));
    thrum_future_free(f);
    free(arg);
}

static void test_sizes(void **state) {
    (void)state;
    thrum_executor *pool = pool_with(NULL, NULL, 0);
    const size_t sizes[] = {0, 1, 100, 65536, 130000, 262144, 3000000, 1};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            check_inverse(pool, sizes[i]);
    thrum_executor_free(pool);
}

static int process(const void *arg, void *result) {
    (void)arg;
    *(int *)result = (int)getpid();
    return 0;
}

static int die(const void *arg, void *result) {
    (void)result;
    return kill(getpid(), *(const int *)arg);
}

static int refuse(const void *arg, void *result) {
    (void)result;
    if (*(const int *)arg > 0)
        thrum_raise(-ERANGE, "no row %d", 3);
    return *(const int *)arg;
}

static void test_elsewhere_and_failures(void **state) {
    (void)state;
    thrum_executor *pool = pool_with(NULL, NULL, 0);
    thrum_future *f;
    const void *result = NULL;
    const int killed = SIGKILL, codes[] = {-EDOM, 1};
    assert_int_equal(thrum_submit_bytes(pool, &f, process, NULL, 0, sizeof(int), NULL), 0);
    assert_int_equal(thrum_bytes_result(f, &result), 0);
    assert_true(*(const int *)result != (int)getpid());
    thrum_future_free(f);
    assert_int_equal(thrum_submit_bytes(pool, &f, die, &killed, sizeof killed, 0, NULL), 0);
    assert_int_equal(thrum_bytes_result(f, NULL), -EPIPE);
    assert_non_null(strstr(thrum_future_error(f)->message, "was killed by signal 9 ("));
    assert_string_equal(thrum_future_error(f)->thread, "B_0");
    thrum_future_free(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            thrum_submit_bytes(pool, &f, refuse, &codes[i], sizeof codes[i], 0, NULL), 0);
        assert_int_equal(thrum_bytes_result(f, NULL), i == 0 ? -EDOM : -ERANGE);
        const thrum_failure *failure = thrum_future_error(f);
        assert_string_equal(failure->thread, "B_0");
        if (i == 1) {
            assert_string_equal(failure->message, "no row 3");
            assert_non_null(strstr(failure->file, "processes_bytes.c"));
            assert_true(failure->line > 50);
        }
        thrum_future_free(f);
    }
    thrum_executor_free(pool);
}

/* Of a library that both have: what it compares is empty. */
static void test_a_function_of_libc(void **state) {
    (void)state;
    thrum_executor *pool = pool_with(NULL, NULL, 0);
    thrum_future *f;
    int (*function)(const void *, void *) =
        (int (*)(const void *, void *))(void *)dlsym(RTLD_DEFAULT, "strcmp");
    if (!function) {
        thrum_executor_free(pool);
        skip(); /* linked without shared libraries */
    }
    assert_int_equal(thrum_submit_bytes(pool, &f, function, "", 1, 1, NULL), 0);
    assert_int_equal(thrum_bytes_result(f, NULL), 0);
    thrum_future_free(f);
    assert_int_equal(thrum_submit_bytes(pool, &f, function, "x", 2, 1, NULL), 0);
    assert_int_equal(thrum_bytes_result(f, NULL), -EINVAL); /* it is more than nothing */
    thrum_future_free(f);
    thrum_executor_free(pool);
}

static int load(void *path) { return dlopen(path, RTLD_NOW) ? 0 : -ENOENT; }

/* In a pool whose workers have loaded the library, and in one whose have loaded another. */
static void check_plugin(const char *path, const char *other_path) {
    char copy[1024], other[1024];
    const int arg = 14;
    const void *result = NULL;
    void *library = dlopen(path, RTLD_NOW);
    if (!library || strlen(path) >= sizeof copy || strlen(other_path) >= sizeof other)
        skip(); /* no shared library to load, or it lies too deep */
    strcpy(copy, path);
    strcpy(other, other_path);
    int (*function)(const void *, void *) =
        (int (*)(const void *, void *))(void *)dlsym(library, "plugin_triple");
    assert_non_null(function);
    thrum_executor *with = pool_with(load, copy, strlen(copy) + 1);
    thrum_executor *without = pool_with(load, other, strlen(other) + 1);
    thrum_future *f;
    assert_int_equal(thrum_submit_bytes(with, &f, function, &arg, sizeof arg, sizeof arg, NULL), 0);
    assert_int_equal(thrum_bytes_result(f, &result), 0);
    assert_int_equal(*(const int *)result, 42);
    thrum_future_free(f);
    assert_int_equal(
        thrum_submit_bytes(without, &f, function, &arg, sizeof arg, sizeof arg, NULL), 0);
    assert_int_equal(thrum_bytes_result(f, NULL), -ENOENT);
    assert_non_null(strstr(thrum_future_error(f)->message, "has not loaded the build"));
    thrum_future_free(f);
    thrum_executor_free(with);
    thrum_executor_free(without);
    dlclose(library);
}

static void test_a_library_with_a_build_id(void **state) {
    (void)state;
    check_plugin(PLUGIN_sha1, PLUGIN_none);
}

static void test_a_library_without(void **state) {
    (void)state;
    check_plugin(PLUGIN_none, PLUGIN_other);
}

SPEC_TESTS(cmocka_unit_test(test_sizes), cmocka_unit_test(test_elsewhere_and_failures),
           cmocka_unit_test(test_a_function_of_libc),
           cmocka_unit_test(test_a_library_with_a_build_id),
           cmocka_unit_test(test_a_library_without));
