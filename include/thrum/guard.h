/* SPDX-License-Identifier: MIT */
/* Blocks that hold a lock. `break` and `continue` inside thrum_with() leave the block, not a loop
 * round it. However the block is left (its end, return, goto, break, continue), it releases:
 *
 *     thrum_with(&lock) {
 *         if (done)
 *             return 0;
 *         counter += 1;
 *     }
 *
 * THRUM_GUARD(&lock); holds to the end of the enclosing scope, so that break and continue reach the
 * loop. Takes a thrum_lock *, a thrum_rlock * or a thrum_semaphore * (of which it holds
 * one permit); anything else does not compile. C11 with GNU C.
 * Do not jump into the scope of either with goto. */
#ifndef THRUM_GUARD_H
#define THRUM_GUARD_H

#include <thrum/config.h>
#include <thrum/lock.h>
#include <thrum/rlock.h>
#include <thrum/semaphore.h>

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L

typedef struct thrum__guard {
    void *object;
    void (*release)(void *);
    int once;
} thrum__guard;

static inline void thrum__guard_release_lock(void *lock) { thrum_lock_release((thrum_lock *)lock); }

static inline void thrum__guard_release_rlock(void *rlock) {
    thrum_rlock_release((thrum_rlock *)rlock);
}

static inline void thrum__guard_release_semaphore(void *semaphore) {
    thrum_semaphore_release((thrum_semaphore *)semaphore, 1);
}

static inline thrum__guard thrum__guard_lock(thrum_lock *lock) {
    thrum_lock_acquire(lock);
    return (thrum__guard){lock, thrum__guard_release_lock, 1};
}

static inline thrum__guard thrum__guard_rlock(thrum_rlock *rlock) {
    thrum_rlock_acquire(rlock);
    return (thrum__guard){rlock, thrum__guard_release_rlock, 1};
}

static inline thrum__guard thrum__guard_semaphore(thrum_semaphore *semaphore) {
    thrum_semaphore_acquire(semaphore);
    return (thrum__guard){semaphore, thrum__guard_release_semaphore, 1};
}

static inline void thrum__guard_leave(thrum__guard *guard) { guard->release(guard->object); }

#define THRUM__GUARD_ENTER(x)                                                                      \
    _Generic((x), thrum_lock *: thrum__guard_lock, thrum_rlock *: thrum__guard_rlock,              \
             thrum_semaphore *: thrum__guard_semaphore)(x)
#define THRUM__GUARD_PASTE2(a, b) a##b
#define THRUM__GUARD_PASTE(a, b) THRUM__GUARD_PASTE2(a, b)

/* Holds `x` (as above) while the statement or block that follows runs. */
#define thrum_with(x) THRUM__WITH(x, THRUM__GUARD_PASTE(thrum__with_, __COUNTER__))
#define THRUM__WITH(x, guard)                                                                      \
    for (thrum__guard guard __attribute__((cleanup(thrum__guard_leave))) = THRUM__GUARD_ENTER(x);  \
         guard.once; guard.once = 0)

/* Holds `x` (as above) to the end of the enclosing scope. */
#define THRUM_GUARD(x)                                                                             \
    __attribute__((cleanup(thrum__guard_leave), unused)) thrum__guard THRUM__GUARD_PASTE(          \
        thrum__guard_, __COUNTER__) = THRUM__GUARD_ENTER(x)

#endif

#endif
