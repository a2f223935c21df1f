/* SPDX-License-Identifier: MIT */
/* The quantum lock: whoever runs may barge, but a waiter that was woken and passed over for 250 us
 * is handed the lock. One waiter at a time is on its way; it keeps its place in the queue until it
 * owns the lock. The argument is in ../park/README.md. */
#include <thrum/lock.h>

#include <errno.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/cpu.h"
#include "base/panic.h"
#include "park/lot.h"
#include "sync/lock.h"

enum { QUANTUM_NS = 250000, BUDGET = 64, LOOK_NS = 1000 };

static uint32_t holder(const void *lock) { return thrum_lock_holder(lock); }

const thrum__wait_kind thrum__lock_kind = {"lock", holder};

/* Takes `lock` for strand `id` if it is free; else leaves the waiters bit set. Requires the bucket
 * lock. `more`: somebody else is queued. */
static bool take(thrum_lock *lock, uint32_t id, bool more) {
    for (;;) {
        uint32_t word = thrum__load_relaxed(&lock->thrum__word);
        if (word == 0) {
            /* acquire: pairs with thrum_lock_release(), thrum_lock_try_release() */
            if (thrum__cas_acquire(&lock->thrum__word, &word, id | (more ? THRUM__WAITERS : 0)))
                return true;
        } else if ((word & THRUM__WAITERS) ||
                   thrum__cas_relaxed(&lock->thrum__word, &word, word | THRUM__WAITERS)) {
            return false;
        }
    }
}

bool thrum__lock_mark(thrum_lock *lock) {
    uint32_t word = thrum__load_relaxed(&lock->thrum__word);
    while (word != 0 && !(word & THRUM__WAITERS))
        if (thrum__cas_relaxed(&lock->thrum__word, &word, word | THRUM__WAITERS))
            break;
    return word != 0;
}

/* A look of about a microsecond before the waiter that finds the lock held sleeps again. */
static void look(const thrum_lock *lock, const thrum__strand *self) {
    if (!thrum__strand_may_spin(self))
        return;
    for (uint32_t i = thrum__cpu_pauses(LOOK_NS); i > 0; i--) {
        uint32_t word = thrum__load_relaxed(&lock->thrum__word);
        if (word == 0 || (word & ~THRUM__WAITERS) == self->holder_id)
            return;
        thrum__pause();
    }
}

int thrum__lock_arrive(thrum_lock *lock, thrum__waiter *waiter, int64_t deadline, unsigned flags) {
    int rc;
    do {
        look(lock, waiter->strand);
        thrum__bucket *bucket = thrum__lot_lock(lock);
        if (waiter->state == THRUM__GRANTED) {
            thrum__lot_unlock(bucket);
            break;
        }
        if (take(lock, waiter->strand->holder_id, thrum__lot_others(waiter))) {
            thrum__lot_dequeue(bucket, waiter);
            thrum__store_relaxed(&lock->thrum__budget, 0);
            thrum__lot_unlock(bucket);
            break;
        }
        waiter->state = THRUM__QUEUED;
        rc = thrum__lot_park(bucket, waiter, deadline, flags);
        if (rc != 0) {
            thrum__lot_done(waiter);
            return rc;
        }
    } while (true);
    thrum__lot_done(waiter);
    return 0;
}

static int acquire(thrum_lock *lock, int64_t deadline, unsigned flags) {
    uint32_t id = thrum__strand_self()->holder_id;
    thrum__bucket *bucket = thrum__lot_lock(lock);
    if (take(lock, id, thrum__lot_first(bucket, lock) != NULL)) {
        thrum__lot_unlock(bucket);
        return 0;
    }
    thrum__waiter waiter;
    thrum__lot_enqueue(bucket, &waiter, lock, &thrum__lock_kind);
    int rc = thrum__lot_park(bucket, &waiter, deadline, flags);
    if (rc == 0)
        return thrum__lock_arrive(lock, &waiter, deadline, flags);
    thrum__lot_done(&waiter);
    return rc;
}

void thrum__lock_acquire_slow(thrum_lock *lock) { acquire(lock, INT64_MAX, 0); }

int thrum__lock_acquire_until_slow(thrum_lock *lock, thrum_deadline deadline) {
    return acquire(lock, deadline.ns, THRUM__PARK_INTERRUPTIBLE);
}

bool thrum__lock_try_acquire_slow(thrum_lock *lock) {
    uint32_t id = thrum__strand_self()->holder_id;
    uint32_t word = 0;
    /* acquire: pairs with thrum_lock_release(), thrum_lock_try_release() */
    return thrum__cas_acquire(&lock->thrum__word, &word, id);
}

/* Returns the word of a lock that is handed to `waiter`. Requires the bucket lock. */
static uint32_t word_for(const thrum__waiter *waiter) {
    return waiter->strand->holder_id | (thrum__lot_others(waiter) ? THRUM__WAITERS : 0);
}

/* Returns the first waiter for `lock`. After a release the lock may be gone, and its address be
 * that of something else that is waited for: such a waiter is not meant. */
static thrum__waiter *first_waiter(thrum__bucket *bucket, const thrum_lock *lock) {
    thrum__waiter *waiter = thrum__lot_first(bucket, lock);
    return waiter && waiter->kind == &thrum__lock_kind ? waiter : NULL;
}

/* The holder's releases have used up their budget: hands the lock to a waiter that was woken more
 * than a quantum ago. Returns whether it did; the state stays held throughout. */
bool thrum__lock_tick(thrum_lock *lock) {
    bool granted = false;
    thrum__strand *self = thrum__strand_self();
    thrum__bucket *bucket = thrum__lot_lock(lock);
    thrum__waiter *waiter = first_waiter(bucket, lock);
    if (waiter && waiter->state == THRUM__WOKEN && thrum_lock_locked(lock)) {
        granted = self->ops->now() - waiter->first_wake > QUANTUM_NS;
        if (granted) {
            thrum__store_relaxed(&lock->thrum__word, word_for(waiter));
            thrum__lot_dequeue(bucket, waiter);
            waiter->state = THRUM__GRANTED; /* its token is on the way already */
        }
        thrum__store_relaxed(&lock->thrum__budget, granted ? 0 : BUDGET);
    }
    thrum__lot_unlock(bucket);
    return granted;
}

/* Wakes the first waiter of a lock that was just freed, unless one is on its way. */
static void wake_first(thrum_lock *lock) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__strand *woken = NULL;
    thrum__strand *self = thrum__strand_self();
    thrum__bucket *bucket = thrum__lot_lock(lock);
    thrum__waiter *waiter = first_waiter(bucket, lock);
    if (waiter && waiter->state == THRUM__QUEUED) {
        int64_t now = self->ops->now();
        bool starved = waiter->first_wake != 0 && now - waiter->first_wake > QUANTUM_NS;
        uint32_t word = 0;
        /* acquire: pairs with thrum_lock_release(), thrum_lock_try_release() */
        if (starved && thrum__cas_acquire(&lock->thrum__word, &word, word_for(waiter))) {
            thrum__lot_grant(bucket, waiter, &granted);
        } else {
            if (waiter->first_wake == 0)
                waiter->first_wake = now;
            waiter->state = THRUM__WOKEN;
            woken = waiter->strand;
            thrum__store_relaxed(&lock->thrum__budget, BUDGET);
        }
    }
    thrum__lot_unlock(bucket);
    if (woken)
        woken->ops->unpark(woken);
    thrum__lot_unpark(&granted);
}

void thrum__lock_release_slow(thrum_lock *lock, uint32_t old, const char *caller) {
    if (old == 0)
        thrum__panic("%s(%p): the lock is free", caller, (void *)lock);
    wake_first(lock);
}

int thrum_lock_try_release(thrum_lock *lock) {
    uint32_t budget = thrum__load_relaxed(&lock->thrum__budget);
    if (!thrum_lock_locked(lock))
        return -EPERM;
    if (budget != 0) {
        thrum__store_relaxed(&lock->thrum__budget, budget - 1);
        if (budget == 1 && thrum__lock_tick(lock))
            return 0;
    }
    /* release: pairs with thrum_lock_acquire(), thrum_lock_try_acquire(),
     * thrum_lock_acquire_until(), thrum__lock_try_acquire_slow(), take(), wake_first() */
    uint32_t old = thrum__xchg_release(&lock->thrum__word, 0);
    if (old & THRUM__WAITERS)
        wake_first(lock);
    return old != 0 ? 0 : -EPERM; /* of two at once the second came too late */
}

bool thrum_lock_locked(const thrum_lock *lock) {
    return thrum__load_relaxed(&lock->thrum__word) != 0;
}

uint32_t thrum_lock_holder(const thrum_lock *lock) {
    return thrum__load_relaxed(&lock->thrum__word) & ~THRUM__WAITERS;
}

void thrum_lock_at_fork_reinit(thrum_lock *lock) { *lock = (thrum_lock)THRUM_LOCK_INIT; }
