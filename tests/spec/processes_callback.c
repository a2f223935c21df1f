/* SPDX-License-Identifier: MIT */
/* What a done callback does in the thread of a pool of processes. */
#include "spec.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <thrum/event.h>
#include <thrum/map.h>
#include <thrum/processes.h>
#include <thrum/thread.h>
#include <unistd.h>

enum { CODE = 6 };

THRUM_TASK(int, process) { return (int)getpid(); }

THRUM_TASK(void, refuse) { thrum_raise(-ERANGE, "no"); }

THRUM_TASK(void, wait_for_a_byte_of, (int, fd)) {
    char byte;
    while (read(fd, &byte, 1) < 0)
        continue;
}

static thrum_executor *pool;
static thrum_event called;
static int refusals, calls;
static spec_end end;

static int gate[2]; /* its workers have it too */

static void make_pool(void) {
    if (pipe(gate) != 0)
        _exit(3);
    pool = thrum_executor_new(&(thrum_executor_opts){.backend = thrum_processes,
                                                     .max_workers = 1,
                                                     .idle_timeout = INFINITY,
                                                     .name_prefix = "p"});
}

/* Nothing that is submitted from here on is done before the gate is open. */
static void close_gate(void) {
    if (wait_for_a_byte_of_submit(pool, NULL, gate[0]) != 0)
        _exit(4);
}

static void open_gate(void) {
    if (write(gate[1], "", 1) != 1)
        _exit(5);
}

static void call_at_the_end_of_a_task(void (*callback)(thrum_future *, void *)) {
    thrum_future *f;
    close_gate();
    if (process_submit(pool, &f) != 0 || thrum_future_add_done_callback(f, callback, NULL) != 0)
        _exit(6);
    thrum_future_free(f);
    open_gate();
}

static int nothing(const void *item, void *result) {
    (void)item;
    (void)result;
    return 0;
}

static void wait_in_vain(thrum_future *future, void *arg) {
    thrum_future *f;
    char item = 0;
    (void)future;
    (void)arg;
    if (process_submit(pool, &f) == 0) {
        refusals += process_result(f, NULL) == -EDEADLK;
        refusals += thrum_wait(&f, 1, THRUM_ALL_COMPLETED, THRUM_NEVER) == -EDEADLK;
        thrum_future_free(f);
    }
    refusals += thrum_map(pool, nothing, &item, 1, 1, NULL, 0, NULL) == -EDEADLK;
    refusals += thrum_executor_shutdown(pool, true, false) == -EDEADLK;
    thrum_event_set(&called);
}

static int wait_everywhere(void) {
    make_pool();
    call_at_the_end_of_a_task(wait_in_vain);
    thrum_event_wait(&called);
    thrum_executor_free(pool);
    return refusals;
}

static void test_waits_for_its_own_pool_are_refused(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_exits(wait_everywhere, 4, &end);
    assert_int_equal(spec_count_text(end.text, "-EDEADLK"), 3);
}

static void free_pool(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    thrum_executor_free(pool);
}

static int free_in_a_callback(void) {
    thrum_event never = {0};
    make_pool();
    call_at_the_end_of_a_task(free_pool);
    thrum_event_wait(&never);
    return 0;
}

static void test_freeing_its_own_pool_is_a_panic(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_child(free_in_a_callback, &end);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGABRT);
    assert_int_equal(spec_count_text(end.text, "frees it"), 1);
}

static void end_thread(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    calls++;
    pthread_exit(NULL);
}

/* Several callbacks, of results and failures. Returns 0 or what went wrong. */
static int end_it_often(void) {
    enum { N = 6 };
    thrum_future *f[N];
    close_gate();
    for (int i = 0; i < N; i++) {
        if ((i % 2 ? refuse_submit(pool, &f[i]) : process_submit(pool, &f[i])) != 0)
            return 11;
        for (int k = 0; k < 2; k++)
            if (thrum_future_add_done_callback(f[i], end_thread, NULL) != 0)
                return 15;
    }
    open_gate();
    for (int i = 0; i < N; i++) {
        const thrum_failure *failure = thrum_future_error(f[i]);
        if ((failure ? failure->code : 0) != (i % 2 ? -ERANGE : 0))
            return 12;
        thrum_future_free(f[i]);
    }
    return 0;
}

/* All goes on with the same worker. */
static int end_the_thread(void) {
    thrum_future *f[2];
    int pids[2], rc;
    make_pool();
    for (int i = 0; i < 2; i++) {
        if (process_submit(pool, &f[i]) != 0 || process_result(f[i], &pids[i]) != 0)
            return 13;
        thrum_future_free(f[i]);
        for (int round = 0; round < 3; round++)
            if ((rc = end_it_often()) != 0)
                return rc;
    }
    thrum_executor_free(pool);
    return pids[0] == pids[1] ? calls : 14;
}

static void test_a_callback_that_ends_the_thread(void **state) {
    (void)state;
#ifdef __clang__
    print_message("skipped: clang's cleanups abort when a second pthread_exit leaves them\n");
    skip();
#endif
    spec_needs_own_processes();
    spec_exits(end_the_thread, 72, &end);
}

static void call_exit(thrum_future *future, void *arg) {
    (void)future;
    (void)arg;
    exit(CODE);
}

static void *say_result(void *arg) {
    thrum_future *f = arg;
    char text[] = "0\n";
    text[0] += (char)process_result(f, NULL);
    thrum_future_free(f);
    thrum_executor_free(pool);
    if (write(STDOUT_FILENO, text, 2) != 2)
        _exit(7);
    return NULL;
}

/* Tasks behind are done all the same, since a thread waits for them that the program's end waits
 * for. */
static int exit_in_a_callback(void) {
    thrum_event never = {0};
    thrum_future *f;
    make_pool();
    close_gate();
    call_at_the_end_of_a_task(call_exit);
    if (process_submit(pool, &f) != 0 || thrum_thread_start(NULL, say_result, f, NULL) != 0)
        return 8;
    open_gate();
    thrum_event_wait(&never);
    return 0;
}

static void test_a_callback_that_calls_exit(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_exits(exit_in_a_callback, CODE, &end);
    assert_string_equal(end.text, "0\n");
}

SPEC_TESTS(cmocka_unit_test(test_waits_for_its_own_pool_are_refused),
           cmocka_unit_test(test_freeing_its_own_pool_is_a_panic),
           cmocka_unit_test(test_a_callback_that_ends_the_thread),
           cmocka_unit_test(test_a_callback_that_calls_exit));
