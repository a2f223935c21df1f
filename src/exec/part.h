/* SPDX-License-Identifier: MIT */
/* A map or a fork-join is one thing that several strands run: what fails in a part of it fails the
 * whole, and is raised again where that was called. */
#ifndef THRUM_EXEC_PART_H
#define THRUM_EXEC_PART_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/error.h>

#include "base/raw_lock.h"
#include "exec/task.h"

/* The failure with the lowest index; of the same index the first. */
typedef struct thrum__whole {
    thrum__raw_lock lock;
    unsigned generation;   /* thrum__fork_generation(), as far as it was noticed */
    uint64_t index;        /* under lock, as what follows: with code 0 nothing has failed */
    thrum_failure failure; /* message NULL: a code without thrum_raise() */
    char message[256];
    thrum_future *task;    /* that called it, NULL none; read-only */
    const char *name;      /* of that task */
} thrum__whole;

/* What one strand does of it: a frame round the user's calls, inside the one that was there. */
typedef struct thrum__part {
    thrum__frame frame;
    thrum__whole *whole;
    /* Called when its strand never comes back to it, being inside exit(): leaves the frame, and
     * lets the others go on. NULL: nobody waits for this strand. Set after thrum__part_begin(). */
    void (*desert)(struct thrum__part *part);
} thrum__part;

/* Returns 0 if the current strand may start a map or a fork-join on `pool`, else -ESHUTDOWN or
 * -EPIPE. */
int thrum__part_allowed(const thrum_executor *pool);

/* Returns whether the current strand may run parts itself: not if the initializer of `pool` has to
 * run before. */
bool thrum__part_here(const thrum_executor *pool);

/* Runs call(arg), which returns 0 or the code of a failure that it has raised, as a task of `pool`,
 * and waits. Returns that code, or why it did not run. */
int thrum__part_submit(thrum_executor *pool, int (*call)(void *arg), void *arg);

/* Waits to the end of `task`, whose memory is the caller's: circles that it closes are broken as
 * often as need be. */
void thrum__part_outlast(thrum_future *task);

/* Prepares `whole`, zero but for that, for the task of the current strand. */
void thrum__whole_init(thrum__whole *whole);

/* Enters a frame on the current strand, as part of `whole`; and leaves it. */
void thrum__part_begin(thrum__part *part, thrum__whole *whole);
void thrum__part_end(thrum__part *part);

/* A part of nothing: who has PINNED a pool is in the middle of what may never come back. */
typedef struct thrum__pinned {
    thrum__part part;
    thrum_executor *pool;
} thrum__pinned;

/* Begins it; when the strand is inside exit() the pool is let go of. Ends it; the other lets go of
 * the pool too. These are cleanup handlers. */
void thrum__pinned_begin(thrum__pinned *it, thrum_executor *pool);
void thrum__pinned_end(void *it);
void thrum__pinned_let_go(void *it);

/* Returns whether the current strand is in the middle of that with `pool`, whose end it would wait
 * for in vain: does not look into it. */
bool thrum__pinned_here(const thrum_executor *pool);

/* The same for who has taken a slot of `pool` that is no worker's, as long as it has that:
 * callbacks and the excepthook too may wait, which leaves it, or never come back, which gives it
 * back. */
void thrum__held_begin(thrum__part *part, thrum_executor *pool);
void thrum__held_end(void *part);

/* Takes what was raised since the last time into the whole, as the failure at `index`. Returns its
 * code or 0. */
int thrum__part_failed(thrum__part *part, uint64_t index);

/* Notes the failure `code` at `index` without a message. */
void thrum__whole_failed(thrum__whole *whole, uint64_t index, int code);

/* Raises the failure, if there is a raised one, in the calling strand. Returns the code or 0. */
int thrum__whole_raise(thrum__whole *whole);

#endif
