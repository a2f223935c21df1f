/* SPDX-License-Identifier: MIT */
/* What a task has that was submitted with options: a block beside its record, which dies with
 * it. */
#ifndef THRUM_EXEC_OPTIONS_H
#define THRUM_EXEC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "exec/ranks.h"
#include "exec/task.h"
#include "thread/timer.h"

struct thrum__options {
    thrum__cold *cold;       /* the failure; by who completes the task */
    const char *name;        /* NULL none; read-only, as all but rank */
    int64_t deadline;        /* INT64_MAX none */
    thrum_timer *timer;      /* fires at the deadline, with a reference of its own on the record;
                              * NULL none */
    void (*over)(void *arg); /* called when the record dies; NULL nothing */
    void *arg;
    bool beyond_limit;       /* it takes no room of the queue */
    bool handed;             /* a backend has it; under thrum__remote_lock, as is the next */
    bool came;               /* its deadline, that is */
    thrum_future *task;
    thrum__rank rank;
    char text[];
};

/* Returns a block, NULL without memory. `opts` may be NULL. */
thrum__options *thrum__options_new(const thrum_task_opts *opts);

/* Returns 0 if `opts` can be; else -EINVAL or -ENOTSUP, having said why. `remote`: the pool has a
 * backend. */
int thrum__options_check(const thrum_task_opts *opts, bool remote);

/* Lets the record of a task that nobody else knows yet have its options. */
void thrum__options_add(thrum_future *task, thrum__options *options);

/* The record dies, or was not made. */
void thrum__options_free(thrum__options *options);

/* Sets the timer of a task with a deadline that nobody else knows yet; it takes over one reference.
 * Returns 0, -ENOMEM or -EAGAIN. */
int thrum__options_arm(thrum_future *task);

/* Returns whether the deadline has come. */
bool thrum__options_late(const thrum__options *options);

/* A task with options was claimed by who means to run it, and has a reference. Returns false, the
 * task having failed, if its deadline has come. */
bool thrum__options_claimed(thrum_future *task);

/* The timer of a task, if it has one, forgets it: its call, if that is under way, is over. Requires
 * that the caller has claimed the task, or that no backend has it yet; has a reference, and holds
 * no raw or bucket lock. */
void thrum__options_disarm(thrum_future *task);

/* A task with options waits no more: timer and queue forget it. The caller has a reference. */
void thrum__options_leave(thrum_future *task);

/* Why that fails. */
extern const thrum_failure thrum__options_expired;

/* Fails a claimed task whose deadline has come; `drop` references go with that. */
void thrum__options_expire(thrum_future *task, uint32_t drop);

/* Puts a task with a priority into its queue, of which it needs a reference; it may be gone
 * then. */
void thrum__ranked_put(thrum_executor *pool, thrum_future *task);

/* Takes the next task with a priority for `worker`: before those without if `first`, else after.
 * NULL: not now. */
thrum_future *thrum__ranked_take(thrum_executor *pool, struct thrum__worker *worker, bool first);

/* Returns whether `task` is not the next to be started: one with a priority is; `taken`: it was,
 * and has been taken out of that queue. */
bool thrum__ranked_forbids(thrum_executor *pool, thrum_future *task, bool *taken);

extern const thrum__timer_pool thrum__options_timer_pool;

#endif
