/* SPDX-License-Identifier: MIT */
/* A collector gathers futures as they become done. It has a watch for each, which hangs at the
 * future until then, and from then on in the collector's row. All is under the GIL; without one,
 * a watch at a future is under the future's guard, and what collectors have is under one lock of
 * the process, inside of that. */
#ifndef THRUM_PYTHON_WATCH_H
#define THRUM_PYTHON_WATCH_H

#include "future.h"

#include <thrum/lock.h>

struct collector;

typedef struct watch {
    struct watch *next;
    struct watch **link;         /* where it hangs at its future; NULL: it does not; peeked at */
    future *future;              /* a strong reference; NULL: taken */
    struct collector *collector; /* read-only */
} watch;

typedef struct collector {
    thrum_event event;
    bool first, failure;  /* wake at the first that is done, or that failed; read-only */
    Py_ssize_t pending;   /* how many hang at their futures, and 1 until all were added; peeked
                           * at */
    watch *done, **end;   /* the row of the others, first to last */
    Py_ssize_t length;
    watch watches[];
} collector;

/* Tells the collectors that `self` is done. Under the future's guard. */
void watches_tell(future *self);

/* A collector with room for `room` futures, to be freed with collector_free(); NULL with
 * MemoryError. */
collector *collector_new(Py_ssize_t room, bool first, bool failure);
void collector_free(collector *self);

/* Adds a future, if it is not there: its watch hangs at it, done or not. Runs no Python code. */
void collector_add(collector *self, future *item);

/* All were added: puts those that were done before into the row, in the order in which they were
 * added. */
void collector_sort_out(collector *self);

/* The first of the row, as a new reference; NULL if there is none. */
future *collector_take(collector *self);

/* Blocks until another one is done, or what first and failure say. */
outcome collector_wait(collector *self, thrum_deadline deadline);

#endif
