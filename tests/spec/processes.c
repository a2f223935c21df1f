/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <thrum/processes.h>
#include <unistd.h>

typedef struct block {
    char bytes[200000];
} block;

static int late;

__attribute__((constructor)) static void a_constructor_after_the_worker_s_own(void) { late = 77; }

THRUM_TASK(double, area, (double, w), (double, h)) { return w * h; }

THRUM_TASK(int, process_of_task) { return (int)getpid(); }

THRUM_TASK(void, nothing) {}

THRUM_TASK(int, global) { return late; }

THRUM_TASK(block, turned, (block, b)) {
    for (size_t i = 0; i < sizeof b.bytes; i++)
        b.bytes[i] = (char)~b.bytes[i];
    return b;
}

THRUM_TASK(int, refuse, (int, code)) {
    thrum_raise(code, "no row %d", 3);
    return 1;
}

THRUM_TASK(void, die, (int, how)) {
    if (how < 0)
        _exit(-how);
    kill(getpid(), how);
}

THRUM_TASK(void, stop_itself) { kill(getpid(), SIGSTOP); }

THRUM_TASK(void, for_ever, (int, fd)) {
    (void)!write(fd, "x", 1);
    for (;;)
        pause();
}

static int initialized;

static int initializer(void *arg) {
    initialized = *(int *)arg;
    return 0;
}

THRUM_TASK(int, what_it_was) { return initialized; }

static int bad_initializer(void *arg) {
    (void)arg;
    thrum_raise(-EACCES, "no licence");
    return 0;
}

/* Makes a pool of `n` workers. */
static thrum_executor *pool_of(int n, const thrum_processes_opts *opts) {
    spec_needs_os("processes");
    thrum_processes_opts more = opts ? *opts : (thrum_processes_opts){0};
    more.command = spec_emulated_command();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .backend_opts = &more, .max_workers = n, .name_prefix = "P"});
    assert_non_null(pool);
    return pool;
}

static void *plain(void *arg) { return arg; }

static void test_tasks_run_elsewhere(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2, NULL);
    thrum_future *f[4];
    double value = 0;
    int pid = 0, number = 0;
    static block b, c;
    memset(&b, 0x5a, sizeof b);
    assert_int_equal(area_submit(pool, &f[0], 2, 3.5), 0);
    assert_int_equal(process_of_task_submit(pool, &f[1]), 0);
    assert_int_equal(turned_submit(pool, &f[2], b), 0);
    assert_int_equal(global_submit(pool, &f[3]), 0);
    assert_int_equal(nothing_submit(pool, NULL), 0);
    assert_int_equal(area_result(f[0], &value), 0);
    assert_true(value == 7);
    assert_int_equal(process_of_task_result(f[1], &pid), 0);
    assert_true(pid != getpid());
    assert_int_equal(turned_result(f[2], &c), 0);
    memset(&b, ~0x5a, sizeof b);
    assert_memory_equal(&b, &c, sizeof b);
    assert_int_equal(global_result(f[3], &number), 0);
    assert_int_equal(number, 77);
    for (int i = 0; i < 4; i++)
        thrum_future_free(f[i]);
    assert_int_equal(thrum_submit(pool, &f[0], plain, NULL), -ENOTSUP);
    assert_int_equal(thrum_executor_shutdown(pool, true, false), 0);
    assert_int_equal(nothing_submit(pool, NULL), -ESHUTDOWN);
    thrum_executor_stats stats;
    thrum_executor_get_stats(pool, &stats);
    assert_int_equal(stats.submitted, 5);
    assert_int_equal(stats.completed, 5);
    assert_int_equal(stats.workers, 0);
    thrum_executor_free(pool);
    assert_int_equal(kill(pid, 0), -1); /* no zombie either */
}

static void test_many(void **state) {
    (void)state;
    enum { N = 3000 };
    static thrum_future *f[N];
    thrum_executor *pool = pool_of(2, NULL);
    for (int i = 0; i < N; i++)
        assert_int_equal(area_submit(pool, &f[i], i, 2), 0);
    for (int i = 0; i < N; i++) {
        double value = 0;
        assert_int_equal(area_result(f[i], &value), 0);
        assert_true(value == 2.0 * i);
        thrum_future_free(f[i]);
    }
    thrum_executor_free(pool);
}

static void test_a_failure_travels_whole(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, NULL);
    thrum_future *f;
    assert_int_equal(refuse_submit(pool, &f, -EDOM), 0);
    assert_int_equal(refuse_result(f, NULL), -EDOM);
    const thrum_failure *failure = thrum_future_error(f);
    assert_string_equal(failure->message, "no row 3");
    assert_string_equal(failure->task, "refuse");
    assert_string_equal(failure->thread, "P_0");
    assert_non_null(strstr(failure->file, "processes.c"));
    assert_true(failure->line > 20);
    thrum_future_free(f);
    thrum_executor_free(pool);
}

/* A worker that dies takes its own task with it, and no other. */
static void check_death(int how, const char *text) {
    enum { N = 40 };
    thrum_executor *pool = pool_of(2, NULL);
    thrum_future *f[N], *dead;
    double value;
    for (int i = 0; i < N / 2; i++)
        assert_int_equal(area_submit(pool, &f[i], i, 1), 0);
    assert_int_equal(die_submit(pool, &dead, how), 0);
    for (int i = N / 2; i < N; i++)
        assert_int_equal(area_submit(pool, &f[i], i, 1), 0);
    assert_int_equal(die_result(dead), -EPIPE);
    assert_non_null(strstr(thrum_future_error(dead)->message, text));
    for (int i = 0; i < N; i++) {
        assert_int_equal(area_result(f[i], &value), 0);
        assert_true(value == i);
        thrum_future_free(f[i]);
    }
    thrum_future_free(dead);
    thrum_executor_free(pool);
}

static void test_a_killed_worker(void **state) {
    (void)state;
    check_death(SIGKILL, "was killed by signal 9 (");
}

static void test_a_worker_that_exits(void **state) {
    (void)state;
    check_death(-7, "exited with code 7");
}

static void test_cancel(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, NULL);
    thrum_future *runs, *waits;
    int worker[2];
    thrum_future *f;
    assert_int_equal(process_of_task_submit(pool, &f), 0);
    assert_int_equal(process_of_task_result(f, &worker[0]), 0);
    thrum_future_free(f);
    assert_int_equal(for_ever_submit(pool, &runs, -1), 0);
    assert_int_equal(nothing_submit(pool, &waits), 0);
    while (!thrum_future_running(runs))
        spec_yield();
    assert_true(thrum_future_cancel(waits));
    assert_true(thrum_future_cancel(runs));
    assert_true(thrum_future_cancelled(runs));
    assert_int_equal(for_ever_result(runs), -ECANCELED);
    assert_int_equal(process_of_task_submit(pool, &f), 0);
    assert_int_equal(process_of_task_result(f, &worker[1]), 0);
    assert_true(worker[0] != worker[1]);
    thrum_future_free(f);
    thrum_future_free(runs);
    thrum_future_free(waits);
    thrum_executor_free(pool);
}

static void test_time_limit(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.time_limit = 0.3});
    thrum_future *f[2];
    assert_int_equal(stop_itself_submit(pool, &f[0]), 0);
    assert_int_equal(for_ever_submit(pool, &f[1], -1), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(thrum_future_result(f[i], NULL), -ETIMEDOUT);
        assert_non_null(strstr(thrum_future_error(f[i])->message, "longer than 0.3 s"));
        thrum_future_free(f[i]);
    }
    thrum_executor_free(pool);
}

static void test_a_worker_is_replaced_after_its_tasks(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.max_tasks_per_child = 3});
    thrum_future *f[9];
    int pids[9];
    for (int i = 0; i < 9; i++)
        assert_int_equal(process_of_task_submit(pool, &f[i]), 0);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(process_of_task_result(f[i], &pids[i]), 0);
        assert_int_equal(pids[i] == pids[i - i % 3], true);
        thrum_future_free(f[i]);
    }
    assert_true(pids[0] != pids[3] && pids[3] != pids[6]);
    thrum_executor_free(pool);
}

/* Counts in a file, since nothing else lives on. */
THRUM_TASK(int, third_time, (int, parent)) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/thrum-spec-processes-%d", parent);
    FILE *file = fopen(path, "a+");
    fputc('x', file);
    fflush(file);
    fseek(file, 0, SEEK_END);
    if (ftell(file) < 3)
        kill(getpid(), SIGKILL);
    unlink(path);
    return 3;
}

static void test_retries(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, &(thrum_processes_opts){.retries = 2});
    thrum_future *f;
    int value = 0;
    assert_int_equal(third_time_submit(pool, &f, (int)getpid()), 0);
    assert_int_equal(third_time_result(f, &value), 0);
    assert_int_equal(value, 3);
    thrum_future_free(f);
    assert_int_equal(die_submit(pool, &f, SIGKILL), 0);
    assert_int_equal(die_result(f), -EPIPE);
    thrum_future_free(f);
    thrum_executor_free(pool);
}

static void test_initializer(void **state) {
    (void)state;
    spec_needs_own_processes();
    int number = 4711, value = 0;
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 1,
                               .initializer = initializer, .initarg = &number,
                               .backend_opts =
                                   &(thrum_processes_opts){.initarg_size = sizeof number}});
    assert_non_null(pool);
    thrum_future *f;
    assert_int_equal(what_it_was_submit(pool, &f), 0);
    assert_int_equal(what_it_was_result(f, &value), 0);
    assert_int_equal(value, number);
    assert_int_equal(initialized, 0);
    thrum_future_free(f);
    thrum_executor_free(pool);
    pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1, .initializer = bad_initializer});
    assert_non_null(pool);
    assert_int_equal(what_it_was_submit(pool, &f), 0);
    assert_int_equal(what_it_was_result(f, NULL), -EACCES);
    assert_string_equal(thrum_future_error(f)->message, "no licence");
    assert_int_equal(what_it_was_submit(pool, NULL), -EPIPE);
    thrum_future_free(f);
    thrum_executor_free(pool);
}

static void test_options(void **state) {
    (void)state;
    static const thrum_processes_opts bad[] = {{.max_tasks_per_child = -1}, {.retries = -1},
                                               {.time_limit = -1}, {.initarg_size = 1},
                                               {.reserved = {(void *)1}}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(thrum_executor_new(
            &(thrum_executor_opts){.backend = thrum_processes, .backend_opts = &bad[i]}));
        assert_int_equal(errno, EINVAL);
    }
    assert_null(thrum_executor_new(&(thrum_executor_opts){.backend_opts = &bad[0]}));
    assert_int_equal(errno, EINVAL);
    assert_null(thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .overflow = THRUM_OVERFLOW_CALLER_RUNS}));
    assert_int_equal(errno, ENOTSUP);
}

static void test_queue_limit(void **state) {
    (void)state;
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 1, .queue_limit = 2,
                               .overflow = THRUM_OVERFLOW_REFUSE});
    thrum_future *f[32];
    int n = 0, rc = 0;
    while (n < 32 && (rc = for_ever_submit(pool, &f[n], -1)) == 0)
        n++;
    assert_int_equal(rc, -EAGAIN);
    assert_true(n >= 2 && n < 32);
    assert_int_equal(thrum_executor_shutdown(pool, false, true), 0);
    for (int i = 0; i < n; i++) {
        (void)thrum_future_cancel(f[i]);
        assert_int_equal(for_ever_result(f[i]), -ECANCELED);
        thrum_future_free(f[i]);
    }
    thrum_executor_free(pool);
}

/* The worker of a parent that dies like this is to see it without help. */
static int worker_of_a_parent_that_is_killed(void) {
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 1});
    thrum_future *f;
    int pid;
    if (process_of_task_submit(pool, &f) != 0 || process_of_task_result(f, &pid) != 0)
        return 1;
    thrum_future_free(f);
    if (for_ever_submit(pool, &f, -1) != 0)
        return 2;
    while (!thrum_future_running(f))
        spec_yield();
    printf("pid %d\n", pid);
    fflush(stdout);
    kill(getpid(), SIGKILL);
    return 3;
}

/* The child's output is read to its end, which comes when the worker has ended too. */
static void test_no_orphan(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_child(worker_of_a_parent_that_is_killed, &end);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
    assert_non_null(strstr(end.text, "pid "));
}

SPEC_TESTS(cmocka_unit_test(test_tasks_run_elsewhere), cmocka_unit_test(test_many),
           cmocka_unit_test(test_a_failure_travels_whole), cmocka_unit_test(test_a_killed_worker),
           cmocka_unit_test(test_a_worker_that_exits),  cmocka_unit_test(test_cancel),
           cmocka_unit_test(test_time_limit),
           cmocka_unit_test(test_a_worker_is_replaced_after_its_tasks),
           cmocka_unit_test(test_retries), cmocka_unit_test(test_initializer),
           cmocka_unit_test(test_options), cmocka_unit_test(test_queue_limit),
           cmocka_unit_test(test_no_orphan));
