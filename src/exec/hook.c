/* SPDX-License-Identifier: MIT */
/* What is called when a future is done. The list changes under the bucket lock of the record; it is taken whole by who
 * completes the task, after the state has changed: what comes later finds the task done. */
#include <errno.h>
#include <stdlib.h>

#include <thrum/thread.h>

#include "exec/await.h"
#include "exec/pool.h"
#include "exec/task.h"
#include "park/lot.h"
#include "thread/thread.h"

bool thrum__hook_add(thrum_future *task, thrum__hook *hook) {
    thrum__hook **end = &task->hooks;
    thrum__bucket *bucket = thrum__lot_lock(task);
    uint32_t word = thrum__task_word(task);
    while (!(word & (THRUM__TASK_DONE | THRUM__TASK_HOOKS)) &&
           !thrum__cas_relaxed(&task->word, &word, word | THRUM__TASK_HOOKS))
        continue;
    /* Done, but its hooks have not been taken yet: at the end of the list, for the order. */
    bool added = !(thrum__task_word(task) & THRUM__TASK_DONE) || *end;
    if (added) {
        while (*end)
            end = &(*end)->next;
        hook->next = NULL;
        *end = hook;
    }
    thrum__lot_unlock(bucket);
    return added;
}

void thrum__hook_remove(thrum_future *task, thrum__hook *hook) {
    thrum__bucket *bucket = thrum__lot_lock(task);
    for (thrum__hook **at = &task->hooks; *at; at = &(*at)->next)
        if (*at == hook) {
            *at = hook->next;
            break;
        }
    thrum__lot_unlock(bucket);
}

/* Takes the callbacks; calls the watches on the way. They are few, or of different iterations: those wake
 * with the lock free, one after the other. */
static thrum__hook *take(thrum_future *task, uint32_t state) {
    thrum__hook *callbacks = NULL, **end = &callbacks;
    const void *key;
    do {
        key = NULL;
        thrum__bucket *bucket = thrum__lot_lock(task);
        for (thrum__hook *hook; !key && (hook = task->hooks) != NULL;) {
            task->hooks = hook->next;
            if (hook->watch) {
                key = hook->watch(hook, state); /* *hook may be gone once the lock is */
            } else {
                hook->next = NULL;
                *end = hook;
                end = &hook->next;
            }
        }
        thrum__lot_unlock(bucket);
        if (key)
            thrum__lot_unpark_kind(key, &thrum__gather_kind); /* may be gone: a stack */
    } while (key);
    return callbacks;
}

void thrum__hooks_run(thrum_future *task, uint32_t state) {
    for (thrum__hook *hook = take(task, state), *next; hook; hook = next) {
        next = hook->next;
        thrum__hook_call(task, hook->fn, hook->arg);
        free(hook);
    }
}

void thrum__hooks_drop(thrum_future *task) {
    for (thrum__hook *hook = task->hooks, *next; hook; hook = next) {
        next = hook->next;
        free(hook);
    }
}

static void mark_read(thrum_future *task) {
    uint32_t word = thrum__load_relaxed(&task->word);
    while ((word & THRUM__TASK_STATE) == THRUM__TASK_FAILED && !(word & THRUM__TASK_READ) &&
           !thrum__cas_relaxed(&task->word, &word, word | THRUM__TASK_READ))
        continue;
}

void thrum__hook_call(thrum_future *task, void (*fn)(thrum_future *, void *), void *arg) {
    thrum__strand *self = thrum__strand_self();
    thrum__frame frame;
    frame.outer = self->frame;
    frame.task = NULL;
    frame.worker = self->frame ? self->frame->worker : NULL;
    frame.slot = NULL;
    frame.tally = NULL;
    frame.name = NULL;
    frame.raised = frame.deadlock = false;
    frame.executing = true;
    mark_read(task);
    self->frame = &frame;
    fn(task, arg);
    self->frame = frame.outer;
    if (frame.raised) {
        const thrum_thread *thread = thrum_thread_current();
        frame.failure.thread = thread ? thrum_thread_name(thread) : NULL;
        thrum__failure_report(&frame.failure);
    }
}

int thrum_future_add_done_callback(thrum_future *future, void (*fn)(thrum_future *, void *),
                                   void *arg) {
    if (!thrum__task_done(future))
        thrum__task_settle(future);
    if (!thrum__task_done(future)) {
        thrum__hook *hook = malloc(sizeof *hook);
        if (!hook)
            return -ENOMEM;
        *hook = (thrum__hook){.fn = fn, .arg = arg};
        thrum__strand_self(); /* met before a bucket is locked */
        if (thrum__hook_add(future, hook))
            return 0;
        free(hook);
    }
    thrum__hook_call(future, fn, arg);
    return 0;
}
