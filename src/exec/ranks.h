/* SPDX-License-Identifier: MIT */
/* The queue of a pool for tasks with a priority: the highest first, among equals the first come. A
 * pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) of records that are in it by themselves:
 * nothing is allocated, so nothing can fail. It knows nothing of tasks and pools, so that a backend
 * may include it beside backend.h: then the order is one on threads and in processes. */
#ifndef THRUM_EXEC_RANKS_H
#define THRUM_EXEC_RANKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/raw_lock.h"

/* So that none starves: of so many tasks that are taken one is the oldest with a priority, and one
 * comes from those without. */
enum { THRUM__RANKS_FAIR_EVERY = 61 };

/* A place in the queue; all but priority under its lock. */
typedef struct thrum__rank {
    int priority; /* read-only */
    bool queued;
    uint64_t order;             /* of its coming */
    struct thrum__rank *child;  /* the first of those that come after it */
    struct thrum__rank *next;   /* its sibling */
    struct thrum__rank *before; /* the sibling before it, or the parent of the first */
    struct thrum__rank *older, *newer;
} thrum__rank;

/* Zero is an empty one. n: how many there are; changed under lock, by seq_cst read-modify-writes */
typedef struct thrum__ranks {
    uint32_t n __attribute__((aligned(64)));
    thrum__raw_lock lock;
    thrum__rank *first;            /* these: under lock */
    thrum__rank *oldest, *newest;
    uint64_t last_order;
} thrum__ranks;

/* Puts `rank`, which stands nowhere, in. Any thread, as all of these. */
void thrum__ranks_put(thrum__ranks *ranks, thrum__rank *rank);

/* Puts back one that was taken, before its equals that came after it; it counts as the oldest. */
void thrum__ranks_put_back(thrum__ranks *ranks, thrum__rank *rank);

/* Takes the first, if its priority is above `floor`; NULL: there is none. */
thrum__rank *thrum__ranks_take(thrum__ranks *ranks, int64_t floor);

/* Takes the one that has been in for longest; NULL: there is none. */
thrum__rank *thrum__ranks_take_oldest(thrum__ranks *ranks);

/* Takes `rank` if it is the first, or with `anyway` wherever it stands. Returns whether it did. */
bool thrum__ranks_take_this(thrum__ranks *ranks, thrum__rank *rank, bool anyway);

/* Returns whether the first has a priority above `floor`. */
bool thrum__ranks_above(thrum__ranks *ranks, int64_t floor);

/* Returns whether there is any; seq_cst, for who has announced its sleep. */
static inline bool thrum__ranks_visible(const thrum__ranks *ranks) {
    /* seq_cst: pairs with enter() */
    return thrum__load_seq_cst(&ranks->n) != 0;
}

#endif
