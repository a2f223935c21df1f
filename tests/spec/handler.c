/* SPDX-License-Identifier: MIT */
/* Handlers of all kinds: options, life, failures; functions of one's own. Rotation: handler_file.c;
 * queues: handler_queue.c. */
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static thrum_logger *logger;
static int ends[2];
static char text[8192];

static const char *take(void) {
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

/* A logger of its own for each test, with no other handlers. */
static int set_up(void **state) {
    (void)state;
    logger = thrum_logger_get("handler.spec");
    thrum_logger_set_propagate(logger, false);
    thrum_logger_set_level(logger, THRUM_DEBUG);
    return pipe2(ends, O_NONBLOCK);
}

static int tear_down(void **state) {
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void attach(thrum_handler *handler) {
    assert_non_null(handler);
    assert_int_equal(thrum_logger_add_handler(logger, handler), 0);
}

static void detach(thrum_handler *handler) {
    assert_int_equal(thrum_logger_remove_handler(logger, handler), 0);
    thrum_handler_free(handler);
}

static void a_stream_handler_writes_bare_messages(void **state) {
    (void)state;
    thrum_handler *handler = thrum_stream_handler_new(ends[1], NULL);
    attach(handler);
    thrum_logger_debug(logger, "n=%d", 1);
    assert_string_equal(take(), "n=1\n");
    detach(handler);
    thrum_logger_set_propagate(logger, false);
    assert_int_equal(fcntl(ends[1], F_GETFD), 0);
}

static void a_stream_handler_has_options(void **state) {
    (void)state;
    char format[] = "%(name)s|%(asctime)s|%(message)s", datefmt[] = "then";
    thrum_handler *handler = thrum_stream_handler_new(
        ends[1], &(thrum_handler_opts){
                     .level = THRUM_ERROR, .format = format, .datefmt = datefmt, .escape = true});
    memset(format, 'x', sizeof format - 1);
    memset(datefmt, 'x', sizeof datefmt - 1);
    attach(handler);
    thrum_logger_warning(logger, "hidden");
    thrum_logger_error(logger, "a\nb");
    assert_string_equal(take(), "handler.spec|then|a\\x0ab\n");
    detach(handler);
}

static thrum_log_record seen;
static char seen_name[64], seen_thread[64], seen_message[64], seen_text[128];

static void see(const thrum_log_record *record, void *arg) {
    assert_ptr_equal(arg, &seen);
    seen = *record;
    snprintf(seen_name, sizeof seen_name, "%s", record->name);
    snprintf(seen_thread, sizeof seen_thread, "%s", record->thread_name);
    snprintf(seen_message, sizeof seen_message, "%s", record->message);
    snprintf(seen_text, sizeof seen_text, "%s", record->text);
}

static void a_function_gets_the_record(void **state) {
    (void)state;
    thrum_handler *handler =
        thrum_handler_new(see, &seen, &(thrum_handler_opts){.format = "<%(message)s>"});
    attach(handler);
    thrum_logger_at(logger, 15, "dir/f.c", 42, "work", "%s %d%%", "x", 7);
    assert_int_equal(seen.level, 15);
    assert_int_equal(seen.line, 42);
    assert_int_equal(seen.message_size, 4);
    assert_int_equal(seen.text_size, 7);
    assert_int_equal(seen.thread, thrum_thread_ident(thrum_thread_current()));
    assert_true(seen.created > INT64_C(1000000000) * 1000000000);
    assert_string_equal(seen_name, "handler.spec");
    assert_string_equal(seen_thread, thrum_thread_name(thrum_thread_current()));
    assert_string_equal(seen_message, "x 7%");
    assert_string_equal(seen_text, "<x 7%>\n");
    thrum_logger_at(logger, THRUM_INFO, NULL, 0, NULL, "%2000s", "y");
    assert_int_equal(seen.message_size, 2000);
    assert_int_equal(seen.text_size, 2003);
    assert_true(seen.file == NULL && seen.function == NULL);
    detach(handler);
}

typedef struct again {
    thrum_handler *self;
    int depth;
} again;

/* Logs inside a handler's function. */
static void log_again(const thrum_log_record *record, void *arg) {
    again *a = arg;
    assert_int_equal(a->depth++, 0);
    thrum_logger_info(logger, "inside %s", record->message);
    thrum_handler_flush(a->self);
    a->depth--;
}

static void what_a_function_logs_goes_to_files_only(void **state) {
    (void)state;
    again a = {NULL, 0}, b = {NULL, 0};
    thrum_handler *file = thrum_stream_handler_new(ends[1], NULL);
    a.self = thrum_handler_new(log_again, &a, NULL);
    b.self = thrum_handler_new(log_again, &b, NULL);
    thrum_handler *queue = thrum_queue_handler_new(file, NULL);
    attach(a.self);
    attach(b.self);
    attach(queue);
    attach(file);
    thrum_logger_info(logger, "x");
    thrum_handler_flush(queue);
    take();
    assert_int_equal(spec_count_text(text, "inside x\n"), 2);
    assert_int_equal(spec_count_text(text, "\n"), 4);
    assert_int_equal(thrum_handler_dropped(a.self), 2);
    assert_int_equal(thrum_handler_dropped(b.self), 2);
    assert_int_equal(thrum_handler_dropped(queue), 2);
    assert_int_equal(thrum_handler_dropped(file), 0);
    detach(file);
    detach(queue);
    detach(b.self);
    detach(a.self);
}

static struct {
    int inside, most, calls;
} turns;

static void take_turn(const thrum_log_record *record, void *arg) {
    (void)record;
    (void)arg;
    turns.inside++;
    turns.most = turns.inside > turns.most ? turns.inside : turns.most;
    spec_yield();
    turns.calls++;
    turns.inside--;
}

static void *log_turns(void *arg) {
    for (int i = 0; i < 50; i++)
        thrum_logger_info(logger, "%d", i);
    return arg;
}

static void a_function_is_called_once_at_a_time(void **state) {
    (void)state;
    spec_team team = {.n = 0};
    thrum_handler *handler = thrum_handler_new(take_turn, NULL, NULL);
    memset(&turns, 0, sizeof turns);
    attach(handler);
    spec_team_start(&team, 8, log_turns, NULL);
    spec_team_join(&team);
    assert_int_equal(turns.most, 1);
    assert_int_equal(turns.calls, 8 * 50);
    detach(handler);
}

static void close_from_inside(const thrum_log_record *record, void *arg) {
    (void)record;
    turns.calls++;
    thrum_handler_close(*(thrum_handler **)arg);
}

static void a_closed_handler_drops_what_it_gets(void **state) {
    (void)state;
    thrum_handler *self, *stream = thrum_stream_handler_new(ends[1], NULL);
    attach(stream);
    thrum_logger_info(logger, "a");
    thrum_handler_close(stream);
    thrum_handler_close(stream);
    thrum_logger_info(logger, "b");
    thrum_handler_flush(stream);
    assert_string_equal(take(), "a\n");
    detach(stream);
    turns.calls = 0;
    self = thrum_handler_new(close_from_inside, &self, NULL);
    attach(self);
    thrum_logger_info(logger, "c");
    thrum_logger_info(logger, "d");
    assert_int_equal(turns.calls, 1);
    detach(self);
    stream = thrum_stream_handler_new(ends[1], NULL);
    thrum_handler *queue = thrum_queue_handler_new(stream, NULL);
    attach(queue);
    thrum_logger_info(logger, "e");
    thrum_handler_close(queue);
    thrum_logger_info(logger, "f");
    assert_string_equal(take(), "e\n");
    detach(queue);
    thrum_handler_free(stream);
    thrum_handler_free(NULL);
}

static void what_cannot_be_written_is_counted(void **state) {
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    int read_only = open("/dev/null", O_RDONLY);
    thrum_handler *handlers[] = {thrum_stream_handler_new(full, NULL),
                                 thrum_stream_handler_new(read_only, NULL),
                                 thrum_stream_handler_new(ends[1], NULL)};
    for (int i = 0; i < 3; i++)
        attach(handlers[i]);
    close(ends[0]);
    errno = 7;
    thrum_logger_error(logger, "a");
    thrum_logger_error(logger, "b");
    assert_int_equal(errno, 7);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(thrum_handler_failed(handlers[i]), 2);
        assert_int_equal(thrum_handler_dropped(handlers[i]), 0);
        detach(handlers[i]);
    }
    close(full);
    close(read_only);
    ends[0] = dup(ends[1]);
}

static int use_bad_options(void) {
    static int reserved;
    int closed = dup(2), bad = 0;
    close(closed);
    thrum_handler *target = thrum_stream_handler_new(2, NULL);
#define REFUSED(call) (errno = 0, bad += (call) != NULL || errno != EINVAL)
    REFUSED(thrum_stream_handler_new(-1, NULL));
    REFUSED(thrum_stream_handler_new(closed, NULL));
    REFUSED(thrum_stream_handler_new(1, &(thrum_handler_opts){.level = -1}));
    REFUSED(thrum_stream_handler_new(1, &(thrum_handler_opts){.format = "%(x)s"}));
    REFUSED(thrum_stream_handler_new(1, &(thrum_handler_opts){.reserved = {&reserved}}));
    REFUSED(thrum_handler_new(NULL, NULL, NULL));
    REFUSED(thrum_file_handler_new(NULL, NULL));
    REFUSED(thrum_file_handler_new("", NULL));
    REFUSED(thrum_file_handler_new("x", &(thrum_file_handler_opts){.max_bytes = 10}));
    REFUSED(thrum_file_handler_new("x", &(thrum_file_handler_opts){.backup_count = 1}));
    REFUSED(thrum_file_handler_new(
        "x", &(thrum_file_handler_opts){.max_bytes = 1, .backup_count = -1}));
    REFUSED(thrum_file_handler_new("x", &(thrum_file_handler_opts){.flush_level = -1}));
    REFUSED(thrum_queue_handler_new(NULL, NULL));
    REFUSED(thrum_queue_handler_new(
        target, &(thrum_queue_handler_opts){.overflow = (thrum_handler_overflow)3}));
    REFUSED(thrum_queue_handler_new(target, &(thrum_queue_handler_opts){.level = -1}));
    errno = 0;
    bad += thrum_file_handler_new("/no/such/folder/x", NULL) != NULL || errno != ENOENT;
    thrum_handler_free(target);
    bad += access("x", F_OK) == 0;
    return bad;
}

static void bad_options_are_refused_by_name(void **state) {
    (void)state;
    static const char *const parts[] = {
        "thrum_stream_handler_new: .fd", ".level", ".format: unknown field \"%(x)\"", ".reserved",
        "thrum_handler_new: emit", "thrum_file_handler_new: the path", ".max_bytes",
        ".backup_count must", ".flush_level", "thrum_queue_handler_new: target", ".overflow",
        "\"/no/such/folder/x\": No such file"};
    spec_end end;
    spec_exits(use_bad_options, 0, &end);
    assert_int_equal(spec_count_text(end.text, "\n"), 16);
    assert_int_equal(spec_count_text(end.text, "thrum: thrum_"), 16);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(end.text, parts[i]))
            fail_msg("\"%s\" is not in:\n%s", parts[i], end.text);
    }
}

static void log_to_all(const thrum_log_record *record, void *arg) {
    dprintf(2, "%s%s", (const char *)arg, record->text);
}

static int log_in_child(void) {
    thrum_logger_info(logger, "child");
    return 0;
}

static void a_fork_resets_the_handlers(void **state) {
    (void)state;
    static char mark[] = "f:";
    thrum_handler *function = thrum_handler_new(log_to_all, mark, NULL);
    attach(function);
    spec_end end;
    spec_exits(log_in_child, 0, &end);
    assert_string_equal(end.text, "f:child\n");
    detach(function);
}

static char big[200000];

static void *log_big(void *to) {
    thrum_logger_error((thrum_logger *)to, "%s", big);
    return NULL;
}

static int log_and_exit(void) {
    thrum_logger_error(logger, "child");
    return 0;
}

/* Fills stderr with a line of a thread that cannot finish it, forks, and lets the thread go on. */
static void a_fork_resets_the_last_resort(void **state) {
    (void)state;
    spec_needs_os("threads that block in write()");
    int saved = dup(2), used = 0;
    spec_end end;
    memset(big, 'x', sizeof big - 1);
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], 2);
    thrum_thread *thread = spec_start(log_big, logger);
    for (int before = -1; used == 0 || used != before; spec_yield()) {
        before = used;
        ioctl(ends[0], FIONREAD, &used);
    }
    spec_exits(log_and_exit, 0, &end);
    assert_string_equal(end.text, "child\n");
    fcntl(ends[0], F_SETFL, 0);
    for (size_t n = 0; n < sizeof big; n += (size_t)read(ends[0], text, sizeof text))
        continue;
    spec_join(thread);
    dup2(saved, 2);
    close(saved);
}

static thrum_event blocked;

static void block(const thrum_log_record *record, void *arg) {
    static thrum_event never;
    (void)record;
    thrum_event_set(arg);
    thrum_event_wait(&never);
}

static int exit_beside_blocked_daemons(void) {
    static const thrum_thread_opts daemon = {.daemon = true};
    fcntl(ends[1], F_SETFL, 0);
    attach(thrum_stream_handler_new(ends[1], NULL));
    thrum_thread_start(NULL, log_big, logger, &daemon);
    for (int used = 0; used == 0; spec_yield())
        ioctl(ends[0], FIONREAD, &used);
    logger = thrum_logger_get("handler.spec.blocked");
    thrum_logger_set_propagate(logger, false);
    attach(thrum_handler_new(block, &blocked, NULL));
    thrum_thread_start(NULL, log_big, logger, &daemon);
    thrum_event_wait(&blocked);
    return 0;
}

static void exit_does_not_wait_for_blocked_daemons(void **state) {
    (void)state;
    spec_needs_os("threads that block in write()");
    spec_end end;
    memset(big, 'x', sizeof big - 1);
    spec_exits(exit_beside_blocked_daemons, 0, &end);
    assert_string_equal(end.text, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

SPEC_TESTS(TEST(a_stream_handler_writes_bare_messages), TEST(a_stream_handler_has_options),
           TEST(a_function_gets_the_record), TEST(what_a_function_logs_goes_to_files_only),
           TEST(a_function_is_called_once_at_a_time), TEST(a_closed_handler_drops_what_it_gets),
           TEST(what_cannot_be_written_is_counted), TEST(bad_options_are_refused_by_name),
           TEST(a_fork_resets_the_handlers),
           TEST(a_fork_resets_the_last_resort), TEST(exit_does_not_wait_for_blocked_daemons));
