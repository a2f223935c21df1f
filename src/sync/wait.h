/* SPDX-License-Identifier: MIT */
/* Observers: the waiters of thrum_wait_any(). One strand has a node in the lot for each thing it
 * waits for, and whoever makes one of them ready wakes it, once. An observer of what is waited for
 * at `address` is queued at thrum__observed(address): the same bucket, yet another queue, so that a
 * waker never takes it for a waiter that it must hand something to. Nothing else may queue at
 * address + 1: a late waker may meet another object there. */
#ifndef THRUM_SYNC_WAIT_H
#define THRUM_SYNC_WAIT_H

#include <stddef.h>

#include <thrum/wait.h>

#include "park/lot.h"

typedef struct thrum__block thrum__block;

/* When block is called: before the strand queues anywhere, returns 0 or why it must not sleep (then
 * END is left out); whenever it is queued everywhere and about to sleep, 0 or why not; afterwards,
 * 0 or what the wait returns then. */
typedef enum thrum__block_phase {
    THRUM__BLOCK_BEGIN,
    THRUM__BLOCK_SLEEP,
    THRUM__BLOCK_END
} thrum__block_phase;

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
    /* Called by the waiting strand with the first of its objects that has this. NULL: nothing. */
    int (*block)(thrum__block_phase phase, thrum__block *block);
};

/* What block is told, the same at each call of one wait. */
struct thrum__block {
    const thrum_waitable *waitables;
    int n; /* 0 if the wait can be ended by something else: a deadline, an object of another kind */
    void *room[16]; /* of block */
};

/* Where the observers of what is waited for at `address` are queued. */
static inline const void *thrum__observed(const void *address) { return (const char *)address + 1; }

/* Takes the observers of `address` out of their queue, and appends those that nobody has woken yet
 * to `list`, for thrum__lot_unpark(). Requires the bucket lock of `address`. */
void thrum__observers_wake(thrum__bucket *bucket, const void *address, thrum__link *list);

/* Wakes the observers of `address`: for who does not hold its bucket lock. */
void thrum__observers_wake_all(const void *address);

#endif
