/* SPDX-License-Identifier: MIT */
/* SharedLock: mutual exclusion between processes, Python's multiprocessing.Lock. It stands in
 * memory that they share (shared.h, or any MAP_SHARED mapping); zero is a valid, free lock:
 *
 *     struct counts { thrum_shared_lock lock; long sum; } *c = thrum_shared_memory(shared);
 *     if (thrum_shared_lock_acquire(&c->lock) == -EOWNERDEAD)
 *         c->sum = count_again();
 *     c->sum += 1;
 *     thrum_shared_lock_release(&c->lock);
 *
 * -EOWNERDEAD: the lock is held, yet the process that held it before died, perhaps in the middle of
 * a change. Who gets that code repairs what the lock protects, and goes on: nothing else has to be
 * called, and the next one gets 0; if the repairer dies too, the next gets the code again. A death
 * is noticed by who waits within about 130 ms (2 ms when it has just begun to wait), by try_acquire
 * and by a deadline at once.
 *
 * The holder is the process: threads of one exclude each other too, any thread of any process may
 * release, and a thread that ends leaves the lock held. So does exec(). The processes must be of
 * one pid namespace, and made by fork(), not by bare clone(). No order is promised to those who
 * wait. What happened before a release is seen after the acquire that follows. A waiting thread
 * blocks its OS thread. */
#ifndef THRUM_SHARED_LOCK_H
#define THRUM_SHARED_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The field is of nobody's program: name of the holder, 0 free; bit 31: somebody may wait. */
typedef struct thrum_shared_lock {
    uint64_t thrum__word __attribute__((aligned(8)));
} thrum_shared_lock;

#define THRUM_SHARED_LOCK_INIT {0}

/* Blocks until the calling process holds `lock`. Returns 0 or -EOWNERDEAD; held in both cases. Any
 * thread. */
THRUM_API int thrum_shared_lock_acquire(thrum_shared_lock *lock) THRUM_NODISCARD;

/* Takes `lock`, if that is possible without waiting. Returns 0 or -EOWNERDEAD (held), or -EBUSY.
 * Any thread. */
THRUM_API int thrum_shared_lock_try_acquire(thrum_shared_lock *lock) THRUM_NODISCARD;

/* Blocks until the calling process holds `lock` or `deadline` has come. Returns 0 or -EOWNERDEAD
 * when held, else -ETIMEDOUT, or -EINTR in an interruptible thread. A free lock is taken whatever
 * the deadline. Any thread. */
THRUM_API int thrum_shared_lock_acquire_until(thrum_shared_lock *lock,
                                              thrum_deadline deadline) THRUM_NODISCARD;

/* Frees `lock`, which any process may hold. Misuse (a free lock) ends the program with a line on
 * stderr. Never blocks. Any thread. */
THRUM_API void thrum_shared_lock_release(thrum_shared_lock *lock);

/* Returns whether `lock` is held at this moment, be it by a process that died. Any thread. */
THRUM_API bool thrum_shared_lock_locked(const thrum_shared_lock *lock);

/* Returns the pid of the process that holds `lock` (it may have died), 0 when free. Any thread. */
THRUM_API int thrum_shared_lock_holder(const thrum_shared_lock *lock);

THRUM__END

#endif
