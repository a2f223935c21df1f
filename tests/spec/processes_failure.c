/* SPDX-License-Identifier: MIT */
/* Failures from a process: what a pool of threads says, and who in which process. */
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <thrum/processes.h>
#include <unistd.h>

THRUM_TASK(void, refuse, (int, row)) {
    thrum_raise(-ERANGE, "no row %d, and a text that is too long: %0300d", row, 1);
}

THRUM_TASK(int, process) { return (int)getpid(); }

THRUM_TASK(void, die) { kill(getpid(), SIGKILL); }

static int raise_it(const void *arg, void *result) {
    (void)result;
    thrum_raise(*(const int *)arg, "of bytes");
    return 0;
}

static int bad_initializer(void *arg) {
    (void)arg;
    thrum_raise(-EACCES, "no licence");
    return 0;
}

static thrum_executor *pool_of(const thrum_backend *backend, int (*initializer)(void *)) {
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = backend, .max_workers = 1, .name_prefix = "F", .initializer = initializer});
    assert_non_null(pool);
    return pool;
}

static void check_same(const thrum_failure *a, const thrum_failure *b) {
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->code, b->code);
    assert_int_equal(a->line, b->line);
    assert_string_equal(a->message, b->message);
    assert_string_equal(a->file, b->file);
    assert_string_equal(a->thread, b->thread);
    assert_int_equal(a->task == NULL, b->task == NULL);
    if (a->task)
        assert_string_equal(a->task, b->task);
}

static void check_both(int (*initializer)(void *),
                       int (*submit)(thrum_executor *, thrum_future **)) {
    thrum_executor *threads = pool_of(NULL, initializer);
    thrum_executor *processes = pool_of(thrum_processes, initializer);
    thrum_future *f[2];
    assert_int_equal(submit(threads, &f[0]), 0);
    assert_int_equal(submit(processes, &f[1]), 0);
    /* This way nobody helps, in a thread of another name. */
    assert_int_equal(thrum_wait(f, 2, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    const thrum_failure *here = thrum_future_error(f[0]), *there = thrum_future_error(f[1]);
    check_same(here, there);
    for (int i = 0; i < 2; i++)
        thrum_future_free(f[i]);
    thrum_executor_free(threads);
    thrum_executor_free(processes);
}

static int submit_typed(thrum_executor *pool, thrum_future **f) {
    return refuse_submit(pool, f, 3);
}

static int submit_bytes(thrum_executor *pool, thrum_future **f) {
    const int code = -EDOM;
    return thrum_submit_bytes(pool, f, raise_it, &code, sizeof code, 0, NULL);
}

static void test_what_is_said_is_what_threads_say(void **state) {
    (void)state;
    spec_needs_own_processes();
    check_both(NULL, submit_typed);
    check_both(NULL, submit_bytes);
    check_both(bad_initializer, submit_typed);
}

/* Who reads that a worker died learns its name, and which process it was. */
static void test_a_death_names_worker_and_process(void **state) {
    (void)state;
    spec_needs_own_processes();
    thrum_executor *pool = pool_of(thrum_processes, NULL);
    thrum_future *f;
    int pid = 0;
    char text[64];
    assert_int_equal(process_submit(pool, &f), 0);
    assert_int_equal(process_result(f, &pid), 0);
    thrum_future_free(f);
    assert_int_equal(die_submit(pool, &f), 0);
    const thrum_failure *failure = thrum_future_error(f);
    snprintf(text, sizeof text, "worker F_0 (process %d) was killed by signal 9", pid);
    assert_int_equal(failure->code, -EPIPE);
    assert_non_null(strstr(failure->message, text));
    assert_string_equal(failure->thread, "F_0");
    assert_string_equal(failure->task, "die");
    thrum_future_free(f);
    thrum_executor_free(pool);
}

static int has_run; /* the hook */

static void note(const thrum_failure *failure, void *arg) {
    (void)arg;
    has_run += failure->code == -ERANGE && strcmp(failure->thread, "F_0") == 0 &&
               strcmp(failure->task, "refuse") == 0;
}

static void test_nobody_reads_it(void **state) {
    (void)state;
    spec_needs_own_processes();
    thrum_executor *pool = pool_of(thrum_processes, NULL);
    thrum_set_excepthook(note, NULL);
    assert_int_equal(refuse_submit(pool, NULL, 1), 0);
    thrum_executor_free(pool);
    thrum_set_excepthook(NULL, NULL);
    assert_int_equal(has_run, 1);
}

static void *plain(void *arg) { return arg; }

static void *then(thrum_future *future, void *arg) {
    (void)future;
    return arg;
}

static int ask_for_too_much(void) {
    thrum_executor *pool = pool_of(thrum_processes, NULL);
    const thrum_task_opts opts = {.priority = 1};
    thrum_future *f;
    bool refused =
        process_submit(pool, &f) == 0 && thrum_submit(pool, NULL, plain, NULL) == -ENOTSUP &&
        thrum_submit_with(pool, NULL, plain, NULL, &opts) == -ENOTSUP &&
        thrum_future_then(f, NULL, pool, then, NULL) == -ENOTSUP;
    thrum_future_free(f);
    thrum_executor_free(pool);
    return refused ? 7 : 1;
}

static void test_what_is_not_for_it_is_told(void **state) {
    (void)state;
    static spec_end end;
    spec_needs_own_processes();
    spec_exits(ask_for_too_much, 7, &end);
    assert_int_equal(spec_count_text(end.text, "thrum: thrum_submit: not for a pool with"), 2);
    assert_int_equal(spec_count_text(end.text, "thrum: thrum_future_then: not for a pool with"), 1);
}

static int kill_itself(const void *item, void *result) {
    (void)item;
    (void)result;
    return kill(getpid(), SIGKILL);
}

static int map_to_death(void) {
    thrum_executor *pool = pool_of(thrum_processes, NULL);
    int rc = thrum_map(pool, kill_itself, "", 1, 1, NULL, 0, NULL);
    thrum_executor_free(pool);
    return rc == -EPIPE ? 7 : 1;
}

/* A death has no place in the program. */
static void test_a_death_is_told_without_a_place(void **state) {
    (void)state;
    static spec_end end;
    spec_needs_own_processes();
    spec_exits(map_to_death, 7, &end);
    assert_int_equal(spec_count_text(end.text, "killed by signal 9"), 1);
    assert_int_equal(spec_count_text(end.text, "(broken, -32)\n"), 1);
}

/* Those that fork come first: TSan allows no threads in forks of several. */
SPEC_TESTS(cmocka_unit_test(test_what_is_not_for_it_is_told),
           cmocka_unit_test(test_a_death_is_told_without_a_place),
           cmocka_unit_test(test_what_is_said_is_what_threads_say),
           cmocka_unit_test(test_a_death_names_worker_and_process),
           cmocka_unit_test(test_nobody_reads_it));
