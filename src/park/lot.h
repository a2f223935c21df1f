/* SPDX-License-Identifier: MIT */
/* The second seam: waiters, queued by the address they wait at. Everything that waits, waits here.
 * A waiter stands on the stack of who waits. README.md beside this file has protocol and argument.
 *
 *     bucket = thrum__lot_lock(object);      look at the object's word: still to be waited for?
 *     thrum__lot_enqueue(bucket, &w, ...);
 *     rc = thrum__lot_park(bucket, &w, deadline, flags);      frees the bucket, waits
 *
 *     change the object's word; bucket = thrum__lot_lock(object);
 *     w = thrum__lot_first(bucket, object); thrum__lot_grant(bucket, w, &list);
 *     thrum__lot_unlock(bucket); thrum__lot_unpark(&list); */
#ifndef THRUM_PARK_LOT_H
#define THRUM_PARK_LOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "park/strand.h"

typedef struct thrum__bucket thrum__bucket;

/* state, under the bucket lock:
 *   QUEUED   in a queue, no token owed           set by enqueue, requeue, a lock's waiter
 *   WOKEN    in a queue still, a token is owed   set by wake; back to QUEUED by the waiter
 *   GRANTED  in no queue, a token was given      set by grant; final */
enum { THRUM__QUEUED, THRUM__WOKEN, THRUM__GRANTED };

typedef struct thrum__waiter {
    thrum__link queued; /* same address, first come first; under the bucket lock */
    thrum__link heads;  /* the first of each address of the bucket; under the bucket lock */
    const void *address; /* changes under the locks of both buckets; read relaxed by the waiter */
    const void *began;   /* where enqueue put it; read-only then */
    const thrum__wait_kind *kind; /* of the object at address; under the bucket lock */
    thrum__strand *strand;
    int state;
    bool head;          /* it is the first of its address; under the bucket lock */
    int64_t first_wake; /* for the lock: time of its first wake, 0 none; under the bucket lock */
} thrum__waiter;

/* Blocks until the bucket of `address` is locked, and returns it. Nothing may park in between. */
thrum__bucket *thrum__lot_lock(const void *address);
void thrum__lot_unlock(thrum__bucket *bucket);

/* Locks the buckets of both, in their order; they may be one. */
void thrum__lot_lock_pair(const void *a, const void *b, thrum__bucket **bucket_a,
                          thrum__bucket **bucket_b);
void thrum__lot_unlock_pair(thrum__bucket *a, thrum__bucket *b);

/* All of these require the bucket lock. */

/* Returns the first waiter at `address`, NULL if there is none. */
thrum__waiter *thrum__lot_first(thrum__bucket *bucket, const void *address);

/* Returns whether somebody else waits behind (or before) `waiter` at its address. */
static inline bool thrum__lot_others(const thrum__waiter *waiter) {
    return !thrum__list_empty(&waiter->queued);
}

/* Queues the current strand at `address`, last, waiting for an object of `kind`. Requires that
 * thrum__strand_self() was called before the bucket was locked: meeting a thread takes the
 * registry. */
void thrum__lot_enqueue(thrum__bucket *bucket, thrum__waiter *waiter, const void *address,
                        const thrum__wait_kind *kind);

/* Takes `waiter` out of its queue. */
void thrum__lot_dequeue(thrum__bucket *bucket, thrum__waiter *waiter);

/* Moves `waiter` to the end of the queue at `to`, an object of `kind`; both buckets locked. */
void thrum__lot_requeue(thrum__bucket *from, thrum__waiter *waiter, thrum__bucket *bucket_to,
                        const void *to, const thrum__wait_kind *kind);

/* Dequeues `waiter`, marks it GRANTED and appends it to `list`: its token is owed from here, and
 * thrum__lot_unpark() gives it. */
void thrum__lot_grant(thrum__bucket *bucket, thrum__waiter *waiter, thrum__link *list);

/* Gives their tokens to the waiters that were granted. Requires no bucket lock. The list is
 * spent. */
void thrum__lot_unpark(thrum__link *list);

/* Unlocks `bucket` and blocks until the queued `waiter` has a token: 0. Or, when `deadline` came
 * (or a signal, with THRUM__PARK_INTERRUPTIBLE) before anybody woke it: takes it out of the queue
 * and returns
 * -ETIMEDOUT or -EINTR; then no token is owed. */
int thrum__lot_park(thrum__bucket *bucket, thrum__waiter *waiter, int64_t deadline, unsigned flags);

/* The second half of thrum__lot_park(), for who has unlocked the bucket itself. A waiter that was
 * requeued in the meantime counts as woken: it goes on waiting, whatever the deadline, and gets
 * 0. */
int thrum__lot_sleep(thrum__waiter *waiter, int64_t deadline, unsigned flags);

/* As thrum__lot_park(), but when the wait would be given up calls leave(bucket, waiter, granted)
 * under the bucket lock, which takes the waiter out of its queue and returns true, or leaves it in
 * and returns false: then the wait goes on, whatever the deadline. What leave granted is
 * unparked. */
typedef bool thrum__lot_leave(thrum__bucket *bucket, thrum__waiter *waiter, thrum__link *granted);
int thrum__lot_park_leaving(thrum__bucket *bucket, thrum__waiter *waiter, int64_t deadline,
                            unsigned flags, thrum__lot_leave *leave);

/* Dequeues and unparks every waiter at `address`. Takes the bucket lock itself. */
void thrum__lot_unpark_all(const void *address);

/* As thrum__lot_unpark_all(), for an object of `kind` that may be gone: what waits for an object of
 * another kind at this address stays queued. Others of this kind wake for nothing: they must look
 * again. */
void thrum__lot_unpark_kind(const void *address, const thrum__wait_kind *kind);

/* Notes that the strand of `waiter` waits no more. The waiter calls it, in no queue any more. */
void thrum__lot_done(thrum__waiter *waiter);

/* Returns whether `strand` is queued at `address`. Requires the bucket lock. */
bool thrum__lot_waits(thrum__bucket *bucket, const void *address, const thrum__strand *strand);

#endif
