/* SPDX-License-Identifier: MIT */
/* Workers that a command starts, and what workers write. */
#include "entries.h"
#include "spec.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thrum/processes.h>
#include <unistd.h>

enum { LINES = 200, LONG = 20000 };

THRUM_TASK(int, process) { return (int)getpid(); }

THRUM_TASK(int, niceness) { return getpriority(PRIO_PROCESS, 0); }

THRUM_TASK(void, work_for_ever, (int, stopped)) {
    for (;;)
        stopped ? raise(SIGSTOP) : pause();
}

THRUM_TASK(void, say, (int, x)) {
    printf("out %d.\n", x);
    fprintf(stderr, "err %d.\n", x);
}

THRUM_TASK(void, say_last_words, (int, how)) {
    printf("a whole line\n");
    (void)!write(STDOUT_FILENO, "last words", 10);
    (void)!write(STDERR_FILENO, "\nlast ", 6);
    (void)!write(STDERR_FILENO, "error", 5);
    kill(getpid(), how);
}

THRUM_TASK(void, say_much) {
    for (int i = 0; i < LONG; i++)
        putchar('=');
    printf("!\n\n");
}

static char *program(void) {
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(n > 0);
    path[n] = '\0';
    return path;
}

static thrum_executor *pool_of(int n, const thrum_processes_opts *opts) {
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .backend_opts = opts, .max_workers = n, .name_prefix = "C"});
    assert_non_null(pool);
    return pool;
}

/* 'T' stopped, 'X' gone, 'Z' too: init may leave it for a while. */
static char state_of(int pid) {
    char path[64], state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    if (file)
        fclose(file);
    return state == 'Z' ? 'X' : state;
}

static int print_lines(void) {
    thrum_executor *pool = pool_of(
        2, &(thrum_processes_opts){.output = 1, .max_tasks_per_child = 7});
    for (int i = 0; i < LINES; i++)
        if (say_submit(pool, NULL, i) != 0)
            return 1;
    thrum_executor_free(pool);
    printf("\nafter\n");
    return 0;
}

static void test_output_carries_the_name(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    char line[64];
    spec_exits(print_lines, 0, &end);
    for (int i = 0; i < LINES; i++)
        for (int k = 0; k < 2; k++) {
            snprintf(line, sizeof line, ": %s %d.\n", k ? "err" : "out", i);
            assert_int_equal(spec_count_text(end.text, line), 1);
        }
    assert_int_equal(spec_count_text(end.text, "C_0: ") + spec_count_text(end.text, "C_1: "),
                     2 * LINES);
    assert_int_equal(spec_count_text(end.text, "\n"), 2 * LINES + 2);
    assert_string_equal(end.text + strlen(end.text) - 7, "\nafter\n"); /* and nothing behind */
}

static int print_last_words(void) {
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.output = 1});
    if (say_last_words_submit(pool, NULL, SIGKILL) != 0)
        return 1;
    thrum_executor_free(pool);
    return 0;
}

static void test_nothing_is_lost_when_it_dies(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_exits(print_last_words, 0, &end);
    assert_int_equal(spec_count_text(end.text, "C_0: a whole line\n"), 1);
    assert_int_equal(spec_count_text(end.text, "C_0: last words\n"), 1);
    assert_int_equal(spec_count_text(end.text, "C_0: last error\n"), 1);
}

static int print_much(void) {
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.output = 1});
    if (say_much_submit(pool, NULL) != 0)
        return 1;
    thrum_executor_free(pool);
    return 0;
}

/* What spec_end keeps is 16 KiB: that of the first two parts is enough. */
static void test_long_lines_come_in_parts(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_child(print_much, &end);
    const char *second = strstr(end.text + 1, "\nC_0: ====");
    assert_int_equal(strncmp(end.text, "C_0: ====", 9), 0);
    assert_non_null(second);
    assert_int_equal(second - end.text, 8192 + 5);
}

static void test_a_wrapper_that_becomes_the_program(void **state) {
    (void)state;
    spec_needs_own_processes();
    const char *command[] = {"nice", "-n", "3", program(), NULL};
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.command = command});
    command[0] = "nothing";
    thrum_future *f;
    int value = 0, here = getpriority(PRIO_PROCESS, 0);
    assert_int_equal(niceness_submit(pool, &f), 0);
    assert_int_equal(niceness_result(f, &value), 0);
    assert_int_equal(value, here + 3 < 19 ? here + 3 : 19);
    thrum_future_free(f);
    thrum_executor_free(pool);
}

/* The child of its child is the worker. */
static const char *const *wrapper(void) {
    static const char *command[] = {"sh", "-c", "sh -c '\"$0\" & wait' \"$0\" & wait", NULL, NULL};
    command[3] = program();
    return command;
}

static void test_a_wrapper_that_stays(void **state) {
    (void)state;
    spec_needs_own_processes();
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.command = wrapper()});
    thrum_future *f;
    int pids[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(process_submit(pool, &f), 0);
        assert_int_equal(process_result(f, &pids[i]), 0);
        thrum_future_free(f);
        assert_int_equal(work_for_ever_submit(pool, &f, i == 0), 0);
        while (!thrum_future_running(f) || (i == 0 && state_of(pids[i]) != 'T'))
            spec_yield();
        assert_true(thrum_future_cancel(f));
        thrum_future_free(f);
        while (state_of(pids[i]) != 'X')
            spec_yield();
    }
    assert_true(pids[0] != pids[1]);
    thrum_executor_free(pool);
}

static int killed_with_a_wrapper(void) {
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.command = wrapper()});
    thrum_future *f;
    int pid;
    if (process_submit(pool, &f) != 0 || process_result(f, &pid) != 0)
        return 1;
    if (work_for_ever_submit(pool, &f, false) != 0)
        return 2;
    while (!thrum_future_running(f))
        spec_yield();
    kill(getpid(), SIGKILL);
    return 3;
}

/* The child's output ends when wrapper and worker have ended too. */
static void test_no_orphan_behind_a_wrapper(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_child(killed_with_a_wrapper, &end);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
}

static void check_broken(const char *const *command, int code, const char *text) {
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.command = command});
    thrum_future *f;
    assert_int_equal(process_submit(pool, &f), 0);
    assert_int_equal(process_result(f, NULL), code);
    if (!strstr(thrum_future_error(f)->message, text))
        fail_msg("\"%s\" does not say \"%s\"", thrum_future_error(f)->message, text);
    thrum_future_free(f);
    thrum_executor_free(pool);
}

static void test_commands_that_are_no_worker(void **state) {
    (void)state;
    spec_needs_own_processes();
    char other[PATH_MAX + 32], here[PATH_MAX];
    snprintf(here, sizeof here, "%s", program());
    snprintf(other, sizeof other, "%s/spec_processes_start", dirname(here));
    check_broken((const char *[]){"false", NULL}, -EPIPE, "exited with code 1");
    check_broken((const char *[]){other, NULL}, -EPROTO, "the first that differs is \"");
    static const char *const empty[] = {NULL};
    static const char *const nowhere[] = {"spec-nothing-is-called-so", NULL};
    static const char *const no_file[] = {"./spec-nothing-is-called-so", NULL};
    const thrum_processes_opts bad[] = {
        {.command = empty}, {.output = 2}, {.command = nowhere}, {.command = no_file}};
    for (int i = 0; i < 4; i++) {
        assert_null(thrum_executor_new(
            &(thrum_executor_opts){.backend = thrum_processes, .backend_opts = &bad[i]}));
        assert_int_equal(errno, i >= 2 ? ENOENT : EINVAL);
    }
}

static int ask_for_limits_that_cannot_be(void) {
    const double limits[] = {-1, NAN, -INFINITY};
    for (int i = 0; i < 3; i++)
        if (thrum_executor_new(&(thrum_executor_opts){
                .backend = thrum_processes,
                .backend_opts = &(thrum_processes_opts){.start_limit = limits[i]}}) ||
            errno != EINVAL)
            return 1;
    return 7;
}

static void test_limits_that_cannot_be(void **state) {
    (void)state;
    static spec_end end;
    spec_needs_own_processes();
    spec_exits(ask_for_limits_that_cannot_be, 7, &end);
    assert_int_equal(spec_count_text(end.text, "start_limit is negative or not a number"), 3);
}

static const char *const *never_up; /* a command */

/* Nothing is left: no child, no descriptor; what the command has started would hold the output. */
static int start_in_vain(void) {
    int before = entries("/proc/self/fd");
    for (int frees = 0; frees < 2; frees++) {
        thrum_executor *pool =
            pool_of(2, &(thrum_processes_opts){.command = never_up, .start_limit = 0.03125});
        thrum_future *f;
        if (process_submit(pool, &f) != 0)
            return 1;
        if (!frees && (process_result(f, NULL) != -EPIPE || process_submit(pool, NULL) != -EPIPE))
            return 2;
        thrum_executor_free(pool);
        if (process_result(f, NULL) != -EPIPE ||
            !strstr(thrum_future_error(f)->message,
                    "was not up within its start_limit of 0.03125 s"))
            return 3;
        thrum_future_free(f);
    }
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        return 4;
    return entries("/proc/self/fd") == before ? 7 : 5;
}

static void check_never_up(const char *const *command) {
    static spec_end end;
    never_up = command;
    spec_exits(start_in_vain, 7, &end);
    assert_int_equal(spec_count_text(end.text, "thrum: pool \"C\": worker C_"), 4);
    assert_int_equal(spec_count_text(end.text, "thrum: pool \"C\" is broken: worker C_"), 2);
    assert_int_equal(spec_count_text(end.text, "was not up within its start_limit of 0.03125 s"),
                     6);
}

static void test_commands_that_wait(void **state) {
    (void)state;
    spec_needs_own_processes();
    check_never_up((const char *[]){"sleep", "1000", NULL});
    check_never_up((const char *[]){"sh", "-c", "sleep 1000 & sleep 1000; exit 5", NULL});
}

static void test_a_worker_that_is_stopped_before_it_starts(void **state) {
    (void)state;
    spec_needs_own_processes();
    check_never_up((const char *[]){"sh", "-c", "kill -STOP $$; exec \"$0\"", program(), NULL});
}

SPEC_TESTS(cmocka_unit_test(test_limits_that_cannot_be),
           cmocka_unit_test(test_commands_that_wait),
           cmocka_unit_test(test_a_worker_that_is_stopped_before_it_starts),
           cmocka_unit_test(test_output_carries_the_name),
           cmocka_unit_test(test_nothing_is_lost_when_it_dies),
           cmocka_unit_test(test_long_lines_come_in_parts),
           cmocka_unit_test(test_a_wrapper_that_becomes_the_program),
           cmocka_unit_test(test_a_wrapper_that_stays),
           cmocka_unit_test(test_no_orphan_behind_a_wrapper),
           cmocka_unit_test(test_commands_that_are_no_worker));
