/* SPDX-License-Identifier: MIT */
/* File handlers: modes, buffers, rotation. */
#include "spec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static thrum_logger *logger;
static char folder[64];
static char text[1 << 16];

static int set_up(void **state) {
    (void)state;
    logger = thrum_logger_get("file.spec");
    thrum_logger_set_propagate(logger, false);
    thrum_logger_set_level(logger, THRUM_DEBUG);
    snprintf(folder, sizeof folder, "/tmp/thrum_spec_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *path_of(const char *name) {
    static char path[4][512];
    static int next;
    char *at = path[next++ % 4];
    snprintf(at, sizeof path[0], "%s/%s", folder, name);
    return at;
}

/* Empties and removes the folder. Returns how many entries it had. */
static int clear_folder(void) {
    DIR *directory = opendir(folder);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (unlink(path_of(entry->d_name)) != 0)
            rmdir(path_of(entry->d_name));
    }
    closedir(directory);
    rmdir(folder);
    return n;
}

static int tear_down(void **state) {
    (void)state;
    if (access(folder, F_OK) == 0)
        clear_folder();
    return 0;
}

/* Returns what the file holds, "-" if there is none. */
static const char *content(const char *name) {
    int fd = open(path_of(name), O_RDONLY);
    if (fd < 0)
        return "-";
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static thrum_handler *attach_file(const char *name, thrum_file_handler_opts opts) {
    thrum_handler *handler = thrum_file_handler_new(path_of(name), &opts);
    assert_non_null(handler);
    assert_int_equal(thrum_logger_add_handler(logger, handler), 0);
    return handler;
}

static void detach(thrum_handler *handler) {
    assert_int_equal(thrum_logger_remove_handler(logger, handler), 0);
    thrum_handler_free(handler);
}

static void files_are_appended_to_or_truncated(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        thrum_file_handler_opts opts = {.truncate = i == 2, .format = "%(message)s!"};
        thrum_handler *handler = attach_file("f", opts);
        thrum_logger_info(logger, "%d", i);
        detach(handler);
        assert_string_equal(content("f"), i == 0 ? "0!\n" : i == 1 ? "0!\n1!\n" : "2!\n");
    }
}

static void a_relative_path_stays_where_it_was(void **state) {
    (void)state;
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    thrum_file_handler_opts opts = {.max_bytes = 4, .backup_count = 1};
    thrum_handler *handler = thrum_file_handler_new("rel", &opts);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(thrum_logger_add_handler(logger, handler), 0);
    thrum_logger_info(logger, "one");
    thrum_logger_info(logger, "two");
    detach(handler);
    assert_string_equal(content("rel"), "two\n");
    assert_string_equal(content("rel.1"), "one\n");
}

static void config_opens_files_as_basicConfig_does(void **state) {
    (void)state;
    thrum_log_opts opts = {.filename = path_of("c"), .format = "%(message)s"};
    assert_int_equal(thrum_log_config(&opts), 0);
    thrum_error("a");
    assert_int_equal(thrum_log_config(&opts), 0);
    thrum_error("b");
    assert_string_equal(content("c"), "a\nb\n");
    opts.filemode = "w";
    assert_int_equal(thrum_log_config(&opts), 0);
    thrum_error("c");
    assert_string_equal(content("c"), "c\n");
    assert_int_equal(thrum_log_config(NULL), 0);
}

static int use_bad_config(void) {
    return thrum_log_config(&(thrum_log_opts){.filename = "/no/such/file"}) != -ENOENT ||
           thrum_log_config(&(thrum_log_opts){.filename = "/tmp/x", .fd = 1}) != -EINVAL ||
           thrum_log_config(&(thrum_log_opts){.filemode = "w"}) != -EINVAL ||
           thrum_log_config(&(thrum_log_opts){.filename = "/x", .filemode = "r"}) != -EINVAL;
}

static void bad_files_of_config_are_refused_by_name(void **state) {
    (void)state;
    spec_end end;
    spec_exits(use_bad_config, 0, &end);
    assert_int_equal(spec_count_text(end.text, "thrum: thrum_log_config: "), 4);
    assert_int_equal(spec_count_text(end.text, "\n"), 4);
    assert_int_equal(spec_count_text(end.text, ".filemode"), 2);
}

static void files_rotate_at_their_size(void **state) {
    (void)state;
    thrum_handler *handler =
        attach_file("r", (thrum_file_handler_opts){.max_bytes = 20, .backup_count = 2});
    thrum_logger_info(logger, "%s", "123456789"); /* 10 bytes with the newline */
    thrum_logger_info(logger, "%s", "12345678");  /* 19 */
    assert_string_equal(content("r"), "123456789\n12345678\n");
    thrum_logger_info(logger, "%s", ""); /* would make it 20 */
    assert_string_equal(content("r.1"), "123456789\n12345678\n");
    assert_string_equal(content("r"), "\n");
    thrum_logger_info(logger, "a line longer than a whole file");
    assert_string_equal(content("r.2"), "123456789\n12345678\n");
    assert_string_equal(content("r.1"), "\n");
    assert_string_equal(content("r"), "a line longer than a whole file\n");
    thrum_logger_info(logger, "next");
    assert_string_equal(content("r.2"), "\n");
    assert_string_equal(content("r.1"), "a line longer than a whole file\n");
    assert_string_equal(content("r"), "next\n");
    assert_string_equal(content("r.3"), "-");
    detach(handler);
    handler = attach_file("r", (thrum_file_handler_opts){.max_bytes = 10, .backup_count = 1});
    thrum_logger_info(logger, "1234"); /* 5 are there: together 10 */
    assert_string_equal(content("r"), "1234\n");
    assert_string_equal(content("r.1"), "next\n");
    detach(handler);
    assert_int_equal(clear_folder(), 3);
}

enum { THREADS = 8, LINES = 300, MAX_BYTES = 1000, BACKUPS = 200 };

static void *log_numbered(void *arg) {
    static int next;
    int self = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % THREADS;
    for (int i = 0; i < LINES; i++) {
        spec_perhaps_yield();
        thrum_logger_info(logger, "%d %d %.*s.", self, i, i % 50,
                          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    return arg;
}

/* Checks the lines of one file. Returns how many. */
static int check_lines(const char *lines, int next[THREADS]) {
    int n = 0;
    for (const char *at = lines; *at; n++) {
        int self = -1, i = -1, used = 0;
        assert_int_equal(sscanf(at, "%d %d%n", &self, &i, &used), 2);
        assert_in_range(self, 0, THREADS - 1);
        assert_int_equal(i, next[self]++);
        at += used + 1;
        assert_int_equal(strspn(at, "x"), i % 50);
        at += i % 50;
        assert_memory_equal(at, ".\n", 2);
        at += 2;
    }
    return n;
}

static void rotation_loses_and_splits_no_line(void **state) {
    (void)state;
    for (int held = 0; held < 2; held++) {
        spec_team team = {.n = 0};
        int next[THREADS] = {0}, n = 0, files = 0;
        char name[32];
        thrum_handler *handler = attach_file(
            held ? "h" : "m", (thrum_file_handler_opts){.max_bytes = MAX_BYTES,
                                                        .backup_count = BACKUPS,
                                                        .buffer_size = held ? 700 : 0});
        spec_team_start(&team, THREADS, log_numbered, NULL);
        spec_team_join(&team);
        detach(handler);
        for (int i = BACKUPS; i >= 0; i--) {
            snprintf(name, sizeof name, i ? "%s.%d" : "%s", held ? "h" : "m", i);
            const char *lines = content(name);
            if (*lines == '-')
                continue;
            files++;
            assert_in_range(strlen(lines), i ? MAX_BYTES - 60 : 1, MAX_BYTES - 1);
            n += check_lines(lines, next);
        }
        assert_int_equal(n, THREADS * LINES);
        assert_true(files > 50 && files < BACKUPS);
    }
}

static int rotate_in_vain(void) {
    thrum_file_handler_opts opts = {.max_bytes = 10, .backup_count = 1};
    mkdir(path_of("v.1"), 0700);
    mkdir(path_of("v.1/full"), 0700);
    thrum_handler *handler = attach_file("v", opts);
    for (int i = 0; i < 9; i++)
        thrum_logger_info(logger, "line %d", i);
    int bad = strlen(content("v")) != 9 * 7;
    rmdir(path_of("v.1/full"));
    rmdir(path_of("v.1"));
    for (int i = 0; i < 9; i++)
        thrum_logger_info(logger, "line %d", i);
    bad |= strlen(content("v")) >= 10 || strlen(content("v.1")) < 7;
    bad |= thrum_handler_failed(handler) != 0;
    detach(handler);
    clear_folder();
    return bad;
}

static void a_rotation_that_fails_is_said_once_and_loses_nothing(void **state) {
    (void)state;
    spec_end end;
    spec_exits(rotate_in_vain, 0, &end);
    assert_int_equal(spec_count_text(end.text, "cannot be rotated"), 1);
    assert_int_equal(spec_count_text(end.text, "\n"), 1);
}

static void a_buffer_holds_lines_back(void **state) {
    (void)state;
    thrum_handler *handler = attach_file("b", (thrum_file_handler_opts){.buffer_size = 10});
    thrum_logger_info(logger, "abc");
    thrum_logger_info(logger, "def");
    assert_string_equal(content("b"), "");
    thrum_logger_info(logger, "g");
    assert_string_equal(content("b"), "");
    thrum_logger_info(logger, "h");
    assert_string_equal(content("b"), "abc\ndef\ng\n");
    thrum_logger_error(logger, "i");
    assert_string_equal(content("b"), "abc\ndef\ng\nh\ni\n");
    thrum_logger_info(logger, "j");
    thrum_handler_flush(handler);
    assert_string_equal(content("b"), "abc\ndef\ng\nh\ni\nj\n");
    thrum_logger_info(logger, "longer than the buffer");
    assert_string_equal(content("b") + 16, "longer than the buffer\n");
    thrum_logger_info(logger, "k");
    detach(handler);
    assert_string_equal(content("b") + 16, "longer than the buffer\nk\n");
    handler = attach_file("b2", (thrum_file_handler_opts){.buffer_size = 100, .flush_level = 1});
    thrum_logger_info(logger, "l");
    assert_string_equal(content("b2"), "l\n");
    detach(handler);
}

static thrum_handler *global;

static void log_late(void) { thrum_logger_info(logger, "late"); }

static int exit_with_lines_held_back(void) {
    atexit(log_late);
    global = attach_file("e", (thrum_file_handler_opts){.buffer_size = 4096});
    atexit(log_late);
    thrum_logger_info(logger, "early");
    return 0;
}

/* After the library's own, of the same number: the program is linked in this order. */
__attribute__((destructor(101))) static void log_last(void) {
    if (global)
        thrum_logger_info(logger, "last");
}

static void what_is_held_back_is_written_at_exit(void **state) {
    (void)state;
    spec_end end;
    spec_exits(exit_with_lines_held_back, 0, &end);
    assert_string_equal(content("e"), "early\nlate\nlate\nlast\n");
}

static int log_in_child(void) {
    thrum_logger_info(logger, "child");
    return 0;
}

static void what_is_held_back_at_a_fork_is_the_parents(void **state) {
    (void)state;
    spec_end end;
    thrum_handler *handler = attach_file("k", (thrum_file_handler_opts){.buffer_size = 4096});
    thrum_logger_info(logger, "parent");
    spec_exits(log_in_child, 0, &end);
    assert_string_equal(content("k"), "child\n");
    detach(handler);
    assert_string_equal(content("k"), "child\nparent\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

SPEC_TESTS(TEST(files_are_appended_to_or_truncated), TEST(a_relative_path_stays_where_it_was),
           TEST(config_opens_files_as_basicConfig_does),
           TEST(bad_files_of_config_are_refused_by_name), TEST(files_rotate_at_their_size),
           TEST(rotation_loses_and_splits_no_line),
           TEST(a_rotation_that_fails_is_said_once_and_loses_nothing),
           TEST(a_buffer_holds_lines_back), TEST(what_is_held_back_is_written_at_exit),
           TEST(what_is_held_back_at_a_fork_is_the_parents));
