/* SPDX-License-Identifier: MIT */
/* Tasks with options on an executor with a backend. A deadline that comes before the backend has
 * the task, or while that is RUNNING, only leaves a note (`came`): note() and
 * thrum__remote_requeue() look at it. README.md has the argument. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "exec/options.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"

static void drop(thrum_future *future, int refs) {
    for (int i = 0; i < refs; i++)
        thrum__task_unref(future);
}

/* Fails a claimed task of a pool that is PINNED, and lets go of both: a shutdown waits until all
 * that hear of it have. */
static void expire_pinned(thrum_future *future) {
    thrum_executor *pool = future->pool;
    thrum__pinned pinned; /* not filled: most of it is for failures */
    if (pool->backend->withdrawn)
        pool->backend->withdrawn(pool->remote);
    thrum__pinned_begin(&pinned, pool);
    pthread_cleanup_push(thrum__pinned_let_go, &pinned);
    thrum__task_fail(future, &thrum__options_expired, pool->name_prefix, THRUM__TASK_REF);
    pthread_cleanup_pop(1);
}

/* Says that the deadline has come, or that the backend has the task. After both it fails, unless it
 * has been claimed. Takes over a reference. */
static void note(thrum_future *future, bool *what) {
    thrum__options *options = future->options;
    thrum__raw_lock_acquire(&thrum__remote_lock);
    *what = true;
    bool fails =
        options->handed && options->came && thrum__task_claim(future, THRUM__TASK_SETTING);
    if (fails)
        thrum__state_add(future->pool, THRUM__POOL_PINNED);
    thrum__raw_lock_release(&thrum__remote_lock);
    if (fails)
        expire_pinned(future);
    else
        thrum__task_unref(future);
}

void thrum__remote_deadline(thrum_future *task) { note(task, &task->options->came); }

/* Takes over two references, one for the timer; others the backend and the user have. Returns 0 or
 * why it was not submitted. */
static int submit_timed(thrum_executor *pool, const thrum__remote_task *task) {
    thrum_future *future = task->future;
    int rc = thrum__options_late(future->options) ? -ETIMEDOUT : 0;
    bool armed = rc == 0 && (rc = thrum__options_arm(future)) == 0;
    if (armed)
        rc = pool->backend->submit(pool->remote, task);
    else
        thrum__task_unref(future);
    if (armed && rc == 0) {
        note(future, &future->options->handed);
        return 0;
    }
    if (armed)
        thrum__options_disarm(future);
    if (rc == -ETIMEDOUT && thrum__task_claim(future, THRUM__TASK_SETTING)) {
        /* and drops the backend's reference */
        thrum__task_fail(future, &thrum__options_expired, pool->name_prefix, THRUM__TASK_REF);
        rc = 0;
    }
    thrum__task_unref(future);
    return rc;
}

static thrum_future *new_record(thrum_executor *pool, int refs, void *(*fn)(void *),
                                thrum__remote_block *block) {
    const uint32_t flags = THRUM__TASK_PROMISE | THRUM__TASK_NAMED | THRUM__TASK_OWNED;
    return thrum__pool_task_new(pool, (uint32_t)refs * THRUM__TASK_REF | flags, fn, block);
}

static int options_of(const thrum_task_opts *opts, thrum__options **options) {
    if (!opts)
        return 0;
    int rc = thrum__options_check(opts, true);
    if (rc == 0 && !(*options = thrum__options_new(opts)))
        rc = -ENOMEM;
    return rc;
}

static void add_options(thrum__remote_task *task, thrum__options *options) {
    thrum__options_add(task->future, options);
    task->priority = options->rank.priority;
    task->deadline = options->deadline;
    task->named = options->name != NULL;
    if (options->name)
        task->name = options->name;
}

int thrum__remote_submit_with(thrum_executor *pool, thrum_future **out, void *(*fn)(void *),
                              thrum__remote_block *block, thrum__remote_task task,
                              const thrum_task_opts *opts) {
    thrum__options *options = NULL;
    int rc = options_of(opts, &options);
    if (rc == 0)
        rc = thrum__remote_refusal(pool);
    bool timed = options && options->deadline != INT64_MAX;
    int refs = out ? 2 : 1;
    task.future = rc == 0 ? new_record(pool, refs + (timed ? 2 : 0), fn, block) : NULL;
    if (!task.future) {
        free(options);
        thrum__remote_block_free(block);
        return rc != 0 ? rc : -ENOMEM;
    }
    task.deadline = INT64_MAX;
    if (options) {
        add_options(&task, options);
        task.time_limit = opts->time_limit;
        task.retries = opts->retries;
    }
    rc = timed ? submit_timed(pool, &task) : pool->backend->submit(pool->remote, &task);
    if (rc != 0)
        drop(task.future, refs);
    else if (out)
        *out = task.future;
    return rc;
}
