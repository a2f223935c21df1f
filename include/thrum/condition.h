/* SPDX-License-Identifier: MIT */
/* Condition: wait under a lock until somebody says that the state has changed, Python's
 * threading.Condition. Zero is a valid condition with no waiters:
 *
 *     thrum_with(&lock) {
 *         while (!ready)
 *             thrum_condition_wait(&changed, &lock);
 *     }
 *
 * One condition is used with one lock (or rlock) at a time. All calls need that lock held, as in
 * Python. A notified waiter is moved to the queue of the lock and runs when the lock is released:
 * one switch per hand-off (wait morphing, as in nsync and Abseil). Waits do not end without a
 * notification, a deadline or a signal, yet the state must be looked at again after each: another
 * thread may have been there first. */
#ifndef THRUM_CONDITION_H
#define THRUM_CONDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/lock.h>
#include <thrum/rlock.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The fields are part of the ABI, for inline.h, and of nobody's program. */
typedef struct thrum_condition {
    uint32_t thrum__waiters;  /* 0: nobody waits. Written under the bucket lock and the user's */
    uint32_t thrum__reserved; /* zero */
    thrum_lock *thrum__lock;  /* the lock of those who wait; under the bucket lock */
} thrum_condition;

#define THRUM_CONDITION_INIT {0, 0, 0}

/* Frees `lock`, blocks until notified, and takes `lock` again before it returns. Requires `lock`
 * held; a free lock, or another lock than that of those who wait already, is misuse and ends the
 * program with a line on stderr. Never fails. In C11 the second argument may also be an rlock. */
THRUM_API void thrum_condition_wait(thrum_condition *condition, thrum_lock *lock);

/* As thrum_condition_wait() with an rlock, which is freed whatever its depth, and restored. The
 * calling thread must hold it. */
THRUM_API void thrum_condition_wait_rlock(thrum_condition *condition, thrum_rlock *rlock);

/* As thrum_condition_wait(), until `deadline`. Returns 0 when notified, else -ETIMEDOUT, or -EINTR
 * in an interruptible thread; the lock is held again in every case. In C11 the second argument may
 * also be an rlock. */
THRUM_API int thrum_condition_wait_until(thrum_condition *condition, thrum_lock *lock,
                                         thrum_deadline deadline) THRUM_NODISCARD;

/* As thrum_condition_wait_until() with an rlock. */
THRUM_API int thrum_condition_wait_until_rlock(thrum_condition *condition, thrum_rlock *rlock,
                                               thrum_deadline deadline) THRUM_NODISCARD;

/* Lets the first `n` waiters go (all, if there are fewer). Returns 0, or -EINVAL when n <= 0, with
 * no effect. Requires the lock held (misuse is found when somebody waits and the lock is free:
 * a line on stderr, and the program ends). Never blocks. */
THRUM_API int thrum_condition_notify(thrum_condition *condition, int n);

/* Lets every waiter go. Requires the lock held, as thrum_condition_notify(). Never blocks. */
THRUM_API void thrum_condition_notify_all(thrum_condition *condition);

/* Forgets the waiters in a child process after fork(). Requires that no other thread of the child
 * uses it. */
THRUM_API void thrum_condition_at_fork_reinit(thrum_condition *condition);

THRUM__END

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define thrum_condition_wait(condition, lock)                                                      \
    _Generic((lock), thrum_rlock *: thrum_condition_wait_rlock, default: thrum_condition_wait)(    \
        condition, lock)
#define thrum_condition_wait_until(condition, lock, deadline)                                      \
    _Generic((lock), thrum_rlock *: thrum_condition_wait_until_rlock,                              \
             default: thrum_condition_wait_until)(condition, lock, deadline)
#endif

#define THRUM__INLINE_CONDITION
#include <thrum/inline.h>

#endif
