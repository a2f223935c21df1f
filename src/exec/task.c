/* SPDX-License-Identifier: MIT */
/* A task from its claim to its end. */
#include "exec/task.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>

#include <thrum/thread.h>

#include "exec/pool.h"
#include "sync/wait.h"
#include "thread/thread.h"

/* *task may be gone: its address is only a key here. Whoever waits at it looks again. */
static void wake(const thrum_future *task) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__waiter *waiter;
    thrum__bucket *bucket = thrum__lot_lock(task);
    while ((waiter = thrum__lot_first(bucket, task)) != NULL)
        thrum__lot_grant(bucket, waiter, &granted);
    thrum__observers_wake(bucket, task, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

uint32_t thrum__task_finish(thrum_future *task, uint32_t state, uint32_t drop) {
    uint32_t word = thrum__load_relaxed(&task->word);
    uint32_t done;
    do {
        if (state == THRUM__TASK_CANCELLED && (word & THRUM__TASK_STATE) != THRUM__TASK_PENDING)
            return 0;
        done = (word & ~(uint32_t)THRUM__TASK_STATE) + state;
        if (!(word & THRUM__TASK_HOOKS))
            done -= drop;
        else if (drop == 0)
            done += THRUM__TASK_REF;
        else
            done -= drop - THRUM__TASK_REF;
        /* release: pairs with thrum__task_word(), thrum__task_unref(); and with
         * thrum__task_finish(), whose last drop acquires by the load in thrum__task_unref() */
    } while (!thrum__cas_release(&task->word, &word, done));
    if (word & THRUM__TASK_WAITERS)
        wake(task);
    if (!(word & THRUM__TASK_HOOKS) && THRUM__UNLIKELY(done < THRUM__TASK_REF))
        thrum__task_died(task, thrum__task_word(task));
    return word;
}

bool thrum__task_finish_unhooked(thrum_future *task, uint32_t state, uint32_t drop) {
    uint32_t word = thrum__load_relaxed(&task->word);
    uint32_t done;
    do {
        if (word & THRUM__TASK_HOOKS)
            return false;
        done = (word & ~(uint32_t)THRUM__TASK_STATE) + state - drop;
        /* release: pairs with thrum__task_word(), thrum__task_unref() */
    } while (!thrum__cas_release(&task->word, &word, done));
    if (word & THRUM__TASK_WAITERS)
        wake(task);
    if (THRUM__UNLIKELY(done < THRUM__TASK_REF))
        thrum__task_died(task, thrum__task_word(task));
    return true;
}

bool thrum__task_complete(thrum_future *task, uint32_t state, uint32_t drop) {
    uint32_t word = thrum__task_finish(task, state, drop);
    if (word & THRUM__TASK_HOOKS)
        thrum__hooks_run(task);
    return word != 0;
}

/* A dump reads the name under the registry lock. */
static void hide_name(thrum__strand *self, const thrum__frame *frame) {
    thrum__store_relaxed(&self->task, frame->shown);
    if (thrum__load_relaxed(&frame->task->word) & THRUM__TASK_OPTIONS) {
        thrum__registry_lock();
        thrum__registry_unlock();
    }
}

/* As thrum__task_complete(), of a task that nobody else knows yet. */
static void complete_alone(thrum_future *task, uint32_t drop) {
    uint32_t word = thrum__load_relaxed(&task->word);
    word = (word & ~(uint32_t)THRUM__TASK_STATE) + THRUM__TASK_OK - drop;
    thrum__store_relaxed(&task->word, word);
    if (word < THRUM__TASK_REF)
        thrum__task_died(task, word);
}

static void leave_frame(thrum__frame *frame) {
    thrum__strand *self = thrum__strand_self();
    self->frame = frame->outer;
    if (THRUM__UNLIKELY(frame->name != NULL))
        hide_name(self, frame);
}

/* `excused`: nobody has to read it. */
static void fail(thrum__frame *frame, bool excused) {
    const thrum_thread *thread = thrum_thread_current();
    frame->failure.task = frame->name;
    thrum__task_set_failure(frame->task, &frame->failure,
                            thread ? thrum_thread_name(thread) : NULL);
    if (excused)
        thrum__task_excuse(frame->task);
    thrum__task_complete(frame->task, THRUM__TASK_FAILED, frame->drop);
}

static void count(const thrum__frame *frame) {
    thrum__worker *worker = frame->worker;
    if (frame->own_tally)
        thrum__store_relaxed(frame->tally, *frame->tally + 1);
    else if (frame->tally)
        thrum__add_relaxed(frame->tally, 1);
    else
        thrum__store_relaxed(&worker->completed, worker->completed + 1);
}

static void give_up(thrum__frame *frame, const char *why, bool meant) {
    leave_frame(frame);
    count(frame);
    if (!frame->raised)
        frame->failure = (thrum_failure){.code = -ECANCELED, .message = why};
    fail(frame, meant && !frame->raised);
}

/* pthread_exit() or a cancellation unwinds the task. */
static void ended_early(void *frame) {
    give_up(frame, "its thread ended in the middle of it", false);
}

/* Who called exit() meant it: that is not reported as a failure that nobody has read. */
void thrum__task_desert(thrum__frame *frame) {
    give_up(frame, "exit() was called in the middle of it", true);
}

void thrum__task_run(thrum_future *task, thrum__worker *worker, uint64_t *tally, uint32_t drop) {
    thrum__strand *self = thrum__strand_self();
    thrum__frame frame; /* not filled: most of it is for failures */
    frame.outer = self->frame;
    frame.task = task;
    frame.worker = worker;
    frame.slot = NULL;
    frame.tally = tally;
    frame.name = NULL;
    if (THRUM__UNLIKELY(thrum__load_relaxed(&task->word) &
                        (THRUM__TASK_NAMED | THRUM__TASK_OPTIONS))) {
        frame.name = thrum__task_name(task);
        frame.shown = self->task;
        thrum__store_relaxed(&self->task, frame.name);
    }
    frame.drop = drop & ~(uint32_t)(THRUM__TASK_REF - 1);
    frame.own_tally = (drop & THRUM__TASK_OWN_TALLY) != 0;
    frame.raised = frame.deadlock = false;
    frame.executing = true;
    thrum__store_relaxed(&task->runner, self->id);
    self->frame = &frame;
    void *result;
    pthread_cleanup_push(ended_early, &frame);
    result = task->fn(task->value);
    pthread_cleanup_pop(0);
    leave_frame(&frame);
    count(&frame);
    if (THRUM__UNLIKELY(frame.raised)) {
        fail(&frame, false);
    } else {
        task->value = result;
        if (drop & THRUM__TASK_ALONE)
            complete_alone(task, frame.drop);
        else
            thrum__task_complete(task, THRUM__TASK_OK, frame.drop);
    }
}

/* What thrum_raise() does inside a task. The first failure wins. */
static bool raise_in_task(const char *file, int line, int *code, const char *format, va_list args) {
    thrum__frame *frame = thrum__frame_current();
    if (!frame || !frame->executing)
        return false;
    if (!frame->raised)
        thrum__failure_fill(&frame->failure, frame->message, sizeof frame->message, file, line,
                            *code, format, args);
    frame->raised = true;
    *code = frame->failure.code;
    return true;
}

__attribute__((constructor)) static void set_hook(void) { thrum__raise_in_task = raise_in_task; }
