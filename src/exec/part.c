/* SPDX-License-Identifier: MIT */
#include "exec/part.h"

#include <string.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "exec/await.h"
#include "exec/pool.h"
#include "exec/worker.h"

int thrum__part_allowed(const thrum_executor *pool) {
    uint64_t state = thrum__load_relaxed(&pool->state);
    if (state & THRUM__POOL_REMOTE)
        return thrum__pool_not_taken("a fork-join");
    if ((state & THRUM__POOL_BROKEN) || pool->fork_generation != thrum__fork_generation())
        return -EPIPE;
    return (state & THRUM__POOL_CLOSED) && !thrum__pool_inside(pool) ? -ESHUTDOWN : 0;
}

bool thrum__part_here(const thrum_executor *pool) {
    return !pool->initializer || thrum__pool_worker(pool);
}

typedef struct submitted {
    int (*call)(void *);
    void *arg;
    int code;
    thrum_future *future;
} submitted;

static void *run_submitted(void *arg) {
    submitted *it = arg;
    unsigned generation = thrum__fork_generation();
    int code = it->call(it->arg);
    /* Else who waits, with *it on its stack, is not here. */
    if (generation == thrum__fork_generation())
        it->code = code;
    return NULL;
}

/* Waits in the place of a worker, if this is one, and runs nothing meanwhile. */
static void outlast(thrum_future *task) {
    thrum__strand_self(); /* met before the bucket is locked */
    while (!thrum_future_done(task)) {
        thrum__waiter waiter;
        thrum__bucket *bucket = thrum__lot_lock(task);
        if (!thrum__task_flag_waiters(task)) {
            thrum__lot_unlock(bucket);
            return;
        }
        thrum__lot_enqueue(bucket, &waiter, task, &thrum__future_kind);
        (void)thrum__lot_park(bucket, &waiter, INT64_MAX, THRUM__PARK_SPIN);
        thrum__lot_done(&waiter);
    }
}

void thrum__part_outlast(thrum_future *task) {
    while (!thrum_future_done(task) && thrum__await(task, INT64_MAX, false) == -EDEADLK)
        continue;
    outlast(task);
}

/* Also when pthread_exit() or a cancellation unwinds the strand while it helps another task. */
static void end_submitted(submitted *it) {
    if (!it->future)
        return;
    if (!thrum_future_done(it->future) && !thrum_future_cancel(it->future))
        outlast(it->future);
    (void)thrum_future_error(it->future);
    thrum_future_free(it->future);
}

/* Waits for the task whose result is on the caller's stack. A wait that fails cancels the task, and
 * goes on to its end; a circle is broken as often as one of its parts closes it again. */
static const thrum_failure *await_submitted(thrum_future *future) {
    const thrum_failure *failure = thrum_future_error(future);
    if (thrum_future_done(future) || thrum_future_cancel(future))
        return failure;
    thrum__part_outlast(future);
    return failure;
}

int thrum__part_submit(thrum_executor *pool, int (*call)(void *), void *arg) {
    __attribute__((cleanup(end_submitted))) submitted it = {call, arg, 0, NULL};
    int rc = thrum_submit(pool, &it.future, run_submitted, &it);
    if (rc != 0)
        return rc;
    const thrum_failure *failure = await_submitted(it.future);
    if (failure)
        thrum_raise_at(failure->file, failure->line, failure->code, "%s", failure->message);
    return failure ? failure->code : it.code;
}

void thrum__whole_init(thrum__whole *whole) {
    const thrum__frame *frame = thrum__frame_current();
    whole->task = frame ? frame->task : NULL;
    whole->name = frame ? frame->name : NULL;
    whole->generation = thrum__fork_generation();
}

/* In the child of a fork nobody else is here; who held the lock was in the middle of a failure. */
static void settle_after_fork(thrum__whole *whole) {
    if (THRUM__LIKELY(whole->generation == thrum__fork_generation()))
        return;
    whole->generation = thrum__fork_generation();
    if (thrum__load_relaxed(&whole->lock.word) != 0)
        whole->failure = (thrum_failure){.code = -ECANCELED};
    whole->lock = (thrum__raw_lock){0};
}

static void lock(thrum__whole *whole) {
    settle_after_fork(whole);
    thrum__raw_lock_acquire(&whole->lock);
}

void thrum__part_begin(thrum__part *part, thrum__whole *whole) {
    thrum__strand *self = thrum__strand_self();
    thrum__frame *outer = self->frame;
    part->whole = whole;
    part->desert = NULL;
    part->frame.outer = outer;
    part->frame.task = whole->task;
    part->frame.worker = outer ? outer->worker : NULL;
    part->frame.slot = NULL;
    part->frame.tally = NULL;
    part->frame.name = whole->name;
    part->frame.drop = 0;
    part->frame.raised = part->frame.deadlock = false;
    part->frame.executing = THRUM__PART;
    part->frame.own_tally = false;
    self->frame = &part->frame;
}

void thrum__part_end(thrum__part *part) { thrum__strand_self()->frame = part->frame.outer; }

/* Returns whether a failure at `index` comes before what is known. Under the lock. */
static bool first(const thrum__whole *whole, uint64_t index) {
    return whole->failure.code == 0 || index < whole->index;
}

int thrum__part_failed(thrum__part *part, uint64_t index) {
    thrum__whole *whole = part->whole;
    thrum__frame *frame = &part->frame;
    if (!frame->raised)
        return 0;
    frame->raised = false;
    lock(whole);
    if (first(whole, index)) {
        whole->index = index;
        whole->failure = frame->failure;
        whole->failure.message = strcpy(whole->message, frame->message);
    }
    thrum__raw_lock_release(&whole->lock);
    return frame->failure.code;
}

void thrum__whole_failed(thrum__whole *whole, uint64_t index, int code) {
    lock(whole);
    if (first(whole, index)) {
        whole->index = index;
        whole->failure = (thrum_failure){.code = code};
    }
    thrum__raw_lock_release(&whole->lock);
}

int thrum__whole_raise(thrum__whole *whole) {
    const thrum_failure *failure = &whole->failure;
    settle_after_fork(whole);
    if (failure->code != 0 && failure->message)
        thrum_raise_at(failure->file, failure->line, failure->code, "%s", failure->message);
    return failure->code;
}
