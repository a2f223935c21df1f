/* SPDX-License-Identifier: MIT */
/* Threads and processes that end in the middle of a fork-join. */
#include "spec.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static thrum_executor *pool;
static thrum_event started, go;

static void make_pool(int workers) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
    assert_non_null(pool);
    thrum_event_clear(&started);
    thrum_event_clear(&go);
}

THRUM_FORK_JOIN(int, fib, w, (int, n)) {
    if (n < 2)
        return n;
    fib_spawn(w, n - 1);
    int b = fib(w, n - 2);
    spec_perhaps_yield();
    return fib_sync(w) + b;
}

THRUM_FORK_JOIN(void, nothing, w) { (void)w; }

/* Spawns and syncs until somebody else has taken what was spawned before. */
static void until_started(thrum_worker *w) {
    while (!thrum_event_is_set(&started)) {
        nothing_spawn(w);
        nothing_sync(w);
        spec_yield();
    }
}

THRUM_FORK_JOIN(int, end_thread, w, (bool, spawns)) {
    thrum_event_set(&started);
    if (spawns)
        fib_spawn(w, 1);
    pthread_exit(NULL);
}

THRUM_FORK_JOIN(int, wait_for_the_end, w, (bool, spawns)) {
    end_thread_spawn(w, spawns);
    until_started(w);
    return end_thread_sync(w) + 3;
}

static void *run_that_ends(void *code) {
    int value = 0;
    *(int *)code = wait_for_the_end_run(pool, &value, false);
    assert_int_equal(value, 0);
    return NULL;
}

static void test_a_worker_that_ends_in_a_call(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    make_pool(3);
    int code = 0;
    spec_join(spec_start(run_that_ends, &code));
    assert_int_equal(code, -ECANCELED);
    assert_int_equal(fib_run(pool, &code, 16), 0);
    assert_int_equal(code, 987);
    thrum_executor_free(pool);
}

static void end_above_a_spawn(void) {
    make_pool(2);
    (void)wait_for_the_end_run(pool, NULL, true);
}

static void *end_caller(thrum_worker *w, void *arg) {
    fib_spawn(w, 1);
    pthread_exit(arg);
}

static void *run_end_caller(void *arg) {
    (void)thrum_fork_join(pool, end_caller, NULL, NULL);
    return arg;
}

static void end_the_caller_above_a_spawn(void) {
    make_pool(1);
    (void)thrum_thread_join(spec_start(run_end_caller, NULL), NULL);
}

static void test_a_thread_that_ends_above_its_spawns(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    spec_dies(end_above_a_spawn, "a thread ends (pthread_exit, cancellation) in a spawned call");
    spec_dies(end_the_caller_above_a_spawn, "a thread ends (pthread_exit, cancellation) in a");
}

static pid_t parent, child;

THRUM_FORK_JOIN(int, held, w, (int, n)) {
    (void)w;
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return n;
}

/* Forks while another runs `held`. */
THRUM_FORK_JOIN(int, fork_beside, w) {
    held_spawn(w, 5);
    until_started(w);
    fib_spawn(w, 10);
    if ((child = fork()) != 0)
        thrum_event_set(&go);
    int sum = fib_sync(w);
    return sum + held_sync(w);
}

static int end_child(int rc, int expected) {
    int status = 0;
    if (getpid() != parent)
        _exit(rc == expected && fib_run(pool, NULL, 3) == -EPIPE ? 0 : 1);
    waitpid(child, &status, 0);
    thrum_executor_free(pool);
    return rc != 0 || status != 0;
}

static int fork_beside_a_taken_call(void) {
    int sum = 0;
    parent = getpid();
    make_pool(2);
    int rc = fork_beside_run(pool, &sum);
    if (rc == 0 && sum != 60)
        return 2;
    return end_child(rc, -ECANCELED);
}

THRUM_FORK_JOIN(int, fork_above, w) {
    int sum = 0;
    for (int i = 0; i < 100; i++)
        fib_spawn(w, 5);
    child = fork();
    for (int i = 0; i < 100; i++)
        sum += fib_sync(w);
    return sum;
}

static int fork_above_spawns(void) {
    int sum = 0;
    parent = getpid();
    make_pool(1);
    int rc = fork_above_run(pool, &sum);
    return end_child(sum == 500 ? rc : 1, 0);
}

/* With others that take whatever they can: the child gets all or -ECANCELED. */
static int fork_above_spawns_that_others_take(void) {
    for (int i = 0; i < 20; i++) {
        int sum = 0;
        parent = getpid();
        make_pool(3);
        int rc = fork_above_run(pool, &sum);
        if ((rc == 0 && sum != 500) || end_child(rc, rc == -ECANCELED ? rc : 0) != 0)
            return 1;
    }
    return 0;
}

static void test_a_fork_in_a_call(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    static spec_end end;
    spec_exits(fork_beside_a_taken_call, 0, &end);
    spec_exits(fork_above_spawns, 0, &end);
    spec_exits(fork_above_spawns_that_others_take, 0, &end);
}

THRUM_FORK_JOIN(int, held_above_spawns, w) {
    int sum = 0;
    for (int i = 0; i < 10; i++)
        fib_spawn(w, 5);
    thrum_event_set(&started);
    thrum_event_wait(&go);
    for (int i = 0; i < 10; i++)
        sum += fib_sync(w);
    return sum;
}

THRUM_FORK_JOIN(int, fork_beside_spawns, w) {
    held_above_spawns_spawn(w);
    until_started(w);
    if ((child = fork()) != 0)
        thrum_event_set(&go);
    return held_above_spawns_sync(w);
}

static int fork_join_in_the_child(void) {
    parent = getpid();
    make_pool(2);
    int sum = 0, rc = fork_beside_spawns_run(pool, &sum);
    if (getpid() != parent) {
        if (rc != -ECANCELED)
            _exit(1);
        make_pool(4);
        for (int i = 0; i < 50; i++)
            if (fib_run(pool, &sum, 16) != 0 || sum != 987)
                _exit(2);
        thrum_executor_free(pool);
        _exit(0);
    }
    return end_child(sum == 50 ? rc : 1, 0);
}

static void test_a_fork_join_in_the_child(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    spec_skip_under_tsan("does not start threads in a forked child");
    static spec_end end;
    spec_exits(fork_join_in_the_child, 0, &end);
}

static int *in_child; /* shared: calls that began in the child */
static int held_calls;

/* The first call forks when two others are held, which makes more of them public. */
THRUM_FORK_JOIN(void, fork_in_thief, w, (int, n)) {
    (void)w;
    if (getpid() != parent)
        __atomic_fetch_add(in_child, 1, __ATOMIC_RELAXED);
    if (n == 1 || n == 2) {
        __atomic_fetch_add(&held_calls, 1, __ATOMIC_RELAXED);
        thrum_event_wait(&started);
    }
    if (n != 0)
        return;
    while (__atomic_load_n(&held_calls, __ATOMIC_RELAXED) < 2)
        spec_yield();
    child = fork();
    if (child != 0)
        thrum_event_set(&started);
}

THRUM_FORK_JOIN(int, spawn_forker, w) {
    enum { MORE = 50 };
    for (int i = 0; i <= MORE; i++)
        fork_in_thief_spawn(w, i);
    until_started(w);
    for (int i = 0; i <= MORE; i++)
        fork_in_thief_sync(w);
    return MORE;
}

static int fork_in_a_taken_call(void) {
    parent = getpid();
    make_pool(4);
    int value = 0, status = 0;
    int rc = spawn_forker_run(pool, &value);
    waitpid(child, &status, 0);
    thrum_executor_free(pool);
    return rc != 0 || value != 50 || *in_child != 0;
}

static void test_a_fork_in_a_taken_call_ends_with_it(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    spec_skip_under_tsan("does not follow a fork from a thread");
    static spec_end end;
    in_child = mmap(NULL, sizeof *in_child, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    assert_true(in_child != MAP_FAILED);
    spec_exits(fork_in_a_taken_call, 0, &end);
    munmap(in_child, sizeof *in_child);
}

SPEC_TESTS(cmocka_unit_test(test_a_worker_that_ends_in_a_call),
           cmocka_unit_test(test_a_thread_that_ends_above_its_spawns),
           cmocka_unit_test(test_a_fork_in_a_call),
           cmocka_unit_test(test_a_fork_join_in_the_child),
           cmocka_unit_test(test_a_fork_in_a_taken_call_ends_with_it));
