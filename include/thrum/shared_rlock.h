/* SPDX-License-Identifier: MIT */
/* SharedRLock: a lock between processes that its holder may acquire again, Python's
 * multiprocessing.RLock. Its holder is a thread, and only that may release it: -EOWNERDEAD also
 * comes after a thread that ended. All else is as in shared_lock.h. Zero is a valid, free rlock. */
#ifndef THRUM_SHARED_RLOCK_H
#define THRUM_SHARED_RLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The fields are of nobody's program. */
typedef struct thrum_shared_rlock {
    uint64_t thrum__word __attribute__((aligned(8))); /* as that of a lock */
    uint32_t thrum__depth; /* acquisitions of the holder past its first; only the holder's */
    uint32_t thrum__reserved;
} thrum_shared_rlock;

#define THRUM_SHARED_RLOCK_INIT {0, 0, 0}

/* Blocks until the calling thread holds `rlock`; at once when it does already. Returns 0, or
 * -EOWNERDEAD (held, once, and what it protects is to be repaired). Past 2^32 acquisitions the
 * program ends with a line on stderr. Any thread. */
THRUM_API int thrum_shared_rlock_acquire(thrum_shared_rlock *rlock) THRUM_NODISCARD;

/* As thrum_shared_rlock_acquire(), without waiting: else -EBUSY. Any thread. */
THRUM_API int thrum_shared_rlock_try_acquire(thrum_shared_rlock *rlock) THRUM_NODISCARD;

/* As thrum_shared_rlock_acquire(), until `deadline`: then -ETIMEDOUT, or -EINTR in an interruptible
 * thread. Any thread. */
THRUM_API int thrum_shared_rlock_acquire_until(thrum_shared_rlock *rlock,
                                               thrum_deadline deadline) THRUM_NODISCARD;

/* Gives back one acquisition; the last one frees `rlock`. Misuse (an rlock that the calling thread
 * does not hold) ends the program with a line on stderr. Never blocks. */
THRUM_API void thrum_shared_rlock_release(thrum_shared_rlock *rlock);

/* Returns whether anybody holds `rlock` at this moment. Any thread. */
THRUM_API bool thrum_shared_rlock_locked(const thrum_shared_rlock *rlock);

/* Returns the native id of the thread that holds `rlock` (it may have ended), 0 when free. Any
 * thread. */
THRUM_API int thrum_shared_rlock_holder(const thrum_shared_rlock *rlock);

THRUM__END

#endif
