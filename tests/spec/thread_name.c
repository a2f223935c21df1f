/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static thrum_event go;

static void *wait_go(void *arg) {
    thrum_event_wait(&go);
    return arg;
}

static thrum_thread *start_named(const char *name) {
    thrum_thread *thread;
    thrum_thread_opts opts = {.name = name};
    assert_int_equal(thrum_thread_start(&thread, wait_go, NULL, &opts), 0);
    return thread;
}

static void assert_os_name(const thrum_thread *thread, const char *expected) {
    char path[64];
    char name[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%lld/comm",
             (long long)thrum_thread_native_id(thread));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(name, sizeof name, file));
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    assert_string_equal(name, expected);
}

static void finish(thrum_thread *thread) {
    thrum_event_set(&go);
    spec_join(thread);
    thrum_event_clear(&go);
}

static int number_of(const thrum_thread *thread) {
    const char *name = thrum_thread_name(thread);
    assert_int_equal(strncmp(name, "Thread-", 7), 0);
    return atoi(name + 7);
}

static void test_default_names_count(void **state) {
    (void)state;
    thrum_thread *first = start_named(NULL);
    thrum_thread *named = start_named("named");
    thrum_thread *second = start_named(NULL);
    assert_true(number_of(first) > 0);
    assert_int_equal(number_of(second), number_of(first) + 1);
    assert_string_equal(thrum_thread_name(thrum_thread_main()), "MainThread");
    thrum_event_set(&go);
    spec_join(first);
    spec_join(second);
    finish(named);
}

static void test_names_are_copied_and_kept_whole(void **state) {
    (void)state;
    char name[] = "a name that is a good deal longer than fifteen bytes";
    thrum_thread *thread = start_named(name);
    memset(name, 'x', sizeof name - 1);
    assert_string_equal(thrum_thread_name(thread),
                        "a name that is a good deal longer than fifteen bytes");
    finish(thread);
}

static void test_an_old_name_lives_as_long_as_the_handle(void **state) {
    (void)state;
    thrum_thread *thread = start_named("before");
    const char *before = thrum_thread_name(thread);
    assert_int_equal(thrum_thread_set_name(thread, NULL), -EINVAL);
    assert_string_equal(thrum_thread_name(thread), "before");
    assert_int_equal(thrum_thread_set_name(thread, "after"), 0);
    assert_int_equal(thrum_thread_set_name(thread, "last"), 0);
    assert_string_equal(before, "before");
    assert_string_equal(thrum_thread_name(thread), "last");
    thrum_event_set(&go);
    assert_int_equal(thrum_thread_join(thread, NULL), 0);
    assert_string_equal(thrum_thread_name(thread), "last");
    assert_int_equal(thrum_thread_set_name(thread, "ended"), 0);
    assert_string_equal(thrum_thread_name(thread), "ended");
    assert_string_equal(before, "before");
    finish(thread);
}

static void test_the_os_shows_fifteen_bytes(void **state) {
    (void)state;
    spec_needs_os("thread names that the OS shows");
    static const char *const names[][2] = {
        {"io", "io"},
        {"fifteen bytes..", "fifteen bytes.."},
        {"sixteen bytes...", "sixteen bytes.."},
        {"fourteen byte\xc3\xa9!", "fourteen byte\xc3\xa9"},
        {"fourteen bytes\xc3\xa9", "fourteen bytes"},
        {"thirteen byte\xe2\x82\xac", "thirteen byte"},
        {"twelve byte.\xe2\x82\xac!", "twelve byte.\xe2\x82\xac"},
        {"twelve byte.\xf0\x9f\xa7\xb5!", "twelve byte."},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        thrum_thread *thread = start_named(names[i][0]);
        assert_os_name(thread, names[i][1]);
        assert_int_equal(thrum_thread_set_name(thread, "renamed"), 0);
        assert_os_name(thread, "renamed");
        assert_int_equal(thrum_thread_set_name(thread, names[i][0]), 0);
        assert_os_name(thread, names[i][1]);
        assert_string_equal(thrum_thread_name(thread), names[i][0]);
        finish(thread);
    }
}

static void *rename_oneself(void *arg) {
    assert_int_equal(thrum_thread_set_name(thrum_thread_current(), "self-made"), 0);
    assert_os_name(thrum_thread_current(), "self-made");
    return arg;
}

static void test_a_thread_may_rename_itself(void **state) {
    (void)state;
    spec_needs_os("thread names that the OS shows");
    spec_join(spec_start(rename_oneself, NULL));
}

static void *note_native_id(void *out) {
    *(int64_t *)out = gettid();
    return NULL;
}

static void test_native_id_is_the_systems(void **state) {
    (void)state;
    spec_needs_os("thread ids of the OS");
    int64_t inside = 0;
    thrum_thread *thread = spec_start(note_native_id, &inside);
    int64_t outside = thrum_thread_native_id(thread);
    spec_join(thread);
    assert_int_equal(outside, inside);
    assert_int_equal(thrum_thread_native_id(thrum_thread_main()), getpid());
}

static struct {
    thrum_event listed, leave;
    uint32_t ident;
} foreign;

static void *run_foreign(void *arg) {
    thrum_thread *self = thrum_thread_current();
    assert_non_null(self);
    assert_ptr_equal(self, thrum_thread_current());
    assert_int_equal(strncmp(thrum_thread_name(self), "Dummy-", 6), 0);
    assert_true(atoi(thrum_thread_name(self) + 6) > 0);
    assert_true(thrum_thread_is_alive(self));
    assert_true(thrum_thread_is_daemon(self));
    assert_int_equal(thrum_thread_native_id(self), gettid());
    thrum_thread *child;
    assert_int_equal(thrum_thread_start(&child, note_native_id, arg, NULL), 0);
    assert_false(thrum_thread_is_daemon(child));
    spec_join(child);
    foreign.ident = thrum_thread_ident(self);
    thrum_event_set(&foreign.listed);
    thrum_event_wait(&foreign.leave);
    return NULL;
}

static void test_a_foreign_thread_gets_a_record(void **state) {
    (void)state;
    spec_needs_os("threads that thrum did not start");
    int64_t unused;
    pthread_t thread;
    thrum_thread *out[4];
    memset(&foreign, 0, sizeof foreign);
    assert_int_equal(pthread_create(&thread, NULL, run_foreign, &unused), 0);
    thrum_event_wait(&foreign.listed);
    assert_int_equal(thrum_thread_enumerate(out, 4), 2);
    int at = thrum_thread_ident(out[0]) == foreign.ident ? 0 : 1;
    assert_int_equal(thrum_thread_ident(out[at]), foreign.ident);
    thrum_event_set(&foreign.leave);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(thrum_thread_active_count(), 1);
    assert_false(thrum_thread_is_alive(out[at]));
    assert_int_equal(thrum_thread_join(out[at], NULL), 0);
    thrum_thread_free(out[0]);
    thrum_thread_free(out[1]);
}

static void *use_lock(void *lock) {
    thrum_lock_acquire(lock);
    assert_int_not_equal(thrum_lock_holder(lock), 0);
    thrum_lock_release(lock);
    assert_int_equal(thrum_event_wait_until(&go, thrum_in(0.0001)), -ETIMEDOUT);
    return NULL;
}

static void test_a_foreign_thread_may_wait(void **state) {
    (void)state;
    spec_needs_os("threads that thrum did not start");
    thrum_lock lock = THRUM_LOCK_INIT;
    pthread_t threads[4];
    thrum_lock_acquire(&lock);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_lock, &lock), 0);
    spec_until_waiting(&lock, 4);
    thrum_lock_release(&lock);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(thrum_thread_active_count(), 1);
}

SPEC_TESTS(cmocka_unit_test(test_default_names_count),
           cmocka_unit_test(test_names_are_copied_and_kept_whole),
           cmocka_unit_test(test_an_old_name_lives_as_long_as_the_handle),
           cmocka_unit_test(test_the_os_shows_fifteen_bytes),
           cmocka_unit_test(test_a_thread_may_rename_itself),
           cmocka_unit_test(test_native_id_is_the_systems),
           cmocka_unit_test(test_a_foreign_thread_gets_a_record),
           cmocka_unit_test(test_a_foreign_thread_may_wait));
