/* SPDX-License-Identifier: MIT */
/* A pool whose only worker is a process that is held in a task, while what comes after it is
 * queued. */
#ifndef THRUM_TESTS_HELD_PROCESS_H
#define THRUM_TESTS_HELD_PROCESS_H

#include <errno.h>
#include <thrum/processes.h>
#include <thrum/shared.h>
#include <unistd.h>

#include "exec/task.h"
#include "spec.h"

typedef struct gate {
    thrum_shared_event go;
    int process; /* that is held; relaxed */
} gate;

static struct {
    thrum_shared *memory;
    gate *gate;
    thrum_executor *pool;
    thrum_future *held[2];
} one;

THRUM_TASK(void, hold, (gate *, at)) {
    __atomic_store_n(&at->process, (int)getpid(), __ATOMIC_RELAXED);
    thrum_shared_event_wait(&at->go);
}

/* Makes one.pool and a closed gate. */
static void held_pool(const thrum_executor_opts *opts) {
    spec_needs_own_processes();
    thrum_executor_opts with = *opts;
    with.backend = thrum_processes;
    with.max_workers = 1;
    assert_int_equal(thrum_shared_create(&one.memory, NULL, sizeof(gate), NULL), 0);
    one.gate = thrum_shared_memory(one.memory);
    one.pool = thrum_executor_new(&with);
    assert_non_null(one.pool);
}

/* thrum_future_running() is true while somebody ends it, too. */
static bool was_sent(const thrum_future *future) {
    return (thrum__load_relaxed(&future->word) & THRUM__TASK_STATE) == THRUM__TASK_RUNNING;
}

static void wait_until_sent(const thrum_future *future) {
    while (!was_sent(future) && !thrum_future_done(future))
        spec_yield();
}

static size_t queued(void) {
    thrum_executor_stats stats;
    thrum_executor_get_stats(one.pool, &stats);
    return stats.queued;
}

/* The only worker is in a task until open_gate(). So is one that was sent ahead: a worker that has
 * not answered yet gets no third. */
static void hold_worker(void) {
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hold_submit(one.pool, &one.held[i], one.gate), 0);
        wait_until_sent(one.held[i]);
    }
    while (queued() != 0) /* it is counted a moment later */
        spec_yield();
}

static void open_gate(void) { thrum_shared_event_set(&one.gate->go); }

/* After open_gate(). */
static void free_pool(void) {
    for (int i = 0; i < 2; i++) {
        if (one.held[i])
            assert_int_equal(hold_result(one.held[i]), 0);
        thrum_future_free(one.held[i]);
        one.held[i] = NULL;
    }
    thrum_executor_free(one.pool);
    thrum_shared_close(one.memory);
}

static inline int code_of(thrum_future *future) {
    int code = thrum_future_result(future, NULL);
    thrum_future_free(future);
    return code;
}

#endif
