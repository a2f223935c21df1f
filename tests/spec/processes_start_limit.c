/* SPDX-License-Identifier: MIT */
/* Workers that do not come up: the time that a start may take, which is the test's where it counts.
 * A worker says which process it is, and then waits until it is let in. */
#include "process_pool.h"
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process/pool.h"

enum { PARTS = THRUM__START_PARTS, MANY = 6, OFTEN = 21, MISSES = 4, LOOK_MS = 1 };

static int64_t instant = 1; /* relaxed */
static int sleeps;          /* relaxed: of the pool's thread */
static int gate[2];         /* a byte lets a worker in */
static int arrivals[2];     /* their process ids */
static int hold[2];         /* a byte lets a task go */

/* In the place of the library's. */
int64_t thrum__processes_now(void) { return __atomic_load_n(&instant, __ATOMIC_RELAXED); }

/* In the place of the C library's, which the pool calls: it looks again soon. */
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask) {
    (void)timeout, (void)mask;
    __atomic_add_fetch(&sleeps, 1, __ATOMIC_RELAXED);
    return poll(fds, n, LOOK_MS);
}

static void wait_to_be_let_in(int tell, int from) {
    char byte;
    int pid = (int)getpid();
    if (write(tell, &pid, sizeof pid) != sizeof pid)
        _exit(4);
    while (read(from, &byte, 1) < 0 && errno == EINTR)
        continue;
}

__attribute__((constructor)) static void a_constructor_that_waits(void) {
    int tell, from;
    const char *text = getenv("SPEC_GATE");
    if (text && sscanf(text, "%d,%d", &tell, &from) == 2)
        wait_to_be_let_in(tell, from);
}

static int an_initializer_that_waits(void *arg) {
    const int *fds = arg;
    wait_to_be_let_in(fds[0], fds[1]);
    return 0;
}

THRUM_TASK(int, process) { return (int)getpid(); }

THRUM_TASK(int, process_that_is_held, (int, from)) {
    char byte;
    return read(from, &byte, 1) == 1 ? (int)getpid() : -1;
}

static thrum_executor *pool_of(int n, const thrum_processes_opts *opts) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .backend_opts = opts, .max_workers = n,
                               .name_prefix = "U", .idle_timeout = INFINITY});
    assert_non_null(pool);
    return pool;
}

static void open_gate(void) {
    assert_int_equal(pipe(gate), 0); /* workers have the other ends */
    assert_int_equal(pipe(arrivals), 0);
    assert_int_equal(pipe(hold), 0);
    const int own[] = {gate[1], arrivals[0], hold[1]};
    for (int i = 0; i < 3; i++)
        assert_int_equal(fcntl(own[i], F_SETFD, FD_CLOEXEC), 0);
}

static void close_gate(void) {
    for (int i = 0; i < 2; i++)
        close(gate[i]), close(arrivals[i]), close(hold[i]);
}

/* Workers of pools that are made from now on wait in a constructor. */
static void guard_constructors(void) {
    char text[64];
    snprintf(text, sizeof text, "%d,%d", arrivals[1], gate[0]);
    setenv("SPEC_GATE", text, 1);
}

static thrum_executor *pool_with_gate(int n, const thrum_processes_opts *opts) {
    spec_needs_own_processes();
    open_gate();
    guard_constructors();
    thrum_executor *pool = pool_of(n, opts);
    unsetenv("SPEC_GATE");
    return pool;
}

/* Waits until one more worker is there. Returns its process id. */
static int arrival(void) {
    int pid = 0;
    assert_int_equal(read(arrivals[0], &pid, sizeof pid), sizeof pid);
    return pid;
}

static void let_in(void) { assert_int_equal(write(gate[1], "x", 1), 1); }

/* The pool's thread has looked at everything, twice: what it has killed may be gone. */
static void look(void) {
    int before = __atomic_load_n(&sleeps, __ATOMIC_RELAXED);
    while (__atomic_load_n(&sleeps, __ATOMIC_RELAXED) - before < 3)
        spec_yield();
}

static void pass(double seconds) {
    __atomic_add_fetch(&instant, (int64_t)(seconds * 1e9) + 1, __ATOMIC_RELAXED);
    look();
}

/* So many parts of the time that a start may take. */
static void pass_parts(int n, double limit) {
    for (look(); n > 0; n--)
        pass(limit / PARTS);
}

static void until_gone(int pid) {
    while (kill(pid, 0) == 0)
        spec_yield();
    assert_int_equal(errno, ESRCH);
}

/* Lets the task be done by that process. Frees it. */
static void is_done_by(thrum_future *f, int pid) {
    int value = 0;
    let_in();
    assert_int_equal(process_result(f, &value), 0);
    assert_int_equal(value, pid);
    thrum_future_free(f);
}

static void is_broken(thrum_executor *pool, thrum_future *f, const char *text) {
    const thrum_failure *failure = thrum_future_error(f);
    assert_non_null(failure);
    assert_int_equal(failure->code, -EPIPE);
    if (!strstr(failure->message, text))
        fail_msg("\"%s\" does not say \"%s\"", failure->message, text);
    assert_int_equal(process_submit(pool, NULL), -EPIPE);
    thrum_future_free(f);
}

static void test_the_third_time_breaks_the_pool(void **state) {
    (void)state;
    thrum_executor *pool = pool_with_gate(1, NULL);
    thrum_future *f;
    char text[128];
    int pid = 0;
    assert_int_equal(process_submit(pool, &f), 0);
    for (int i = 0; i < 3; i++) {
        assert_false(thrum_future_done(f));
        pid = arrival();
        pass_parts(PARTS, 60);
        until_gone(pid);
    }
    snprintf(text, sizeof text, "worker U_0 (process %d) was not up within its start_limit of 60 s",
             pid);
    is_broken(pool, f, text);
    thrum_executor_free(pool);
    close_gate();
}

/* It is left alone until then, and where there is no limit. */
static void test_what_is_in_time(void **state) {
    (void)state;
    const double limits[] = {0, 5, INFINITY, 1e300};
    for (int i = 0; i < 4; i++) {
        double limit = limits[i] > 0 ? limits[i] : 60;
        thrum_executor *pool = pool_with_gate(1, &(thrum_processes_opts){.start_limit = limits[i]});
        thrum_future *f;
        assert_int_equal(process_submit(pool, &f), 0);
        int pid = arrival();
        pass_parts(limit < 1e9 ? PARTS - 1 : 2 * PARTS, limit < 1e9 ? limit : 1e6);
        is_done_by(f, pid);
        still_works(pool);
        close_gate();
    }
}

/* This process was stopped, or the machine asleep: that is a part of the time, however long. */
static void test_a_long_stop_is_short(void **state) {
    (void)state;
    thrum_executor *pool = pool_with_gate(1, NULL);
    thrum_future *f;
    assert_int_equal(process_submit(pool, &f), 0);
    int pid = arrival();
    look();
    for (int i = 0; i < PARTS - 1; i++)
        pass(1e5);
    is_done_by(f, pid);
    still_works(pool);
    close_gate();
}

static thrum_executor *pool_whose_initializer_waits(int n, bool constructor_too) {
    spec_needs_own_processes();
    open_gate();
    int fds[] = {arrivals[1], gate[0]};
    if (constructor_too)
        guard_constructors();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = n, .initializer = an_initializer_that_waits,
        .initarg = fds, .backend_opts = &(thrum_processes_opts){.initarg_size = sizeof fds}});
    unsetenv("SPEC_GATE");
    assert_non_null(pool);
    return pool;
}

static void test_an_initializer_may_take_long(void **state) {
    (void)state;
    thrum_executor *pool = pool_whose_initializer_waits(1, false);
    thrum_future *f;
    assert_int_equal(process_submit(pool, &f), 0);
    int pid = arrival();
    pass_parts(4 * PARTS, 60);
    is_done_by(f, pid);
    close_gate();
    thrum_executor_free(pool);
}

/* What is too slow for one is too slow for all: they are tried again. */
static void test_many_at_once_are_one_time(void **state) {
    (void)state;
    thrum_executor *pool = pool_with_gate(MANY, NULL);
    thrum_future *f[MANY];
    int pids[MANY];
    for (int i = 0; i < MANY; i++)
        assert_int_equal(process_submit(pool, &f[i]), 0);
    for (int i = 0; i < MANY; i++)
        pids[i] = arrival();
    pass_parts(PARTS, 60);
    for (int i = 0; i < MANY; i++)
        until_gone(pids[i]);
    for (int i = 0; i < MANY; i++)
        let_in();
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(process_result(f[i], NULL), 0);
        thrum_future_free(f[i]);
    }
    still_works(pool);
    close_gate();
}

/* One worker is up and held in f[0]; f[1] is for another. Returns the first one's process id. */
static int one_works(thrum_executor *pool, thrum_future *f[2]) {
    assert_int_equal(process_that_is_held_submit(pool, &f[0], hold[0]), 0);
    int up = arrival();
    let_in();
    while (!thrum_future_running(f[0]))
        spec_yield();
    assert_int_equal(process_that_is_held_submit(pool, &f[1], hold[0]), 0);
    return up;
}

/* One is up: it does its tasks, however often others are not; also if it gets no more of them. */
static void test_one_that_works_goes_on(void **state) {
    (void)state;
    for (int most = 0; most < 2; most++) {
        thrum_executor *pool = pool_with_gate(2,
                                              &(thrum_processes_opts){.max_tasks_per_child = most});
        thrum_future *f[2];
        int up = one_works(pool, f), value, pid;
        for (int i = 0; i < OFTEN; i++) {
            pid = arrival();
            pass_parts(PARTS, 60);
            until_gone(pid);
        }
        pid = arrival();
        assert_int_equal(write(hold[1], "xx", 2), 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(process_that_is_held_result(f[i], &value), 0);
            assert_int_equal(value, i < 1 || !most ? up : pid);
            thrum_future_free(f[i]);
            if (most)
                let_in();
        }
        thrum_executor_free(pool);
        until_gone(pid);
        close_gate();
    }
}

/* A row begins when no other is up any more. */
static void test_what_was_beside_one_that_works_does_not_count(void **state) {
    (void)state;
    thrum_executor *pool = pool_with_gate(2, NULL);
    thrum_future *f[2];
    int up = one_works(pool, f), value;
    int pid = arrival();
    for (int i = 0; i < MISSES + 2; i++) {
        if (i == MISSES) {
            assert_true(thrum_future_cancel(f[0]));
            until_gone(up);
        }
        pass_parts(PARTS, 60);
        until_gone(pid);
        pid = arrival();
    }
    let_in();
    assert_int_equal(write(hold[1], "x", 1), 1);
    assert_int_equal(process_that_is_held_result(f[1], &value), 0);
    assert_int_equal(value, pid);
    for (int i = 0; i < 2; i++)
        thrum_future_free(f[i]);
    thrum_executor_free(pool);
    close_gate();
}

/* It may take as long as it likes: others do not break the pool meanwhile. */
static void test_one_in_its_initializer_is_up(void **state) {
    (void)state;
    thrum_executor *pool = pool_whose_initializer_waits(2, true);
    thrum_future *f[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(process_submit(pool, &f[i]), 0);
    int first = arrival(), other = arrival();
    let_in();
    other = arrival() == first ? other : first;
    for (int i = 0; i < MISSES; i++) {
        pass_parts(PARTS, 60);
        until_gone(other);
        other = arrival();
    }
    for (int i = 0; i < 3; i++)
        let_in();
    assert_int_equal(arrival(), other);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(process_result(f[i], NULL), 0);
        thrum_future_free(f[i]);
    }
    thrum_executor_free(pool);
    close_gate();
}

/* Two times, then a worker that is up, again and again. */
static void test_one_that_is_up_ends_the_row(void **state) {
    (void)state;
    thrum_executor *pool = pool_with_gate(1, &(thrum_processes_opts){.max_tasks_per_child = 1});
    for (int i = 0; i < 3; i++) {
        thrum_future *f;
        assert_int_equal(process_submit(pool, &f), 0);
        for (int k = 0; k < 2; k++) {
            int pid = arrival();
            pass_parts(PARTS, 60);
            until_gone(pid);
        }
        is_done_by(f, arrival());
    }
    thrum_executor_free(pool);
    close_gate();
}

/* Nobody needs it any more: it is killed at once. */
static void test_the_end_does_not_wait_for_it(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        thrum_executor *pool = pool_with_gate(1, &(thrum_processes_opts){.start_limit = INFINITY});
        thrum_future *f;
        assert_int_equal(process_submit(pool, &f), 0);
        int pid = arrival();
        if (how == 0)
            assert_true(thrum_future_cancel(f));
        if (how == 1)
            assert_int_equal(thrum_executor_shutdown(pool, true, true), 0);
        if (how == 2) {
            assert_int_equal(thrum_executor_shutdown(pool, false, false), 0);
            assert_true(thrum_future_cancel(f));
        }
        thrum_executor_free(pool);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(process_result(f, NULL), -ECANCELED);
        thrum_future_free(f);
        close_gate();
    }
}

SPEC_TESTS(cmocka_unit_test(test_the_third_time_breaks_the_pool),
           cmocka_unit_test(test_what_is_in_time), cmocka_unit_test(test_a_long_stop_is_short),
           cmocka_unit_test(test_an_initializer_may_take_long),
           cmocka_unit_test(test_many_at_once_are_one_time),
           cmocka_unit_test(test_one_that_works_goes_on),
           cmocka_unit_test(test_what_was_beside_one_that_works_does_not_count),
           cmocka_unit_test(test_one_in_its_initializer_is_up),
           cmocka_unit_test(test_one_that_is_up_ends_the_row),
           cmocka_unit_test(test_the_end_does_not_wait_for_it));
