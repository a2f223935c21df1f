/* SPDX-License-Identifier: MIT */
#include <thrum/event.h>

#include <stddef.h>

#include "base/atomic.h"
#include "park/lot.h"
#include "sync/wait.h"

enum { CLEAR, SET, AWAITED };

static const thrum__wait_kind event_kind = {"event", NULL};

/* Says in the word that somebody waits: false; or returns true when the event is set. Requires the
 * bucket lock. */
static bool await(thrum_event *event) {
    for (;;) {
        /* acquire: pairs with thrum_event_set(), thrum__event_set_slow() */
        uint32_t word = thrum__load_acquire(&event->thrum__word);
        if (word == SET)
            return true;
        if (word == AWAITED || thrum__cas_relaxed(&event->thrum__word, &word, AWAITED))
            return false;
    }
}

int thrum__event_wait_slow(thrum_event *event, thrum_deadline deadline, bool interruptible) {
    thrum__waiter waiter;
    thrum__strand_self(); /* met before the bucket is locked */
    thrum__bucket *bucket = thrum__lot_lock(event);
    if (await(event)) {
        thrum__lot_unlock(bucket);
        return 0;
    }
    thrum__lot_enqueue(bucket, &waiter, event, &event_kind);
    int rc = thrum__lot_park(bucket, &waiter, deadline.ns,
                             THRUM__PARK_SPIN | (interruptible ? THRUM__PARK_INTERRUPTIBLE : 0));
    thrum__lot_done(&waiter);
    return rc;
}

/* The word changes under the bucket lock, and the waiters leave in the same hold: a setter that
 * comes late cannot take those of the next generation. */
void thrum__event_set_slow(thrum_event *event) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__waiter *waiter;
    thrum__bucket *bucket = thrum__lot_lock(event);
    /* release: pairs with thrum_event_is_set(), thrum_event_wait(), thrum_event_wait_until(),
     * await() */
    thrum__xchg_release(&event->thrum__word, SET);
    /* *event may be gone from here */
    while ((waiter = thrum__lot_first(bucket, event)) != NULL)
        thrum__lot_grant(bucket, waiter, &granted);
    thrum__observers_wake(bucket, event, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

void thrum_event_at_fork_reinit(thrum_event *event) {
    if (thrum__load_relaxed(&event->thrum__word) != SET)
        thrum__store_relaxed(&event->thrum__word, CLEAR);
}

static bool ready(void *event) { return thrum_event_is_set(event); }

static const void *address(void *event) { return event; }

/* The word stays AWAITED when the observer leaves: that costs the next set a look into the lot. */
static bool enqueue(void *object) {
    thrum_event *event = object;
    return await(event);
}

static const thrum__waitable_ops waitable_ops = {ready, address, enqueue, NULL, &event_kind, NULL};

thrum_waitable thrum_event_waitable(thrum_event *event) {
    return (thrum_waitable){&waitable_ops, event};
}
