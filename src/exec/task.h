/* SPDX-License-Identifier: MIT */
/* The record of a task, which is its future: what a thrum_future * points at. Records stand in
 * chunks that are never given back (slab.c), so that an address once a record's stays one.
 * README.md beside this file has states, protocol and argument. */
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
 *              RUNNING -> OK, FAILED by who ran it; a promise: PENDING, RUNNING -> SETTING -> OK,
 *              FAILED
 *   WAITERS    somebody may wait in the lot at the record  set under the bucket lock
 *   HOOKS      the list `hooks` may hold something         set under the bucket lock
 *   READ       its failure, only a code, was given to somebody  set by who reads it
 *   CANCEL     somebody tried to cancel what runs          set by cancel
 *   PROMISE    completed by its user, not by a pool; or a  cleared by who queues that
 *              continuation that waits for its turn
 *   NAMED      arg points to a thrum__named                read-only
 *   OWNED      value is a block that is freed with the record  read-only
 *   OPTIONS    it was submitted with options: `options`, not `cold`  read-only
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
    THRUM__TASK_OWNED = 1 << 10,
    THRUM__TASK_OPTIONS = 1 << 11,
    THRUM__TASK_REF = 1 << 12
};

/* Beside the references that thrum__task_run() drops: nobody else has the record, or will while it
 * runs; the tally is written by this strand only. */
enum { THRUM__TASK_ALONE = 1, THRUM__TASK_OWN_TALLY = 2 };

/* What the arg of a task with the flag NAMED begins with. */
typedef struct thrum__named {
    const char *name; /* lives for ever */
} thrum__named;

typedef struct thrum__hook thrum__hook;
typedef struct thrum__cold thrum__cold;
typedef struct thrum__options thrum__options;

struct thrum_future {
    uint32_t word;
    uint32_t generation;       /* of the pool's memory, read-only; before that of forks, in a
                                * continuation */
    void *(*fn)(void *arg);    /* read-only */
    void *value;               /* the argument; then, by who completes it, the result */
    struct thrum_future *next; /* in the injector, or among free records; before a continuation that
                                * waits */
    thrum_executor *pool; /* read-only, but for such a one; its memory is for ever, the pool in it
                           * only until this is done */
    union {
        thrum__cold *cold;       /* its failure; by who completes it */
        thrum__options *options; /* the pointer read-only: options.h */
    };
    thrum__hook *hooks; /* a ring, this the first; under the bucket lock of the record */
    uint32_t runner;           /* relaxed: id of the strand that runs it, 0 nobody yet */
};

/* What `executing` says of the frame of a thrum__part. */
enum { THRUM__PART = 2 };

/* A task that a strand executes, or (task NULL) the initializer of a pool. On that strand's
 * stack. */
typedef struct thrum__frame {
    struct thrum__frame *outer; /* the one that helps this one, NULL none */
    thrum_future *task;
    struct thrum__worker *worker; /* whose stack this is, NULL no worker's */
    thrum_executor *slot;         /* where this frame holds a slot that is no worker's, NULL
                                   * nowhere */
    uint64_t *tally;              /* counts what is completed by others than workers of its pool */
    const char *name;             /* of the task, NULL none */
    const char *shown;            /* with a name: what dumps said of the strand before */
    uint32_t drop;                /* references that go when it is completed */
    bool raised;                  /* failure and message are filled */
    bool deadlock;                /* its wait stands in a circle */
    uint8_t executing;            /* false: the bottom frame of a worker, no task yet; or
                                   * THRUM__PART */
    bool own_tally;               /* nobody else counts there */
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

/* Drops `refs` references (times THRUM__TASK_REF). The last reports a failure that nobody has
 * read. */
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

/* Runs a claimed task in a frame of its own on the current strand, and completes it; `drop`
 * references (times THRUM__TASK_REF, plus THRUM__TASK_ALONE and _OWN_TALLY) go with that. `worker`:
 * whose stack this is, or NULL; `tally`: counts it, NULL if it is a task of the worker's own
 * pool. */
void thrum__task_run(thrum_future *task, struct thrum__worker *worker, uint64_t *tally,
                     uint32_t drop);

/* The task of `frame`, the current one, ends with -ECANCELED (or what it has raised): the strand
 * never comes back to it. */
void thrum__task_desert(thrum__frame *frame);

/* Completes a claimed task: state OK or FAILED (or CANCELLED: claims a PENDING one), what belongs
 * to it being written; runs the callbacks, with a reference of its own if the caller drops none.
 * Returns false if it was not PENDING, for CANCELLED. */
bool thrum__task_complete(thrum_future *task, uint32_t state, uint32_t drop);

/* As thrum__task_complete(), but for the hooks. Returns the word before, 0 if it was not PENDING.
 * With HOOKS in it the caller calls thrum__hooks_take() or thrum__hooks_run(): a reference is left
 * for that. */
uint32_t thrum__task_finish(thrum_future *task, uint32_t state, uint32_t drop);

/* The same for a claimed task that has no hooks. Returns false, nothing being done, if it has. */
bool thrum__task_finish_unhooked(thrum_future *task, uint32_t state, uint32_t drop);

/* Completes a claimed task with a copy of `failure`. `thread`: overrides its name of a thread, if
 * not NULL. */
void thrum__task_fail(thrum_future *task, const thrum_failure *failure, const char *thread,
                      uint32_t drop);

/* Gives a claimed task that is about to fail a copy of `failure`, as thrum__task_fail() does. */
void thrum__task_set_failure(thrum_future *task, const thrum_failure *failure, const char *thread);

/* A copy of a failure that owns its strings; NULL without memory. */
thrum__cold *thrum__cold_new(const thrum_failure *failure, const char *thread);
const thrum_failure *thrum__cold_failure(const thrum__cold *cold);

/* The last reference of a task that is done has gone with its completion; `word` is the last
 * one. */
void thrum__task_died(thrum_future *task, uint32_t word);

/* Returns the failure of a task that is done, NULL if it has none. */
const thrum_failure *thrum__task_failure(const thrum_future *task);

/* Notes that the failure of a task that is done, if it has one, has been given to somebody. */
void thrum__task_mark_read(thrum_future *task);

/* Notes that nobody has to read the failure that a claimed task was given and is about to fail
 * with. */
void thrum__task_excuse(thrum_future *task);

/* Gives `to`, which is about to fail, the failure of `from`. It is still one: read once, or
 * reported once. */
void thrum__task_pass_failure(thrum_future *from, thrum_future *to);

/* Returns the word, with what the one who completed the task wrote, if it is done. */
static inline uint32_t thrum__task_word(const thrum_future *task) {
    /* acquire: pairs with thrum__task_finish(), thrum__task_finish_unhooked(),
     * thrum__submit_late() */
    return thrum__load_acquire(&task->word);
}

static inline bool thrum__task_done(const thrum_future *task) {
    return (thrum__task_word(task) & THRUM__TASK_DONE) != 0;
}

/* Calls the hooks of `task`, which is done, once. Takes over a reference of it. */
void thrum__hooks_run(thrum_future *task);

/* Calls the hooks of a promise that was given up: their drop. */
void thrum__hooks_drop(thrum_future *task);

/* Returns the name of a task that is not done, NULL if it has none. Lives as long as the record. */
const char *thrum__task_name(const thrum_future *task);

/* In the child of a fork. */
void thrum__cold_child_after_fork(void);

/* Called by who is about to wait, when a task is not done: one of a parent process is cancelled. */
void thrum__task_settle(thrum_future *task);

#endif
