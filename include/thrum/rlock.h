/* SPDX-License-Identifier: MIT */
/* RLock: a lock that its holder may acquire again, Python's threading.RLock. It is free when it
 * has been released as often as it was acquired. Zero is a valid, free rlock. Twelve bytes. */
#ifndef THRUM_RLOCK_H
#define THRUM_RLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/lock.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The fields are part of the ABI, for inline.h, and of nobody's program. */
typedef struct thrum_rlock {
    thrum_lock thrum__lock;
    uint32_t thrum__depth; /* acquisitions of the holder past its first; only the holder's */
} thrum_rlock;

#define THRUM_RLOCK_INIT {THRUM_LOCK_INIT, 0}

/* Blocks until the calling thread holds `rlock`; at once when it does already. Never fails; past
 * 2^32 acquisitions the program ends with a line on stderr. Any thread. */
THRUM_API void thrum_rlock_acquire(thrum_rlock *rlock);

/* Takes `rlock` if it is free or the calling thread's, without waiting. Returns true when it was
 * taken. Any thread. */
THRUM_API bool thrum_rlock_try_acquire(thrum_rlock *rlock) THRUM_NODISCARD;

/* As thrum_rlock_acquire(), until `deadline`. Returns 0 when held, else -ETIMEDOUT, or -EINTR in
 * an interruptible thread. Any thread. */
THRUM_API int thrum_rlock_acquire_until(thrum_rlock *rlock, thrum_deadline deadline)
    THRUM_NODISCARD;

/* Gives back one acquisition; the last one frees `rlock`. Misuse (an rlock that the calling thread
 * does not hold) ends the program with a line on stderr. Never blocks. */
THRUM_API void thrum_rlock_release(thrum_rlock *rlock);

/* As thrum_rlock_release(), for bindings: returns 0, or -EPERM when the caller does not hold it. */
THRUM_API int thrum_rlock_try_release(thrum_rlock *rlock) THRUM_NODISCARD;

/* Returns whether anybody holds `rlock` at this moment. Any thread. */
THRUM_API bool thrum_rlock_locked(const thrum_rlock *rlock);

/* Returns the ident of the thread that holds `rlock`, 0 when it is free. Any thread. */
THRUM_API uint32_t thrum_rlock_holder(const thrum_rlock *rlock);

/* Makes `rlock` free in a child process after fork(). Requires that no other thread of the child
 * uses it. */
THRUM_API void thrum_rlock_at_fork_reinit(thrum_rlock *rlock);

THRUM__END

#define THRUM__INLINE_RLOCK
#include <thrum/inline.h>

#endif
