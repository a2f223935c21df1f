/* SPDX-License-Identifier: MIT */
/* Where the idle workers of a pool find work besides its queue: a map or a fork-join, on the stack
 * or in the memory of who opened it. It waits at its end for the workers inside, and for nobody
 * else. */
#ifndef THRUM_EXEC_SOURCE_H
#define THRUM_EXEC_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/executor.h>

#include "base/raw_lock.h"

typedef struct thrum__source thrum__source;
struct thrum__worker;

typedef struct thrum__source_ops {
    /* Returns whether there is something to be run now; if not, asks for it. Under the lock of the
     * sources. */
    bool (*ready)(thrum__source *source);
    /* Runs what there is, on a worker of the pool. */
    void (*work)(thrum__source *source);
} thrum__source_ops;

/* inside: bit 0 AWAITED, set by who closes the source and waits at its address; then 2 for each
 * worker inside. A worker enters under the lock, while the source is listed. Who takes the last 2
 * from an AWAITED one wakes. */
struct thrum__source {
    thrum__source *next; /* under the lock of the sources */
    const thrum__source_ops *ops;
    uint32_t inside;
    uint32_t room;       /* most workers inside */
    unsigned generation; /* thrum__fork_generation() when it was opened */
};

/* The sources of a pool. Zero is a valid one. */
typedef struct thrum__sources {
    thrum__raw_lock lock;
    thrum__source *first; /* the newest; changed under lock */
    uint32_t news;        /* changes when there may be work where none was */
} thrum__sources;

/* Makes `source`, whose ops are set, visible to at most `room` workers of `pool`, and wakes one. */
void thrum__source_open(thrum_executor *pool, thrum__source *source, uint32_t room);

/* Says that a source of `pool` has got work (by a seq_cst read-modify-write); wakes a worker if
 * none looks. */
void thrum__source_news(thrum_executor *pool);

/* `thief` does not help any more where it did, if it did. */
void thrum__source_leave(struct thrum__worker *thief);

/* Takes `source` out, and blocks until no worker is inside. In the child of a fork nobody is. */
void thrum__source_close(thrum_executor *pool, thrum__source *source);

#endif
