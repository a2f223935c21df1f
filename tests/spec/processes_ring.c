/* SPDX-License-Identifier: MIT */
/* What goes between a pool and its workers, and who looks after it. */
#include "place.h"
#include "spec.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <thrum/processes.h>
#include <unistd.h>

THRUM_TASK(double, area, (double, w), (double, h)) { return w * h; }

THRUM_TASK(int, process_of_task) { return (int)getpid(); }

/* What is no frame, or a result that nobody wants: through its socket, or the memory that it shares
 * with the pool. */
THRUM_TASK(void, talk_nonsense, (int, kind)) {
    const char poke = kind == 0 ? 'x' : THRUM__POKE;
    thrum__ring *up = &spec_place()->up;
    uint64_t frame[4] = {UINT64_C(0x74680001) | (uint64_t)kind << 32, 0, 12345, 0};
    thrum__ring_end end = {.ring = up, .mine = up->tail, .theirs = up->head};
    if (kind < 10)
        (void)thrum__ring_put(&end, frame, kind == 0 ? 0 : sizeof frame);
    else
        up->tail = kind == 10 ? up->tail + THRUM__RING_SIZE + 1 : kind == 11 ? up->tail - 1
                   : kind == 12 ? up->tail | THRUM__RING_CLOSED : UINT64_MAX;
    if (kind == 9)
        spec_place()->down.head = UINT64_MAX / 2;
    for (int fd = 3; fd < 64; fd++)
        (void)send(fd, &poke, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (;;)
        pause();
}

static thrum_executor *pool_of(int n, double idle_timeout) {
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = n, .idle_timeout = idle_timeout});
    assert_non_null(pool);
    return pool;
}

static void test_a_worker_that_talks_nonsense(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1, INFINITY);
    for (int kind = 0; kind < 14; kind++) {
        thrum_future *bad, *good;
        double value = 0;
        assert_int_equal(talk_nonsense_submit(pool, &bad, kind), 0);
        assert_int_equal(area_submit(pool, &good, kind, 2), 0);
        assert_int_equal(area_result(good, &value), 0);
        assert_true(value == 2.0 * kind);
        assert_int_equal(talk_nonsense_result(bad), -EPIPE);
        thrum_future_free(good);
        thrum_future_free(bad);
    }
    thrum_executor_free(pool);
}

/* Waits until the pool has no worker. */
static void wait_until_all_have_left(thrum_executor *pool) {
    thrum_executor_stats stats;
    do {
        spec_yield();
        thrum_executor_get_stats(pool, &stats);
    } while (stats.workers > 0);
}

static void test_idle_workers_leave(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2, 0.001);
    int pids[2];
    for (int i = 0; i < 2; i++) {
        thrum_future *f[4];
        for (int k = 0; k < 4; k++)
            assert_int_equal(process_of_task_submit(pool, &f[k]), 0);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(process_of_task_result(f[k], &pids[i]), 0);
            thrum_future_free(f[k]);
        }
        wait_until_all_have_left(pool);
        assert_int_equal(kill(pids[i], 0), -1);
    }
    thrum_executor_free(pool);
}

THRUM_TASK(void, stop_itself) { kill(getpid(), SIGSTOP); }

/* The pool's thread sleeps without end when the task is sent. */
static void test_a_time_limit_from_sleep(void **state) {
    (void)state;
    spec_needs_own_processes();
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1, .idle_timeout = INFINITY,
        .backend_opts = &(thrum_processes_opts){.time_limit = 0.2}});
    thrum_future *f;
    assert_non_null(pool);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(process_of_task_submit(pool, &f), 0);
        assert_int_equal(process_of_task_result(f, NULL), 0);
        thrum_future_free(f);
        assert_int_equal(stop_itself_submit(pool, &f), 0);
        assert_int_equal(stop_itself_result(f), -ETIMEDOUT);
        thrum_future_free(f);
    }
    thrum_executor_free(pool);
}

typedef struct heard {
    pthread_t waiter;
    bool adding;
    int calls, by_the_waiter;
} heard;

static void note(thrum_future *future, void *arg) {
    heard *it = arg;
    (void)future;
    if (pthread_equal(pthread_self(), it->waiter) && !it->adding)
        it->by_the_waiter++;
    __atomic_add_fetch(&it->calls, 1, __ATOMIC_RELEASE); /* pairs with the wait for it */
}

/* Who waits for a result may take it in itself; but never runs callbacks, which may need a lock
 * that it holds. */
static void test_callbacks_run_in_the_pool_s_thread(void **state) {
    (void)state;
    enum { N = 300 };
    thrum_executor *pool = pool_of(1, INFINITY);
    heard it = {.waiter = pthread_self()};
    for (int i = 0; i < N; i++) {
        thrum_future *f;
        double value = 0;
        assert_int_equal(area_submit(pool, &f, i, 2), 0);
        it.adding = true;
        assert_int_equal(thrum_future_add_done_callback(f, note, &it), 0);
        it.adding = false;
        assert_int_equal(area_result(f, &value), 0);
        assert_true(value == 2.0 * i);
        thrum_future_free(f);
    }
    thrum_executor_free(pool);
    assert_int_equal(__atomic_load_n(&it.calls, __ATOMIC_ACQUIRE), N);
    assert_int_equal(it.by_the_waiter, 0);
}

static void *submit_and_wait(void *arg) {
    for (int i = 0; i < 300; i++) {
        thrum_future *f;
        double value = 0;
        assert_int_equal(area_submit(arg, &f, i, 3), 0);
        assert_int_equal(area_result(f, &value), 0);
        assert_true(value == 3.0 * i);
        thrum_future_free(f);
    }
    return NULL;
}

/* They take turns in looking after each other's tasks. */
static void test_several_threads_wait(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(2, INFINITY);
    spec_team team = {0};
    spec_team_start(&team, 4, submit_and_wait, pool);
    spec_team_join(&team);
    thrum_executor_free(pool);
}

SPEC_TESTS(cmocka_unit_test(test_a_worker_that_talks_nonsense),
           cmocka_unit_test(test_idle_workers_leave),
           cmocka_unit_test(test_a_time_limit_from_sleep),
           cmocka_unit_test(test_callbacks_run_in_the_pool_s_thread),
           cmocka_unit_test(test_several_threads_wait));
