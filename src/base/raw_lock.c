/* SPDX-License-Identifier: MIT */
#include "base/raw_lock.h"

#include "base/cpu.h"
#include "base/futex.h"

/* It does not spin on: a preempted holder on the same CPU would burn the whole slice. */
enum { PAUSES = 60 };

void thrum__raw_lock_slow(thrum__raw_lock *lock) {
    for (int i = 0; i < PAUSES; i++) {
        uint32_t word = 0;
        thrum__pause();
        /* acquire: pairs with thrum__raw_lock_release() */
        if (thrum__load_relaxed(&lock->word) == 0 && thrum__cas_acquire(&lock->word, &word, 1))
            return;
    }
    /* acquire: pairs with thrum__raw_lock_release() */
    while (thrum__xchg_acquire(&lock->word, 2) != 0)
        thrum__futex_wait(&lock->word, 2, INT64_MAX);
}

void thrum__raw_lock_wake(thrum__raw_lock *lock) { thrum__futex_wake(&lock->word, 1); }
