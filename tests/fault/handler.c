/* SPDX-License-Identifier: MIT */
/* Logging when the n-th malloc(), calloc() or pthread_create() fails: what is made is made whole or
 * refused, what is logged is written or counted. Linked with --wrap for these functions. */
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "strand_test.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg);

static int memory_in;    /* counts down to the call that fails; 0 and less: none */
static int always_in;    /* as memory_in, and all that follow fail too */
static int thread_fails; /* so many starts from now on */
static int calls;

static bool due(void) {
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&always_in, __ATOMIC_RELAXED) > 0)
        return __atomic_load_n(&always_in, __ATOMIC_RELAXED) == 1 || (always_in--, false);
    return __atomic_load_n(&memory_in, __ATOMIC_RELAXED) > 0 &&
           __atomic_fetch_sub(&memory_in, 1, __ATOMIC_RELAXED) == 1;
}

void *__wrap_malloc(size_t size) {
    if (!due())
        return __real_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    if (!due())
        return __real_calloc(n, size);
    errno = ENOMEM;
    return NULL;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg) {
    if (__atomic_load_n(&thread_fails, __ATOMIC_RELAXED) > 0 &&
        __atomic_fetch_sub(&thread_fails, 1, __ATOMIC_RELAXED) > 0)
        return EAGAIN;
    return __real_pthread_create(thread, attr, fn, arg);
}

static int ends[2];
static char text[65536];

static const char *take(void) {
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static int set_up(void **state) {
    (void)state;
    return pipe2(ends, O_NONBLOCK);
}

static int tear_down(void **state) {
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static thrum_logger *own_logger(const char *name) {
    thrum_logger *logger = thrum_logger_get(name);
    thrum_logger_set_propagate(logger, false);
    return logger;
}

static void ignore(const thrum_log_record *record, void *arg) {
    (void)record;
    (void)arg;
}

static thrum_handler *make(int kind) {
    switch (kind) {
    case 0:
        return thrum_stream_handler_new(ends[1], NULL);
    case 1:
        return thrum_file_handler_new("/tmp/thrum_fault_handler", NULL);
    case 2:
        return thrum_handler_new(ignore, NULL, NULL);
    default:
        return thrum_queue_handler_new(thrum_logger_get(NULL) ? make(2) : NULL, NULL);
    }
}

static void handlers_are_made_whole_or_not_at_all(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        thrum_handler *handler = NULL;
        int n = 0;
        while (!handler) {
            memory_in = ++n;
            errno = 0;
            handler = make(kind);
            assert_true(handler || errno == ENOMEM);
        }
        memory_in = 0;
        assert_true(n > 1);
        thrum_handler_free(handler);
    }
    unlink("/tmp/thrum_fault_handler");
    thrum_handler *target = make(2);
    memory_in = 1;
    assert_null(thrum_queue_handler_new(target, NULL));
    memory_in = 0;
    thrum_handler_free(target);
}

static void loggers_are_made_whole_or_the_root_serves(void **state) {
    (void)state;
    thrum_logger *logger = NULL;
    int n = 0;
    while (!logger) {
        memory_in = ++n;
        errno = 0;
        logger = thrum_logger_get("fault.of.memory");
        assert_true(logger || errno == ENOMEM);
    }
    assert_int_equal(n, 3); /* what was made stays */
    assert_string_equal(thrum_logger_name(thrum_logger_parent(logger)), "fault.of");
    memory_in = 1;
    assert_int_equal(thrum_log_config(&(thrum_log_opts){.fd = ends[1]}), -ENOMEM);
    assert_int_equal(thrum_log_config(&(thrum_log_opts){.fd = ends[1]}), 0);
    memory_in = 1;
    thrum_logger_error(thrum_logger_get("another.fault"), "kept");
    memory_in = 0;
    assert_string_equal(take(), "ERROR:root:kept\n");
    assert_int_equal(thrum_log_config(NULL), 0);
}

static void attaching_without_memory_changes_nothing(void **state) {
    (void)state;
    thrum_logger *logger = own_logger("fault.attach");
    thrum_handler *first = make(0), *second = make(0);
    assert_int_equal(thrum_logger_add_handler(logger, first), 0);
    memory_in = 1;
    assert_int_equal(thrum_logger_add_handler(logger, second), -ENOMEM);
    thrum_logger_error(logger, "x");
    assert_string_equal(take(), "x\n");
    thrum_handler_free(second);
    thrum_logger_remove_handler(logger, first);
    thrum_handler_free(first);
}

static void a_line_allocates_nothing(void **state) {
    (void)state;
    thrum_logger *logger = own_logger("fault.nothing");
    thrum_handler *handlers[] = {
        thrum_stream_handler_new(
            ends[1], &(thrum_handler_opts){.format = "%(asctime)s %(threadName)s %(levelname)-8s "
                                                     "%(name)s %(lineno)d %(message)s"}),
        thrum_file_handler_new("/tmp/thrum_fault_handler",
                               &(thrum_file_handler_opts){.max_bytes = 100, .backup_count = 1}),
        make(2)};
    for (int i = 0; i < 3; i++)
        thrum_logger_add_handler(logger, handlers[i]);
    thrum_logger_error(logger, "warm %d %s", 1, "up"); /* this thread's record */
    int before = calls;
    for (int i = 0; i < 100; i++)
        thrum_logger_error(logger, "line %d %s %5.2f", i, "text", 1.5);
    assert_int_equal(calls, before);
    take();
    assert_int_equal(spec_count_text(text, "line "), 100);
    for (int i = 0; i < 3; i++) {
        thrum_logger_remove_handler(logger, handlers[i]);
        thrum_handler_free(handlers[i]);
    }
    unlink("/tmp/thrum_fault_handler");
    unlink("/tmp/thrum_fault_handler.1");
}

static void what_cannot_be_queued_is_counted_and_said(void **state) {
    (void)state;
    thrum_logger *logger = own_logger("fault.queue");
    thrum_handler *target = make(0);
    thrum_handler *queue = thrum_queue_handler_new(target, NULL);
    thrum_logger_add_handler(logger, queue);
    thrum_logger_error(logger, "1");
    thrum_handler_flush(queue);
    always_in = 1;
    thrum_logger_error(logger, "2");
    thrum_logger_error(logger, "3");
    always_in = 0;
    thrum_logger_error(logger, "4");
    thrum_handler_flush(queue);
    take();
    assert_int_equal(thrum_handler_dropped(queue), 2);
    assert_int_equal(spec_count_text(text, "dropped\n") > 0, 1);
    assert_non_null(strstr(text, "4\n"));
    assert_null(strstr(text, "3\n"));
    thrum_logger_remove_handler(logger, queue);
    thrum_handler_free(queue);
    thrum_handler_free(target);
}

static thrum_logger *threadless;

static int log_without_threads(void) {
    thrum_handler *target = thrum_stream_handler_new(1, NULL);
    thrum_handler *queue =
        thrum_queue_handler_new(target, &(thrum_queue_handler_opts){.capacity = 2});
    threadless = own_logger("fault.thread");
    thrum_logger_add_handler(threadless, queue);
    if (spec_is_test_strand())
        strand_test_fail_start(1, -EAGAIN);
    else
        thread_fails = 3;
    for (int i = 0; i < 10; i++)
        thrum_logger_error(threadless, "%d", i);
    thrum_handler_free(target);
    thrum_logger_remove_handler(threadless, queue);
    int bad = thrum_handler_dropped(queue) != 0;
    thrum_handler_free(queue);
    return bad;
}

static void without_a_thread_the_callers_write(void **state) {
    (void)state;
    spec_end end;
    spec_exits(log_without_threads, 0, &end);
    char *said = strstr(end.text, "thrum: log: no thread to write with");
    assert_non_null(said);
    assert_int_equal(spec_count_text(end.text, "thrum:"), 1);
    char *rest = strchr(said, '\n') + 1;
    memmove(said, rest, strlen(rest) + 1);
    assert_string_equal(end.text, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

SPEC_TESTS(TEST(handlers_are_made_whole_or_not_at_all),
           TEST(loggers_are_made_whole_or_the_root_serves),
           TEST(attaching_without_memory_changes_nothing), TEST(a_line_allocates_nothing),
           TEST(what_cannot_be_queued_is_counted_and_said),
           TEST(without_a_thread_the_callers_write));
