/* SPDX-License-Identifier: MIT */
/* Lock: mutual exclusion, Python's threading.Lock. Zero is a valid, free lock; nothing has to be
 * initialised or destroyed:
 *
 *     static thrum_lock lock;
 *     thrum_lock_acquire(&lock);
 *     counter += 1;
 *     thrum_lock_release(&lock);
 *
 * Eight bytes. It is not recursive (rlock.h is). As in Python, any thread may release it. Who
 * waits is served first come, first served at the latest after about 250 us of being passed over;
 * before that, a running thread may take the lock first. What happened before a release is seen
 * after the acquire that follows. An embedded lock may be freed as soon as its last holder has
 * released it and nobody else will use it. */
#ifndef THRUM_LOCK_H
#define THRUM_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The fields are part of the ABI, for inline.h, and of nobody's program.
 *
 * word: bits 0-30  strand id of the holder, 0 = free     set by acquire, cleared by release
 *       bit  31    somebody may be waiting in the lot    set under the bucket lock while held
 *                  cleared by the release, which then looks into the lot
 * budget: 0, or the releases left until the clock is read for a waiter that was woken but has
 *         been passed over since. A hint: relaxed, a lost update only delays. */
typedef struct thrum_lock {
    uint32_t thrum__word;
    uint32_t thrum__budget;
} thrum_lock;

#define THRUM_LOCK_INIT {0, 0}

/* Blocks until the calling thread holds `lock`. Never fails, never ends early. A thread that
 * acquires a lock it holds waits for ever (thrum_dump() shows it). Any thread. */
THRUM_API void thrum_lock_acquire(thrum_lock *lock);

/* Takes `lock` if it is free, without waiting. Returns true when it is now held. Any thread. */
THRUM_API bool thrum_lock_try_acquire(thrum_lock *lock) THRUM_NODISCARD;

/* Blocks until the calling thread holds `lock` or `deadline` has come. Returns 0 when held, else
 * -ETIMEDOUT, or -EINTR in an interruptible thread. A free lock is taken whatever the deadline.
 * Any thread. */
THRUM_API int thrum_lock_acquire_until(thrum_lock *lock, thrum_deadline deadline) THRUM_NODISCARD;

/* Frees `lock`, which may be held by any thread. Misuse (a free lock) ends the program with a
 * line on stderr. Never blocks. Any thread. */
THRUM_API void thrum_lock_release(thrum_lock *lock);

/* As thrum_lock_release(), for bindings: returns 0, or -EPERM when `lock` was free. Any thread. */
THRUM_API int thrum_lock_try_release(thrum_lock *lock) THRUM_NODISCARD;

/* Returns whether `lock` is held at this moment. Any thread. */
THRUM_API bool thrum_lock_locked(const thrum_lock *lock);

/* Returns the ident (thrum_thread_ident()) of the thread that holds `lock`, 0 when it is free.
 * Any thread. */
THRUM_API uint32_t thrum_lock_holder(const thrum_lock *lock);

/* Makes `lock` free in a child process after fork(), whoever held it in the parent. Requires that
 * no other thread of the child uses it. */
THRUM_API void thrum_lock_at_fork_reinit(thrum_lock *lock);

THRUM__END

#define THRUM__INLINE_LOCK
#include <thrum/inline.h>

#endif
