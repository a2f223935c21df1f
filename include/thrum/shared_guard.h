/* SPDX-License-Identifier: MIT */
/* Blocks that hold what stands in shared memory, as those of guard.h hold a lock. They give the
 * code of the acquire a name, since it may be -EOWNERDEAD (a compiler warns when it is not looked
 * at):
 *
 *     thrum_with_shared(&c->lock, rc) {
 *         if (rc == -EOWNERDEAD)
 *             c->sum = count_again();
 *         c->sum += 1;
 *     }
 *
 * `break` and `continue` leave the block, not a loop round it; however it is left, it releases.
 * THRUM_GUARD_SHARED(&c->lock, rc); holds to the end of the enclosing scope. Takes a
 * thrum_shared_lock *, a thrum_shared_rlock * or a thrum_shared_semaphore * (of which it holds one
 * permit); anything else does not compile. C11 with GNU C. Do not jump into the scope of either
 * with goto. */
#ifndef THRUM_SHARED_GUARD_H
#define THRUM_SHARED_GUARD_H

#include <thrum/config.h>
#include <thrum/guard.h>
#include <thrum/shared_lock.h>
#include <thrum/shared_rlock.h>
#include <thrum/shared_semaphore.h>

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L

typedef struct thrum__shared_guard {
    void *object;
    void (*release)(void *);
    int code; /* of the acquire */
    int once;
} thrum__shared_guard;

static inline void thrum__shared_guard_release_lock(void *lock) {
    thrum_shared_lock_release((thrum_shared_lock *)lock);
}

static inline void thrum__shared_guard_release_rlock(void *rlock) {
    thrum_shared_rlock_release((thrum_shared_rlock *)rlock);
}

static inline void thrum__shared_guard_release_semaphore(void *semaphore) {
    thrum_shared_semaphore_release((thrum_shared_semaphore *)semaphore, 1);
}

static inline thrum__shared_guard thrum__shared_guard_lock(thrum_shared_lock *lock) {
    int code = thrum_shared_lock_acquire(lock);
    return (thrum__shared_guard){lock, thrum__shared_guard_release_lock, code, 1};
}

static inline thrum__shared_guard thrum__shared_guard_rlock(thrum_shared_rlock *rlock) {
    int code = thrum_shared_rlock_acquire(rlock);
    return (thrum__shared_guard){rlock, thrum__shared_guard_release_rlock, code, 1};
}

static inline thrum__shared_guard thrum__shared_guard_semaphore(thrum_shared_semaphore *semaphore) {
    int code = thrum_shared_semaphore_acquire(semaphore);
    return (thrum__shared_guard){semaphore, thrum__shared_guard_release_semaphore, code, 1};
}

static inline void thrum__shared_guard_leave(thrum__shared_guard *guard) {
    guard->release(guard->object);
}

#define THRUM__SHARED_GUARD_ENTER(x)                                                               \
    _Generic((x), thrum_shared_lock *: thrum__shared_guard_lock,                                   \
             thrum_shared_rlock *: thrum__shared_guard_rlock,                                      \
             thrum_shared_semaphore *: thrum__shared_guard_semaphore)(x)

/* Holds `x` (as above) while the statement or block that follows runs; there `rc` is an int with
 * what its acquire returned: 0 or -EOWNERDEAD. */
#define thrum_with_shared(x, rc)                                                                   \
    THRUM__WITH_SHARED(x, rc, THRUM__GUARD_PASTE(thrum__with_, __COUNTER__))
#define THRUM__WITH_SHARED(x, rc, guard)                                                           \
    for (thrum__shared_guard guard __attribute__((cleanup(thrum__shared_guard_leave))) =           \
             THRUM__SHARED_GUARD_ENTER(x);                                                         \
         guard.once; guard.once = 0)                                                               \
        for (int rc = guard.code; guard.once; guard.once = 0)

/* Holds `x` (as above) to the end of the enclosing scope, and declares `rc`. */
#define THRUM_GUARD_SHARED(x, rc)                                                                  \
    THRUM__GUARD_SHARED(x, rc, THRUM__GUARD_PASTE(thrum__guard_, __COUNTER__))
#define THRUM__GUARD_SHARED(x, rc, guard)                                                          \
    __attribute__((cleanup(thrum__shared_guard_leave))) thrum__shared_guard guard =                \
        THRUM__SHARED_GUARD_ENTER(x);                                                              \
    int rc = guard.code

#endif

#endif
