/* SPDX-License-Identifier: MIT */
/* Observers: the waiters of thrum_wait_any(). One strand has a node in the lot for each thing it
 * waits for, and whoever makes one of them ready wakes it, once. An observer of what is waited for
 * at `address` is queued at thrum__observed(address): the same bucket, yet another queue, so that a
 * waker never takes it for a waiter that it must hand something to. Nothing else may queue at
 * address + 1: a late waker may meet another object there. */
#ifndef THRUM_SYNC_WAIT_H
#define THRUM_SYNC_WAIT_H

#include <thrum/wait.h>

#include "park/lot.h"

/* What a kind of waitable supplies. */
struct thrum__waitable_ops {
    /* Returns whether `object` is ready. */
    bool (*ready)(void *object);
    /* Returns the address whose bucket guards the waiters of `object`: a multiple of 4. */
    const void *(*address)(void *object);
    /* Says in the object's word that somebody observes, so that whoever makes it ready calls
     * thrum__observers_wake() under the bucket lock from now on; then looks, and returns whether
     * the object is ready. Under the bucket lock. NULL: it is always called. */
    bool (*enqueue)(void *object);
    /* Nobody observes any more. Under the bucket lock. NULL: nothing to be done. */
    void (*dequeue)(void *object);
    const thrum__wait_kind *kind;
    /* Called by the waiting strand before it sleeps (true) and afterwards (false), once for all its objects.
     * Returns 0, or for `true` why it must not sleep: then the second call is left out. NULL: nothing. */
    int (*block)(bool begin);
};

/* Where the observers of what is waited for at `address` are queued. */
static inline const void *thrum__observed(const void *address) { return (const char *)address + 1; }

/* Takes the observers of `address` out of their queue, and appends those that nobody has woken yet
 * to `list`, for thrum__lot_unpark(). Requires the bucket lock of `address`. */
void thrum__observers_wake(thrum__bucket *bucket, const void *address, thrum__link *list);

/* Wakes the observers of `address`: for who does not hold its bucket lock. */
void thrum__observers_wake_all(const void *address);

#endif
