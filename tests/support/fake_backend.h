/* SPDX-License-Identifier: MIT */
/* A backend that does what the test says, step by step. */
#ifndef THRUM_TESTS_FAKE_BACKEND_H
#define THRUM_TESTS_FAKE_BACKEND_H

#include "exec/backend.h"
#include "spec.h"

typedef struct fake {
    thrum_executor *executor;
    thrum__remote_task tasks[8];
    int n, n_cancelled, n_closed, n_freed, refuse;
    bool quiet;
    int attends, n_attended, n_taken, n_left; /* attends: what attend() returns */
    bool cancel;
    int n_withdrawn;
} fake;

static fake it;

static int open_fake(thrum_executor *executor, const thrum_executor_opts *opts, void **state) {
    if (opts->max_workers == 7)
        return -ENOTSUP;
    it = (fake){.executor = executor, .attends = -1};
    *state = &it;
    return 0;
}

static int submit_fake(void *state, const thrum__remote_task *task) {
    assert_ptr_equal(state, &it);
    if (it.refuse)
        return it.refuse;
    it.tasks[it.n++] = *task;
    return 0;
}

static void cancelled(void *state) { ((fake *)state)->n_cancelled++; }

static void withdrawn(void *state) { ((fake *)state)->n_withdrawn++; }

static void close_fake(void *state, bool cancel) {
    fake *self = state;
    self->cancel = cancel;
    if (self->n_closed++ == 0)
        thrum__backend_rested(self->executor);
}

static void free_fake(void *state) { ((fake *)state)->n_freed++; }

static void stats_fake(void *state, thrum_executor_stats *stats) {
    stats->submitted = (uint64_t)((fake *)state)->n;
}

/* The task that somebody waits for has been done elsewhere, as he finds out himself. */
static int attend(void *state) {
    fake *self = state;
    self->n_attended += self->attends >= 0;
    return self->attends;
}

static bool look(void *state) {
    fake *self = state;
    thrum__remote_task *task = &self->tasks[0];
    if (self->n_taken++ == 0) {
        assert_true(thrum__remote_take(task->future));
        task->type->run(task->args, task->result);
        self->quiet = thrum__remote_succeed_quietly(task->future);
        if (!self->quiet)
            thrum__remote_succeed(task->future);
    }
    return true;
}

static void leave(void *state) { ((fake *)state)->n_left++; }

static const thrum_backend backend = {open_fake, submit_fake, cancelled, close_fake, free_fake,
                                      stats_fake, NULL, NULL, attend, look, leave, NULL, withdrawn};

THRUM_TASK(int, twice, (int, x)) { return 2 * x; }

static thrum_executor *make(void) {
    thrum_executor *executor = thrum_executor_new(&(thrum_executor_opts){.backend = &backend});
    assert_non_null(executor);
    return executor;
}

static int setup(void **state) {
    *state = make();
    return 0;
}

static int teardown(void **state) {
    thrum_executor_free(*state);
    assert_true(it.n_closed >= 1);
    assert_int_equal(it.n_freed, 1);
    return 0;
}

static void run(thrum__remote_task *task) {
    assert_true(thrum__remote_start(task->future));
    assert_true(thrum__remote_take(task->future));
    task->type->run(task->args, task->result);
    thrum__remote_succeed(task->future);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
