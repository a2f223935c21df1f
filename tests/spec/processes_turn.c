/* SPDX-License-Identifier: MIT */
/* What only the pool's thread may do, and is told of by whoever takes results in its place. */
#include "spec.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <thrum/future.h>
#include <thrum/processes.h>
#include <thrum/shared.h>
#include <unistd.h>

enum { ROUNDS = 60 };

THRUM_TASK(int, process) { return (int)getpid(); }

THRUM_TASK(int, count_to, (int, n)) {
    volatile int i = 0;
    while (i < n)
        i = i + 1;
    return i;
}

THRUM_TASK(void, work_for_ever) {
    for (;;)
        pause();
}

static thrum_executor *pool_of(int n) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = n, .idle_timeout = INFINITY});
    assert_non_null(pool);
    return pool;
}

/* The task behind is cancelled before it begins; it becomes the first by a result that who waits
 * for it takes. */
static void test_a_cancelled_task_becomes_the_first(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1);
    for (int i = 0; i < ROUNDS; i++) {
        thrum_future *ready, *first, *second, *third;
        int n = (int)spec_random(40000), value = 0;
        assert_int_equal(process_submit(pool, &ready), 0);
        assert_int_equal(process_result(ready, NULL), 0);
        assert_int_equal(count_to_submit(pool, &first, n), 0);
        assert_int_equal(work_for_ever_submit(pool, &second), 0);
        assert_true(thrum_future_cancel(second));
        assert_int_equal(count_to_result(first, &value), 0);
        assert_int_equal(value, n);
        assert_int_equal(process_submit(pool, &third), 0);
        assert_int_equal(process_result(third, NULL), 0);
        thrum_future_free(ready);
        thrum_future_free(first);
        thrum_future_free(second);
        thrum_future_free(third);
    }
    thrum_executor_free(pool);
}

/* A task is cancelled while it ends, and the next one is done at once: then others get their
 * turn. */
static void test_cancelled_at_its_end(void **state) {
    (void)state;
    enum { N = 5 };
    const int counts[N] = {100000, 1, 100000, 100000, 100000};
    thrum_executor *pool = pool_of(1);
    thrum_future *f[N];
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < N; k++)
            assert_int_equal(count_to_submit(pool, &f[k], counts[k]), 0);
        while (!thrum_future_running(f[0]) && !thrum_future_done(f[0]))
            spec_yield();
        volatile int n = (int)spec_random(150000);
        while (n > 0 && !thrum_future_done(f[0]))
            n = n - 1;
        (void)thrum_future_cancel(f[0]);
        assert_int_equal(thrum_wait(f, N, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        for (int k = 0; k < N; k++)
            thrum_future_free(f[k]);
    }
    thrum_executor_free(pool);
}

THRUM_TASK(void, wait_for_a_byte_of, (int, fd)) {
    char byte;
    while (read(fd, &byte, 1) < 0)
        continue;
}

/* Many that were cancelled before they were sent stand in the way of one. */
static void test_cancelled_tasks_hold_up_nobody(void **state) {
    (void)state;
    enum { N = 300 };
    thrum_executor *pool = pool_of(1);
    thrum_future *held, *last, *f[N];
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    assert_int_equal(wait_for_a_byte_of_submit(pool, &held, gate[0]), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(process_submit(pool, &f[i]), 0);
    assert_int_equal(process_submit(pool, &last), 0);
    for (int i = 0; i < N; i++)
        if (!thrum_future_running(f[i]))
            assert_true(thrum_future_cancel(f[i]));
    assert_int_equal(write(gate[1], "", 1), 1);
    assert_int_equal(process_result(last, NULL), 0);
    for (int i = 0; i < N; i++)
        thrum_future_free(f[i]);
    thrum_future_free(held);
    thrum_future_free(last);
    thrum_executor_free(pool);
    close(gate[0]);
    close(gate[1]);
}

THRUM_TASK(void, touch, (char *, byte)) { *byte = 1; }

enum { SEGMENTS = 20 };

/* What cannot be sent fails, whoever finds that out. */
static int without_descriptors(void) {
    thrum_shared *shared[SEGMENTS];
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1, .idle_timeout = INFINITY});
    thrum_future *f;
    if (process_submit(pool, &f) != 0 || process_result(f, NULL) != 0)
        return 1;
    thrum_future_free(f);
    for (int i = 0; i < SEGMENTS; i++)
        if (thrum_shared_create(&shared[i], NULL, 64, NULL) != 0)
            return 2;
    int most = dup(0);
    close(most);
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)most, (rlim_t)most}) != 0)
        return 3;
    for (int i = 0; i < SEGMENTS; i++) {
        if (touch_submit(pool, &f, thrum_shared_memory(shared[i])) != 0)
            return 4;
        if (touch_result(f) != -EMFILE)
            return 5;
        thrum_future_free(f);
    }
    thrum_executor_free(pool);
    return 0;
}

/* No worker can be started. The one who waits does not look himself. */
static int without_workers(void) {
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1});
    thrum_future *f;
    int most = dup(0);
    close(most);
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)most, (rlim_t)most}) != 0)
        return 1;
    if (process_submit(pool, &f) != 0)
        return 2;
    if (thrum_wait(&f, 1, THRUM_FIRST_COMPLETED, THRUM_NEVER) != 0)
        return 3;
    if (process_result(f, NULL) != -EMFILE)
        return 4;
    thrum_future_free(f);
    thrum_executor_free(pool);
    return 0;
}

static void test_what_has_no_worker_fails(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_exits(without_workers, 0, &end);
}

static void test_what_cannot_be_sent_fails(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_end end;
    spec_exits(without_descriptors, 0, &end);
}

typedef struct ending {
    thrum_executor *pool;
    char *byte;
    bool cancelled;
} ending;

/* Returns NULL if all is well. The thread ends at its next cancellation point: none of these is. */
static void *use_while_ending(void *arg) {
    ending *it = arg;
    thrum_future *first, *second;
    pthread_cancel(pthread_self());
    if (work_for_ever_submit(it->pool, &first) != 0 ||
        touch_submit(it->pool, &second, it->byte) != 0)
        return it;
    while (!thrum_future_running(first))
        spec_yield();
    it->cancelled = thrum_future_cancel(first);
    int rc = touch_result(second);
    thrum_future_free(first);
    thrum_future_free(second);
    return rc == 0 ? NULL : it;
}

/* It would end with what all others wait for in its hand. */
static void test_a_thread_that_is_cancelled_stops_nobody(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1);
    thrum_shared *shared;
    thrum_future *f;
    pthread_t thread;
    void *value;
    assert_int_equal(thrum_shared_create(&shared, NULL, 64, NULL), 0);
    ending it = {.pool = pool, .byte = thrum_shared_memory(shared)};
    assert_int_equal(pthread_create(&thread, NULL, use_while_ending, &it), 0);
    assert_int_equal(pthread_join(thread, &value), 0);
    assert_null(value);
    assert_true(it.cancelled);
    assert_int_equal(*it.byte, 1);
    assert_int_equal(process_submit(pool, &f), 0);
    assert_int_equal(process_result(f, NULL), 0);
    thrum_future_free(f);
    thrum_executor_free(pool);
    thrum_shared_close(shared);
}

SPEC_TESTS(cmocka_unit_test(test_cancelled_at_its_end),
           cmocka_unit_test(test_cancelled_tasks_hold_up_nobody),
           cmocka_unit_test(test_a_thread_that_is_cancelled_stops_nobody),
           cmocka_unit_test(test_a_cancelled_task_becomes_the_first),
           cmocka_unit_test(test_what_has_no_worker_fails),
           cmocka_unit_test(test_what_cannot_be_sent_fails));
