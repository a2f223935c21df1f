/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct {
    int calls;
    int code;
    int line;
    char message[512];
    char file[256];
    char thread[64];
    bool has_task;
    uint32_t ident;
    void *arg;
} told;

static void note(const thrum_failure *failure, void *arg) {
    told.calls += 1;
    told.code = failure->code;
    told.line = failure->line;
    told.has_task = failure->task != NULL;
    told.ident = thrum_thread_ident(thrum_thread_current());
    told.arg = arg;
    snprintf(told.message, sizeof told.message, "%s", failure->message);
    snprintf(told.file, sizeof told.file, "%s", failure->file ? failure->file : "none");
    snprintf(told.thread, sizeof told.thread, "%s", failure->thread);
}

static void watch(void) {
    memset(&told, 0, sizeof told);
    thrum_set_excepthook(note, &told);
}

static void test_every_code_of_the_table_has_its_text(void **state) {
    (void)state;
#define THRUM_ERROR(code, text, exception)                                                         \
    assert_string_equal(thrum_strerror(-(code)), text);                                            \
    assert_string_equal(thrum_strerror(code), text);                                               \
    assert_true(strlen(exception) > 0);
#include <thrum/errors.def>
#undef THRUM_ERROR
}

static void test_strerror_is_never_null(void **state) {
    (void)state;
    static const int codes[] = {0, -1, 1, -ENOENT, 4095, -4095, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_non_null(thrum_strerror(codes[i]));
        assert_true(strlen(thrum_strerror(codes[i])) > 0);
    }
    assert_string_equal(thrum_strerror(-ENOENT), strerror(ENOENT));
}

static int raised_line;

static void *fail_twice(void *arg) {
    raised_line = __LINE__ + 1;
    int first = thrum_raise(-ENOENT, "no row %d of %s", 7, "table");
    int second = thrum_raise(-EPERM, "later");
    assert_int_equal(first, -ENOENT);
    assert_int_equal(second, -ENOENT);
    return arg;
}

static thrum_thread *start_named(const char *name, void *(*fn)(void *), void *arg) {
    thrum_thread *thread;
    thrum_thread_opts opts = {.name = name};
    assert_int_equal(thrum_thread_start(&thread, fn, arg, &opts), 0);
    return thread;
}

static void test_the_first_failure_wins_and_travels(void **state) {
    (void)state;
    watch();
    thrum_thread *thread = start_named("loader", fail_twice, &told);
    void *result = &told;
    assert_int_equal(thrum_thread_join(thread, &result), -ENOENT);
    assert_null(result);
    assert_int_equal(thrum_thread_join_until(thread, THRUM_NEVER, NULL), -ENOENT);
    const thrum_failure *failure = thrum_thread_error(thread);
    assert_non_null(failure);
    assert_int_equal(failure->code, -ENOENT);
    assert_string_equal(failure->message, "no row 7 of table");
    assert_string_equal(failure->file, __FILE__);
    assert_int_equal(failure->line, raised_line);
    assert_string_equal(failure->thread, "loader");
    assert_null(failure->task);
    assert_ptr_equal(thrum_thread_error(thread), failure);
    thrum_thread_free(thread);
    thrum_set_excepthook(NULL, NULL);
}

static void test_the_hook_is_told_once_in_the_thread(void **state) {
    (void)state;
    watch();
    thrum_thread *thread = start_named("loader", fail_twice, NULL);
    uint32_t ident = thrum_thread_ident(thread);
    assert_int_equal(thrum_thread_join(thread, NULL), -ENOENT);
    thrum_thread_free(thread);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.code, -ENOENT);
    assert_string_equal(told.message, "no row 7 of table");
    assert_string_equal(told.file, __FILE__);
    assert_int_equal(told.line, raised_line);
    assert_string_equal(told.thread, "loader");
    assert_false(told.has_task);
    assert_int_equal(told.ident, ident);
    assert_ptr_equal(told.arg, &told);
    thrum_set_excepthook(NULL, NULL);
}

static void *succeed(void *arg) { return arg; }

static void test_success_tells_nobody(void **state) {
    (void)state;
    watch();
    spec_join(spec_start(succeed, NULL));
    assert_int_equal(told.calls, 0);
    thrum_set_excepthook(NULL, NULL);
}

static void test_raise_on_main_is_told_at_once(void **state) {
    (void)state;
    watch();
    assert_int_equal(thrum_raise(-EBUSY, "busy %s", "bee"), -EBUSY);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.code, -EBUSY);
    assert_string_equal(told.message, "busy bee");
    assert_string_equal(told.thread, "MainThread");
    assert_int_equal(thrum_raise(-EPERM, "again"), -EPERM);
    assert_int_equal(told.calls, 2);
    assert_int_equal(told.code, -EPERM);
    thrum_set_excepthook(NULL, NULL);
}

static void test_what_is_not_negative_counts_as_einval(void **state) {
    (void)state;
    watch();
    assert_int_equal(thrum_raise(0, "zero"), -EINVAL);
    assert_int_equal(told.code, -EINVAL);
    assert_int_equal(thrum_raise(ENOENT, "positive"), -EINVAL);
    assert_int_equal(told.code, -EINVAL);
    thrum_set_excepthook(NULL, NULL);
}

static void test_a_long_message_is_cut_and_marked(void **state) {
    (void)state;
    char text[400];
    memset(text, 'x', sizeof text);
    watch();
    text[255] = '\0';
    thrum_raise(-EINVAL, "%s", text);
    assert_int_equal(strlen(told.message), 255);
    assert_string_equal(told.message, text);
    text[255] = 'x';
    text[256] = '\0';
    thrum_raise(-EINVAL, "%s", text);
    assert_int_equal(strlen(told.message), 255);
    assert_string_equal(told.message + 252, "...");
    assert_memory_equal(told.message, text, 252);
    thrum_set_excepthook(NULL, NULL);
}

static void test_a_message_is_expanded_once(void **state) {
    (void)state;
    watch();
    thrum_raise(-EINVAL, "%s", "100 %s %n %d");
    assert_string_equal(told.message, "100 %s %n %d");
    thrum_set_excepthook(NULL, NULL);
}

static int fail_unheard(void) {
    thrum_set_excepthook(NULL, NULL);
    thrum_thread *thread;
    thrum_thread_opts opts = {.name = "loader"};
    if (thrum_thread_start(&thread, fail_twice, NULL, &opts))
        return 1;
    int rc = thrum_thread_join(thread, NULL);
    thrum_thread_free(thread);
    return rc == -ENOENT ? 0 : 2;
}

static void test_the_default_hook_writes_a_line(void **state) {
    (void)state;
    static spec_end end;
    char place[300];
    spec_exits(fail_unheard, 0, &end);
    snprintf(place, sizeof place, "%s:", __FILE__);
    assert_int_equal(spec_count_text(end.text, "\n"), 1);
    assert_non_null(strstr(end.text, "loader"));
    assert_non_null(strstr(end.text, "no row 7 of table"));
    assert_non_null(strstr(end.text, place));
}

static void *foreign_raise(void *arg) {
    assert_int_equal(thrum_raise(-EBUSY, "from outside"), -EBUSY);
    assert_int_equal(told.calls, 1);
    return arg;
}

static void test_raise_on_a_foreign_thread_is_told_at_once(void **state) {
    (void)state;
    spec_needs_os("threads that thrum did not start");
    pthread_t thread;
    watch();
    assert_int_equal(pthread_create(&thread, NULL, foreign_raise, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(told.calls, 1);
    assert_int_equal(strncmp(told.thread, "Dummy-", 6), 0);
    thrum_set_excepthook(NULL, NULL);
}

static void *leave_early(void *arg) {
    THRUM_GUARD((thrum_lock *)arg);
    pthread_exit(arg);
}

static void *wait_to_be_cancelled(void *arg) {
    for (;;) {
        pthread_testcancel();
        spec_yield();
    }
    return arg;
}

static void assert_cancelled(thrum_thread *thread) {
    void *result = &told;
    assert_int_equal(thrum_thread_join(thread, &result), -ECANCELED);
    assert_null(result);
    assert_int_equal(thrum_thread_error(thread)->code, -ECANCELED);
    assert_non_null(thrum_thread_error(thread)->message);
    assert_null(thrum_thread_error(thread)->file);
    thrum_thread_free(thread);
}

static void *note_pthread(void *out) {
    __atomic_store_n((pthread_t *)out, pthread_self(), __ATOMIC_RELEASE);
    return wait_to_be_cancelled(NULL);
}

static void test_a_thread_that_leaves_early_counts_as_cancelled(void **state) {
    (void)state;
    spec_needs_os("pthread_exit and pthread_cancel");
    thrum_lock lock = THRUM_LOCK_INIT;
    pthread_t id = 0;
    assert_cancelled(spec_start(leave_early, &lock));
    assert_false(thrum_lock_locked(&lock));
    thrum_thread *thread = spec_start(note_pthread, &id);
    while (__atomic_load_n(&id, __ATOMIC_ACQUIRE) == 0)
        spec_yield();
    assert_int_equal(pthread_cancel(id), 0);
    assert_cancelled(thread);
}

SPEC_TESTS(cmocka_unit_test(test_every_code_of_the_table_has_its_text),
           cmocka_unit_test(test_strerror_is_never_null),
           cmocka_unit_test(test_the_first_failure_wins_and_travels),
           cmocka_unit_test(test_the_hook_is_told_once_in_the_thread),
           cmocka_unit_test(test_success_tells_nobody),
           cmocka_unit_test(test_raise_on_main_is_told_at_once),
           cmocka_unit_test(test_what_is_not_negative_counts_as_einval),
           cmocka_unit_test(test_a_long_message_is_cut_and_marked),
           cmocka_unit_test(test_a_message_is_expanded_once),
           cmocka_unit_test(test_the_default_hook_writes_a_line),
           cmocka_unit_test(test_raise_on_a_foreign_thread_is_told_at_once),
           cmocka_unit_test(test_a_thread_that_leaves_early_counts_as_cancelled));
