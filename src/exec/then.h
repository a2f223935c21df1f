/* SPDX-License-Identifier: MIT */
/* Continuations: tasks that start when another future is done. README.md, "Continuations". */
#ifndef THRUM_EXEC_THEN_H
#define THRUM_EXEC_THEN_H

#include "exec/hook.h"

typedef struct thrum__then {
    thrum__callable call;
    thrum__link listed;   /* in its pool's list, while it waits; under that bucket lock */
    thrum_future *source; /* while it waits an address; when it is queued, a reference */
    thrum_future *out;
    thrum_executor *pool; /* NULL: runs where `source` is completed; read-only, as the next */
    unsigned fork_generation;
    bool always; /* whatever became of `source` */
    void *(*fn)(thrum_future *, void *);
    void *arg;
    uint32_t refs;  /* of the hook, of the pool's list, and one for who claims `out` */
    uint32_t held;  /* of these, by who has claimed it */
    bool owns;      /* one reference of `out` is its own: not queued */
} thrum__then;

/* What fires it. */
extern const thrum__hook_ops thrum__then_hook_ops;

/* Drops references of the block. */
void thrum__then_drop(thrum__then *it, uint32_t refs);

/* Takes it out of the list of its pool, and makes that PINNED (if `pin`). Returns whether it stood
 * in there; else the pool may be gone. */
bool thrum__then_unlist(thrum__then *it, bool pin);

/* Fails `out`, which the caller has claimed; its hooks go to `more`. */
void thrum__then_fail(thrum_future *out, const thrum_failure *failure, const char *thread,
                      thrum__link *more);

/* The fn of every continuation's record. One that waits is PENDING and a PROMISE, with `next` what
 * it waits for. */
void *thrum__then_run(void *then);

/* Returns what `task` waits for to start, NULL if it is no continuation that waits. What is
 * returned may be gone, and its record another's, unless `task` still waits afterwards: ask
 * again. */
thrum_future *thrum__then_source(const thrum_future *task);

/* A continuation that waited was cancelled; while the caller has a handle. */
void thrum__then_cancelled(thrum_future *task);

/* The deadline of a continuation that waited has come, and the caller has claimed it; a reference
 * of `task` goes. */
void thrum__then_expire(thrum_future *task);

/* A continuation was cancelled in a queue, and its record dies. */
void thrum__then_died(thrum_future *task);

/* What becomes of a continuation whose pool was shut down. */
extern const thrum_failure thrum__then_shut_down;

/* Fails the continuations that wait to be tasks of `pool`, or cancels them (`failure` NULL);
 * what is to be called then goes to `calls`. Returns whether there were any. */
bool thrum__then_abandon(thrum_executor *pool, const thrum_failure *failure, thrum__link *calls);

#endif
