/* SPDX-License-Identifier: MIT */
/* Queue handlers when something ends: the program, a thread, the one side of a fork. */
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static thrum_logger *logger;
static thrum_handler *forked;

static void attach(thrum_handler *handler) {
    assert_non_null(handler);
    assert_int_equal(thrum_logger_add_handler(logger, handler), 0);
}

static void detach(thrum_handler *handler) {
    assert_int_equal(thrum_logger_remove_handler(logger, handler), 0);
    thrum_handler_free(handler);
}

static int set_up(void **state) {
    (void)state;
    logger = thrum_logger_get("queue.spec");
    thrum_logger_set_propagate(logger, false);
    thrum_logger_set_level(logger, THRUM_DEBUG);
    return 0;
}

static thrum_handler *pipe_queue(thrum_queue_handler_opts opts) {
    thrum_handler *target = thrum_stream_handler_new(1, NULL);
    thrum_handler *queue = thrum_queue_handler_new(target, &opts);
    thrum_handler_free(target);
    attach(queue);
    return queue;
}

static bool log_at_end;

/* After the library's own, of the same number: the program is linked in this order. */
__attribute__((destructor(101))) static void log_last(void) {
    if (log_at_end)
        thrum_logger_info(logger, "last");
}

static void log_late(void) { thrum_logger_info(logger, "late"); }

static int exit_with_records_queued(void) {
    log_at_end = true;
    atexit(log_late);
    pipe_queue((thrum_queue_handler_opts){.capacity = 1000});
    atexit(log_late);
    for (int i = 0; i < 500; i++)
        thrum_logger_info(logger, "%d", i);
    return 0;
}

static void what_was_logged_before_exit_is_written(void **state) {
    (void)state;
    spec_end end;
    spec_exits(exit_with_records_queued, 0, &end);
    char expected[8192];
    size_t used = 0;
    for (int i = 0; i < 500; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%d\n", i);
    snprintf(expected + used, sizeof expected - used, "late\nlate\nlast\n");
    assert_non_null(strstr(end.text, expected));
}

static void *log_at_the_end(void *arg) {
    thrum_event_wait(arg);
    for (int i = 0; i < 100; i++)
        thrum_logger_info(logger, "regular %d", i);
    return NULL;
}

static int exit_before_a_regular_thread(void) {
    static thrum_event go;
    thrum_thread_start(NULL, log_at_the_end, &go, NULL);
    pipe_queue((thrum_queue_handler_opts){.capacity = 3});
    thrum_event_set(&go);
    return 0;
}

static void the_threads_that_exit_waits_for_may_log(void **state) {
    (void)state;
    spec_end end;
    spec_exits(exit_before_a_regular_thread, 0, &end);
    assert_int_equal(spec_count_text(end.text, "regular "), 100);
}

static int log_in_busy_child(void) {
    thrum_logger_info(logger, "child");
    thrum_handler_free(forked);
    return 0;
}

static void *log_for_ever(void *stop) {
    while (!thrum_event_is_set(stop))
        thrum_logger_info(logger, "x");
    return NULL;
}

static void children_of_busy_parents_can_log(void **state) {
    (void)state;
    spec_needs_os("threads that run while a child is forked");
    spec_skip_under_tsan("refuses threads in a child");
    thrum_event stop = THRUM_EVENT_INIT;
    spec_team team = {.n = 0};
    spec_end end;
    int null = open("/dev/null", O_WRONLY);
    thrum_handler *file = thrum_stream_handler_new(null, NULL);
    forked = thrum_queue_handler_new(file, &(thrum_queue_handler_opts){.capacity = 5});
    attach(forked);
    attach(file);
    spec_team_start(&team, 4, log_for_ever, &stop);
    for (int i = 0; i < 20; i++)
        spec_exits(log_in_busy_child, 0, &end);
    thrum_event_set(&stop);
    spec_team_join(&team);
    detach(forked);
    detach(file);
    close(null);
}

static void log_failure(const thrum_failure *failure, void *arg) {
    (void)arg;
    thrum_logger_error(logger, "hook: %s", failure->message);
}

static void *raise_something(void *arg) {
    thrum_raise(-EINVAL, "no row %d", 7);
    return arg;
}

static void log_destructor(void *value) {
    thrum_logger_info(logger, "destructor of %s", (char *)value);
}

static pthread_key_t key;

static void *leave_a_value(void *value) {
    pthread_setspecific(key, value);
    return NULL;
}

static thrum_local local = THRUM_LOCAL_INIT(log_destructor);

static void *leave_a_local(void *value) {
    thrum_local_set(&local, value);
    return NULL;
}

static int log_in_hooks(void) {
    static char name_of_local[] = "local data";
    static char name[] = "thread";
    pthread_t foreign;
    pipe_queue((thrum_queue_handler_opts){.capacity = 10});
    thrum_set_excepthook(log_failure, NULL);
    thrum_thread *thread = NULL;
    thrum_thread_start(&thread, raise_something, NULL, NULL);
    thrum_thread_join(thread, NULL);
    thrum_thread_free(thread);
    spec_join(spec_start(leave_a_local, name_of_local));
    pthread_key_create(&key, log_destructor);
    pthread_create(&foreign, NULL, leave_a_value, name);
    pthread_join(foreign, NULL);
    return 0;
}

static void hooks_and_destructors_may_log(void **state) {
    (void)state;
    spec_end end;
    spec_exits(log_in_hooks, 0, &end);
    assert_non_null(strstr(end.text, "hook: no row 7\n"
                                     "destructor of local data\ndestructor of thread\n"));
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

SPEC_TESTS(TEST(what_was_logged_before_exit_is_written),
           TEST(the_threads_that_exit_waits_for_may_log), TEST(children_of_busy_parents_can_log),
           TEST(hooks_and_destructors_may_log));
