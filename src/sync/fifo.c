/* SPDX-License-Identifier: MIT */
#include "sync/fifo.h"

#include <stddef.h>

#include "base/atomic.h"
#include "park/lot.h"

enum { FREE, HELD, AWAITED };

static const thrum__wait_kind fifo_kind = {"library lock", NULL};

void thrum__fifo_acquire(thrum__fifo *lock) {
    uint32_t word = FREE;
    /* acquire: pairs with thrum__fifo_release() */
    if (thrum__cas_acquire(&lock->word, &word, HELD))
        return;
    thrum__waiter waiter;
    thrum__strand_self(); /* met before the bucket is locked */
    thrum__bucket *bucket = thrum__lot_lock(lock);
    for (;;) {
        word = thrum__load_relaxed(&lock->word);
        if (word == FREE) {
            /* acquire: pairs with thrum__fifo_release() */
            if (thrum__cas_acquire(&lock->word, &word, HELD)) {
                thrum__lot_unlock(bucket);
                return;
            }
        } else if (word == AWAITED || thrum__cas_relaxed(&lock->word, &word, AWAITED)) {
            break;
        }
    }
    thrum__lot_enqueue(bucket, &waiter, lock, &fifo_kind);
    thrum__lot_park(bucket, &waiter, INT64_MAX, THRUM__PARK_SPIN); /* granted: it is held still */
    thrum__lot_done(&waiter);
}

void thrum__fifo_release(thrum__fifo *lock) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    uint32_t word = HELD;
    /* release: pairs with thrum__fifo_acquire() */
    if (thrum__cas_release(&lock->word, &word, FREE))
        return;
    thrum__bucket *bucket = thrum__lot_lock(lock);
    thrum__waiter *waiter = thrum__lot_first(bucket, lock);
    if (waiter) {
        thrum__store_relaxed(&lock->word, thrum__lot_others(waiter) ? AWAITED : HELD);
        thrum__lot_grant(bucket, waiter, &granted);
    } else {
        /* release: pairs with thrum__fifo_acquire() */
        thrum__store_release(&lock->word, FREE);
    }
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}
