/* SPDX-License-Identifier: MIT */
/* SharedSemaphore: a number of permits for processes, Python's multiprocessing.Semaphore and
 * BoundedSemaphore. It stands in memory that they share (shared.h):
 *
 *     *slots = (thrum_shared_semaphore)THRUM_SHARED_BOUNDED_SEMAPHORE_INIT(3);
 *     rc = thrum_shared_semaphore_acquire(slots);
 *     ... at most three processes at a time ...
 *     thrum_shared_semaphore_release(slots, 1);
 *
 * The permits of a bounded semaphore are held until they are given back: when a process dies, those
 * it held come back to who waits, and -EOWNERDEAD tells it (a permit was taken, and what the dead
 * one did may be unfinished); noticed as the death of a lock's holder is (shared_lock.h). Each
 * process has its account; a release by one that holds none gives back a permit of another. That
 * many processes have accounts at a time: THRUM_SHARED_SEMAPHORE_HOLDERS; what more of them hold is
 * lost when they die. The permits of one without a bound are signals, which nobody holds: nothing
 * comes back. In both, whoever is killed in a call leaves the number as before or as after. No
 * order is promised to those who wait. What happened before a release is seen after the acquire
 * that got its permit. */
#ifndef THRUM_SHARED_SEMAPHORE_H
#define THRUM_SHARED_SEMAPHORE_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/shared.h>
#include <thrum/time.h>

THRUM__BEGIN

#define THRUM_SHARED_SEMAPHORE_HOLDERS THRUM__SHARED_HOLDERS

/* The fields are of nobody's program. */
typedef struct thrum_shared_semaphore {
    uint64_t thrum__guard __attribute__((aligned(8))); /* of a bounded one: over all below */
    uint32_t thrum__value;    /* permits; a bounded one's are limit - 1 less those held */
    uint32_t thrum__limit;    /* 0, or one more than the initial value; read-only */
    uint32_t thrum__sleepers; /* bit 0: somebody may sleep */
    uint32_t thrum__reserved;
    thrum__shared_accounts thrum__accounts; /* permits held: the truth */
} thrum_shared_semaphore;

/* A semaphore with `n` permits, from 0 to INT_MAX. */
#define THRUM_SHARED_SEMAPHORE_INIT(n) {0, (uint32_t)(n), 0, 0, 0, {{0}, {0}, 0, 0}}

/* A semaphore with `n` permits (0 to INT_MAX) that refuses a release which would make more of
 * them. */
#define THRUM_SHARED_BOUNDED_SEMAPHORE_INIT(n)                                                     \
    {0, (uint32_t)(n), (uint32_t)(n) + 1, 0, 0, {{0}, {0}, 0, 0}}

/* Takes a permit, and blocks until there is one. Returns 0, or -EOWNERDEAD (taken, from a process
 * that died; a bounded one only). Any thread. */
THRUM_API int thrum_shared_semaphore_acquire(thrum_shared_semaphore *semaphore) THRUM_NODISCARD;

/* Takes a permit, if there is one. Returns 0 or -EOWNERDEAD (taken), or -EBUSY. Any thread. */
THRUM_API int thrum_shared_semaphore_try_acquire(thrum_shared_semaphore *semaphore)
    THRUM_NODISCARD;

/* Takes a permit, and blocks until there is one or `deadline` has come. Returns 0 or -EOWNERDEAD
 * (taken), else -ETIMEDOUT, or -EINTR in an interruptible thread. Any thread. */
THRUM_API int thrum_shared_semaphore_acquire_until(thrum_shared_semaphore *semaphore,
                                                   thrum_deadline deadline) THRUM_NODISCARD;

/* Gives back (or adds) `n` permits, and wakes as many waiters. Returns 0, -EINVAL (n <= 0) or
 * -EOVERFLOW (past INT_MAX, or past the initial value of a bounded one); then nothing has changed.
 * Any thread. */
THRUM_API int thrum_shared_semaphore_release(thrum_shared_semaphore *semaphore, int n);

/* Returns how many permits there are at this moment. Cannot fail; any thread. */
THRUM_API int thrum_shared_semaphore_value(const thrum_shared_semaphore *semaphore);

THRUM__END

#endif
