/* SPDX-License-Identifier: MIT */
/* Pools at the end of the program, in the child of a fork, and as a block. */
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static spec_end end;
static thrum_event go;
static thrum_event started;
static thrum_executor *pool;

static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

static void *say_done(void *arg) {
    for (int i = 0; i < 3; i++)
        spec_yield();
    say("done\n");
    return arg;
}

static void *submit_more(void *arg) {
    for (int i = 0; i < 5; i++)
        if (thrum_submit(pool, NULL, say_done, NULL) != 0)
            say("refused\n");
    return arg;
}

static int leave_tasks(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    thrum_submit(pool, NULL, submit_more, NULL);
    for (int i = 0; i < 10; i++)
        thrum_submit(pool, NULL, say_done, NULL);
    return 5;
}

static void test_exit_finishes_what_was_submitted(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        spec_exits(leave_tasks, 5, &end);
        assert_int_equal(spec_count_text(end.text, "done\n"), 15);
    }
}

static int leave_an_idle_pool(void) {
    thrum_future *future;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    thrum_submit(pool, &future, say_done, NULL);
    return thrum_future_result(future, NULL);
}

static void test_exit_does_not_wait_for_idle_workers(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        spec_exits(leave_an_idle_pool, 0, &end);
}

static void *wait_for_ever(void *arg) {
    thrum_event_set(&started);
    thrum_event_wait(&go);
    return arg;
}

static int leave_a_daemon_pool(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2, .daemon = true});
    thrum_submit(pool, NULL, wait_for_ever, NULL);
    thrum_event_wait(&started);
    return 4;
}

static void test_exit_leaves_daemon_pools(void **state) {
    (void)state;
    thrum_event_clear(&started);
    for (int i = 0; i < 5; i++)
        spec_exits(leave_a_daemon_pool, 4, &end);
}

static void *call_exit(void *arg) {
    (void)arg;
    thrum_event_wait(&started);
    exit(6);
}

static int exit_in_a_task(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    thrum_submit(pool, NULL, call_exit, NULL);
    for (int i = 0; i < 5; i++)
        thrum_submit(pool, NULL, say_done, NULL);
    thrum_event_set(&started);
    thrum_event_wait(&go); /* for ever */
    return 0;
}

static void test_exit_in_a_task(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    thrum_event_clear(&started);
    spec_exits(exit_in_a_task, 6, &end);
    assert_int_equal(spec_count_text(end.text, "done\n"), 5);
}

static int exit_early(void *arg) {
    (void)arg;
    exit(7);
}

static int exit_in_the_initializer(void) {
    pool = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = 1, .initializer = exit_early});
    thrum_submit(pool, NULL, say_done, NULL);
    thrum_event_wait(&go); /* for ever */
    return 0;
}

static void test_exit_in_the_initializer(void **state) {
    (void)state;
    spec_needs_os("an exit() beside a main that waits");
    spec_exits(exit_in_the_initializer, 7, &end);
    assert_int_equal(spec_count_text(end.text, "done\n"), 0);
}

static void *linger(void *arg) {
    if (thrum_event_wait_until(&go, thrum_in(5.2)) != -ETIMEDOUT)
        say("woken\n");
    say("done\n");
    return arg;
}

static int linger_at_exit(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .name_prefix = "slow"});
    thrum_submit(pool, NULL, linger, NULL);
    return 0;
}

static void test_the_notice_names_the_pool(void **state) {
    (void)state;
    spec_needs_test_strand("five seconds in no time");
    thrum_event_clear(&go);
    spec_exits(linger_at_exit, 0, &end);
    assert_non_null(strstr(end.text, "waits for pool \"slow\""));
    assert_non_null(strstr(end.text, "done\n"));
}

static thrum_future *runs, *waits;

static int use_in_child(void) {
    thrum_future *other = NULL;
    if (thrum_submit(pool, &other, wait_for_ever, NULL) != -EPIPE || other)
        return 1;
    if (thrum_future_result(runs, NULL) != -ECANCELED || !thrum_future_done(waits) ||
        !thrum_future_cancelled(waits))
        return 2;
    if (thrum_executor_shutdown(pool, true, false) != 0)
        return 3;
    thrum_executor_free(pool);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    if (thrum_submit(pool, &other, say_done, NULL) != 0 || thrum_future_result(other, NULL) != 0)
        return 4;
    thrum_executor_free(pool);
    return 0;
}

static void test_fork(void **state) {
    (void)state;
    spec_skip_under_tsan("does not start threads in a forked child");
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    assert_int_equal(thrum_submit(pool, &runs, wait_for_ever, NULL), 0);
    thrum_event_wait(&started);
    assert_int_equal(thrum_submit(pool, &waits, wait_for_ever, NULL), 0);
    spec_exits(use_in_child, 0, &end);
    assert_non_null(strstr(end.text, "its workers are gone"));
    assert_non_null(strstr(end.text, "done\n"));
    assert_false(thrum_future_done(runs));
    thrum_event_set(&go);
    assert_int_equal(thrum_future_result(waits, NULL), 0);
    thrum_future_free(runs);
    thrum_future_free(waits);
    thrum_executor_free(pool);
}

static void *fork_here(void *arg) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(thrum_submit(pool, NULL, say_done, NULL) == -EPIPE &&
                      !thrum_future_done(*(thrum_future **)arg)
                  ? 9
                  : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 9);
    return arg;
}

static void test_fork_in_a_task(void **state) {
    (void)state;
    spec_skip_under_tsan("does not follow a fork from a thread");
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .initializer = NULL});
    thrum_event_clear(&go);
    thrum_event_clear(&started);
    assert_int_equal(thrum_submit(pool, &waits, wait_for_ever, NULL), 0);
    thrum_event_wait(&started);
    assert_int_equal(thrum_submit(pool, &runs, fork_here, &runs), 0);
    thrum_event_set(&go);
    assert_int_equal(thrum_wait(&runs, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
    assert_int_equal(thrum_future_result(runs, NULL), 0);
    thrum_future_free(runs);
    thrum_future_free(waits);
    thrum_executor_free(pool);
}

static int count;

static void *count_one(void *arg) {
    __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static int return_from_block(void) {
    thrum_with_executor(ex, &(thrum_executor_opts){.max_workers = 2, .name_prefix = "block"}) {
        for (int i = 0; i < 10; i++)
            assert_int_equal(thrum_submit(ex, NULL, count_one, NULL), 0);
        return 7;
    }
    return 0;
}

static void test_the_end_of_the_block_waits(void **state) {
    (void)state;
    count = 0;
    thrum_with_executor(ex, NULL) {
        for (int i = 0; i < 10; i++)
            assert_int_equal(thrum_submit(ex, NULL, count_one, NULL), 0);
    }
    assert_int_equal(count, 10);
    assert_int_equal(return_from_block(), 7);
    assert_int_equal(count, 20);
    for (int i = 0; i < 2; i++) {
        thrum_with_executor(outer, NULL) {
            thrum_with_executor(inner, &(thrum_executor_opts){.max_workers = 1}) {
                assert_int_equal(thrum_submit(inner, NULL, count_one, NULL), 0);
                assert_int_equal(thrum_submit(outer, NULL, count_one, NULL), 0);
                break;
            }
            assert_true(__atomic_load_n(&count, __ATOMIC_RELAXED) >= 21);
            continue;
        }
    }
    assert_int_equal(count, 24);
    thrum_with_executor(other, NULL) {
        assert_int_equal(thrum_submit(other, NULL, count_one, NULL), 0);
        goto out;
    }
out:
    assert_int_equal(count, 25);
    assert_int_equal(thrum_thread_active_count(), 1);
}

static void *fail_task(void *arg) {
    thrum_raise(-EIO, "unseen");
    return arg;
}

static int leave_failures(void) {
    thrum_with_executor(ex, &(thrum_executor_opts){.max_workers = 1, .name_prefix = "tally"}) {
        for (int i = 0; i < 3; i++)
            thrum_submit(ex, NULL, fail_task, NULL);
        thrum_future *read;
        thrum_submit(ex, &read, fail_task, NULL);
        if (thrum_future_result(read, NULL) != -EIO)
            return 1;
        thrum_future_free(read);
    }
    thrum_with_executor(quiet, NULL) thrum_submit(quiet, NULL, count_one, NULL);
    return 0;
}

static void test_the_block_counts_unread_failures(void **state) {
    (void)state;
    spec_exits(leave_failures, 0, &end);
    assert_int_equal(spec_count_text(end.text, "nobody has read the failures"), 1);
    assert_non_null(
        strstr(end.text, "pool \"tally\": nobody has read the failures of 3 of its tasks"));
}

static int skip_the_block(void) {
    thrum_with_executor(ex, &(thrum_executor_opts){.max_workers = -3}) {
        thrum_submit(ex, NULL, count_one, NULL);
        return 1;
    }
    return 0;
}

static void test_a_block_without_pool_is_skipped(void **state) {
    (void)state;
    spec_exits(skip_the_block, 0, &end);
    assert_non_null(strstr(end.text, "executor_exit.c"));
    assert_non_null(strstr(end.text, "the block is skipped"));
}

static thrum_thread *first_thread;

static void *return_it(void *arg) { return arg; }

static void exit_in_the_first(thrum_future *future, void *code) {
    thrum_executor_stats stats;
    (void)future;
    thrum_executor_get_stats(pool, &stats);
    if (thrum_thread_current() == first_thread && stats.helped > 0)
        exit((int)(intptr_t)code);
}

/* Who waits runs the task, as a rule, and then its callback: in a slot of the pool. */
static int exit_in_a_callback(void) {
    first_thread = thrum_thread_current();
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    for (int i = 0; i < 1000; i++) {
        thrum_future *future;
        thrum_submit(pool, &future, return_it, NULL);
        thrum_submit(pool, NULL, return_it, NULL);
        thrum_future_add_done_callback(future, exit_in_the_first, (void *)(intptr_t)6);
        (void)thrum_future_result(future, NULL);
        thrum_future_free(future);
    }
    return 6;
}

static void test_exit_in_a_callback_of_who_helps(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        spec_exits(exit_in_a_callback, 6, &end);
}

static void *free_own_pool(void *arg) {
    thrum_executor_free(pool);
    return arg;
}

static void free_inside(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1, .name_prefix = "suicide"});
    thrum_submit(pool, NULL, free_own_pool, NULL);
    thrum_event_wait(&go);
}

static void test_a_task_may_not_free_its_pool(void **state) {
    (void)state;
    thrum_event_clear(&go);
    spec_dies(free_inside, "a task of pool \"suicide\" frees it");
}

SPEC_TESTS(cmocka_unit_test(test_exit_finishes_what_was_submitted),
           cmocka_unit_test(test_exit_does_not_wait_for_idle_workers),
           cmocka_unit_test(test_exit_leaves_daemon_pools), cmocka_unit_test(test_exit_in_a_task),
           cmocka_unit_test(test_exit_in_a_callback_of_who_helps),
           cmocka_unit_test(test_exit_in_the_initializer),
           cmocka_unit_test(test_the_notice_names_the_pool), cmocka_unit_test(test_fork),
           cmocka_unit_test(test_fork_in_a_task), cmocka_unit_test(test_the_end_of_the_block_waits),
           cmocka_unit_test(test_the_block_counts_unread_failures),
           cmocka_unit_test(test_a_block_without_pool_is_skipped),
           cmocka_unit_test(test_a_task_may_not_free_its_pool));
