/* SPDX-License-Identifier: MIT */
/* How putters, getters and joiners sleep: the flag is set, the positions are looked at, both under
 * the bucket lock; whoever moves a position looks at the flag afterwards. One sleeper of a side is
 * on its way at a time; it sets the flag again if others remain, before it looks, and wakes the
 * next when there is more. */
#include <errno.h>

#include "base/cpu.h"
#include "sync/wait.h"
#include "thread/queue.h"

enum { LOOK_NS = 20000, PAUSES_MAX = 8, YIELDS = 8, MISSES_MAX = 6 };
enum { PACE_PAUSES = 7, PACE_YIELDS = 16, PACE_NS = 50000, PACE_DOUBLED = 5 };

typedef struct sleeper {
    thrum__waiter waiter;
    bool others; /* somebody was queued behind it when it was woken; by the waker */
} sleeper;

static const thrum__wait_kind slot_kind = {"queue (slot)", NULL};
static const thrum__wait_kind join_kind = {"queue (join)", NULL};

static thrum__side *side_of(thrum_queue *queue, const thrum__verb *verb) {
    return (thrum__side *)(void *)((char *)queue + verb->side);
}

/* Returns the first who waits at `address` for this kind; the address of a late wake may be another
 * object's by now. */
static thrum__waiter *first_of(thrum__bucket *bucket, const void *address,
                               const thrum__wait_kind *kind) {
    thrum__waiter *first = thrum__lot_first(bucket, address);
    return first && first->kind == kind ? first : NULL;
}

/* Requires the bucket lock. */
static bool grant_first(thrum__bucket *bucket, const thrum__side *side, const thrum__verb *verb,
                        thrum__link *granted) {
    thrum__waiter *first = first_of(bucket, side, &verb->kind);
    if (!first)
        return false;
    thrum__lot_grant(bucket, first, granted);
    THRUM__MEMBER(sleeper, waiter, first)->others = thrum__lot_first(bucket, side) != NULL;
    return true;
}

void thrum__queue_wake(const thrum__side *side, const thrum__verb *verb) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__bucket *bucket = thrum__lot_lock(side);
    grant_first(bucket, side, verb, &granted);
    thrum__observers_wake(bucket, side, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

void thrum__queue_wake_all(const thrum__side *side, const thrum__verb *verb) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__bucket *bucket = thrum__lot_lock(side);
    while (grant_first(bucket, side, verb, &granted))
        continue;
    thrum__observers_wake(bucket, side, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

/* Who was woken while others slept leaves: wakes the next if it can go on. The queue may be gone,
 * but not while somebody waits in it. */
static void pass_on(thrum_queue *queue, const thrum__verb *verb) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__side *side = side_of(queue, verb);
    thrum__bucket *bucket = thrum__lot_lock(side);
    if (first_of(bucket, side, &verb->kind) && verb->can(queue) && thrum__side_owes(side)) {
        grant_first(bucket, side, verb, &granted);
        thrum__observers_wake(bucket, side, &granted);
    }
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

/* Lets the strand that is in the middle of a slot go on, when called for the n-th time: pauses,
 * then yields, then short sleeps, so that it runs whatever the priority of the caller. */
static void pace(const thrum_queue *queue, thrum__strand *self, unsigned n) {
    if (n < PACE_PAUSES && thrum__strand_may_spin(self)) {
        for (unsigned i = 0; i < 1U << n; i++)
            thrum__pause();
    } else if (n < PACE_YIELDS) {
        self->ops->yield();
    } else {
        unsigned doubled = n - PACE_YIELDS < PACE_DOUBLED ? n - PACE_YIELDS : PACE_DOUBLED;
        thrum__waiter waiter;
        int64_t deadline = self->ops->now() + ((int64_t)PACE_NS << doubled);
        thrum__bucket *bucket = thrum__lot_lock(queue);
        thrum__lot_enqueue(bucket, &waiter, queue, &slot_kind);
        (void)thrum__lot_park(bucket, &waiter, deadline, 0); /* nobody wakes it */
        thrum__lot_done(&waiter);
    }
}

int thrum__queue_try(thrum_queue *queue, const thrum__verb *verb, void *item) {
    int rc;
    for (unsigned n = 0; (rc = verb->attempt(queue, item)) == -EBUSY; n++)
        pace(queue, thrum__strand_self(), n);
    return rc;
}

static bool again(int rc) { return rc == -EAGAIN || rc == -EBUSY; }

static bool late(thrum__strand *self, int64_t deadline) {
    return deadline != INT64_MAX && deadline <= self->ops->now();
}

/* Looks for a while, and attempts when that may help: with pauses when the other side may be
 * running on another CPU, as the lot looks before a sleep; else it lets others run on this one. */
static int look(thrum_queue *queue, const thrum__verb *verb, void *item, thrum__strand *self,
                int64_t deadline) {
    int rc = -EAGAIN;
    if (!thrum__strand_may_spin(self)) {
        for (int i = 0; i < YIELDS && again(rc) && deadline == INT64_MAX; i++) {
            self->ops->yield();
            if (verb->may(queue))
                rc = verb->attempt(queue, item);
        }
        return rc;
    }
    if (self->skip > 0) {
        self->skip--;
        return rc;
    }
    uint32_t pauses = 1;
    for (uint32_t left = thrum__cpu_pauses(LOOK_NS); left > pauses && again(rc); left -= pauses) {
        for (uint32_t i = 0; i < pauses; i++)
            thrum__pause();
        pauses += pauses < PAUSES_MAX ? pauses : 0;
        if (verb->may(queue))
            rc = verb->attempt(queue, item);
    }
    self->misses = !again(rc) ? 0 : self->misses < MISSES_MAX ? self->misses + 1 : MISSES_MAX;
    self->skip = (uint8_t)((1U << self->misses) - 1);
    return rc;
}

/* Sleeps unless there is no need to: 0 to attempt again. *owes: it was woken while others slept. */
static int sleep_once(thrum_queue *queue, const thrum__verb *verb, int64_t deadline, unsigned flags,
                      bool *owes) {
    sleeper me;
    thrum__side *side = side_of(queue, verb);
    thrum__bucket *bucket = thrum__lot_lock(side);
    thrum__side_mark(side);
    if (verb->can(queue)) {
        thrum__lot_unlock(bucket);
        return 0;
    }
    thrum__lot_enqueue(bucket, &me.waiter, side, &verb->kind);
    int rc = thrum__lot_park(bucket, &me.waiter, deadline, flags);
    thrum__lot_done(&me.waiter);
    *owes = rc == 0 && me.others;
    if (*owes)
        thrum__side_mark(side);
    return rc;
}

int thrum__queue_wait(thrum_queue *queue, const thrum__verb *verb, void *item, int64_t deadline,
                      unsigned flags) {
    thrum__strand *self = thrum__strand_self();
    bool owes = false;
    unsigned paced = 0;
    int rc;
    if (late(self, deadline))
        return -ETIMEDOUT;
    do {
        rc = look(queue, verb, item, self, deadline);
        if (rc == -EAGAIN) {
            int slept = sleep_once(queue, verb, deadline, flags, &owes);
            rc = verb->attempt(queue, item);
            if (slept != 0 && again(rc))
                rc = slept;
        }
        if (rc == -EBUSY) {
            pace(queue, self, paced++);
            rc = late(self, deadline) ? -ETIMEDOUT : verb->attempt(queue, item);
        }
    } while (again(rc));
    if (owes)
        pass_on(queue, verb);
    return rc;
}

void thrum__queue_wake_joiners(const uint32_t *joiners) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__waiter *first;
    thrum__bucket *bucket = thrum__lot_lock(joiners);
    while ((first = first_of(bucket, joiners, &join_kind)) != NULL)
        thrum__lot_grant(bucket, first, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

int thrum__queue_join(thrum_queue *queue, int64_t deadline, unsigned flags) {
    thrum__waiter waiter;
    int rc = 0;
    thrum__strand_self(); /* met before the bucket is locked */
    while (rc == 0) {
        thrum__bucket *bucket = thrum__lot_lock(&queue->joiners);
        bool more =
            queue->fifo ? thrum__ring_mark_joined(queue) : thrum__heap_mark_joined(queue);
        if (!more) {
            thrum__lot_unlock(bucket);
            break;
        }
        thrum__lot_enqueue(bucket, &waiter, &queue->joiners, &join_kind);
        rc = thrum__lot_park(bucket, &waiter, deadline, flags | THRUM__PARK_SPIN);
        thrum__lot_done(&waiter);
    }
    return rc;
}

bool thrum__queue_awaited(thrum_queue *queue) {
    const void *const places[] = {&queue->getters, &queue->putters, &queue->joiners};
    bool awaited = false;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        thrum__bucket *bucket = thrum__lot_lock(places[i]);
        awaited = awaited || thrum__lot_first(bucket, places[i]) ||
                  thrum__lot_first(bucket, thrum__observed(places[i]));
        thrum__lot_unlock(bucket);
    }
    return awaited;
}
