/* SPDX-License-Identifier: MIT */
/* What is called when a future is done. The ring changes under the bucket lock of the record; it is
 * taken whole by who completes the task, after the state has changed: what comes later finds the
 * task done. */
#include "exec/hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <thrum/thread.h>

#include "base/panic.h"
#include "exec/await.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "park/lot.h"
#include "thread/thread.h"

/* A function of the user's. */
typedef struct callback {
    thrum__callable call;
    void (*fn)(thrum_future *future, void *arg); /* read-only */
    void *arg;                                   /* read-only */
} callback;

static thrum__hook *of(thrum__link *link) { return THRUM__MEMBER(thrum__hook, listed, link); }

static thrum__callable *call_of(thrum__hook *hook) {
    return THRUM__MEMBER(thrum__callable, hook, hook);
}

bool thrum__hook_add(thrum_future *task, thrum__hook *hook) {
    thrum__bucket *bucket = thrum__lot_lock(task);
    uint32_t word = thrum__task_word(task);
    while (!(word & (THRUM__TASK_DONE | THRUM__TASK_HOOKS)) &&
           !thrum__cas_relaxed(&task->word, &word, word | THRUM__TASK_HOOKS))
        continue;
    /* Done, but its hooks have not been taken yet: at the end of the ring, for the order. */
    bool added = !(thrum__task_word(task) & THRUM__TASK_DONE) || task->hooks;
    if (added) {
        thrum__list_init(&hook->listed);
        if (task->hooks)
            thrum__list_insert(&task->hooks->listed, &hook->listed);
        else
            task->hooks = hook;
        hook->queued = true;
    }
    thrum__lot_unlock(bucket);
    return added;
}

/* Under the bucket lock. */
static void unlink_hook(thrum_future *task, thrum__hook *hook) {
    hook->queued = false;
    if (thrum__list_empty(&hook->listed))
        task->hooks = NULL;
    else if (task->hooks == hook)
        task->hooks = of(hook->listed.next);
    thrum__list_remove(&hook->listed);
}

bool thrum__hook_remove(thrum_future *task, thrum__hook *hook) {
    thrum__bucket *bucket = thrum__lot_lock(task);
    bool queued = hook->queued;
    if (queued)
        unlink_hook(task, hook);
    thrum__lot_unlock(bucket);
    return queued;
}

/* Moves callbacks to `list`; calls the watches on the way. Those are few, or of different
 * iterations: they wake with the lock free, one after the other. */
void thrum__hooks_take(thrum_future *task, thrum__link *list) {
    uint32_t state = thrum__load_relaxed(&task->word) & THRUM__TASK_STATE;
    thrum__hook *last = NULL;
    const void *key;
    do {
        key = NULL;
        thrum__bucket *bucket = thrum__lot_lock(task);
        for (thrum__hook *hook; !key && (hook = task->hooks) != NULL;) {
            unlink_hook(task, hook);
            if (hook->ops->watch) {
                key = hook->ops->watch(hook, state); /* *hook may be gone once the lock is */
                continue;
            }
            call_of(hook)->task = task;
            hook->last = false;
            thrum__list_insert(list, &hook->listed);
            last = hook;
        }
        thrum__lot_unlock(bucket);
        if (key)
            thrum__lot_unpark_kind(key, &thrum__gather_kind); /* may be gone: a stack */
    } while (key);
    if (last)
        last->last = true;
    else
        thrum__task_unref(task);
}

void thrum__hooks_pass(thrum__link *list, thrum__link *later) {
    thrum__hook *kept = NULL; /* the last of the same task in `later` */
    while (!thrum__list_empty(list)) {
        thrum__hook *hook = of(list->next);
        thrum_future *task = call_of(hook)->task;
        bool last = hook->last;
        thrum__list_remove(&hook->listed);
        if (hook->ops->passes && hook->ops->passes(task, hook)) {
            hook->ops->call(task, hook, list);
            if (last && kept)
                kept->last = true;
            else if (last)
                thrum__task_unref(task);
        } else {
            thrum__list_insert(later, &hook->listed);
            kept = hook;
        }
        kept = last ? NULL : kept;
    }
}

/* What thrum__hooks_call() is in the middle of. A part of its own: exit() in one of them does not
 * end the others. */
typedef struct calls {
    thrum__part part;
    thrum__link *list;
    thrum_future *owed; /* a reference that goes after this call, NULL none */
} calls;

/* Also the cleanup handler: one of them has ended the thread, the others are called all the
 * same. */
static void go_on(void *arg) {
    calls *it = arg;
    pthread_cleanup_push(go_on, it);
    for (;;) {
        thrum_future *owed = it->owed;
        it->owed = NULL;
        if (owed)
            thrum__task_unref(owed);
        if (thrum__list_empty(it->list))
            break;
        thrum__hook *hook = of(it->list->next);
        thrum__list_remove(&hook->listed);
        thrum_future *task = call_of(hook)->task;
        it->owed = hook->last ? task : NULL;
        if (task)
            hook->ops->call(task, hook, it->list);
        else
            hook->ops->drop(hook, it->list);
    }
    pthread_cleanup_pop(0);
    thrum__part_end(&it->part);
}

static void desert(thrum__part *part) { go_on(THRUM__MEMBER(calls, part, part)); }

void thrum__hooks_call(thrum__link *list) {
    static thrum__whole nothing; /* read-only */
    calls it; /* not filled: most of it is for failures */
    if (thrum__list_empty(list))
        return;
    thrum__part_begin(&it.part, &nothing);
    it.part.desert = desert;
    it.list = list;
    it.owed = NULL;
    go_on(&it);
}

void thrum__hooks_run(thrum_future *task) {
    thrum__link list = THRUM__LIST_INIT(list);
    thrum__hooks_take(task, &list);
    thrum__hooks_call(&list);
}

void thrum__hooks_drop(thrum_future *task) {
    thrum__link list = THRUM__LIST_INIT(list);
    thrum__bucket *bucket = thrum__lot_lock(task);
    for (thrum__hook *hook; (hook = task->hooks) != NULL;) {
        unlink_hook(task, hook);
        call_of(hook)->task = NULL;
        hook->last = false;
        thrum__list_insert(&list, &hook->listed);
    }
    thrum__lot_unlock(bucket);
    thrum__hooks_call(&list);
}

/* pthread_exit() or a cancellation in a callback, or its end. */
static void callback_ended(void *arg) {
    thrum__frame *frame = arg;
    thrum__strand_self()->frame = frame->outer;
    if (frame->raised) {
        const thrum_thread *thread = thrum_thread_current();
        frame->failure.thread = thread ? thrum_thread_name(thread) : NULL;
        thrum__failure_report(&frame->failure);
    }
}

static void call_user(thrum_future *task, void (*fn)(thrum_future *, void *), void *arg) {
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
    thrum__task_mark_read(task);
    self->frame = &frame;
    pthread_cleanup_push(callback_ended, &frame);
    fn(task, arg);
    pthread_cleanup_pop(1);
}

static void call(thrum_future *task, thrum__hook *hook, thrum__link *more) {
    callback it = *THRUM__MEMBER(callback, call.hook, hook);
    (void)more;
    free(THRUM__MEMBER(callback, call.hook, hook));
    call_user(task, it.fn, it.arg);
}

static void drop(thrum__hook *hook, thrum__link *more) {
    (void)more;
    free(THRUM__MEMBER(callback, call.hook, hook));
}

static const thrum__hook_ops callback_ops = {.call = call, .drop = drop};

int thrum_future_add_done_callback(thrum_future *future, void (*fn)(thrum_future *, void *),
                                   void *arg) {
    if (!fn) {
        thrum__complain("thrum_future_add_done_callback: fn is NULL");
        return -EINVAL;
    }
    if (!thrum__task_done(future))
        thrum__task_settle(future);
    if (!thrum__task_done(future)) {
        callback *made = malloc(sizeof *made);
        if (!made)
            return -ENOMEM;
        *made = (callback){.call.hook = {.ops = &callback_ops}, .fn = fn, .arg = arg};
        thrum__strand_self(); /* met before a bucket is locked */
        if (thrum__hook_add(future, &made->call.hook))
            return 0;
        free(made);
    }
    call_user(future, fn, arg);
    return 0;
}
