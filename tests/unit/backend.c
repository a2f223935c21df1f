/* SPDX-License-Identifier: MIT */
/* The seam of exec/backend.h. */
#include "fake_backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

THRUM_TASK(void, nothing) {}

static void test_a_typed_task_goes_there_and_back(void **state) {
    thrum_future *f[2];
    int value = 0;
    assert_int_equal(twice_submit(*state, &f[0], 21), 0);
    assert_int_equal(nothing_submit(*state, &f[1]), 0);
    assert_int_equal(nothing_submit(*state, NULL), 0);
    assert_int_equal(it.n, 3);
    assert_ptr_equal(it.tasks[0].type, &twice_task);
    assert_false(thrum_future_running(f[0]));
    assert_true(thrum__remote_start(it.tasks[0].future));
    assert_true(thrum_future_running(f[0]));
    assert_true(thrum__remote_requeue(it.tasks[0].future));
    assert_false(thrum_future_running(f[0]));
    for (int i = 0; i < 3; i++)
        run(&it.tasks[i]);
    assert_int_equal(twice_result(f[0], &value), 0);
    assert_int_equal(value, 42);
    assert_int_equal(nothing_result(f[1]), 0);
    thrum_future_free(f[0]);
    thrum_future_free(f[1]);
    thrum_executor_stats stats;
    thrum_executor_get_stats(*state, &stats);
    assert_int_equal(stats.submitted, 3);
}

static void test_who_waits_looks_himself(void **state) {
    thrum_future *f;
    int value = 0;
    it.attends = 0;
    assert_int_equal(twice_submit(*state, &f, 21), 0);
    assert_int_equal(twice_result(f, &value), 0);
    assert_int_equal(value, 42);
    assert_true(it.quiet);
    assert_int_equal(it.n_attended, 1);
    assert_int_equal(it.n_left, 1);
    assert_int_equal(twice_result(f, &value), 0);
    assert_int_equal(it.n_attended, 1);
    thrum_future_free(f);
}

static void none(thrum_future *future, void *arg) {
    (void)future;
    ++*(int *)arg;
}

static void test_callbacks_are_not_for_who_waits(void **state) {
    thrum_future *f;
    int calls = 0;
    it.attends = 0;
    assert_int_equal(nothing_submit(*state, &f), 0);
    assert_int_equal(thrum_future_add_done_callback(f, none, &calls), 0);
    assert_int_equal(nothing_result(f), 0);
    assert_false(it.quiet);
    assert_int_equal(calls, 1);
    thrum_future_free(f);
}

static int unread;

static void note(const thrum_failure *failure, void *arg) {
    (void)failure, (void)arg;
    unread++;
}

static void test_a_failure_is_whole_and_not_lost(void **state) {
    thrum_future *f[2];
    unread = 0;
    thrum_set_excepthook(note, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(twice_submit(*state, &f[i], 1), 0);
        assert_true(thrum__remote_start(it.tasks[i].future));
        assert_true(thrum__remote_take(it.tasks[i].future));
        char message[] = "no row", thread[] = "worker-3";
        thrum__remote_fail(it.tasks[i].future,
                           &(thrum_failure){.code = -EDOM, .message = message, .file = "a.c",
                                            .line = 7, .thread = thread, .task = "twice"});
        memset(message, '?', sizeof message - 1);
    }
    assert_int_equal(twice_result(f[0], NULL), -EDOM);
    assert_string_equal(thrum_future_error(f[0])->message, "no row");
    assert_string_equal(thrum_future_error(f[0])->thread, "worker-3");
    assert_int_equal(thrum_future_error(f[0])->line, 7);
    thrum_future_free(f[0]);
    assert_int_equal(unread, 0);
    thrum_future_free(f[1]);
    assert_int_equal(unread, 1);
    thrum_set_excepthook(NULL, NULL);
    thrum_executor_stats stats;
    thrum_executor_get_stats(*state, &stats);
    assert_int_equal(stats.unread, 1);
}

static int called;

static void count(thrum_future *future, void *arg) {
    (void)arg;
    assert_true(thrum_future_cancelled(future));
    called++;
}

static void test_cancel_of_what_waits_and_of_what_runs(void **state) {
    thrum_future *f[3];
    called = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(twice_submit(*state, &f[i], 1), 0);
        assert_int_equal(thrum_future_add_done_callback(f[i], count, NULL), 0);
    }
    assert_true(thrum_future_cancel(f[0]));
    assert_int_equal(it.n_cancelled, 0);
    assert_int_equal(it.n_withdrawn, 1);
    assert_false(thrum__remote_start(it.tasks[0].future));
    thrum__remote_drop(it.tasks[0].future);

    assert_true(thrum__remote_start(it.tasks[1].future));
    assert_true(thrum_future_cancel(f[1]));
    assert_true(thrum_future_cancel(f[1]));
    assert_int_equal(it.n_cancelled, 1);
    assert_false(thrum__remote_requeue(it.tasks[1].future));
    assert_false(thrum__remote_take(it.tasks[1].future));
    thrum__remote_drop(it.tasks[1].future);
    assert_int_equal(twice_result(f[1], NULL), -ECANCELED);

    thrum__remote_cancel(it.tasks[2].future);
    assert_true(thrum_future_cancelled(f[2]));
    assert_int_equal(called, 3);
    for (int i = 0; i < 3; i++)
        thrum_future_free(f[i]);

    thrum_future *late;
    assert_int_equal(twice_submit(*state, &late, 4), 0);
    assert_true(thrum__remote_take(it.tasks[3].future));
    assert_false(thrum_future_cancel(late));
    twice_task.run(it.tasks[3].args, it.tasks[3].result);
    thrum__remote_succeed(it.tasks[3].future);
    assert_false(thrum_future_cancel(late));
    thrum_future_free(late);
}

static void *plain(void *arg) { return arg; }

static int item(const void *in, void *out) {
    (void)in, (void)out;
    return 0;
}

/* Where malloc() aligns to 8 bytes too: 20 of its bytes move what comes next there. */
static void test_bytes_are_aligned_as_they_are_said_to_be(void **state) {
    static char bytes[64];
    void *between[8];
    thrum_future *f[8];
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(thrum_submit_bytes(*state, &f[i], item, bytes, 8 * i, 16 * i, NULL), 0);
        between[i] = malloc(20);
    }
    for (size_t i = 0; i < 8; i++) {
        const thrum__remote_task *task = &it.tasks[i];
        const thrum__items *items = task->args;
        thrum__answer *answer = task->result;
        assert_int_equal((uintptr_t)task->args % _Alignof(thrum__items), 0);
        assert_int_equal((uintptr_t)task->result % _Alignof(thrum__answer), 0);
        assert_true(thrum__answer_results(answer, 1) + 16 * i <=
                    (char *)task->result + task->result_size);
        assert_true(thrum__remote_start(task->future) && thrum__remote_take(task->future));
        thrum__items_run(task->fn, items, answer);
        thrum__remote_succeed(task->future);
        assert_int_equal(thrum_bytes_result(f[i], NULL), 0);
        thrum_future_free(f[i]);
        free(between[i]);
    }
}

static void *after(thrum_future *future, void *arg) {
    (void)future;
    return arg;
}

static void test_what_it_cannot_do_is_refused(void **state) {
    thrum_future *f, *done = thrum_future_new();
    int items[3] = {0};
    assert_int_equal(thrum_submit(*state, &f, plain, NULL), -ENOTSUP);
    assert_int_equal(thrum_map(*state, item, items, 3, sizeof *items, NULL, 0, NULL), -ENOTSUP);
    assert_int_equal(thrum_future_then(done, &f, *state, after, NULL), -ENOTSUP);
    thrum_future_free(done);
    it.refuse = -EAGAIN;
    assert_int_equal(twice_submit(*state, &f, 1), -EAGAIN);
    assert_int_equal(twice_submit(*state, NULL, 1), -EAGAIN);
    it.refuse = 0;
    assert_null(thrum_executor_new(&(thrum_executor_opts){.backend = &backend, .max_workers = 7}));
    assert_int_equal(errno, ENOTSUP);
    assert_int_equal(thrum_executor_shutdown(*state, true, true), 0);
    assert_true(it.cancel);
    assert_int_equal(twice_submit(*state, &f, 1), -ESHUTDOWN);
}

static void *cancel(void *future) {
    (void)thrum_future_cancel(future);
    return NULL;
}

/* Each future ends once, and each reference goes: the slab would run over, ASan see a leak. */
static void test_cancel_against_the_result(void **state) {
    for (int i = 0; i < 200; i++) {
        thrum_future *f;
        thrum_thread *thread;
        it.n = 0;
        assert_int_equal(twice_submit(*state, &f, 1), 0);
        assert_int_equal(thrum_thread_start(&thread, cancel, f, NULL), 0);
        thrum_future *future = it.tasks[0].future;
        if (thrum__remote_start(future) && thrum__remote_take(future))
            thrum__remote_succeed(future);
        else
            thrum__remote_drop(future);
        thrum_thread_join(thread, NULL);
        thrum_thread_free(thread);
        int rc = twice_result(f, NULL);
        assert_true(rc == 0 || rc == -ECANCELED);
        thrum_future_free(f);
    }
}

/* In the child of a fork nobody completes it. */
static void test_in_the_child_of_a_fork(void **state) {
    thrum_future *f;
    int status = 0;
    assert_int_equal(twice_submit(*state, &f, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        bool right = twice_submit(*state, NULL, 1) == -EPIPE &&
                     twice_result(f, NULL) == -ECANCELED && thrum_future_cancel(f);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    run(&it.tasks[0]);
    assert_int_equal(twice_result(f, NULL), 0);
    thrum_future_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_a_typed_task_goes_there_and_back),
                                       TEST(test_who_waits_looks_himself),
                                       TEST(test_callbacks_are_not_for_who_waits),
                                       TEST(test_a_failure_is_whole_and_not_lost),
                                       TEST(test_cancel_of_what_waits_and_of_what_runs),
                                       TEST(test_bytes_are_aligned_as_they_are_said_to_be),
                                       TEST(test_what_it_cannot_do_is_refused),
                                       TEST(test_cancel_against_the_result),
                                       TEST(test_in_the_child_of_a_fork)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
