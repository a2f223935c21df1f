/* SPDX-License-Identifier: MIT */
/* A worker's queue of its own: Chase and Lev, "Dynamic circular work-stealing deque" (SPAA 2005,
 * pages 21-28), with the orderings of Le, Pop, Cohen and Zappa Nardelli (PPoPP 2013, figure 1) as
 * ordered accesses instead of fences. It does not grow: what finds no room goes to the injector of
 * the pool. Owner: push, pop. Anybody: steal. */
#ifndef THRUM_EXEC_DEQUE_H
#define THRUM_EXEC_DEQUE_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/future.h>

#include "base/atomic.h"

enum { THRUM__DEQUE_SIZE = 1024 };

/* Indices count up for ever and are compared as signed differences. The tasks stand at [top,
 * bottom).
 *   top     next to be stolen   from n to n + 1 by compare and exchange, anybody
 *   bottom  next free place     by the owner */
typedef struct thrum__deque {
    intptr_t top __attribute__((aligned(64)));
    intptr_t bottom __attribute__((aligned(64)));
    intptr_t top_seen; /* own: top is not less */
    thrum_future *tasks[THRUM__DEQUE_SIZE];
} thrum__deque;

/* Adds `task` at the bottom. Returns false when there is no room. Owner. */
bool thrum__deque_push(thrum__deque *deque, thrum_future *task);

/* The same for several: writes `task` behind the `n` that were written so since the last publish,
 * where nobody sees it. Returns false when there is no room. Owner. */
bool thrum__deque_write(thrum__deque *deque, intptr_t n, thrum_future *task);

/* Shows the `n` tasks that were written. Owner. */
void thrum__deque_publish(thrum__deque *deque, intptr_t n);

/* Takes `task`, if it stands at the bottom: returns whether it did. Owner. */
bool thrum__deque_pop_this(thrum__deque *deque, const thrum_future *task);

/* Takes the task at the top; NULL when there is none. Any thread; the owner too. */
thrum_future *thrum__deque_steal(thrum__deque *deque);

/* Returns whether there is something to be stolen; seq_cst, for who has announced its sleep. */
bool thrum__deque_visible(const thrum__deque *deque);

#endif
