/* SPDX-License-Identifier: MIT */
#include <thrum/rlock.h>

#include <errno.h>

#include "base/panic.h"
#include "park/strand.h"
#include "sync/holder.h"

static bool mine(const thrum_rlock *rlock) {
    return thrum_lock_holder(&rlock->thrum__lock) == thrum__strand_self()->holder_id;
}

bool thrum_rlock_try_acquire(thrum_rlock *rlock) {
    if (mine(rlock)) {
        thrum_rlock_acquire(rlock);
        return true;
    }
    return thrum_lock_try_acquire(&rlock->thrum__lock);
}

int thrum_rlock_acquire_until(thrum_rlock *rlock, thrum_deadline deadline) {
    if (mine(rlock)) {
        thrum_rlock_acquire(rlock);
        return 0;
    }
    return thrum_lock_acquire_until(&rlock->thrum__lock, deadline);
}

int thrum_rlock_try_release(thrum_rlock *rlock) {
    if (!mine(rlock))
        return -EPERM;
    thrum_rlock_release(rlock);
    return 0;
}

bool thrum_rlock_locked(const thrum_rlock *rlock) { return thrum_lock_locked(&rlock->thrum__lock); }

uint32_t thrum_rlock_holder(const thrum_rlock *rlock) {
    return thrum_lock_holder(&rlock->thrum__lock);
}

void thrum_rlock_at_fork_reinit(thrum_rlock *rlock) { *rlock = (thrum_rlock)THRUM_RLOCK_INIT; }

void thrum__rlock_overflow(const thrum_rlock *rlock) {
    thrum__panic("thrum_rlock_acquire(%p): acquired more than 2^32 times", (const void *)rlock);
}

void thrum__rlock_not_held(const thrum_rlock *rlock) {
    char text[THRUM__HOLDER_TEXT];
    thrum__panic("thrum_rlock_release(%p): the rlock is %s, not held by the caller",
                 (const void *)rlock,
                 thrum__holder_text(thrum_rlock_holder(rlock), text, sizeof text));
}
