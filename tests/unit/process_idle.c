/* SPDX-License-Identifier: MIT */
/* How the thread of a pool of processes sleeps while its workers are idle for long. */
#include "spec.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <thrum/processes.h>
#include <time.h>
#include <unistd.h>

enum { NOT_YET = -1 };

static int calls, refused; /* relaxed, as the next */
static int before;         /* calls when the task was done */

static int load(const int *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }

/* In the place of the C library's, which the pool calls. */
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask) {
    long left[2] = {timeout ? (long)timeout->tv_sec : 0, timeout ? (long)timeout->tv_nsec : 0};
    __atomic_add_fetch(&refused, timeout && timeout->tv_sec < 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return (int)syscall(SYS_ppoll, fds, n, timeout ? left : NULL, mask, NSIG / 8);
}

THRUM_TASK(int, seven) { return 7; }

/* In the pool's thread, which polls next with the worker idle. */
static void note(thrum_future *future, void *arg) {
    (void)future, (void)arg;
    __atomic_store_n(&before, load(&calls), __ATOMIC_RELAXED);
}

/* Where seconds have 32 bits that is more than they hold, and a poll for so long would be refused,
 * again and again. */
static void test_a_long_idle_time_is_slept(void **state) {
    (void)state;
    thrum_future *f;
    if (getenv("THRUM_TEST_EMULATED"))
        skip(); /* does not start itself anew */
    for (double time = 3e9; time < 9e9; time += 1e9) {
        thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
            .backend = thrum_processes, .max_workers = 1, .idle_timeout = time});
        assert_non_null(pool);
        before = NOT_YET;
        assert_int_equal(seven_submit(pool, &f), 0);
        assert_int_equal(thrum_future_add_done_callback(f, note, NULL), 0);
        while (load(&before) == NOT_YET || load(&calls) <= load(&before))
            sched_yield();
        assert_int_equal(load(&refused), 0);
        thrum_future_free(f);
        thrum_executor_free(pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_idle_time_is_slept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
