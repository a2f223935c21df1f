/* SPDX-License-Identifier: MIT */
#include "sync/wait.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/atomic.h"

enum { NOBODY = -1, ITSELF = -2, ON_STACK = 16 };

/* One strand that waits for several things.
 *
 * fired: NOBODY  no token given     set at the start
 *        ITSELF  gave up            by the strand, from NOBODY; then no token comes
 *        0       a token is owed    by the first waker, from NOBODY */
typedef struct wait_state {
    int fired;
} wait_state;

typedef struct observer {
    thrum__waiter waiter;
    wait_state *state;
} observer;

void thrum__observers_wake(thrum__bucket *bucket, const void *address, thrum__link *list) {
    thrum__waiter *waiter;
    while ((waiter = thrum__lot_first(bucket, thrum__observed(address))) != NULL) {
        int nobody = NOBODY;
        wait_state *state = THRUM__MEMBER(observer, waiter, waiter)->state;
        thrum__lot_dequeue(bucket, waiter);
        waiter->state = THRUM__GRANTED;
        if (thrum__cas_relaxed(&state->fired, &nobody, 0))
            thrum__list_insert(list, &waiter->queued);
    }
}

void thrum__observers_wake_all(const void *address) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__bucket *bucket = thrum__lot_lock(address);
    thrum__observers_wake(bucket, address, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

/* Returns the index of the first that is ready, or n. */
static int look(const thrum_waitable *waitables, int n) {
    int i = 0;
    while (i < n && !waitables[i].thrum__ops->ready(waitables[i].thrum__object))
        i++;
    return i;
}

static thrum__bucket *lock(const thrum_waitable *waitable, const void **address) {
    *address = waitable->thrum__ops->address(waitable->thrum__object);
    return thrum__lot_lock(*address);
}

/* Tells an object that nobody observes it any more, if that is so. Requires the bucket lock. */
static void forget(thrum__bucket *bucket, const thrum_waitable *waitable, const void *address) {
    const thrum__waitable_ops *ops = waitable->thrum__ops;
    if (ops->dequeue && !thrum__lot_first(bucket, thrum__observed(address)))
        ops->dequeue(waitable->thrum__object);
}

/* Queues an observer at each until one is ready. Returns how many are queued: n if none was. */
static int enqueue(const thrum_waitable *waitables, int n, observer *observers, wait_state *state) {
    for (int i = 0; i < n; i++) {
        const thrum__waitable_ops *ops = waitables[i].thrum__ops;
        const void *address;
        thrum__bucket *bucket = lock(&waitables[i], &address);
        bool ready = ops->enqueue(waitables[i].thrum__object);
        if (!ready) {
            observers[i].state = state;
            thrum__lot_enqueue(bucket, &observers[i].waiter, thrum__observed(address), ops->kind);
        }
        forget(bucket, &waitables[i], address);
        thrum__lot_unlock(bucket);
        if (ready)
            return i;
    }
    return n;
}

/* Takes the first `n` observers out of their queues, those that no waker took out. */
static void dequeue(const thrum_waitable *waitables, int n, observer *observers) {
    for (int i = 0; i < n; i++) {
        const void *address;
        thrum__bucket *bucket = lock(&waitables[i], &address);
        if (observers[i].waiter.state == THRUM__QUEUED)
            thrum__lot_dequeue(bucket, &observers[i].waiter);
        forget(bucket, &waitables[i], address);
        thrum__lot_unlock(bucket);
    }
}

/* Waits until one may be ready: 0; or the reason why the wait was given up. */
static int wait_once(const thrum_waitable *waitables, int n, observer *observers,
                     thrum_deadline deadline, const thrum__waitable_ops *ops,
                     thrum__block *block) {
    thrum__strand *self = thrum__strand_self();
    wait_state state = {NOBODY};
    int nobody = NOBODY;
    int rc = 0;
    int queued = enqueue(waitables, n, observers, &state);
    if (queued == n && ops)
        rc = ops->block(THRUM__BLOCK_SLEEP, block);
    if (queued == n && rc == 0)
        rc = self->ops->park(self, deadline.ns, THRUM__PARK_SPIN | THRUM__PARK_INTERRUPTIBLE);
    if ((queued < n || rc != 0) && !thrum__cas_relaxed(&state.fired, &nobody, ITSELF)) {
        (void)self->ops->park(self, INT64_MAX, 0); /* for the token that is owed */
        rc = 0;
    }
    dequeue(waitables, queued, observers);
    if (queued > 0)
        thrum__lot_done(&observers[0].waiter);
    return rc;
}

/* What block is told of, if the wait ends with one of its objects only. */
static void describe(thrum__block *block, const thrum_waitable *waitables, int n,
                     thrum_deadline deadline) {
    bool alone = deadline.ns == INT64_MAX;
    for (int i = 1; i < n; i++)
        alone = alone && waitables[i].thrum__ops == waitables[0].thrum__ops;
    block->waitables = waitables;
    block->n = alone ? n : 0;
}

static const thrum__waitable_ops *blocking(const thrum_waitable *waitables, int n) {
    for (int i = 0; i < n; i++)
        if (waitables[i].thrum__ops->block)
            return waitables[i].thrum__ops;
    return NULL;
}

/* Waits until one is ready and returns its index; or n, and why in `*rc`. */
static int wait_for_one(const thrum_waitable *waitables, int n, observer *observers,
                        thrum_deadline deadline, int *rc) {
    const thrum__waitable_ops *ops = blocking(waitables, n);
    thrum__block block;
    int found = n;
    if (ops) {
        describe(&block, waitables, n, deadline);
        *rc = ops->block(THRUM__BLOCK_BEGIN, &block);
        if (*rc != 0)
            return *rc == -EDEADLK ? n : look(waitables, n);
    }
    while (found == n && *rc == 0) {
        *rc = wait_once(waitables, n, observers, deadline, ops, &block);
        found = look(waitables, n);
    }
    int ended = ops ? ops->block(THRUM__BLOCK_END, &block) : 0;
    if (ended == 0)
        return found;
    *rc = ended;
    return n;
}

int thrum_wait_any(const thrum_waitable *waitables, int n, thrum_deadline deadline, int *which) {
    observer on_stack[ON_STACK];
    observer *observers = on_stack;
    int rc = 0;
    if (n <= 0)
        return -EINVAL;
    int found = look(waitables, n);
    if (found == n && n > ON_STACK) {
        observers = calloc((size_t)n, sizeof *observers);
        if (!observers)
            return -ENOMEM;
    }
    if (found == n)
        found = wait_for_one(waitables, n, observers, deadline, &rc);
    if (observers != on_stack)
        free(observers);
    if (found == n)
        return rc;
    if (which)
        *which = found;
    return 0;
}
