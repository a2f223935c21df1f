/* SPDX-License-Identifier: MIT */
/* SharedCondition: wait under a shared lock until another process says that the state has changed,
 * Python's multiprocessing.Condition. Zero is a valid condition with no waiters:
 *
 *     rc = thrum_shared_lock_acquire(&s->lock);
 *     while (!s->ready)
 *         rc = thrum_shared_condition_wait(&s->changed, &s->lock);
 *     thrum_shared_lock_release(&s->lock);
 *
 * One condition is used with one lock (or rlock); all calls need that lock held. A notification
 * goes to threads that wait: one that was killed while it waited takes none, one that is killed
 * when it was chosen leaves its place to another. Waits do not end without a notification, a
 * deadline, a signal or a death (-EOWNERDEAD: who held the lock last died; it is held now); but
 * after the death of a process that waited, a notification may end more waits than it names. So
 * look at the state again, as always. Waiters are let go first come, first served, or nearly so. */
#ifndef THRUM_SHARED_CONDITION_H
#define THRUM_SHARED_CONDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/shared_lock.h>
#include <thrum/shared_rlock.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The fields are of nobody's program; all are changed under the user's lock. */
typedef struct thrum_shared_condition {
    uint32_t thrum__calls;   /* number of notifications: what waiters sleep on */
    uint32_t thrum__waiting; /* waiters, or more: never fewer */
    uint32_t thrum__came;    /* number of waits that have begun: the next one's own number */
    uint32_t thrum__limit;   /* waits with a number below may end */
    uint32_t thrum__tokens;  /* as many of them */
} thrum_shared_condition;

#define THRUM_SHARED_CONDITION_INIT {0, 0, 0, 0, 0}

/* Frees `lock`, blocks until notified, and takes `lock` again before it returns. Requires `lock`
 * held; a free one is misuse and ends the program with a line on stderr. Returns 0, or -EOWNERDEAD:
 * the wait has ended, notified or not, and what the lock protects is to be repaired. The lock is
 * held in both cases. In C11 the second argument may also be an rlock. */
THRUM_API int thrum_shared_condition_wait(thrum_shared_condition *condition,
                                          thrum_shared_lock *lock) THRUM_NODISCARD;

/* As thrum_shared_condition_wait() with an rlock, which is freed whatever its depth, and
 * restored. */
THRUM_API int thrum_shared_condition_wait_rlock(thrum_shared_condition *condition,
                                                thrum_shared_rlock *rlock) THRUM_NODISCARD;

/* As thrum_shared_condition_wait(), until `deadline`: then -ETIMEDOUT, or -EINTR in an
 * interruptible thread; the lock is held again in every case. In C11 the second argument may also
 * be an rlock. */
THRUM_API int thrum_shared_condition_wait_until(thrum_shared_condition *condition,
                                                thrum_shared_lock *lock,
                                                thrum_deadline deadline) THRUM_NODISCARD;

/* As thrum_shared_condition_wait_until() with an rlock. */
THRUM_API int thrum_shared_condition_wait_until_rlock(thrum_shared_condition *condition,
                                                      thrum_shared_rlock *rlock,
                                                      thrum_deadline deadline) THRUM_NODISCARD;

/* Lets the first `n` waiters go (all, if there are fewer). Returns 0, or -EINVAL when n <= 0, with
 * no effect. Requires the lock held. Never blocks. */
THRUM_API int thrum_shared_condition_notify(thrum_shared_condition *condition, int n);

/* Lets every waiter go. Requires the lock held. Never blocks. */
THRUM_API void thrum_shared_condition_notify_all(thrum_shared_condition *condition);

THRUM__END

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define thrum_shared_condition_wait(condition, lock)                                               \
    _Generic((lock), thrum_shared_rlock *: thrum_shared_condition_wait_rlock,                      \
             default: thrum_shared_condition_wait)(condition, lock)
#define thrum_shared_condition_wait_until(condition, lock, deadline)                               \
    _Generic((lock), thrum_shared_rlock *: thrum_shared_condition_wait_until_rlock,                \
             default: thrum_shared_condition_wait_until)(condition, lock, deadline)
#endif

#endif
