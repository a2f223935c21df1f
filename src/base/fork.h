/* SPDX-License-Identifier: MIT */
/* What the library does round fork(): one handler a floor, run in the order of the floors. */
#ifndef THRUM_BASE_FORK_H
#define THRUM_BASE_FORK_H

typedef struct thrum__fork_hooks {
    void (*prepare)(void); /* in the parent before, highest floor first: take own locks */
    void (*parent)(void);  /* in the parent after, lowest first: free them */
    void (*child)(void);   /* in the child, lowest first: reset what belonged to the others */
} thrum__fork_hooks;

enum {
    THRUM__FORK_LOT,
    THRUM__FORK_STRAND,
    THRUM__FORK_LOCAL,
    THRUM__FORK_SHARED,
    THRUM__FORK_SEGMENTS,
    THRUM__FORK_THREAD,
    THRUM__FORK_TIMER,
    THRUM__FORK_LOG,
    THRUM__FORK_SLAB,
    THRUM__FORK_EXEC,
    THRUM__FORK_TASKS,
    THRUM__FORK_FORKERS,
    THRUM__FORK_PLACES
};

/* Puts `hooks` (static) at `place`; the first call of all registers with the system. Any function
 * may be NULL. Any thread; doing it again changes nothing. */
void thrum__fork_register(int place, const thrum__fork_hooks *hooks);

/* Written in the child of a fork, before it has other threads. */
extern unsigned thrum__fork_count;

/* Returns how many forks lie between the first process and this one: what another generation has
 * started is not here. Any thread. */
static inline unsigned thrum__fork_generation(void) { return thrum__fork_count; }

#endif
