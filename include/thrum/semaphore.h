/* SPDX-License-Identifier: MIT */
/* Semaphore: a number of permits, Python's threading.Semaphore and BoundedSemaphore. Sixteen bytes:
 *
 *     static thrum_semaphore slots = THRUM_SEMAPHORE_INIT(3);
 *     thrum_with(&slots) { ... }        at most three threads at a time
 *
 * Zero is a valid semaphore without permits. A permit goes to the waiter that came first: none is
 * passed over. What happened before a release is seen after the acquire that got its permit. A
 * semaphore may be freed once nobody waits for it and the last acquire has returned, even while the
 * release that let it through is still returning. */
#ifndef THRUM_SEMAPHORE_H
#define THRUM_SEMAPHORE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>
#include <thrum/wait.h>

THRUM__BEGIN

/* The fields are part of the ABI, for inline.h, and of nobody's program.
 *
 * word:    bits 1-63: permits, if > 0; else minus the number of waiters that no permit was given
 *          to. Changed by every acquire and release
 *          bit 0: somebody waits in thrum_wait_any(). Set and cleared by it, under the bucket lock
 * pending: permits for waiters that were counted and have not queued yet; under the bucket lock
 * limit:   0, or one more than the initial value of a bounded one; read-only */
typedef struct thrum_semaphore {
    int64_t thrum__word __attribute__((aligned(8)));
    uint32_t thrum__pending;
    uint32_t thrum__limit;
} thrum_semaphore;

/* A semaphore with `n` permits, from 0 to INT_MAX; a negative number is misuse that nobody
 * notices. */
#define THRUM_SEMAPHORE_INIT(n) {(int64_t)(n) * 2, 0, 0}

/* A semaphore with `n` permits (0 to INT_MAX) that refuses a release which would make more of
 * them. */
#define THRUM_BOUNDED_SEMAPHORE_INIT(n) {(int64_t)(n) * 2, 0, (uint32_t)(n) + 1}

/* Takes a permit, and blocks until there is one. Never fails. Any thread. */
THRUM_API void thrum_semaphore_acquire(thrum_semaphore *semaphore);

/* Takes a permit if there is one, and returns whether it did. Never blocks. Any thread. */
THRUM_API bool thrum_semaphore_try_acquire(thrum_semaphore *semaphore) THRUM_NODISCARD;

/* Takes a permit, and blocks until there is one or `deadline` has come. Returns 0, -ETIMEDOUT, or
 * -EINTR in an interruptible thread. Any thread. */
THRUM_API int thrum_semaphore_acquire_until(thrum_semaphore *semaphore,
                                            thrum_deadline deadline) THRUM_NODISCARD;

/* Gives back (or adds) `n` permits, and wakes as many waiters. Returns 0, -EINVAL (n <= 0) or
 * -EOVERFLOW (past INT_MAX, or past the initial value of a bounded one); then nothing has changed.
 * Never blocks. Any thread. */
THRUM_API int thrum_semaphore_release(thrum_semaphore *semaphore, int n);

/* Returns how many permits there are at this moment. Cannot fail; any thread. */
THRUM_API int thrum_semaphore_value(const thrum_semaphore *semaphore);

/* Returns a waitable that is ready while there are permits. Cannot fail; any thread. */
THRUM_API thrum_waitable thrum_semaphore_waitable(thrum_semaphore *semaphore);

/* Forgets the waiters in a child process after fork(); the permits stay. Requires that no other
 * thread of the child uses it. */
THRUM_API void thrum_semaphore_at_fork_reinit(thrum_semaphore *semaphore);

THRUM__END

#define THRUM__INLINE_SEMAPHORE
#include <thrum/inline.h>

#endif
