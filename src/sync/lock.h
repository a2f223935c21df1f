/* SPDX-License-Identifier: MIT */
/* What condition and rlock need of the lock. */
#ifndef THRUM_SYNC_LOCK_H
#define THRUM_SYNC_LOCK_H

#include <stdint.h>
#include <thrum/lock.h>

#include "park/lot.h"

extern const thrum__wait_kind thrum__lock_kind;

/* Goes on with `waiter`, which stood in the queue of `lock` and has taken its token: blocks until
 * the lock is the current strand's (0) or until `deadline` or a signal ends the wait. */
int thrum__lock_arrive(thrum_lock *lock, thrum__waiter *waiter, int64_t deadline, unsigned flags);

/* Sets the waiters bit, so that the next release looks into the lot. Returns false when `lock` is
 * free. Requires the bucket lock of `lock`. */
bool thrum__lock_mark(thrum_lock *lock);

#endif
