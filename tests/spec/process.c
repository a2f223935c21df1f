/* SPDX-License-Identifier: MIT */
#include "process_common.h"
#include "spec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

THRUM_TASK(void, nothing) {}

THRUM_TASK(void, introduce_itself, (common *, c)) {
    c->pid = thrum_process_pid(thrum_process_current());
    c->parent = thrum_process_pid(thrum_process_parent());
    c->parent_alive = thrum_process_is_alive(thrum_process_parent());
    c->daemon = thrum_process_is_daemon(thrum_process_current());
    strcpy(c->name, thrum_process_name(thrum_process_current()));
    strcpy(c->parent_name, thrum_process_name(thrum_process_parent()));
}

THRUM_TASK(void, wait_to_go, (common *, c)) {
    thrum_shared_event_set(&c->here);
    thrum_shared_event_wait(&c->go);
    c->n++;
}

THRUM_TASK(void, run_for_ever, (common *, c)) {
    c->pid = (int)getpid();
    thrum_shared_event_set(&c->here);
    for (;;)
        pause();
}

THRUM_TASK(void, run_deaf, (common *, c)) {
    signal(SIGTERM, SIG_IGN);
    thrum_shared_event_set(&c->here);
    for (;;)
        pause();
}

static void test_it_runs_elsewhere(void **state) {
    (void)state;
    common *c = begin();
    thrum_process *p;
    assert_int_equal(introduce_itself_start_process(&p, c, NULL), 0);
    int pid = thrum_process_pid(p);
    assert_true(pid > 0 && pid != getpid());
    assert_int_equal(strncmp(thrum_process_name(p), "Process-", 8), 0);
    assert_false(thrum_process_is_daemon(p));
    assert_int_equal(thrum_process_join(p), 0);
    assert_int_equal(kill(pid, 0), -1); /* no zombie */
    assert_int_equal(c->pid, pid);
    assert_int_equal(c->parent, getpid());
    assert_true(c->parent_alive);
    assert_false(c->daemon);
    assert_string_equal(c->name, thrum_process_name(p));
    assert_string_equal(c->parent_name, "MainProcess");
    expect_end(p, 0);
    assert_int_equal(introduce_itself_start_process(
                         &p, c, &(thrum_process_opts){.name = "\"it\"", .daemon = true}), 0);
    assert_string_equal(thrum_process_name(p), "\"it\"");
    assert_true(thrum_process_is_daemon(p));
    expect_end(p, 0);
    assert_string_equal(c->name, "\"it\"");
    assert_true(c->daemon);
    assert_string_equal(thrum_process_name(thrum_process_current()), "MainProcess");
    assert_int_equal(thrum_process_pid(thrum_process_current()), getpid());
    assert_true(thrum_process_is_alive(thrum_process_current()));
    assert_int_equal(thrum_process_join(thrum_process_current()), -ECHILD);
    assert_null(thrum_process_parent());
    done();
}

static void test_close_and_free(void **state) {
    (void)state;
    common *c = begin();
    thrum_process *p, *again, *found[2];
    int code;
    assert_int_equal(wait_to_go_start_process(&p, c, NULL), 0);
    assert_int_equal(thrum_process_close(p), -EBUSY);
    assert_int_equal(thrum_process_exit_code(p, &code), -EAGAIN);
    assert_true(thrum_process_is_alive(p));
    while (thrum_process_enumerate(NULL, 0) != 1) /* those that earlier tests have let go */
        spec_yield();
    assert_int_equal(thrum_process_enumerate(found, 2), 1);
    assert_ptr_equal(found[0], p);
    thrum_process_free(found[0]);
    assert_int_equal(wait_to_go_start_process(&again, c, NULL), 0);
    assert_int_equal(thrum_process_enumerate(found, 1), 2);
    thrum_process_free(found[0]);
    thrum_process_free(again);
    thrum_shared_event_set(&c->go);
    assert_int_equal(thrum_process_join(p), 0);
    assert_int_equal(thrum_process_close(p), 0);
    thrum_process_free(NULL);
    while (thrum_process_enumerate(NULL, 0) != 0)
        spec_yield();
    assert_int_equal(c->n, 2);
    done();
}

static void test_terminate_and_kill(void **state) {
    (void)state;
    common *c = begin();
    thrum_process *p;
    assert_int_equal(run_for_ever_start_process(&p, c, NULL), 0);
    assert_int_equal(thrum_process_terminate(p), 0);
    assert_int_equal(thrum_process_join(p), 0);
    assert_int_equal(thrum_process_terminate(p), 0);
    assert_int_equal(thrum_process_kill(p), 0);
    expect_end(p, -SIGTERM);
    thrum_shared_event_clear(&c->here);
    assert_int_equal(run_deaf_start_process(&p, c, NULL), 0);
    thrum_shared_event_wait(&c->here);
    assert_int_equal(thrum_process_terminate(p), 0);
    assert_int_equal(kill(thrum_process_pid(p), SIGSTOP), 0);
    assert_int_equal(thrum_process_join_until(p, thrum_in(0.01)), -ETIMEDOUT);
    assert_int_equal(thrum_process_kill(p), 0);
    expect_end(p, -SIGKILL);
    done();
}

static void *join_it(void *p) {
    assert_int_equal(thrum_process_join(p), 0);
    return NULL;
}

static void test_several_join(void **state) {
    (void)state;
    common *c = begin();
    thrum_process *p;
    thrum_event never = {0};
    spec_team team = {.n = 0};
    int which = -1;
    assert_int_equal(wait_to_go_start_process(&p, c, NULL), 0);
    thrum_waitable any[] = {thrum_event_waitable(&never), thrum_process_waitable(p)};
    spec_team_start(&team, 3, join_it, p);
    assert_int_equal(thrum_wait_any(any, 2, thrum_in(0.01), &which), -ETIMEDOUT);
    assert_int_equal(thrum_process_join_until(p, thrum_in(0)), -ETIMEDOUT);
    thrum_shared_event_set(&c->go);
    assert_int_equal(thrum_wait_any(any, 2, THRUM_NEVER, &which), 0);
    assert_int_equal(which, 1);
    assert_int_equal(thrum_process_join_until(p, thrum_in(0)), 0);
    spec_team_join(&team);
    expect_end(p, 0);
    done();
}

static void *start_some(void *c) {
    thrum_process *p[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(wait_to_go_start_process(&p[i], c, NULL), 0);
    thrum_shared_event_set(&((common *)c)->go);
    for (int i = 0; i < 4; i++)
        expect_end(p[i], 0);
    return NULL;
}

/* The descriptors that are open, with `inherited` those that a program which is started gets. */
static int count_descriptors(bool inherited) {
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        n += flags >= 0 && !(inherited && (flags & FD_CLOEXEC));
    }
    return n;
}

THRUM_TASK(void, count_its_descriptors) { exit(count_descriptors(false)); }

static void test_many_and_no_descriptor_is_left(void **state) {
    (void)state;
    common *c = begin();
    thrum_process *p;
    assert_int_equal(nothing_start_process(&p, NULL), 0);
    expect_end(p, 0);
    int before = count_descriptors(false);
    for (int i = 0; i < 3; i++) {
        spec_team team = {.n = 0};
        spec_team_start(&team, 3, start_some, c);
        spec_team_join(&team);
    }
    assert_int_equal(count_descriptors(false), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(count_its_descriptors_start_process(&p, NULL), 0);
    expect_end(p, count_descriptors(true));
    done();
}

static void on_signal(int number) { (void)number; }

static void *interrupt(void *ended) {
    while (!__atomic_load_n((bool *)ended, __ATOMIC_RELAXED)) {
        kill(getpid(), SIGUSR1);
        spec_yield();
    }
    return NULL;
}

static void test_a_join_is_interrupted(void **state) {
    (void)state;
    common *c = begin();
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
    thrum_process *p;
    bool ended = false;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    assert_int_equal(wait_to_go_start_process(&p, c, NULL), 0);
    thrum_interruptible(true);
    thrum_thread *thread = spec_start(interrupt, &ended);
    assert_int_equal(thrum_process_join_until(p, THRUM_NEVER), -EINTR);
    thrum_shared_event_set(&c->go);
    assert_int_equal(thrum_process_join(p), 0);
    __atomic_store_n(&ended, true, __ATOMIC_RELAXED);
    spec_join(thread);
    thrum_interruptible(false);
    expect_end(p, 0);
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
    done();
}

SPEC_TESTS(cmocka_unit_test(test_it_runs_elsewhere), cmocka_unit_test(test_close_and_free),
           cmocka_unit_test(test_terminate_and_kill), cmocka_unit_test(test_several_join),
           cmocka_unit_test(test_many_and_no_descriptor_is_left),
           cmocka_unit_test(test_a_join_is_interrupted));
