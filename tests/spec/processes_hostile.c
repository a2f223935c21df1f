/* SPDX-License-Identifier: MIT */
/* Tasks that behave badly: each harms itself, and nothing else. */
#include "entries.h"
#include "place.h"
#include "process_pool.h"
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sanitizers.h"

THRUM_TASK(void, leave_by_exit, (int, code)) { exit(code); }

THRUM_TASK(void, leave_by_pthread_exit) { pthread_exit(NULL); }

/* The child comes back from the task, as does the parent. */
THRUM_TASK(int, fork_and_return) { return fork() < 0 ? -1 : 7; }

THRUM_TASK(void, close_all, (int, for_ever)) {
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    while (for_ever)
        pause();
}

/* A head that promises `size` bytes of a frame of this kind, which do not come. */
THRUM_TASK(void, promise, (int, kind), (uint64_t, size)) {
    uint64_t head[4] = {UINT64_C(0x74680001) | (uint64_t)kind << 32, 0, 1, size};
    const char poke = THRUM__POKE;
    thrum__ring *up = &spec_place()->up;
    (void)thrum__ring_put(&(thrum__ring_end){up, up->tail, up->head}, head, sizeof head);
    for (int fd = 3; fd < 64; fd++)
        (void)send(fd, &poke, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (;;)
        pause();
}

typedef struct block {
    char bytes[250000];
} block;

typedef struct large {
    char bytes[1 << 20];
} large;

THRUM_TASK(int, first_byte, (block, b)) { return b.bytes[0]; }

/* What comes in shared memory. */
THRUM_TASK(int, first_of_large, (large, b)) { return b.bytes[0]; }

/* There may be no more descriptors than there are, or as many as ever. */
THRUM_TASK(int, limit_descriptors, (int, limited)) {
    struct rlimit limit;
    int first = limited ? dup(STDOUT_FILENO) : -1;
    if ((limited && (first < 0 || close(first) != 0)) || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return -1;
    limit.rlim_cur = limited ? (rlim_t)first : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

THRUM_TASK(int, count_descriptors) { return entries("/proc/self/fd"); }

THRUM_TASK(void, touch, (char *, at)) { *at = 1; }

/* From here on there is room for little more than what there is. */
static int little_memory(void *arg) {
    (void)arg;
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu", &pages) != 1 || fclose(file) != 0)
        return -EIO;
    rlim_t most = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 18);
    return setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
}

static thrum_executor *pool_with(int n, const thrum_processes_opts *opts,
                                 int (*initializer)(void *)) {
    spec_needs_os("processes");
    thrum_processes_opts more = opts ? *opts : (thrum_processes_opts){0};
    more.command = spec_emulated_command();
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .backend_opts = &more, .max_workers = n,
                               .name_prefix = "H", .initializer = initializer});
    assert_non_null(pool);
    return pool;
}

static void dies(thrum_future *f, const char *text) {
    assert_int_equal(thrum_future_result(f, NULL), -EPIPE);
    if (!strstr(thrum_future_error(f)->message, text))
        fail_msg("\"%s\" does not say \"%s\"", thrum_future_error(f)->message, text);
    thrum_future_free(f);
}

static void test_exit_in_a_task(void **state) {
    (void)state;
    thrum_executor *pool = pool_with(1, NULL, NULL);
    thrum_future *f[3];
    for (int i = 0; i < 2; i++)
        assert_int_equal(leave_by_exit_submit(pool, &f[i], 3 * i), 0);
    assert_int_equal(leave_by_pthread_exit_submit(pool, &f[2]), 0);
    dies(f[0], "exited with code 0");
    dies(f[1], "exited with code 3");
    dies(f[2], "exited with code 0");
    still_works(pool);
}

static void test_a_task_that_forks_and_comes_back_twice(void **state) {
    (void)state;
    thrum_executor *pool = pool_with(1, NULL, NULL);
    enum { N = 20 };
    thrum_future *f[N];
    int value = 0;
    for (int i = 0; i < N; i++)
        assert_int_equal(fork_and_return_submit(pool, &f[i]), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(fork_and_return_result(f[i], &value), 0);
        assert_int_equal(value, 7);
        thrum_future_free(f[i]);
    }
    still_works(pool);
}

static void test_a_task_that_closes_everything(void **state) {
    (void)state;
    for (int last = 0; last < 2; last++) {
        thrum_executor *pool =
            pool_with(1, &(thrum_processes_opts){.max_tasks_per_child = last}, NULL);
        thrum_future *f[2];
        assert_int_equal(close_all_submit(pool, &f[0], true), 0);
        assert_int_equal(close_all_submit(pool, &f[1], false), 0);
        dies(f[0], "has closed its socket");
        assert_int_equal(close_all_result(f[1]), 0); /* it was done */
        thrum_future_free(f[1]);
        still_works(pool);
    }
}

static void test_a_promise_of_much(void **state) {
    (void)state;
    thrum_executor *pool = pool_with(1, NULL, NULL);
    static const uint64_t sizes[] = {1, 64, 1 << 20, UINT64_C(1) << 29};
    for (int kind = 1; kind < 8; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            thrum_future *f;
            assert_int_equal(promise_submit(pool, &f, kind, sizes[i]), 0);
            dies(f, "sent what is no frame");
        }
    still_works(pool);
}

/* A worker that has no room for a task is not started again and again. */
static void test_no_memory_in_a_worker(void **state) {
    (void)state;
    spec_skip_under_emulation("needs more memory");
    if (SPEC_ASAN || SPEC_TSAN)
        skip(); /* a sanitizer needs more memory */
    static block b;
    thrum_executor *pool = pool_with(1, NULL, little_memory);
    thrum_future *f;
    assert_int_equal(first_byte_submit(pool, &f, b), 0);
    dies(f, "worker H_0");
    static large c;
    assert_int_equal(first_of_large_submit(pool, &f, c), 0);
    assert_int_equal(first_of_large_result(f, NULL), -ENOMEM);
    assert_non_null(strstr(thrum_future_error(f)->message, "could not map shared memory"));
    thrum_future_free(f);
    still_works(pool);
}

static int limited(thrum_executor *pool, int limited) {
    thrum_future *f;
    int rc = -1;
    assert_int_equal(limit_descriptors_submit(pool, &f, limited), 0);
    assert_int_equal(limit_descriptors_result(f, &rc), 0);
    thrum_future_free(f);
    return rc;
}

/* What it could not take in once comes in later. */
static void test_no_descriptors_in_a_worker(void **state) {
    (void)state;
    static large b;
    spec_skip_under_emulation("limits the emulator");
    thrum_executor *pool = pool_with(1, NULL, NULL);
    for (int i = 1; i >= 0; i--) {
        thrum_future *f;
        int value = -1;
        assert_int_equal(limited(pool, i), 0);
        b.bytes[0] = 7;
        assert_int_equal(first_of_large_submit(pool, &f, b), 0);
        assert_int_equal(first_of_large_result(f, &value), i ? -ENOMEM : 0);
        assert_int_equal(value, i ? -1 : 7);
        thrum_future_free(f);
    }
    still_works(pool);
}

/* Returns the code of the failure. */
static int touch_new_memory(thrum_executor *pool) {
    thrum_shared *shared;
    thrum_future *f;
    assert_int_equal(thrum_shared_create(&shared, NULL, 64, NULL), 0);
    assert_int_equal(touch_submit(pool, &f, thrum_shared_memory(shared)), 0);
    int rc = touch_result(f);
    thrum_future_free(f);
    thrum_shared_close(shared);
    return rc;
}

/* Calls it, which tells the worker what was closed meanwhile. Returns how many descriptors it
 * has. */
static int descriptors(thrum_executor *pool) {
    static large b;
    thrum_future *f;
    int n = 0, value;
    assert_int_equal(first_of_large_submit(pool, &f, b), 0);
    assert_int_equal(first_of_large_result(f, &value), 0);
    thrum_future_free(f);
    assert_int_equal(count_descriptors_submit(pool, &f), 0);
    assert_int_equal(count_descriptors_result(f, &n), 0);
    thrum_future_free(f);
    return n;
}

/* What was closed before a worker could take it in does not stay in it. */
static void test_forgotten_before_it_came(void **state) {
    (void)state;
    spec_skip_under_emulation("limits the emulator");
    thrum_executor *pool = pool_with(1, NULL, NULL);
    int before = descriptors(pool);
    assert_int_equal(limited(pool, 1), 0);
    assert_int_equal(touch_new_memory(pool), -ENOMEM);
    (void)descriptors(pool);
    assert_int_equal(limited(pool, 0), 0);
    assert_int_equal(touch_new_memory(pool), 0);
    assert_int_equal(descriptors(pool), before);
    still_works(pool);
}

static int told[2], let_go[2]; /* pipes, of the parent */

static int of_parent(int parent, int fd, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", parent, fd);
    return open(path, flags | O_CLOEXEC);
}

/* Says that it runs, and does so until it is let go. */
THRUM_TASK(int, tell_and_wait, (int, parent), (int, tell), (int, wait)) {
    char byte = 'x';
    int to = of_parent(parent, tell, O_WRONLY), from = of_parent(parent, wait, O_RDONLY);
    return write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1 ? 5 : -1;
}

/* In the pool's thread: what the worker has sent since is not read yet. */
static void cancel_the_next_one_late(thrum_future *f, void *next) {
    struct pollfd polled = {told[0], POLLIN, 0};
    char byte;
    (void)f;
    /* In vain, if the worker was not sent so much at once. */
    if (poll(&polled, 1, 2000) == 1 && read(told[0], &byte, 1) == 1 &&
        write(let_go[1], "x", 1) == 1)
        (void)poll(&polled, 1, 2000);
    (void)thrum_future_cancel(*(thrum_future **)next);
}

/* The worker has done a task that is cancelled, and runs the next one: it is not killed. */
static void test_a_cancel_hits_nobody_else(void **state) {
    (void)state;
    enum { N = 300 };
    thrum_executor *pool = pool_with(1, NULL, NULL);
    static thrum_future *f[N];
    thrum_future *first, *second = NULL, *third;
    int value = 0;
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(let_go), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(number_submit(pool, &f[i], i), 0);
    assert_int_equal(number_submit(pool, &first, 1), 0);
    assert_int_equal(thrum_future_add_done_callback(first, cancel_the_next_one_late, &second), 0);
    assert_int_equal(tell_and_wait_submit(pool, &second, (int)getpid(), told[1], let_go[0]), 0);
    assert_int_equal(tell_and_wait_submit(pool, &third, (int)getpid(), told[1], let_go[0]), 0);
    for (int i = 0; i < N; i++)
        thrum_future_free(f[i]);
    assert_int_equal(tell_and_wait_result(second, NULL), -ECANCELED);
    for (int i = 0; i < 1000 && !thrum_future_done(third); i++)
        spec_yield();
    assert_int_equal(write(let_go[1], "x", 1), 1);
    assert_int_equal(tell_and_wait_result(third, &value), 0);
    assert_int_equal(value, 5);
    for (int i = 0; i < 2; i++)
        close(told[i]), close(let_go[i]);
    thrum_future_free(first);
    thrum_future_free(second);
    thrum_future_free(third);
    still_works(pool);
}

SPEC_TESTS(cmocka_unit_test(test_exit_in_a_task),
           cmocka_unit_test(test_a_task_that_forks_and_comes_back_twice),
           cmocka_unit_test(test_a_task_that_closes_everything),
           cmocka_unit_test(test_a_promise_of_much), cmocka_unit_test(test_no_memory_in_a_worker),
           cmocka_unit_test(test_no_descriptors_in_a_worker),
           cmocka_unit_test(test_forgotten_before_it_came),
           cmocka_unit_test(test_a_cancel_hits_nobody_else));
