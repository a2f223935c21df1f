/* SPDX-License-Identifier: MIT */
/* The lock of the library's own tables: buckets, registry, log. Held for a few instructions, never
 * across a park; zero is free. Not for users' locks: it blocks the OS thread. */
#ifndef THRUM_BASE_RAW_LOCK_H
#define THRUM_BASE_RAW_LOCK_H

#include <stdint.h>

#include <thrum/config.h>

#include "base/atomic.h"

/* word: 0 free; 1 held; 2 held, somebody may sleep (set by who sleeps, cleared by release) */
typedef struct thrum__raw_lock {
    uint32_t word;
} thrum__raw_lock;

void thrum__raw_lock_slow(thrum__raw_lock *lock);
void thrum__raw_lock_wake(thrum__raw_lock *lock);

/* Blocks until `lock` is held. */
static inline void thrum__raw_lock_acquire(thrum__raw_lock *lock) {
    uint32_t word = 0;
    /* acquire: pairs with thrum__raw_lock_release() */
    if (THRUM__UNLIKELY(!thrum__cas_acquire(&lock->word, &word, 1)))
        thrum__raw_lock_slow(lock);
}

/* Frees `lock`, which the caller holds. */
static inline void thrum__raw_lock_release(thrum__raw_lock *lock) {
    /* release: pairs with thrum__raw_lock_acquire(), thrum__raw_lock_slow() */
    if (THRUM__UNLIKELY(thrum__xchg_release(&lock->word, 0) == 2))
        thrum__raw_lock_wake(lock);
}

#endif
