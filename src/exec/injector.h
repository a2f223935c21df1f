/* SPDX-License-Identifier: MIT */
/* The queue of a pool for submits from outside: Vyukov's intrusive queue of many producers, first
 * come first served. A put is one exchange. Who takes holds `taking`, so there is one consumer at a
 * time. */
#ifndef THRUM_EXEC_INJECTOR_H
#define THRUM_EXEC_INJECTOR_H

#include <stdbool.h>

#include "exec/task.h"

/* tail: the last record put; head: the next to be taken, or the stub; under `taking`.
 * taking: 0 free, 1 held; workers only try it */
typedef struct thrum__injector {
    thrum_future *tail __attribute__((aligned(64)));
    thrum_future *head __attribute__((aligned(64)));
    uint32_t taking;
    thrum_future stub;
} thrum__injector;

void thrum__injector_init(thrum__injector *injector);

/* Adds `task` at the end. Any thread. */
void thrum__injector_put(thrum__injector *injector, thrum_future *task);

/* Tries to become the consumer; and ends that. */
bool thrum__injector_try_lock(thrum__injector *injector);
void thrum__injector_unlock(thrum__injector *injector);

/* Takes the first task, NULL when there is none or its producer has not linked it yet. Requires the
 * lock. */
thrum_future *thrum__injector_take(thrum__injector *injector);

/* Returns the first task, or NULL as take does. Requires the lock. */
thrum_future *thrum__injector_first(thrum__injector *injector);

/* Returns whether something was put and not taken; seq_cst, for who has announced its sleep. */
bool thrum__injector_visible(const thrum__injector *injector);

#endif
