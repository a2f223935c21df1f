/* SPDX-License-Identifier: MIT */
/* Everything about a barrier happens under its bucket lock: who arrives is about to sleep or to
 * wake others anyway. A phase ends in the hold in which its waiters leave the queue, so that those
 * who come for the next one are never taken for its own. */
#include <thrum/barrier.h>

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "base/atomic.h"
#include "park/lot.h"

enum { OPEN = 0, ACTING = 1, BROKEN = 2 };

static const thrum__wait_kind barrier_kind = {"barrier", NULL};

/* One who waits; `result` is written under the bucket lock before it is granted. */
typedef struct arrival {
    thrum__waiter waiter;
    int result;
} arrival;

/* Where those wait who come while the action of the phase before them runs: in the same bucket. */
static const void *gate(const thrum_barrier *barrier) { return (const char *)barrier + 2; }

static thrum_barrier *barrier_of(const thrum__waiter *waiter) {
    return (thrum_barrier *)((uintptr_t)waiter->began & ~(uintptr_t)3);
}

/* Ends the phase: all who wait leave, with their index if `passed`, else with -EPIPE; those at the
 * gate look again unless the action goes on. Requires the bucket lock. */
static void end_phase(thrum__bucket *bucket, thrum_barrier *barrier, uint32_t state, bool passed,
                      thrum__link *granted) {
    thrum__waiter *waiter;
    while ((waiter = thrum__lot_first(bucket, barrier)) != NULL) {
        if (!passed)
            THRUM__MEMBER(arrival, waiter, waiter)->result = -EPIPE;
        thrum__lot_grant(bucket, waiter, granted);
    }
    while (state != ACTING && (waiter = thrum__lot_first(bucket, gate(barrier))) != NULL)
        thrum__lot_grant(bucket, waiter, granted);
    thrum__store_relaxed(&barrier->thrum__state, state);
    thrum__store_relaxed(&barrier->thrum__arrived, 0);
    barrier->thrum__generation++;
}

/* A wait that is given up breaks the barrier; unless all have come and only the action is
 * awaited. */
static bool leave(thrum__bucket *bucket, thrum__waiter *waiter, thrum__link *granted) {
    thrum_barrier *barrier = barrier_of(waiter);
    if (barrier->thrum__state & ACTING)
        return false;
    thrum__lot_dequeue(bucket, waiter);
    end_phase(bucket, barrier, BROKEN, false, granted);
    return true;
}

/* The same for one that has come for the next phase, while the action runs. */
static bool leave_gate(thrum__bucket *bucket, thrum__waiter *waiter, thrum__link *granted) {
    thrum_barrier *barrier = barrier_of(waiter);
    thrum__lot_dequeue(bucket, waiter);
    thrum__store_relaxed(&barrier->thrum__state, ACTING | BROKEN);
    while ((waiter = thrum__lot_first(bucket, gate(barrier))) != NULL)
        thrum__lot_grant(bucket, waiter, granted);
    return true;
}

/* The phase whose action runs. */
typedef struct act {
    thrum_barrier *barrier;
    uint32_t generation;
    int code; /* of the action; -ECANCELED until it has returned */
    int result;
} act;

/* Ends the phase after its action, also when the thread ends within it. */
static void end_act(void *arg) {
    act *a = arg;
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__bucket *bucket = thrum__lot_lock(a->barrier);
    bool in_time = a->barrier->thrum__generation == a->generation;
    bool passed = in_time && a->code >= 0;
    bool broken = (in_time && !passed) || (a->barrier->thrum__state & BROKEN);
    end_phase(bucket, a->barrier, broken ? BROKEN : OPEN, passed, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
    a->result = passed ? 0 : a->code < 0 ? a->code : -EPIPE;
}

/* The last of a phase has come. Requires the bucket lock, and frees it. Returns 0 or a code. */
static int finish(thrum__bucket *bucket, thrum_barrier *barrier) {
    if (!barrier->thrum__action) {
        thrum__link granted = THRUM__LIST_INIT(granted);
        end_phase(bucket, barrier, OPEN, true, &granted);
        thrum__lot_unlock(bucket);
        thrum__lot_unpark(&granted);
        return 0;
    }
    act a = {.barrier = barrier, .generation = barrier->thrum__generation, .code = -ECANCELED};
    thrum__store_relaxed(&barrier->thrum__state, ACTING);
    thrum__store_relaxed(&barrier->thrum__arrived, 0);
    thrum__lot_unlock(bucket);
    pthread_cleanup_push(end_act, &a);
    a.code = barrier->thrum__action(barrier->thrum__arg);
    pthread_cleanup_pop(1);
    return a.result;
}

static int wait_in(thrum_barrier *barrier, int64_t deadline, unsigned flags) {
    arrival me;
    if (barrier->thrum__parties <= 0)
        return -EINVAL;
    thrum__strand_self(); /* met before the bucket is locked */
    thrum__bucket *bucket = thrum__lot_lock(barrier);
    while (barrier->thrum__state == ACTING) {
        thrum__lot_enqueue(bucket, &me.waiter, gate(barrier), &barrier_kind);
        int rc = thrum__lot_park_leaving(bucket, &me.waiter, deadline, flags, leave_gate);
        thrum__lot_done(&me.waiter);
        if (rc != 0)
            return rc;
        bucket = thrum__lot_lock(barrier);
    }
    if (barrier->thrum__state & BROKEN) {
        thrum__lot_unlock(bucket);
        return -EPIPE;
    }
    int index = barrier->thrum__arrived;
    if (index + 1 == barrier->thrum__parties) {
        int rc = finish(bucket, barrier);
        return rc < 0 ? rc : index;
    }
    thrum__store_relaxed(&barrier->thrum__arrived, index + 1);
    me.result = index;
    thrum__lot_enqueue(bucket, &me.waiter, barrier, &barrier_kind);
    int rc = thrum__lot_park_leaving(bucket, &me.waiter, deadline, flags | THRUM__PARK_SPIN, leave);
    thrum__lot_done(&me.waiter);
    return rc < 0 ? rc : me.result;
}

int thrum_barrier_wait(thrum_barrier *barrier) { return wait_in(barrier, INT64_MAX, 0); }

int thrum_barrier_wait_until(thrum_barrier *barrier, thrum_deadline deadline) {
    return wait_in(barrier, deadline.ns, THRUM__PARK_INTERRUPTIBLE);
}

/* Ends what is under way, and leaves the barrier in `state`; an action that runs goes on, and no
 * other begins before it has ended. */
static void end_now(thrum_barrier *barrier, uint32_t state) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__bucket *bucket = thrum__lot_lock(barrier);
    end_phase(bucket, barrier, state | (barrier->thrum__state & ACTING), false, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

void thrum_barrier_reset(thrum_barrier *barrier) { end_now(barrier, OPEN); }

void thrum_barrier_abort(thrum_barrier *barrier) { end_now(barrier, BROKEN); }

int thrum_barrier_parties(const thrum_barrier *barrier) { return barrier->thrum__parties; }

int thrum_barrier_n_waiting(const thrum_barrier *barrier) {
    return thrum__load_relaxed(&barrier->thrum__arrived);
}

bool thrum_barrier_broken(const thrum_barrier *barrier) {
    return (thrum__load_relaxed(&barrier->thrum__state) & BROKEN) != 0;
}

void thrum_barrier_at_fork_reinit(thrum_barrier *barrier) {
    barrier->thrum__arrived = 0;
    barrier->thrum__state &= BROKEN;
}
