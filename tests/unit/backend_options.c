/* SPDX-License-Identifier: MIT */
/* The seam of exec/backend.h: what becomes of a task's options. */
#include "fake_backend.h"

#include <errno.h>
#include <sched.h>

#include "exec/options.h"
#include "exec/remote.h"

static void test_options_are_handed_on(void **state) {
    thrum_future *f;
    const thrum_task_opts opts = {.priority = -7, .deadline = thrum_in(100000), .name = "given"};
    assert_int_equal(twice_submit_with(*state, &f, 1, &opts), 0);
    assert_int_equal(it.tasks[0].priority, -7);
    assert_int_equal(it.tasks[0].deadline, opts.deadline.ns);
    assert_true(it.tasks[0].named);
    assert_string_equal(it.tasks[0].name, "given");
    assert_true(thrum__remote_start(it.tasks[0].future));
    assert_true(thrum__remote_requeue(it.tasks[0].future));
    run(&it.tasks[0]);
    assert_int_equal(twice_result(f, NULL), 0);
    thrum_future_free(f);
    assert_int_equal(twice_submit(*state, &f, 1), 0);
    assert_int_equal(it.tasks[1].priority, 0);
    assert_int_equal(it.tasks[1].deadline, INT64_MAX);
    assert_false(it.tasks[1].named);
    assert_string_equal(it.tasks[1].name, "twice");
    run(&it.tasks[1]);
    thrum_future_free(f);
    assert_int_equal(twice_submit_with(*state, &f, 1, &(thrum_task_opts){.reserved = {&f}}),
                     -EINVAL);
    assert_int_equal(it.n_withdrawn, 0);
}

/* Submits a task until it is handed over before its deadline. */
static thrum_future *submit_in_time(thrum_executor *executor) {
    for (double time = 0.005;; time *= 2) {
        thrum_future *f = NULL;
        it.n = 0;
        assert_int_equal(twice_submit_with(executor, &f, 1,
                                           &(thrum_task_opts){.deadline = thrum_in(time)}), 0);
        if (it.n > 0)
            return f;
        assert_int_equal(twice_result(f, NULL), -ETIMEDOUT);
        thrum_future_free(f);
    }
}

static void test_a_deadline_ends_what_waits(void **state) {
    for (int late = 0; late < 2; late++) { /* late: the submit finds no room until then */
        it.refuse = late ? -ETIMEDOUT : 0;
        thrum_future *f = NULL;
        if (late)
            assert_int_equal(
                twice_submit_with(*state, &f, 1, &(thrum_task_opts){.deadline = thrum_in(100000)}),
                0);
        else
            f = submit_in_time(*state);
        assert_int_equal(twice_result(f, NULL), -ETIMEDOUT);
        assert_string_equal(thrum_future_error(f)->task, "twice");
        assert_int_equal(it.n_withdrawn, 1);
        if (!late) {
            assert_true(thrum__remote_ended(it.tasks[0].future));
            assert_false(thrum__remote_start(it.tasks[0].future));
            assert_false(thrum__remote_drop(it.tasks[0].future));
        }
        thrum_future_free(f);
    }
}

static bool has_come(const thrum_future *f) {
    thrum__raw_lock_acquire(&thrum__remote_lock);
    bool came = f->options->came;
    thrum__raw_lock_release(&thrum__remote_lock);
    return came;
}

static void test_a_deadline_that_comes_while_it_runs(void **state) {
    thrum_future *f;
    for (;;) {
        it.n_withdrawn = 0;
        f = submit_in_time(*state);
        if (thrum__remote_start(it.tasks[0].future))
            break;
        (void)thrum__remote_drop(it.tasks[0].future);
        assert_int_equal(twice_result(f, NULL), -ETIMEDOUT);
        thrum_future_free(f);
    }
    while (!has_come(f))
        sched_yield();
    assert_false(thrum_future_done(f));
    assert_false(thrum__remote_requeue(it.tasks[0].future));
    assert_true(thrum__remote_drop(it.tasks[0].future));
    assert_int_equal(twice_result(f, NULL), -ETIMEDOUT);
    assert_int_equal(it.n_withdrawn, 0);
    thrum_future_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_options_are_handed_on),
                                       TEST(test_a_deadline_ends_what_waits),
                                       TEST(test_a_deadline_that_comes_while_it_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
