/* SPDX-License-Identifier: MIT */
/* A worker of a fork-join: a stack of frames that is a split deque (van Dijk and van de Pol, "Lace:
 * non-blocking split deque for work-stealing", Euro-Par 2014, section 3).
 *
 *     0 .. tail      taken by others, oldest first
 *     tail .. split  public: anybody may take the first, the owner takes back the upper half
 *     split .. head  private: spawn and sync are the owner's, without atomics
 *
 * tail and split are one word, changed by compare-and-exchange or addition only while tail < split
 * may hold: the owner's taking back and a taking at the same moment cannot both succeed, and no
 * fence is needed. The split moves when somebody asks (limit and guard in thrum_worker). */
#ifndef THRUM_EXEC_FORK_JOIN_H
#define THRUM_EXEC_FORK_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/fork_join.h>

#include "base/raw_lock.h"
#include "exec/part.h"
#include "exec/source.h"

typedef struct thrum__fork_join thrum__fork_join;
typedef struct thrum__forker thrum__forker;

/* state of a frame, under nobody's lock:
 *   0          nobody took it                      by its owner once the result is read
 *   a forker   plus: that one runs it              added by who took it
 *   AWAITED    bit: its owner sleeps, or is to     by its owner; cleared by who runs it, with news
 *   DONE       the result is in its data           by who ran it; the last touch */
enum { THRUM__CALL_AWAITED = 1, THRUM__CALL_DONE = 2, THRUM__CALL_BITS = 3 };

/* A frame that is being run by who took it, and the one below. */
typedef struct thrum__taken {
    thrum__call *frame;
    struct thrum__taken *below;
    thrum__forker *by;
    thrum__call *head; /* of `by` before: what stands above was spawned by this call */
    bool whole; /* it has returned */
} thrum__taken;

/* A frame beyond the stack. */
typedef struct thrum__spilled {
    thrum__call frame;
    struct thrum__spilled *below;
} thrum__spilled;

struct thrum__forker {
    thrum_worker worker;
    /* tail in the lower half, split in the upper */
    uint64_t shared __attribute__((aligned(64)));
    thrum__call *frames;     /* read-only, as end and memory */
    thrum__call *end;
    void *memory;
    thrum__fork_join *join;   /* read-only while it takes part */
    bool busy;                /* somebody is this forker; under the lock of its fork-join */
    /* the owner's */
    uint32_t split __attribute__((aligned(64))); /* as in shared */
    bool broken;              /* its thread ended in the middle of a call: not to be used again */
    uint32_t lost;            /* spawns for which there was no memory, above the spilled ones */
    thrum__taken *taken;      /* what it is running of others, the last first */
    thrum__spilled *spilled;  /* the last first */
    thrum__forker *next_idle; /* in the pool's cache; under its lock */
    thrum__call scratch;     /* what a slow spawn or sync hands out */
};

/* One call of thrum_fork_join(). */
struct thrum__fork_join {
    thrum__source source;
    thrum_executor *pool;
    thrum__raw_lock lock;
    uint32_t n; /* forkers; grows under lock. The first is the caller's */
    thrum__whole *whole; /* of the caller */
    thrum__forker *forkers[];
};

/* Returns a forker with an empty stack, NULL without memory. */
thrum__forker *thrum__forker_new(void);

void thrum__forker_free(thrum__forker *forker);

/* Makes the empty `forker` as new. */
void thrum__forker_reset(thrum__forker *forker);

/* Takes the oldest public frame of `victim` and runs it as `self`. Returns whether there was one;
 * if not, asks the victim for more. */
bool thrum__forker_steal(thrum__forker *self, thrum__forker *victim);

/* Returns whether `victim` has a public frame; if not, asks it for more. */
bool thrum__forker_ready(thrum__forker *victim);

/* Asks `victim` to make frames public. */
void thrum__forker_ask(thrum__forker *victim);

/* The strand of `self` never comes back to what it runs of others: that is done, and has failed
 * with -ECANCELED. */
void thrum__forker_desert(thrum__forker *self);

/* Returns whether this is the child of a fork: who took anything of a frame is not here. */
bool thrum__fork_join_left_alone(const thrum__fork_join *join);

/* Requires that the thread of `self` ends in the middle of a call. What that had spawned above
 * `head` may be running, or be taken, with its arguments on the stack that is being unwound:
 * misuse, if there is any. */
void thrum__forker_check_ended(const thrum__forker *self, const thrum__call *head);

/* Runs `frame` as `self`, which syncs all it spawns. */
void thrum__forker_run(thrum__forker *self, thrum__call *frame);

#endif
