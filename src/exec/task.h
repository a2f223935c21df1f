/* SPDX-License-Identifier: MIT */
/* The record of a task, which is its future: what a thrum_future * points at. Records stand in chunks that are
 * never given back (slab.c), so that an address once a record's stays one. README.md beside this file has
 * states, protocol and argument. */
#ifndef THRUM_EXEC_TASK_H
#define THRUM_EXEC_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/executor.h>
#include <thrum/future.h>

#include "base/atomic.h"
#include "park/strand.h"

/* word of a record:
 *   bits 0-2   state, below. PENDING -> RUNNING by who runs it; PENDING -> CANCELLED by cancel;
 *              RUNNING -> OK, FAILED by who ran it; a promise: PENDING, RUNNING -> SETTING -> OK, FAILED
 *   WAITERS    somebody may wait in the lot at the record  set under the bucket lock
 *   HOOKS      the list `hooks` may hold something         set under the bucket lock
 *   READ       its failure has been given to somebody      set by who reads it
 *   CANCEL     somebody tried to cancel what runs          set by cancel
 *   PROMISE    completed by its user, not by a pool        read-only
 *   NAMED      arg points to a thrum__named                read-only
 *   SURVIVES   runs on in the child of a fork              set in the child
 *   bits 12-31 references: the handles, and one of the queue that it stands in */
enum {
    THRUM__TASK_PENDING = 0,
    THRUM__TASK_RUNNING = 1,
    THRUM__TASK_SETTING = 2,
    THRUM__TASK_DONE = 4, /* the bit that all of these have */
    THRUM__TASK_OK = 4,
    THRUM__TASK_FAILED = 5,
    THRUM__TASK_CANCELLED = 6,
    THRUM__TASK_STATE = 7,
    THRUM__TASK_WAITERS = 1 << 3,
    THRUM__TASK_HOOKS = 1 << 4,
    THRUM__TASK_READ = 1 << 5,
    THRUM__TASK_CANCEL = 1 << 6,
    THRUM__TASK_PROMISE = 1 << 7,
    THRUM__TASK_NAMED = 1 << 8,
    THRUM__TASK_SURVIVES = 1 << 9,
    THRUM__TASK_REF = 1 << 12
};

/* What the arg of a task with the flag NAMED begins with. */
typedef struct thrum__named {
    const char *name; /* lives for ever */
} thrum__named;

typedef struct thrum__hook thrum__hook;
typedef struct thrum__cold thrum__cold;

struct thrum_future {
    uint32_t word;
    uint32_t generation;       /* of the pool's memory; read-only */
    void *(*fn)(void *arg);    /* read-only */
    void *value;               /* the argument; then, by who completes it, the result */
    struct thrum_future *next; /* in the injector, or among free records */
    thrum_executor *pool;      /* read-only; its memory is for ever, the pool in it only until this is done */
    thrum__cold *cold;         /* its failure; by who completes it */
    thrum__hook *hooks;        /* callbacks and iterations; under the bucket lock of the record */
    const thrum__strand *runner; /* relaxed: who runs it; compared, never followed */
};

/* A task that a strand executes, or (task NULL) the initializer of a pool. On that strand's stack. */
typedef struct thrum__frame {
    struct thrum__frame *outer; /* the one that helps this one, NULL none */
    thrum_future *task;
    struct thrum__worker *worker; /* of the pool whose worker this strand is, NULL none */
    intptr_t begin;               /* bottom of the worker's deque when the task began */
    bool raised;                  /* failure and message are filled */
    bool deadlock;                /* its wait stands in a circle */
    thrum_failure failure;
    char message[256];
} thrum__frame;

/* Returns the frame that the current strand executes, NULL outside of tasks. */
static inline thrum__frame *thrum__frame_current(void) {
    const thrum__strand *self = thrum__strand_peek();
    return self ? self->frame : NULL;
}

/* Returns a record with `word`, everything else zero, or NULL. */
thrum_future *thrum__task_new(uint32_t word);

/* Gives a record back whose last reference is gone. */
void thrum__task_recycle(thrum_future *task);

/* Drops `refs` references (times THRUM__TASK_REF). The last reports a failure that nobody has read. */
void thrum__task_unref(thrum_future *task);

/* Takes a task that has not started: PENDING -> `state`. Returns whether it did. */
static inline bool thrum__task_claim(thrum_future *task, uint32_t state) {
    uint32_t word = thrum__load_relaxed(&task->word);
    while ((word & THRUM__TASK_STATE) == THRUM__TASK_PENDING)
        /* relaxed: what the submitter wrote came through the queue, or by the handle */
        if (thrum__cas_relaxed(&task->word, &word, word + state))
            return true;
    return false;
}

/* Runs a claimed task in a frame of its own on the current strand, and completes it. `dropped`: its queue's
 * reference, which goes too. `helped`: the strand runs it inside another task, or is no worker. */
void thrum__task_run(thrum_future *task, struct thrum__worker *worker, bool dropped, bool helped);

#endif
