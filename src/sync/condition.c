/* SPDX-License-Identifier: MIT */
#include <thrum/condition.h>

#include <errno.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "park/lot.h"
#include "sync/holder.h"
#include "sync/lock.h"

static const thrum__wait_kind condition_kind = {"condition", NULL};

/* Waits with `lock` freed meanwhile. Requires it held; it is held again afterwards in every
 * case. */
static int wait_with(thrum_condition *condition, thrum_lock *lock, int64_t deadline, unsigned flags,
                     const char *caller) {
    thrum__waiter waiter;
    if (!thrum_lock_locked(lock))
        thrum__panic("%s(%p): the lock %p is free", caller, (void *)condition, (void *)lock);
    thrum__strand_self(); /* met before the bucket is locked */
    thrum__bucket *bucket = thrum__lot_lock(condition);
    if (condition->thrum__lock != lock && thrum__lot_first(bucket, condition))
        thrum__panic("%s(%p): others wait with the lock %p, this one with %p", caller,
                     (void *)condition, (void *)condition->thrum__lock, (void *)lock);
    condition->thrum__lock = lock;
    thrum__store_relaxed(&condition->thrum__waiters, 1);
    thrum__lot_enqueue(bucket, &waiter, condition, &condition_kind);
    thrum__lot_unlock(bucket);
    thrum_lock_release(lock);
    int rc = thrum__lot_sleep(&waiter, deadline, flags | THRUM__PARK_SPIN);
    if (rc == 0)
        return thrum__lock_arrive(lock, &waiter, INT64_MAX, 0);
    thrum__lot_done(&waiter);
    thrum_lock_acquire(lock);
    return rc;
}

static int wait_with_rlock(thrum_condition *condition, thrum_rlock *rlock, int64_t deadline,
                           unsigned flags, const char *caller) {
    uint32_t holder = thrum_rlock_holder(rlock);
    if (holder != thrum__strand_self()->holder_id) {
        char text[THRUM__HOLDER_TEXT];
        thrum__panic("%s(%p): the rlock %p is %s, not held by the caller", caller,
                     (void *)condition, (void *)rlock,
                     thrum__holder_text(holder, text, sizeof text));
    }
    uint32_t depth = rlock->thrum__depth;
    rlock->thrum__depth = 0;
    int rc = wait_with(condition, &rlock->thrum__lock, deadline, flags, caller);
    rlock->thrum__depth = depth;
    return rc;
}

void (thrum_condition_wait)(thrum_condition *condition, thrum_lock *lock) {
    wait_with(condition, lock, INT64_MAX, 0, "thrum_condition_wait");
}

void thrum_condition_wait_rlock(thrum_condition *condition, thrum_rlock *rlock) {
    wait_with_rlock(condition, rlock, INT64_MAX, 0, "thrum_condition_wait_rlock");
}

int (thrum_condition_wait_until)(thrum_condition *condition, thrum_lock *lock,
                                 thrum_deadline deadline) {
    return wait_with(condition, lock, deadline.ns, THRUM__PARK_INTERRUPTIBLE,
                     "thrum_condition_wait_until");
}

int thrum_condition_wait_until_rlock(thrum_condition *condition, thrum_rlock *rlock,
                                     thrum_deadline deadline) {
    return wait_with_rlock(condition, rlock, deadline.ns, THRUM__PARK_INTERRUPTIBLE,
                           "thrum_condition_wait_until_rlock");
}

/* Moves waiters to the queue of the lock, whose release will wake them: no wake here. */
void thrum__condition_notify_slow(thrum_condition *condition, int n) {
    thrum__bucket *here, *there;
    thrum_lock *lock = condition->thrum__lock; /* stable: the caller holds it */
    thrum__lot_lock_pair(condition, lock, &here, &there);
    thrum__waiter *waiter = thrum__lot_first(here, condition);
    if (waiter && !thrum__lock_mark(lock))
        thrum__panic("thrum_condition_notify(%p): the lock %p is free", (void *)condition,
                     (void *)lock);
    for (; waiter && n > 0; n--) {
        thrum__lot_requeue(here, waiter, there, lock, &thrum__lock_kind);
        waiter = thrum__lot_first(here, condition);
    }
    thrum__store_relaxed(&condition->thrum__waiters, waiter != NULL);
    thrum__lot_unlock_pair(here, there);
}

void thrum_condition_at_fork_reinit(thrum_condition *condition) {
    *condition = (thrum_condition)THRUM_CONDITION_INIT;
}
