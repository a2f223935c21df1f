/* SPDX-License-Identifier: MIT */
/* A future as its holders see it. */
#include <thrum/future.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

#include <thrum/thread.h>

#include "base/fork.h"
#include "base/panic.h"
#include "exec/await.h"
#include "exec/options.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "exec/then.h"
#include "sync/wait.h"
#include "thread/thread.h"

/* Cancels a task that has not started. Returns whether it did. It is counted as gone from its queue
 * before its callbacks, so that one may free the pool, or never come back. */
static bool cancel(thrum_future *future) {
    uint32_t word = thrum__task_finish(future, THRUM__TASK_CANCELLED, 0);
    if (!word)
        return false;
    (void)thrum__task_word(future); /* what made it a task of a pool */
    if ((word & THRUM__TASK_PROMISE) || !future->pool) {
        if (future->fn)
            thrum__then_cancelled(future);
    } else {
        thrum__pool_cancelled(future->pool, future);
    }
    if (word & THRUM__TASK_HOOKS)
        thrum__hooks_run(future);
    return true;
}

/* Cancels what was RUNNING or SETTING in a thread that is not here. */
static void cancel_lost(thrum_future *task) {
    uint32_t word = thrum__task_word(task);
    uint32_t state;
    while (((state = word & THRUM__TASK_STATE) == THRUM__TASK_RUNNING ||
            state == THRUM__TASK_SETTING) &&
           !thrum__cas_relaxed(&task->word, &word, word - state))
        continue;
    thrum__task_complete(task, THRUM__TASK_CANCELLED, 0);
}

/* In the child of a fork. What a continuation waits for may wait itself; the first of them is what
 * counts. Where its thread was about to go on with the next, that one is. */
static void settle_after_fork(thrum_future *task) {
    thrum_future *before;
    while ((before = thrum__then_source(task)) != NULL && !thrum__task_done(before))
        task = before;
    uint32_t word = thrum__task_word(task);
    if (task->fn == thrum__then_run && (word & THRUM__TASK_PROMISE)) {
        if ((word & THRUM__TASK_SURVIVES) || task->generation == thrum__fork_generation())
            return;
        if (before) {
            (void)cancel(task);
        } else if (!(word & THRUM__TASK_DONE)) {
            task->value = NULL; /* the others' */
            cancel_lost(task);
        }
        return;
    }
    const uint32_t own = THRUM__TASK_PROMISE | THRUM__TASK_SURVIVES;
    if ((!(word & own) || thrum__remote_is(task)) &&
        task->pool->fork_generation != thrum__fork_generation())
        cancel_lost(task);
}

void thrum__task_settle(thrum_future *task) {
    if (THRUM__UNLIKELY(thrum__fork_generation() != 0))
        settle_after_fork(task);
}

static bool is_done(const thrum_future *future) {
    if (THRUM__LIKELY(thrum__task_done(future)))
        return true;
    thrum__task_settle((thrum_future *)future);
    return thrum__task_done(future);
}

static const thrum_failure *read_failure(thrum_future *future) {
    const thrum_failure *failure = thrum__task_failure(future);
    if (failure)
        thrum__task_mark_read(future);
    return failure;
}

static int outcome(thrum_future *future, void **result) {
    const thrum_failure *failure = read_failure(future);
    if (failure)
        return failure->code;
    if (result)
        *result = future->value;
    return 0;
}

int thrum_future_result(thrum_future *future, void **result) {
    int rc = is_done(future) ? 0 : thrum__await(future, INT64_MAX, false);
    return rc != 0 ? rc : outcome(future, result);
}

int thrum_future_result_until(thrum_future *future, thrum_deadline deadline, void **result) {
    int rc = is_done(future) ? 0 : thrum__await(future, deadline.ns, true);
    return rc != 0 ? rc : outcome(future, result);
}

const thrum_failure *thrum_future_error(thrum_future *future) {
    static const thrum_failure circle = {.code = -EDEADLK, .message = "would wait for itself"};
    static const thrum_failure full = {.code = -EAGAIN, .message = "too many workers wait already"};
    int rc = is_done(future) ? 0 : thrum__await(future, INT64_MAX, false);
    if (rc != 0)
        return rc == -EDEADLK ? &circle : &full;
    return read_failure(future);
}

int thrum_future_error_until(thrum_future *future, thrum_deadline deadline,
                             const thrum_failure **failure) {
    int rc = is_done(future) ? 0 : thrum__await(future, deadline.ns, true);
    if (rc != 0)
        return rc;
    const thrum_failure *found = read_failure(future);
    if (failure)
        *failure = found;
    return 0;
}

bool thrum_future_done(const thrum_future *future) { return is_done(future); }

bool thrum_future_running(const thrum_future *future) {
    if (is_done(future))
        return false;
    uint32_t state = thrum__load_relaxed(&future->word) & THRUM__TASK_STATE;
    return state == THRUM__TASK_RUNNING || state == THRUM__TASK_SETTING;
}

bool thrum_future_cancelled(const thrum_future *future) {
    return is_done(future) &&
           (thrum__load_relaxed(&future->word) & THRUM__TASK_STATE) == THRUM__TASK_CANCELLED;
}

bool thrum_future_cancel(thrum_future *future) {
    if (is_done(future))
        return thrum_future_cancelled(future);
    if (THRUM__UNLIKELY(thrum__remote_is(future)))
        return thrum__remote_cancel_any(future);
    if (cancel(future))
        return true;
    uint32_t word = thrum__load_relaxed(&future->word);
    while (!(word & (THRUM__TASK_DONE | THRUM__TASK_CANCEL)) &&
           !thrum__cas_relaxed(&future->word, &word, word | THRUM__TASK_CANCEL))
        continue;
    return (word & THRUM__TASK_STATE) == THRUM__TASK_CANCELLED;
}

bool thrum_cancel_requested(void) {
    const thrum__frame *frame = thrum__frame_current();
    if (!frame || !frame->task)
        return false;
    uint32_t word = thrum__load_relaxed(&frame->task->word);
    return (word & THRUM__TASK_CANCEL) ||
           ((word & THRUM__TASK_OPTIONS) && thrum__options_late(frame->task->options));
}

thrum_future *thrum_future_ref(thrum_future *future) {
    uint32_t word = thrum__add_relaxed(&future->word, THRUM__TASK_REF);
    if (THRUM__UNLIKELY(word / THRUM__TASK_REF >= UINT32_MAX / THRUM__TASK_REF / 2))
        thrum__panic("thrum_future_ref: future %p has too many handles", (void *)future);
    return future;
}

void thrum_future_free(thrum_future *future) {
    if (!future)
        return;
    if (THRUM__UNLIKELY(thrum__load_relaxed(&future->word) < THRUM__TASK_REF))
        thrum__panic("thrum_future_free: future %p was freed already", (void *)future);
    thrum__task_unref(future);
}

static bool ready(void *future) { return is_done(future); }

static const void *address(void *future) { return future; }

static bool enqueue(void *future) {
    return !thrum__task_flag_waiters(future);
}

/* A worker gives its slot to others, and a circle is looked for. */
static int block(thrum__block_phase phase, thrum__block *it) {
    static_assert(sizeof(thrum__circle_wait) <= sizeof it->room, "no room for it");
    thrum__circle_wait *circle = (thrum__circle_wait *)(void *)it->room;
    bool watched = it->n > 0 && thrum__circle_watches(INT64_MAX);
    if (phase == THRUM__BLOCK_BEGIN) {
        (void)thrum__await_in_circle();
        *circle = (thrum__circle_wait){.targets = &it->waitables[0].thrum__object,
                                       .stride = sizeof *it->waitables,
                                       .n = it->n,
                                       .key = it->waitables[0].thrum__object};
        if (watched && !thrum__circle_enter(circle))
            return -EDEADLK;
        int rc = thrum__pool_block();
        if (rc != 0 && watched)
            (void)thrum__circle_leave(circle);
        return rc;
    }
    if (phase == THRUM__BLOCK_SLEEP)
        return watched && thrum__load_relaxed(&circle->deadlock) ? -EDEADLK : 0;
    thrum__pool_unblock();
    return watched && !thrum__circle_leave(circle) ? -EDEADLK : 0;
}

static const thrum__waitable_ops waitable_ops = {ready, address, enqueue, NULL, &thrum__future_kind,
                                                 block};

thrum_waitable thrum_future_waitable(thrum_future *future) {
    return (thrum_waitable){&waitable_ops, future};
}
