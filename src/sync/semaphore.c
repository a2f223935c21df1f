/* SPDX-License-Identifier: MIT */
/* The count goes below zero: every waiter is a debtor, counted before it queues, and each release
 * owes one debtor a permit. It hands it to the first in the queue, or leaves it for one who has not
 * queued yet. The argument is in ../park/README.md. */
#include <thrum/semaphore.h>

#include <errno.h>
#include <stddef.h>

#include "base/atomic.h"
#include "park/lot.h"
#include "sync/wait.h"

enum { ONE = 2, OBSERVED = 1 };

#define WORD_MAX ((int64_t)INT_MAX * ONE)

static const thrum__wait_kind semaphore_kind = {"semaphore", NULL};

/* The wait of a debtor is given up: the debt is taken back, unless it has been paid already and the
 * permit is on its way. */
static bool leave(thrum__bucket *bucket, thrum__waiter *waiter, thrum__link *granted) {
    thrum_semaphore *semaphore = (thrum_semaphore *)(uintptr_t)waiter->began;
    int64_t word = thrum__load_relaxed(&semaphore->thrum__word);
    (void)granted;
    while (word < 0) {
        if (thrum__cas_relaxed(&semaphore->thrum__word, &word, word + ONE)) {
            thrum__lot_dequeue(bucket, waiter);
            return true;
        }
    }
    return false;
}

int thrum__semaphore_wait(thrum_semaphore *semaphore, thrum_deadline deadline, bool interruptible) {
    thrum__waiter waiter;
    thrum__strand_self(); /* met before the bucket is locked */
    thrum__bucket *bucket = thrum__lot_lock(semaphore);
    if (semaphore->thrum__pending > 0) {
        semaphore->thrum__pending--;
        thrum__lot_unlock(bucket);
        return 0;
    }
    thrum__lot_enqueue(bucket, &waiter, semaphore, &semaphore_kind);
    int rc = thrum__lot_park_leaving(
        bucket, &waiter, deadline.ns,
        THRUM__PARK_SPIN | (interruptible ? THRUM__PARK_INTERRUPTIBLE : 0), leave);
    thrum__lot_done(&waiter);
    return rc;
}

/* Pays `n` debts, and tells the observers if there are any. */
static void pay(thrum_semaphore *semaphore, int64_t n, bool observed) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__waiter *waiter;
    thrum__bucket *bucket = thrum__lot_lock(semaphore);
    for (; n > 0 && (waiter = thrum__lot_first(bucket, semaphore)) != NULL; n--)
        thrum__lot_grant(bucket, waiter, &granted);
    if (n > 0)
        semaphore->thrum__pending += (uint32_t)n;
    if (observed)
        thrum__observers_wake(bucket, semaphore, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

/* What is left to do after one permit was added to `old`. */
int thrum__semaphore_released(thrum_semaphore *semaphore, int64_t old) {
    if (old >= WORD_MAX) {
        thrum__sub_relaxed(&semaphore->thrum__word, ONE);
        return -EOVERFLOW;
    }
    pay(semaphore, old < 0, (old & OBSERVED) != 0);
    return 0;
}

/* Releases that are checked before anything changes: of a bounded semaphore, or of several
 * permits. */
int thrum__semaphore_release_slow(thrum_semaphore *semaphore, int n) {
    if (n <= 0)
        return -EINVAL;
    int64_t limit = semaphore->thrum__limit ? (int64_t)semaphore->thrum__limit - 1 : INT_MAX;
    int64_t more = (int64_t)n * ONE;
    int64_t word = thrum__load_relaxed(&semaphore->thrum__word);
    do {
        if ((word > 0 ? word : 0) + more >= limit * ONE + ONE)
            return -EOVERFLOW;
        /* release: pairs with thrum_semaphore_acquire(), thrum_semaphore_try_acquire(),
         * thrum_semaphore_acquire_until(), ready(), enqueue() */
    } while (!thrum__cas_release(&semaphore->thrum__word, &word, word + more));
    /* *semaphore may be gone from here */
    int64_t debts = word < 0 ? (OBSERVED - word) / ONE : 0;
    bool observed = (word & OBSERVED) != 0;
    if (debts > 0 || observed)
        pay(semaphore, debts < n ? debts : n, observed);
    return 0;
}

int thrum_semaphore_value(const thrum_semaphore *semaphore) {
    int64_t word = thrum__load_relaxed(&semaphore->thrum__word);
    return word < 0 ? 0 : word > WORD_MAX ? INT_MAX : (int)(word / ONE);
}

void thrum_semaphore_at_fork_reinit(thrum_semaphore *semaphore) {
    semaphore->thrum__word = (int64_t)thrum_semaphore_value(semaphore) * ONE;
    semaphore->thrum__pending = 0;
}

static bool ready(void *object) {
    thrum_semaphore *semaphore = object;
    /* acquire: pairs with thrum_semaphore_release(), thrum__semaphore_release_slow() */
    return thrum__load_acquire(&semaphore->thrum__word) >= ONE;
}

static const void *address(void *semaphore) { return semaphore; }

static bool enqueue(void *object) {
    thrum_semaphore *semaphore = object;
    /* acquire: pairs with thrum_semaphore_release(), thrum__semaphore_release_slow() */
    return __atomic_fetch_or(&semaphore->thrum__word, OBSERVED, __ATOMIC_ACQUIRE) >= ONE;
}

static void dequeue(void *object) {
    thrum_semaphore *semaphore = object;
    __atomic_fetch_and(&semaphore->thrum__word, ~(int64_t)OBSERVED, __ATOMIC_RELAXED);
}

static const thrum__waitable_ops waitable_ops = {
    ready, address, enqueue, dequeue, &semaphore_kind, NULL};

thrum_waitable thrum_semaphore_waitable(thrum_semaphore *semaphore) {
    return (thrum_waitable){&waitable_ops, semaphore};
}
