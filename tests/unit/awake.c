/* SPDX-License-Identifier: MIT */
/* Floor 1: how many OS strands are awake, after whatever ends their sleep. */
#include "spec.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu.h"
#include "park/strand.h"

enum { THREADS = 4, ROUNDS = 200 };

static thrum_lock lock = THRUM_LOCK_INIT;
static thrum_condition condition = THRUM_CONDITION_INIT;
static thrum_event event;
static thrum_semaphore semaphore = THRUM_SEMAPHORE_INIT(0);
static thrum_executor *pool;

/* Returns how many are awake, none below 0 or above the CPUs. The current strand has slept. */
static int awake(void) {
    int cpus = thrum__cpu_allowed(), n = 0;
    while (n <= cpus && thrum__strand_may_spin_beside(thrum__strand_self(), (uint32_t)n))
        n++;
    return cpus + 1 - n;
}

static void sleep_once(void) {
    assert_int_equal(thrum_semaphore_acquire_until(&semaphore, thrum_in(1e-4)), -ETIMEDOUT);
}

static void *identity(void *arg) { return arg; }

static void *wait_inside(void *arg) {
    thrum_future *inner;
    assert_int_equal(thrum_submit(pool, &inner, identity, arg), 0);
    assert_int_equal(thrum_future_result(inner, NULL), 0);
    thrum_future_free(inner);
    return arg;
}

static void ends(int rc) { assert_true(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED); }

/* Woken, requeued, handed a lock or a permit, timed out, and just too late for that. */
static void *wait_in_all_ways(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        thrum_deadline soon = thrum_in(spec_random(40) * 1e-6);
        thrum_future *task;
        ends(thrum_semaphore_acquire_until(&semaphore, soon));
        ends(thrum_event_wait_until(&event, soon));
        thrum_lock_acquire(&lock);
        ends(thrum_condition_wait_until(&condition, &lock, soon));
        thrum_condition_notify_all(&condition);
        thrum_lock_release(&lock);
        thrum_semaphore_release(&semaphore, 1);
        ends(thrum_semaphore_acquire_until(&semaphore, thrum_in(1e-5)));
        assert_int_equal(thrum_submit(pool, &task, wait_inside, arg), 0);
        if (i % 4 == 0)
            (void)thrum_future_cancel(task);
        ends(thrum_future_result_until(task, soon, NULL));
        thrum_future_free(task);
        (i & 1 ? thrum_event_set : thrum_event_clear)(&event);
    }
    return arg;
}

static int forked(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        sleep_once();
        _exit(awake() == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_the_number_of_those_awake_comes_back(void **state) {
    (void)state;
    spec_needs_os("a count of those awake");
    sleep_once();
    for (int round = 0; round < 3; round++) {
        spec_team team = {.n = 0};
        pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
        spec_team_start(&team, THREADS, wait_in_all_ways, NULL);
        assert_int_equal(forked(), 0);
        spec_team_join(&team);
        thrum_executor_free(pool);
        while (thrum_semaphore_try_acquire(&semaphore))
            continue;
        assert_int_equal(awake(), 1);
    }
}

SPEC_TESTS(cmocka_unit_test(test_the_number_of_those_awake_comes_back));
