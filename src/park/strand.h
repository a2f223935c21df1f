/* SPDX-License-Identifier: MIT */
/* The first seam: a strand is what runs and can wait. An OS thread is one (strand_linux.c), a
 * context of the tests another, a light thread or a thread under the explorer others to come.
 * README.md beside this file has states, protocol and argument. */
#ifndef THRUM_PARK_STRAND_H
#define THRUM_PARK_STRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

typedef struct thrum__strand thrum__strand;

/* Flags of park. */
enum {
    THRUM__PARK_SPIN = 1,         /* the partner may be running: a look before the sleep pays */
    THRUM__PARK_INTERRUPTIBLE = 2 /* may return -EINTR, if the strand has asked for that */
};

/* What a kind of strand supplies. */
typedef struct thrum__strand_ops {
    /* Makes `strand` run strand->entry(strand) on a stack of at least `stack_size` bytes (0: the
     * default), having made it the current one there. *strand must outlive this call, and may be
     * gone when entry returns. Returns 0, -EAGAIN or -ENOMEM. */
    int (*start)(thrum__strand *strand, size_t stack_size);
    /* Blocks the current strand `self` until it has a token, and takes it: 0. Else -ETIMEDOUT, or
     * -EINTR; then no token was taken, yet one may come at any moment. */
    int (*park)(thrum__strand *self, int64_t deadline, unsigned flags);
    /* Gives `strand` its token. Called once for each park that queued; the last touch of
     * *strand. */
    void (*unpark)(thrum__strand *strand);
    /* Lets other strands run. */
    void (*yield)(void);
    /* Returns the time that deadlines of this kind are measured in, nanoseconds. */
    int64_t (*now)(void);
    /* Waits (if `wait`) until the stack of `strand`, whose entry is returning, is gone. Returns
     * whether it is; then this, or detach, must not be called again. Not a cancellation point. */
    bool (*reap)(thrum__strand *strand, bool wait);
    /* Lets the stack of `strand` go by itself. The strand may still run, or be the caller. */
    void (*detach)(thrum__strand *strand);
    /* Shows `name` to the OS for `strand` (the caller's own, or one that has not been reaped). */
    void (*set_name)(thrum__strand *strand, const char *name);
} thrum__strand_ops;

/* What kind of thing a strand waits for, for dumps. */
typedef struct thrum__wait_kind {
    const char *noun; /* "lock" */
    /* Returns the id of the strand that `object` is waited for from, 0 unknown. NULL: nobody's.
     * Called under the bucket lock of `object`, with a waiter queued there. */
    uint32_t (*holder)(const void *object);
} thrum__wait_kind;

/* word of an OS strand, under nobody's lock:
 *   0  idle     taken to it by park
 *   1  token    by unpark; taken by park
 *   2  asleep   by park before the futex; left by unpark (to 1) or by park at a deadline (to 0) */
struct thrum__strand {
    uint32_t word;
    uint32_t id; /* 31 bits, not 0, unique among the living; set before the strand runs */
    uint32_t holder_id; /* own: the id under which it takes locks now; id, or an alias's */
    const thrum__strand_ops *ops;
    int32_t waker_cpu;  /* hint, relaxed: CPU of the last unpark, -1 none yet */
    uint8_t misses;     /* own: spins in a row that found nothing, at most 6 */
    uint8_t skip;       /* own: spins still to be left out */
    uint8_t slow_yields; /* own: yields in a row that gave a slice away, at most 6 */
    uint16_t yield_skip; /* own: yields still to be left out */
    bool interruptible; /* own */
    bool emitting;      /* own: inside the function of a log handler */
    bool counted;       /* own: among those awake; an adopted one from its first sleep on */
    bool adopted;       /* a thread that thrum did not start; read-only */
    int64_t native_id;  /* set by the strand before it is listed */
    /* What it waits for: written by itself, read by dumps, all relaxed. */
    const thrum__wait_kind *waiting_kind; /* NULL: does not wait */
    const void *waiting_on;
    int64_t waiting_since;
    /* The same for what stands in memory of several processes: */
    const char *shared_noun;     /* "shared lock"; NULL: does not wait for such */
    const void *shared_object;   /* not to be looked into: it may be gone */
    uint64_t shared_holder;      /* who held it when last looked at (shared/who.h); 0 nobody */
    int64_t shared_since;
    thrum__link listed;            /* in the registry; under its lock */
    void (*entry)(thrum__strand *); /* read-only after start */
    void *thread;                  /* record of floor 3; under the registry lock */
    struct thrum__frame *frame;    /* own: what floor 4 runs on it, NULL nothing */
    const char *task;              /* relaxed: its name, for dumps; lives under the registry lock;
                                    * NULL none */
    struct thrum__alias *aliases;  /* outermost first; under the registry lock, read by itself
                                    * without */
    struct thrum__alias *alias;    /* own: the one it runs under, NULL none */
    uintptr_t os;                  /* the implementation's own handle */
    struct thrum__locals *locals;  /* own: values of floor 2, NULL none yet */
};

/* Returns the current strand; adopts the calling OS thread if thrum has not met it. Out of line, so
 * that no compiler keeps it across a stack switch. */
thrum__strand *thrum__strand_self(void);

/* Returns the current strand, or NULL on a thread that thrum has not met. */
thrum__strand *thrum__strand_peek(void);

/* Makes `strand` (NULL: none) the current one of this OS thread: what a switch of stacks calls. */
void thrum__strand_switch(thrum__strand *strand);

/* The `locals` of the current strand, NULL on a thread that thrum has not met. To be read in
 * functions that do not switch stacks only, and not to be inlined. */
extern __thread struct thrum__locals *thrum__tls_locals __attribute__((tls_model("initial-exec")));

/* Sets the `locals` of `self`, the current strand. */
void thrum__strand_set_locals(thrum__strand *self, struct thrum__locals *locals);

/* The id that a strand takes locks under while it runs a task inside another one, so that an rlock
 * of the outer one is not taken for its own. One for each depth, kept until the strand ends. */
typedef struct thrum__alias {
    uint32_t id;                /* read-only */
    struct thrum__alias *outer; /* read-only */
    struct thrum__alias *inner; /* under the registry lock, read by its strand without */
} thrum__alias;

/* Gives the current strand `self` another id to take locks under, until
 * thrum__strand_alias_leave(). Returns false when there is no memory. */
bool thrum__strand_alias_enter(thrum__strand *self);
void thrum__strand_alias_leave(thrum__strand *self);

/* Frees the aliases of a strand that is not listed any more. */
void thrum__strand_free_aliases(thrum__strand *strand);

/* Prepares a strand of kind `ops`: zero, with an id. Not in the registry yet. */
void thrum__strand_init(thrum__strand *strand, const thrum__strand_ops *ops);

/* Puts the strand in the registry, and out of it. */
void thrum__strand_list(thrum__strand *strand);
void thrum__strand_unlist(thrum__strand *strand);

/* The registry of living strands, oldest first (link field `listed`). Between lock and unlock
 * nothing may park. Order: registry before bucket. */
thrum__link *thrum__registry_lock(void);
void thrum__registry_unlock(void);

/* Returns the listed strand with this id, or an alias of it; NULL if there is none. Requires the
 * registry lock. */
thrum__strand *thrum__registry_find(uint32_t id);

/* Called, if set, with each adopted strand when its OS thread ends, before it is unlisted. */
extern void (*thrum__strand_on_end)(thrum__strand *strand);

/* Called, if set, with each strand other than the forking one, in the child of a fork. */
extern void (*thrum__strand_on_fork)(thrum__strand *strand);

/* The strand of main(), or after a fork the one that forked; NULL once it has ended. Under the
 * registry lock. */
extern thrum__strand *thrum__strand_main;

/* Returns whether the one that `self`, an OS strand, waits for may be running at this moment on
 * another CPU: a CPU is free for both, and the last waker was not on this one. */
bool thrum__strand_may_spin(const thrum__strand *self);

/* The same of one that is not of this process: a CPU is free for `n` of its kind. */
bool thrum__strand_may_spin_beside(const thrum__strand *self, uint32_t n);

/* OS threads. */
extern const thrum__strand_ops thrum__strand_os;

/* The current strand's clock. */
static inline int64_t thrum__strand_now(void) { return thrum__strand_self()->ops->now(); }

#endif
