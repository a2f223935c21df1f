/* SPDX-License-Identifier: MIT */
/* Waiting for a future: help, or block and let another worker take one's place. */
#ifndef THRUM_EXEC_AWAIT_H
#define THRUM_EXEC_AWAIT_H

#include "base/list.h"
#include "exec/task.h"
#include "park/lot.h"

extern const thrum__wait_kind thrum__future_kind;
extern const thrum__wait_kind thrum__gather_kind; /* of what waits for several */

/* Blocks until `task` is done: 0, -ETIMEDOUT, -EINTR, -EDEADLK or -EAGAIN. */
int thrum__await(thrum_future *task, int64_t deadline, bool interruptible);

/* Runs `task` if it has not started and the current strand may. Returns whether it is worth looking
 * again. */
bool thrum__await_help(thrum_future *task);

/* As thrum__await(), but never runs the task itself. */
int thrum__await_done(thrum_future *task, int64_t deadline, bool interruptible);

/* Returns whether a circle was found that the current task stands in, since the last call: what it
 * runs inside itself waits for it. Called before a wait too: not every one that a circle marks
 * looks. */
bool thrum__await_in_circle(void);

/* Says in the word that somebody waits at the record; returns false if it is done. Under its bucket
 * lock. */
bool thrum__task_flag_waiters(thrum_future *task);

/* A strand that executes a task and waits without end for one of several others. On its stack.
 * Filled by thrum__circle_wait_for(); under the lock of circle.c from `until` on. */
typedef struct thrum__circle_wait {
    thrum__link listed;
    thrum__strand *strand;
    const void *targets; /* the first thrum_future *, others `stride` bytes on; NULL: none */
    size_t stride;
    int n;
    bool goes_on;                 /* even when one is done: only a failure ends it, or the last */
    const void *key;              /* where it sleeps */
    const thrum__wait_kind *kind; /* as what; NULL: as an observer */
    const thrum_future *until;    /* in a circle: its outermost task that is waited for */
    struct thrum__circle_wait *next; /* of a walk */
    uint32_t walk;                   /* number of the last that met it */
    uint32_t deadlock;               /* relaxed: it stands in a circle */
} thrum__circle_wait;

/* Returns whether the wait of the current strand, without end, is to be watched: it executes a
 * task. */
bool thrum__circle_watches(int64_t deadline);

/* Notes that the current strand, executing a task, waits as `wait` says. Returns false, and ends
 * all the waits of the circle, if that closes one; then nothing is noted. */
bool thrum__circle_enter(thrum__circle_wait *wait);

/* Looks again, when something has become done that does not end the wait: ends the circle, if there
 * is one. */
void thrum__circle_again(thrum__circle_wait *wait);

/* Ends what thrum__circle_enter() began. Returns false if the wait stands in a circle by now. */
bool thrum__circle_leave(thrum__circle_wait *wait);

/* In the child of a fork. */
void thrum__circle_child_after_fork(void);

#endif
