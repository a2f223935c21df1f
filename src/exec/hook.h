/* SPDX-License-Identifier: MIT */
/* What is to happen when a future is done: callbacks, continuations, and iterations over several
 * futures. */
#ifndef THRUM_EXEC_HOOK_H
#define THRUM_EXEC_HOOK_H

#include "base/list.h"
#include "exec/task.h"

/* What a kind of hook supplies: watch, or the other two. */
typedef struct thrum__hook_ops {
    /* Called under the bucket lock of the record. Then what waits for several futures at the
     * address that it returns is woken; NULL: nobody. */
    const void *(*watch)(thrum__hook *hook, uint32_t state);
    /* Called outside of locks, once `task` is done. The hook is its own from there. Hooks of
     * futures that it completes are appended to `more` by thrum__hooks_take(), not called. */
    void (*call)(thrum_future *task, thrum__hook *hook, thrum__link *more);
    /* Returns whether call would only pass on what became of `task`. NULL: it would not. */
    bool (*passes)(thrum_future *task, thrum__hook *hook);
    /* As call, when the future was given up: a promise that nobody can complete any more. */
    void (*drop)(thrum__hook *hook, thrum__link *more);
} thrum__hook_ops;

struct thrum__hook {
    thrum__link listed; /* in the ring of the record, under its bucket lock; or by who calls it */
    const thrum__hook_ops *ops; /* read-only */
    bool queued;                /* in that ring; under the bucket lock */
    bool last;                  /* by who calls it: a reference of the task goes after it */
};

/* What hooks with call and drop begin with. */
typedef struct thrum__callable {
    thrum__hook hook;
    thrum_future *task; /* by who calls it; NULL: it was given up */
} thrum__callable;

/* Appends `hook` unless the future is done: returns whether it did. */
bool thrum__hook_add(thrum_future *task, thrum__hook *hook);

/* Takes `hook` out if it has not been called. Returns whether it did. `task` may be gone if `hook`
 * is not: its address tells the bucket. */
bool thrum__hook_remove(thrum_future *task, thrum__hook *hook);

/* Appends the hooks of `task`, which is done, to `list`; watches are called. Takes over a reference
 * of `task`. */
void thrum__hooks_take(thrum_future *task, thrum__link *list);

/* Calls those in `list` that only pass on what became of their tasks, and what that appends. The
 * others, which may never come back, go to `later`. */
void thrum__hooks_pass(thrum__link *list, thrum__link *later);

/* Calls what stands in `list`, and what that appends: no recursion, however long the chain. Goes on
 * with the rest when one ends the thread. */
void thrum__hooks_call(thrum__link *list);

#endif
