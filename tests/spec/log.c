/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    int ends[2];
    char text[8192];
} s;

/* Sends the log into a pipe, that take() reads. */
static void open_log(thrum_log_opts opts) {
    assert_int_equal(pipe2(s.ends, O_NONBLOCK), 0);
    opts.fd = s.ends[1];
    assert_int_equal(thrum_log_config(&opts), 0);
}

static void close_log(void) {
    assert_int_equal(thrum_log_config(NULL), 0);
    close(s.ends[0]);
    close(s.ends[1]);
}

static const char *take(void) {
    ssize_t n = read(s.ends[0], s.text, sizeof s.text - 1);
    assert_true(n >= 0 || errno == EAGAIN);
    s.text[n < 0 ? 0 : n] = '\0';
    return s.text;
}

/* Logs one record by `format`. Returns the line. */
static const char *line_by(const char *format) {
    open_log((thrum_log_opts){.format = format, .level = THRUM_DEBUG});
    thrum_log_at(THRUM_INFO, "/src/dir/file.c", 42, "work", "message %d", 7);
    take();
    close_log();
    return s.text;
}

static int use_last_resort(void) {
    thrum_info("hidden");
    thrum_warning("careful %d%%", 1);
    thrum_log_at(THRUM_ERROR, "f.c", 1, "f", "%s", "bad");
    return thrum_log_enabled(THRUM_INFO) || !thrum_log_enabled(THRUM_WARNING);
}

static void before_config_warnings_go_bare_to_stderr(void **state) {
    (void)state;
    spec_end end;
    spec_exits(use_last_resort, 0, &end);
    assert_string_equal(end.text, "careful 1%\nbad\n");
}

static int use_defaults(void) {
    int rc = thrum_log_config(NULL);
    thrum_info("hidden");
    thrum_critical("all %s", "over");
    rc |= thrum_log_config(&(thrum_log_opts){.format = "", .datefmt = ""});
    thrum_error("bare");
    return rc;
}

static void defaults_are_those_of_python(void **state) {
    (void)state;
    spec_end end;
    spec_exits(use_defaults, 0, &end);
    assert_string_equal(end.text, "CRITICAL:root:all over\nbare\n");
}

static void fields_have_the_values_of_python(void **state) {
    static const char *const cases[][2] = {
        {"%(levelname)s", "INFO\n"},
        {"%(levelno)s %(levelno)d", "20 20\n"},
        {"%(name)s", "root\n"},
        {"%(filename)s", "file.c\n"},
        {"%(pathname)s", "/src/dir/file.c\n"},
        {"%(lineno)s %(lineno)d", "42 42\n"},
        {"%(funcName)s", "work\n"},
        {"%(message)s", "message 7\n"},
        {"<%(message)s|%(message)s>", "<message 7|message 7>\n"},
        {"100%% %(name)s%%", "100% root%\n"},
        {"%%(name)s %(name)s", "%(name)s root\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(line_by(cases[i][0]), cases[i][1]);
}

static void widths_flags_and_precisions_are_those_of_python(void **state) {
    static const char *const cases[][2] = {
        {"[%(levelname)-8s]", "[INFO    ]\n"},
        {"[%(levelname)8s]", "[    INFO]\n"},
        {"[%(levelname)08s]", "[    INFO]\n"},
        {"[%(levelname).2s]", "[IN]\n"},
        {"[%(levelname)-5.3s]", "[INF  ]\n"},
        {"[%(levelname).s]", "[]\n"},
        {"[%(message)12s]", "[   message 7]\n"},
        {"[%(message).4s]", "[mess]\n"},
        {"[%(lineno)05d]", "[00042]\n"},
        {"[%(lineno)-5d]", "[42   ]\n"},
        {"[%(lineno)-05d]", "[42   ]\n"},
        {"[%(lineno)+d]", "[+42]\n"},
        {"[%(lineno)+05i]", "[+0042]\n"},
        {"[%(lineno) u]", "[ 42]\n"},
        {"[%(lineno).4d]", "[0042]\n"},
        {"[%(lineno)x %(lineno)X %(lineno)o]", "[2a 2A 52]\n"},
        {"[%(lineno).2f]", "[42.00]\n"},
        {"[%(lineno)08.1f]", "[000042.0]\n"},
        {"[%(lineno).3e]", "[4.200e+01]\n"},
        {"[%(lineno)g]", "[42]\n"},
        {"[%(lineno)5s]", "[   42]\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(line_by(cases[i][0]), cases[i][1]);
}

static void widths_count_characters_not_bytes(void **state) {
    (void)state;
    open_log((thrum_log_opts){.format = "[%(message)5s|%(message)-5s|%(message).2s]"});
    thrum_error("h\xc3\xa9\xe2\x82\xac");
    assert_string_equal(take(), "[  h\xc3\xa9\xe2\x82\xac|h\xc3\xa9\xe2\x82\xac  |h\xc3\xa9]\n");
    close_log();
}

static void levels_have_names_and_odd_ones_their_number(void **state) {
    (void)state;
    open_log((thrum_log_opts){.format = "%(levelname)s", .level = 1});
    thrum_debug("%d", 0);
    thrum_info("%d", 0);
    thrum_warning("%d", 0);
    thrum_error("%d", 0);
    thrum_critical("%d", 0);
    thrum_log_at(15, "f.c", 1, "f", "%d", 0);
    assert_string_equal(take(), "DEBUG\nINFO\nWARNING\nERROR\nCRITICAL\nLevel 15\n");
    close_log();
}

static void macros_say_where_they_stand(void **state) {
    char expected[200];
    (void)state;
    open_log((thrum_log_opts){.format = "%(filename)s|%(pathname)s|%(lineno)d|%(funcName)s"});
    int line = __LINE__ + 1;
    thrum_warning("here");
    snprintf(expected, sizeof expected, "log.c|%s|%d|%s\n", __FILE__, line, __func__);
    assert_string_equal(take(), expected);
    thrum_log_at(THRUM_ERROR, NULL, 0, NULL, "nowhere");
    assert_string_equal(take(), "(unknown file)|(unknown file)|0|(unknown function)\n");
    close_log();
}

static void *log_from_thread(void *arg) {
    thrum_thread *self = thrum_thread_current();
    thrum_warning("x");
    snprintf(arg, 200, "%s %u %d\n", thrum_thread_name(self), (unsigned)thrum_thread_ident(self),
             (int)getpid());
    return NULL;
}

static void a_line_names_its_thread_and_process(void **state) {
    char expected[200];
    thrum_thread *thread;
    pthread_t foreign;
    (void)state;
    open_log((thrum_log_opts){.format = "%(threadName)s %(thread)d %(process)d"});
    log_from_thread(expected);
    assert_string_equal(take(), expected);
    assert_int_equal(thrum_thread_start(&thread, log_from_thread, expected,
                                        &(thrum_thread_opts){.name = "w\xc3\xb6rker, a long name"}),
                     0);
    spec_join(thread);
    assert_non_null(strstr(expected, "w\xc3\xb6rker, a long name "));
    assert_string_equal(take(), expected);
    assert_int_equal(pthread_create(&foreign, NULL, log_from_thread, expected), 0);
    assert_int_equal(pthread_join(foreign, NULL), 0);
    assert_string_equal(take(), expected);
    close_log();
}

static void the_times_of_a_line_agree(void **state) {
    char by_clock[100], expected[400];
    (void)state;
    for (int with_datefmt = 0; with_datefmt < 2; with_datefmt++) {
        const char *datefmt = with_datefmt ? "%H:%M:%S %d.%m.%Y" : NULL;
        open_log((thrum_log_opts){
            .format = "%(created)d %(msecs)03d %(asctime)s", .datefmt = datefmt});
        time_t before = time(NULL);
        for (int i = 0; i < 2; i++) {
            thrum_error("x");
            time_t created = strtoll(take(), NULL, 10);
            assert_true(created + 60 > before); /* within what clocks are set back by */
            const char *ms = strchr(s.text, ' ') + 1;
            strftime(by_clock, sizeof by_clock,
                     with_datefmt ? "%H:%M:%S %d.%m.%Y" : "%Y-%m-%d %H:%M:%S", localtime(&created));
            snprintf(expected, sizeof expected, "%lld %.3s %s%s%.*s\n", (long long)created, ms,
                     by_clock, with_datefmt ? "" : ",", with_datefmt ? 0 : 3, ms);
            assert_string_equal(s.text, expected);
        }
        close_log();
    }
}

static void times_are_numbers_as_in_python(void **state) {
    int fraction = 0;
    double created = 0, shortest = 0, ms = 0;
    (void)state;
    line_by("%(created)f %(created)s %(msecs)s");
    assert_int_equal(sscanf(s.text, "%lf %lf %lf", &created, &shortest, &ms), 3);
    assert_true(created - shortest < 1e-6 && shortest - created < 1e-6);
    sscanf(s.text, "%*d.%*6d%n", &fraction);
    assert_int_equal(s.text[fraction], ' ');
    double rest = (shortest - (double)(int64_t)shortest) * 1e3 - ms;
    assert_true(rest > -1e-3 && rest < 1 + 1e-3);
    assert_string_equal(s.text + strlen(s.text) - 3, ".0\n");
}

static const char *const bad_formats[][2] = {
    {"%(message)s %(nothing)d", "unknown field \"%(nothing)\""},
    {"%(Message)s", "unknown field \"%(Message)\""},
    {"%()s", "unknown field \"%()\""},
    {"%(message)s %(name", "no ) after \"%(name\""},
    {"%(message)s %(name)", "no conversion after \"%(name)\""},
    {"%(name)-8", "no conversion after \"%(name)-8\""},
    {"%(name)d", "bad conversion \"%(name)d\""},
    {"%(lineno)*d", "bad conversion \"%(lineno)*\""},
    {"%(created)x", "bad conversion \"%(created)x\""},
    {"%(message)n", "bad conversion \"%(message)n\""},
    {"%(message)99999999999s", "too large \"%(message)99999999999s\""},
    {"%(lineno).65d", "too large \"%(lineno).65d\""},
    {"%(message)s 5%", "\"%\""},
    {"%s %(message)s", "\"%s %(message)s\""},
    {"100%%", "no %(field)s in \"100%%\""},
    {"%(line\nfeed)s", "unknown field \"%(line?feed)\""},
};

enum { BAD_FORMATS = sizeof bad_formats / sizeof bad_formats[0] };

static int refuse_formats(void) {
    thrum_log_config(&(thrum_log_opts){.format = "before: %(message)s"});
    for (int i = 0; i < BAD_FORMATS; i++) {
        if (thrum_log_config(&(thrum_log_opts){.format = bad_formats[i][0], .level = 1}) != -EINVAL)
            return i + 1;
    }
    thrum_error("as");
    return thrum_log_enabled(1) ? 99 : 0;
}

static void a_bad_format_is_refused_by_name_and_changes_nothing(void **state) {
    (void)state;
    spec_end end;
    spec_exits(refuse_formats, 0, &end);
    for (int i = 0; i < BAD_FORMATS; i++) {
        if (!strstr(end.text, bad_formats[i][1]))
            fail_msg("\"%s\" is not in:\n%s", bad_formats[i][1], end.text);
    }
    assert_int_equal(spec_count_text(end.text, "thrum: thrum_log_config: "), BAD_FORMATS);
    assert_int_equal(spec_count_text(end.text, "\n"), BAD_FORMATS + 1);
    assert_non_null(strstr(end.text, "\nbefore: as\n"));
}

static int refuse_options(void) {
    static char datefmt[1000];
    memset(datefmt, 'x', sizeof datefmt - 1);
    int closed = dup(2);
    close(closed);
    return thrum_log_config(&(thrum_log_opts){.level = -1}) != -EINVAL ||
           thrum_log_config(&(thrum_log_opts){.fd = -1}) != -EINVAL ||
           thrum_log_config(&(thrum_log_opts){.fd = closed}) != -EINVAL ||
           thrum_log_config(&(thrum_log_opts){.reserved = {NULL, datefmt}}) != -EINVAL ||
           thrum_log_config(&(thrum_log_opts){.datefmt = datefmt}) != -EINVAL;
}

static void bad_options_are_refused_by_name(void **state) {
    (void)state;
    spec_end end;
    spec_exits(refuse_options, 0, &end);
    assert_int_equal(spec_count_text(end.text, "\n"), 5);
    assert_int_equal(spec_count_text(end.text, ".level"), 1);
    assert_int_equal(spec_count_text(end.text, ".fd"), 2);
    assert_int_equal(spec_count_text(end.text, ".reserved"), 1);
    assert_int_equal(spec_count_text(end.text, ".datefmt"), 1);
}

static void the_level_decides_and_arguments_wait_for_it(void **state) {
    int evaluated = 0;
    (void)state;
    open_log((thrum_log_opts){.level = THRUM_ERROR});
    assert_false(thrum_log_enabled(THRUM_WARNING));
    assert_true(thrum_log_enabled(THRUM_ERROR));
    thrum_warning("%d", ++evaluated);
    thrum_log_at(THRUM_WARNING, "f.c", 1, "f", "hidden");
    assert_int_equal(evaluated, 0);
    assert_string_equal(take(), "");
    thrum_error("%d", ++evaluated);
    assert_string_equal(take(), "ERROR:root:1\n");
    close_log();
}

static void the_strings_are_copied(void **state) {
    char format[] = "%(asctime)s-%(message)s", datefmt[] = "then";
    (void)state;
    open_log((thrum_log_opts){.format = format, .datefmt = datefmt});
    memset(format, 'x', sizeof format - 1);
    memset(datefmt, 'x', sizeof datefmt - 1);
    thrum_error("now");
    assert_string_equal(take(), "then-now\n");
    close_log();
}

static void a_message_is_expanded_once(void **state) {
    (void)state;
    open_log((thrum_log_opts){.format = "%(message)s"});
    thrum_error("%s %%d 50%%", "%s%n%(name)s");
    assert_string_equal(take(), "%s%n%(name)s %d 50%\n");
    thrum_error("a%cb", 0);
    assert_int_equal(read(s.ends[0], s.text, sizeof s.text), 4);
    assert_memory_equal(s.text, "a\0b\n", 4);
    close_log();
}

static void errno_is_kept_and_known_to_the_message(void **state) {
    char expected[200];
    (void)state;
    open_log((thrum_log_opts){.format = "%(asctime)s %(threadName)s%(message)s", .datefmt = "x"});
    snprintf(expected, sizeof expected, "x %s: %s\n", thrum_thread_name(thrum_thread_current()),
             strerror(ENOTDIR));
    errno = ENOTDIR;
    thrum_error(": %m");
    assert_int_equal(errno, ENOTDIR);
    assert_string_equal(take(), expected);
    close_log();
}

static void escape_shows_control_characters(void **state) {
    (void)state;
    open_log((thrum_log_opts){
        .format = "%(message)s|\t%(message).3s|%(message)12s", .escape = true});
    thrum_error("a\n\x1b\x7f");
    assert_string_equal(take(), "a\\x0a\\x1b\\x7f|\ta\\x0a\\x1b|a\\x0a\\x1b\\x7f\n");
    thrum_error("a\t");
    assert_string_equal(take(), "a\\x09|\ta\\x09|       a\\x09\n");
    thrum_log_at(THRUM_ERROR, "f.c", 1, "f", "%c", 0);
    assert_string_equal(take(), "\\x00|\t\\x00|        \\x00\n");
    close_log();
}

static void escape_leaves_text_and_shows_what_is_none(void **state) {
    static const char *const cases[][2] = {
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\xa7\xb5", "\xc3\xa9\xe2\x82\xac\xf0\x9f\xa7\xb5\n"},
        {"\xc2\xa0\xc2\x9b", "\xc2\xa0\\xc2\\x9b\n"},
        {"\x80 \xff", "\\x80 \\xff\n"},
        {"\xc0\x8a", "\\xc0\\x8a\n"},
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a\n"},
        {"\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a\n"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80\n"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80\n"},
        {"\xe2\x82", "\\xe2\\x82\n"},
        {"\xe2\n", "\\xe2\\x0a\n"},
        {"back\\slash", "back\\slash\n"},
    };
    (void)state;
    open_log((thrum_log_opts){.format = "%(message)s", .escape = true});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        thrum_error("%s", cases[i][0]);
        assert_string_equal(take(), cases[i][1]);
    }
    close_log();
}

SPEC_TESTS(cmocka_unit_test(before_config_warnings_go_bare_to_stderr),
           cmocka_unit_test(defaults_are_those_of_python),
           cmocka_unit_test(fields_have_the_values_of_python),
           cmocka_unit_test(widths_flags_and_precisions_are_those_of_python),
           cmocka_unit_test(widths_count_characters_not_bytes),
           cmocka_unit_test(levels_have_names_and_odd_ones_their_number),
           cmocka_unit_test(macros_say_where_they_stand),
           cmocka_unit_test(a_line_names_its_thread_and_process),
           cmocka_unit_test(the_times_of_a_line_agree),
           cmocka_unit_test(times_are_numbers_as_in_python),
           cmocka_unit_test(a_bad_format_is_refused_by_name_and_changes_nothing),
           cmocka_unit_test(bad_options_are_refused_by_name),
           cmocka_unit_test(the_level_decides_and_arguments_wait_for_it),
           cmocka_unit_test(the_strings_are_copied),
           cmocka_unit_test(a_message_is_expanded_once),
           cmocka_unit_test(errno_is_kept_and_known_to_the_message),
           cmocka_unit_test(escape_shows_control_characters),
           cmocka_unit_test(escape_leaves_text_and_shows_what_is_none));
