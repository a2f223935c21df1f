/* SPDX-License-Identifier: MIT */
/* What is in a process: its arguments, its failures, how it ends, what it may start. */
#include "process_common.h"
#include "spec.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

THRUM_TASK(void, nothing) {}

THRUM_TASK(void, leave, (int, code)) { exit(code); }

THRUM_TASK(void, leave_the_thread) { pthread_exit(NULL); }

THRUM_TASK(int, refuse, (int, code)) {
    thrum_raise(code, "no row %d", 3);
    return 1;
}

THRUM_TASK(void, signal_itself, (int, number)) {
    signal(number, SIG_DFL);
    kill(getpid(), number);
    for (;;)
        pause();
}

THRUM_TASK(void, introduce_itself, (common *, c)) {
    c->pid = thrum_process_pid(thrum_process_current());
    c->parent = thrum_process_pid(thrum_process_parent());
    c->parent_alive = thrum_process_is_alive(thrum_process_parent());
    c->daemon = thrum_process_is_daemon(thrum_process_current());
    strcpy(c->name, thrum_process_name(thrum_process_current()));
    strcpy(c->parent_name, thrum_process_name(thrum_process_parent()));
}

THRUM_TASK(void, add, (int *, sum), (thrum_shared_lock *, lock), (const int *, n), (int *, none)) {
    assert_true(none == NULL);
    assert_int_equal(thrum_shared_lock_acquire(lock), 0);
    *sum += *n;
    thrum_shared_lock_release(lock);
}

static void test_exit_codes(void **state) {
    (void)state;
    (void)begin();
    thrum_process *p;
    const int signals[] = {SIGKILL, SIGUSR1, SIGTERM, SIGABRT, SIGALRM};
    assert_int_equal(nothing_start_process(&p, NULL), 0);
    expect_end(p, 0);
    assert_int_equal(leave_start_process(&p, 7, NULL), 0);
    expect_end(p, 7);
    assert_int_equal(leave_start_process(&p, 0, NULL), 0);
    expect_end(p, 0);
    assert_int_equal(leave_the_thread_start_process(&p, NULL), 0);
    expect_end(p, 0);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        assert_int_equal(signal_itself_start_process(&p, signals[i], NULL), 0);
        expect_end(p, -signals[i]);
    }
    assert_int_equal(nothing_start_process(NULL, NULL), 0);
    done();
}

static int fail_in_a_process(void) {
    thrum_process *p;
    int code;
    return refuse_start_process(&p, -EDOM, &(thrum_process_opts){.name = "it"}) ||
           thrum_process_join(p) || thrum_process_exit_code(p, &code) ? 99 : code;
}

static void test_a_failure_is_told(void **state) {
    (void)state;
    static spec_end end;
    (void)begin();
    done();
    spec_exits(fail_in_a_process, 1, &end);
    const char *told = "process \"it\": task \"refuse\" failed: no row 3 (";
    assert_int_equal(spec_count_text(end.text, told), 1);
    assert_int_equal(spec_count_text(end.text, "process_task.c:"), 1);
    assert_int_equal(spec_count_text(end.text, "thrum: "), 1);
}

static void on_failure(const thrum_failure *failure, void *arg) {
    printf("%s %s: %d %s %s\n", (const char *)arg, thrum_process_name(thrum_process_current()),
           failure->code, failure->task, failure->thread);
}

THRUM_TASK(void, fail_with_a_hook) {
    static char arg[] = "hook";
    thrum_set_excepthook(on_failure, arg);
    thrum_raise(-17, "told");
}

static int fail_with_a_hook_in_a_process(void) {
    return fail_with_a_hook_start_process(NULL, &(thrum_process_opts){.name = "it"});
}

static void test_a_failure_is_for_the_hook(void **state) {
    (void)state;
    static spec_end end;
    (void)begin();
    done();
    spec_exits(fail_with_a_hook_in_a_process, 0, &end);
    assert_int_equal(spec_count_text(end.text, "hook it: -17 fail_with_a_hook MainThread\n"), 1);
    assert_int_equal(spec_count_text(end.text, "thrum: "), 0);
}

static void test_pointers_into_shared_memory(void **state) {
    (void)state;
    common *c = begin();
    thrum_process *p;
    thrum_shared *other;
    char name[64];
    int here = 5;
    snprintf(name, sizeof name, "thrum-spec-process-%d", (int)getpid());
    assert_int_equal(thrum_shared_create(&other, name, 2 * sizeof(int), NULL), 0);
    int *n = thrum_shared_memory(other);
    n[1] = 40;
    c->n = 2;
    assert_int_equal(add_start_process(&p, &c->n, &c->lock, &n[1], NULL, NULL), 0);
    expect_end(p, 0);
    assert_int_equal(c->n, 42);
    assert_int_equal(add_start_process(&p, &c->n, &c->lock, &here, NULL, NULL), -EFAULT);
    assert_int_equal(add_start_process(&p, &n[2], &c->lock, n, NULL, NULL), -EFAULT);
    assert_int_equal(thrum_shared_unlink(name), 0);
    assert_int_equal(add_start_process(&p, n, &c->lock, &n[1], NULL, NULL), 0);
    expect_end(p, 0);
    assert_int_equal(n[0], 40);
    thrum_shared_close(other);
    assert_int_equal(add_start_process(&p, n, &c->lock, &c->n, NULL, NULL), -EFAULT);
    done();
}

THRUM_TASK(void, start_another, (common *, c)) {
    thrum_process *p;
    assert_int_equal(introduce_itself_start_process(&p, c, NULL), 0);
    expect_end(p, 0);
}

static int start_another_outside(void) {
    common *c = begin();
    thrum_process *p;
    if (start_another_start_process(&p, c, NULL) || thrum_process_join(p))
        return 1;
    char expected[64];
    snprintf(expected, sizeof expected, "%s:1", thrum_process_name(p));
    return strcmp(c->name, expected) || strcmp(c->parent_name, thrum_process_name(p)) ||
           c->parent != thrum_process_pid(p);
}

static void test_processes_of_processes(void **state) {
    (void)state;
    static spec_end end;
    (void)begin();
    done();
    spec_exits(start_another_outside, 0, &end);
}

THRUM_TASK(void, start_refused) { exit(nothing_start_process(NULL, NULL) == -EPERM ? 3 : 4); }

THRUM_TASK(int, its_pid, (thrum_shared_lock *, held)) {
    assert_int_equal(thrum_shared_lock_acquire(held), 0);
    return (int)getpid();
}

/* And dies with a worker at work. */
THRUM_TASK(void, use_a_pool, (common *, c)) {
    thrum_future *f;
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 1});
    assert_non_null(pool);
    assert_int_equal(its_pid_submit(pool, &f, &c->lock), 0);
    assert_int_equal(its_pid_result(f, &c->pid), 0);
    raise(SIGKILL);
}

/* Its workers end with it, so nobody is left behind: unlike Python's, it may. */
static void test_a_daemon_may_have_a_pool(void **state) {
    (void)state;
    common *c = begin();
    thrum_process *p;
    assert_int_equal(use_a_pool_start_process(&p, c, &(thrum_process_opts){.daemon = true}), 0);
    expect_end(p, -SIGKILL);
    assert_true(c->pid > 0);
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), -EOWNERDEAD); /* the worker is dead */
    thrum_shared_lock_release(&c->lock);
    done();
}

static void test_what_is_refused(void **state) {
    (void)state;
    (void)begin();
    thrum_process *p = NULL;
    thrum_process_opts opts = {.reserved = {[5] = &opts}};
    assert_int_equal(nothing_start_process(&p, &opts), -EINVAL);
    assert_null(p);
    assert_int_equal(start_refused_start_process(&p, &(thrum_process_opts){.daemon = true}), 0);
    expect_end(p, 3);
    done();
}

/* Those that fork come first: TSan allows no threads in forks of several. */
SPEC_TESTS(cmocka_unit_test(test_a_failure_is_told),
           cmocka_unit_test(test_a_failure_is_for_the_hook),
           cmocka_unit_test(test_processes_of_processes), cmocka_unit_test(test_exit_codes),
           cmocka_unit_test(test_pointers_into_shared_memory),
           cmocka_unit_test(test_a_daemon_may_have_a_pool),
           cmocka_unit_test(test_what_is_refused));
