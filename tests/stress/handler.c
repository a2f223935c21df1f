/* SPDX-License-Identifier: MIT */
/* Threads log by a tree of loggers with all kinds of handlers, while others attach, detach, close,
 * set levels and fork: every line is whole, in its thread's order, none is lost or written
 * twice. */
#include "spec.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sanitizers.h"

enum { LOGGERS = 8, FILES = 4 };

static struct {
    uint32_t stop;
    int fds[FILES];
    int null;
    unsigned counts[LOGGERS];
    size_t emitted;
} s;

static bool stopped(void) { return __atomic_load_n(&s.stop, __ATOMIC_RELAXED); }

static void *log_lines(void *arg) {
    int self = (int)(uintptr_t)arg;
    char name[32];
    unsigned i = 0;
    for (; !stopped() && i < 200000; i++) {
        snprintf(name, sizeof name, "stress.%d.%u", self, i % 9);
        thrum_logger_info(thrum_logger_get(name), "%d %u %.*s.", self, i, (int)(i * 7 % 90),
                          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        if (i % 5 == 0)
            spec_yield();
    }
    s.counts[self] = i;
    return NULL;
}

static void count_record(const thrum_log_record *record, void *arg) {
    (void)arg;
    s.emitted += record->text_size > 0; /* one call at a time */
}

/* Attaches and detaches handlers that come and go, at the loggers in the middle. */
static void *change(void *arg) {
    unsigned random = (unsigned)spec_seed();
    while (!stopped()) {
        char name[32];
        random = random * 1664525 + 1013904223;
        snprintf(name, sizeof name, "stress.%u", random >> 29);
        thrum_logger *logger = thrum_logger_get(name);
        thrum_handler *stream = thrum_stream_handler_new(s.null, NULL);
        thrum_handler *queue = thrum_queue_handler_new(
            stream, &(thrum_queue_handler_opts){
                        .capacity = 1 + (random >> 20) % 8,
                        .overflow = (thrum_handler_overflow)((random >> 10) % 3)});
        assert_int_equal(thrum_logger_add_handler(logger, queue), 0);
        assert_int_equal(thrum_logger_add_handler(logger, stream), 0);
        thrum_handler_free(stream);
        spec_yield();
        if (random & 4096)
            thrum_handler_close(queue);
        assert_int_equal(thrum_logger_remove_handler(logger, queue), 0);
        assert_int_equal(thrum_logger_remove_handler(logger, stream), 0);
        thrum_handler_free(queue);
        thrum_logger_set_level(logger, random & 8192 ? THRUM_DEBUG : 0);
    }
    return arg;
}

static void fork_child(void) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        thrum_logger_error(thrum_logger_get("stress.0.1"), "child");
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Every line of `fd` is whole and the next of its thread; all of them are there. */
static void check_file(int fd) {
    unsigned next[LOGGERS] = {0};
    FILE *file = fdopen(fd, "r");
    char line[256];
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        int self = -1, used = 0;
        unsigned i = 0;
        if (!strcmp(line, "child\n"))
            continue;
        assert_int_equal(sscanf(line, "%d %u %n", &self, &i, &used), 2);
        assert_in_range(self, 0, LOGGERS - 1);
        assert_int_equal(i, next[self]++);
        assert_int_equal(strspn(line + used, "x"), i * 7 % 90);
        assert_string_equal(line + used + i * 7 % 90, ".\n");
    }
    for (int i = 0; i < LOGGERS; i++)
        assert_int_equal(next[i], s.counts[i]);
    fclose(file);
}

static thrum_handler *attach_file(int i, size_t buffer_size, bool queue) {
    char path[] = "/tmp/thrum_stress_XXXXXX";
    s.fds[i] = mkstemp(path);
    assert_true(s.fds[i] >= 0);
    thrum_handler *handler =
        thrum_file_handler_new(path, &(thrum_file_handler_opts){.buffer_size = buffer_size});
    assert_non_null(handler);
    unlink(path);
    if (queue) {
        thrum_handler *target = handler;
        handler = thrum_queue_handler_new(target, &(thrum_queue_handler_opts){.capacity = 50});
        thrum_handler_free(target);
    }
    assert_int_equal(thrum_logger_add_handler(thrum_logger_get("stress"), handler), 0);
    return handler;
}

static void no_line_is_lost(void **state) {
    thrum_thread *threads[LOGGERS];
    (void)state;
    thrum_logger *logger = thrum_logger_get("stress");
    thrum_logger_set_level(logger, THRUM_INFO);
    thrum_logger_set_propagate(logger, false);
    thrum_handler *handlers[] = {attach_file(0, 0, false), attach_file(1, 1000, false),
                                 attach_file(2, 0, true), attach_file(3, 300, true),
                                 thrum_handler_new(count_record, NULL, NULL)};
    thrum_logger_add_handler(logger, handlers[4]);
    s.null = open("/dev/null", O_WRONLY); /* those who log may write to it until they end */
    for (uintptr_t i = 0; i < LOGGERS; i++)
        threads[i] = spec_start(log_lines, (void *)i);
    thrum_thread *changer = spec_start(change, NULL);
    thrum_deadline end = thrum_in(spec_stress_seconds());
    if (SPEC_ASAN || SPEC_TSAN)
        print_message("skipped: the forks: a sanitizer is not safe at them, or refuses threads\n");
    while (thrum_now().ns < end.ns)
        SPEC_ASAN || SPEC_TSAN ? (void)thrum_sleep_until(end) : fork_child();
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < LOGGERS; i++)
        spec_join(threads[i]);
    spec_join(changer);
    close(s.null);
    size_t sum = 0;
    for (int i = 0; i < LOGGERS; i++)
        sum += s.counts[i];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(thrum_handler_failed(handlers[i]), 0);
        assert_int_equal(thrum_handler_dropped(handlers[i]), 0);
        assert_int_equal(thrum_logger_remove_handler(logger, handlers[i]), 0);
        thrum_handler_free(handlers[i]);
    }
    assert_int_equal(s.emitted, sum);
    assert_true(sum > 0);
    for (int i = 0; i < FILES; i++)
        check_file(s.fds[i]);
}

SPEC_TESTS(cmocka_unit_test(no_line_is_lost));
