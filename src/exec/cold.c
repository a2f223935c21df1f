/* SPDX-License-Identifier: MIT */
/* Failures of tasks. What is raised stands in the frame of the task until it ends; the future gets
 * a copy. When there is no memory for that, the code alone stays, in the pointer itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/raw_lock.h"
#include "exec/options.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "exec/task.h"
#include "exec/then.h"
#include "thread/thread.h"

enum { CODES = 256 };

/* Shared by a future and those that its failure was passed on to: it is reported once, by the
 * last. */
struct thrum__cold {
    thrum_failure failure; /* read-only, as is text */
    uint32_t refs;
    uint32_t read; /* relaxed: it has been given to somebody */
    char text[];   /* message, names of thread and task: these may go before the last future */
};

static thrum__raw_lock lock;
static thrum_failure bare[CODES]; /* under lock until its code is not 0, then read-only */

thrum__cold *thrum__cold_new(const thrum_failure *failure, const char *thread) {
    thread = thread ? thread : failure->thread;
    size_t message_size = strlen(failure->message) + 1;
    size_t thread_size = thread ? strlen(thread) + 1 : 0;
    size_t task_size = failure->task ? strlen(failure->task) + 1 : 0;
    thrum__cold *cold = malloc(sizeof *cold + message_size + thread_size + task_size);
    if (!cold)
        return NULL;
    cold->failure = *failure;
    cold->refs = 1;
    cold->read = 0;
    cold->failure.message = memcpy(cold->text, failure->message, message_size);
    cold->failure.thread =
        thread ? memcpy(cold->text + message_size, thread, thread_size) : NULL;
    if (failure->task)
        cold->failure.task =
            memcpy(cold->text + message_size + thread_size, failure->task, task_size);
    return cold;
}

const thrum_failure *thrum__cold_failure(const thrum__cold *cold) { return &cold->failure; }

static thrum__cold *tagged(int code) {
    return (thrum__cold *)((uintptr_t)(unsigned)-(code + 1) << 1 | 1);
}

/* The failure of which only the code is known. */
static const thrum_failure *bare_failure(int code) {
    thrum_failure *failure = &bare[code > -CODES ? -code : 0];
    thrum__raw_lock_acquire(&lock);
    if (failure->code == 0) {
        failure->message = failure == bare ? "a failure that no memory was left for"
                                           : thrum_strerror(code);
        failure->code = failure == bare ? -ENOMEM : code;
    }
    thrum__raw_lock_release(&lock);
    return failure;
}

static thrum__cold **cold_of(thrum_future *task, uint32_t word) {
    return THRUM__UNLIKELY(word & THRUM__TASK_OPTIONS) ? &task->options->cold : &task->cold;
}

const char *thrum__task_name(const thrum_future *task) {
    uint32_t word = thrum__load_relaxed(&task->word);
    if ((word & THRUM__TASK_OPTIONS) && task->options->name)
        return task->options->name;
    return word & THRUM__TASK_NAMED ? ((const thrum__named *)task->value)->name : NULL;
}

const thrum_failure *thrum__task_failure(const thrum_future *task) {
    static const thrum_failure cancelled = {.code = -ECANCELED, .message = "cancelled"};
    uint32_t word = thrum__load_relaxed(&task->word);
    uint32_t state = word & THRUM__TASK_STATE;
    if (state == THRUM__TASK_CANCELLED)
        return &cancelled;
    if (state != THRUM__TASK_FAILED)
        return NULL;
    const thrum__cold *cold = *cold_of((thrum_future *)(uintptr_t)task, word);
    uintptr_t bits = (uintptr_t)cold;
    return bits & 1 ? bare_failure(-(int)(bits >> 1) - 1) : &cold->failure;
}

void thrum__task_set_failure(thrum_future *task, const thrum_failure *failure, const char *thread) {
    uint32_t word = thrum__load_relaxed(&task->word);
    thrum_failure named = *failure;
    if (!named.task)
        named.task = thrum__task_name(task);
    thrum__cold *cold = thrum__cold_new(&named, thread);
    *cold_of(task, word) = cold ? cold : tagged(failure->code);
}

void thrum__task_fail(thrum_future *task, const thrum_failure *failure, const char *thread,
                      uint32_t drop) {
    thrum__task_set_failure(task, failure, thread);
    thrum__task_complete(task, THRUM__TASK_FAILED, drop);
}

void thrum__task_mark_read(thrum_future *task) {
    if ((thrum__load_relaxed(&task->word) & THRUM__TASK_STATE) == THRUM__TASK_FAILED)
        thrum__task_excuse(task);
}

void thrum__task_excuse(thrum_future *task) {
    uint32_t word = thrum__load_relaxed(&task->word);
    thrum__cold *cold = *cold_of(task, word);
    if (!((uintptr_t)cold & 1)) {
        thrum__store_relaxed(&cold->read, 1);
        return;
    }
    while (!(word & THRUM__TASK_READ) &&
           !thrum__cas_relaxed(&task->word, &word, word | THRUM__TASK_READ))
        continue;
}

void thrum__task_pass_failure(thrum_future *from, thrum_future *to) {
    thrum__cold *cold = *cold_of(from, thrum__load_relaxed(&from->word));
    *cold_of(to, thrum__load_relaxed(&to->word)) = cold;
    if ((uintptr_t)cold & 1)
        thrum__task_mark_read(from); /* without memory: the code is copied */
    else
        thrum__add_relaxed(&cold->refs, 1);
}

/* Whoever has the failure last reports it, if nobody has read it. */
static void drop_failure(thrum_future *task, uint32_t word) {
    thrum__cold *cold = *cold_of(task, word);
    bool tagged = ((uintptr_t)cold & 1) != 0;
    /* acquire, acq_rel: pairs with drop_failure() */
    if (!tagged && thrum__load_acquire(&cold->refs) != 1 && thrum__sub_acq_rel(&cold->refs, 1) != 1)
        return;
    if (tagged ? !(word & THRUM__TASK_READ) : !thrum__load_relaxed(&cold->read)) {
        if (task->pool)
            thrum__pool_count_unread(task->pool, task->generation);
        thrum__failure_report(thrum__task_failure(task));
    }
    if (!tagged)
        free(cold);
}

/* What a task holds that has no result, or a block. */
static __attribute__((noinline)) void let_go(thrum_future *task, uint32_t word) {
    uint32_t state = word & THRUM__TASK_STATE;
    if (state == THRUM__TASK_FAILED)
        drop_failure(task, word);
    if ((word & THRUM__TASK_HOOKS) && !(word & THRUM__TASK_DONE))
        thrum__hooks_drop(task);
    if (thrum__remote_is(task))
        thrum__remote_block_free(task->value);
    else if (word & THRUM__TASK_OWNED)
        free(task->value);
    if (task->fn == thrum__then_run && task->value && state != THRUM__TASK_OK)
        thrum__then_died(task);
    if (word & THRUM__TASK_OPTIONS)
        thrum__options_free(task->options);
}

/* The last reference has gone. */
static void die(thrum_future *task, uint32_t word) {
    const uint32_t more = THRUM__TASK_OWNED | THRUM__TASK_OPTIONS;
    if (THRUM__UNLIKELY((word & (THRUM__TASK_STATE | more)) != THRUM__TASK_OK))
        let_go(task, word);
    thrum__task_recycle(task);
}

void thrum__task_unref(thrum_future *task) {
    /* acquire: pairs with thrum__task_finish(), thrum__task_finish_unhooked(),
     * thrum__task_unref() */
    uint32_t word = thrum__load_acquire(&task->word);
    bool last = word / THRUM__TASK_REF == 1;
    if (!last) {
        /* acq_rel: pairs with thrum__task_unref() */
        word = thrum__sub_acq_rel(&task->word, THRUM__TASK_REF);
        last = word / THRUM__TASK_REF == 1;
    }
    if (last)
        die(task, word);
}

void thrum__task_died(thrum_future *task, uint32_t word) { die(task, word); }

static void lock_child(void) { lock = (thrum__raw_lock){0}; }

void thrum__cold_child_after_fork(void) { lock_child(); }
