/* SPDX-License-Identifier: MIT */
/* The fast paths of lock, rlock, event, condition, semaphore and fork-join, compiled into the
 * caller. Each exists as a symbol of the library too; define THRUM_NO_INLINE to use those. What
 * stands here is ABI. Contracts: in the header of each concept. */
#include <thrum/config.h>

/* Each concept's header asks for its part here once its types are declared; included alone, this
 * header includes them all. */
#if !defined(THRUM__INLINE_LOCK) && !defined(THRUM__INLINE_RLOCK) &&                               \
    !defined(THRUM__INLINE_EVENT) && !defined(THRUM__INLINE_CONDITION) &&                          \
    !defined(THRUM__INLINE_SEMAPHORE) && !defined(THRUM__INLINE_FORK_JOIN)
#include <thrum/condition.h>
#include <thrum/event.h>
#include <thrum/fork_join.h>
#include <thrum/lock.h>
#include <thrum/rlock.h>
#include <thrum/semaphore.h>
#endif

#ifdef THRUM__SYMBOLS /* src/sync/symbols.c: these definitions become the library's symbols */
#define THRUM__INLINE THRUM_API
#define THRUM__INLINE_LOCAL static inline
#else
#define THRUM__INLINE_LOCAL THRUM__INLINE
#define THRUM__INLINE extern inline __attribute__((gnu_inline, always_inline))
#endif

#ifndef THRUM_INLINE_H
#define THRUM_INLINE_H

#define THRUM__WAITERS UINT32_C(0x80000000)

THRUM__BEGIN

/* The slow paths, one call away. */
THRUM_API uint32_t thrum__strand_id_slow(void);

#if !defined(THRUM_NO_INLINE) || defined(THRUM__SYMBOLS)

/* The id of the current strand, 0 on a thread that thrum has not met. Read anew each time: neither
 * the value nor its address may be kept across a stack switch, and compilers do keep the address of
 * a thread-local variable, which the volatile asm denies them. */
#if defined(__x86_64__) && defined(__LP64__) && !defined(THRUM__PORTABLE_ID)
THRUM__INLINE_LOCAL uint32_t thrum__strand_id(void) {
    uint32_t id;
    uintptr_t offset;
    __asm__ volatile("movq thrum__tls_id@gottpoff(%%rip), %1\n\tmovl %%fs:(%1), %0"
                     : "=r"(id), "=&r"(offset));
    return id;
}
#else
THRUM__INLINE_LOCAL uint32_t thrum__strand_id(void) { return thrum__strand_id_slow(); }
#endif

#endif

THRUM__END

#endif

#ifdef THRUM__INLINE_LOCK
#undef THRUM__INLINE_LOCK
THRUM__BEGIN

THRUM_API void thrum__lock_acquire_slow(thrum_lock *lock);
THRUM_API bool thrum__lock_try_acquire_slow(thrum_lock *lock);
THRUM_API int thrum__lock_acquire_until_slow(thrum_lock *lock, thrum_deadline deadline);
THRUM_API bool thrum__lock_tick(thrum_lock *lock);
THRUM_API void thrum__lock_release_slow(thrum_lock *lock, uint32_t old, const char *caller);

#if !defined(THRUM_NO_INLINE) || defined(THRUM__SYMBOLS)

THRUM__INLINE void thrum_lock_acquire(thrum_lock *lock) {
    uint32_t id = thrum__strand_id();
    uint32_t free_word = 0;
    /* acquire: pairs with thrum_lock_release(), thrum_lock_try_release() */
    if (THRUM__UNLIKELY(id == 0 ||
                        !__atomic_compare_exchange_n(&lock->thrum__word, &free_word, id, false,
                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
        thrum__lock_acquire_slow(lock);
}

THRUM__INLINE bool thrum_lock_try_acquire(thrum_lock *lock) {
    uint32_t id = thrum__strand_id();
    uint32_t free_word = 0;
    if (THRUM__UNLIKELY(id == 0))
        return thrum__lock_try_acquire_slow(lock);
    /* acquire: pairs with thrum_lock_release(), thrum_lock_try_release() */
    return __atomic_compare_exchange_n(&lock->thrum__word, &free_word, id, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

THRUM__INLINE int thrum_lock_acquire_until(thrum_lock *lock, thrum_deadline deadline) {
    uint32_t id = thrum__strand_id();
    uint32_t free_word = 0;
    /* acquire: pairs with thrum_lock_release(), thrum_lock_try_release() */
    if (THRUM__LIKELY(id != 0 &&
                      __atomic_compare_exchange_n(&lock->thrum__word, &free_word, id, false,
                                                  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
        return 0;
    return thrum__lock_acquire_until_slow(lock, deadline);
}

THRUM__INLINE void thrum_lock_release(thrum_lock *lock) {
    uint32_t budget = __atomic_load_n(&lock->thrum__budget, __ATOMIC_RELAXED);
    if (THRUM__UNLIKELY(budget != 0)) {
        __atomic_store_n(&lock->thrum__budget, budget - 1, __ATOMIC_RELAXED);
        if (THRUM__UNLIKELY(budget == 1) && thrum__lock_tick(lock))
            return; /* the lock was granted to the waiter that is on its way */
    }
    /* An exchange, not a store: only it learns of sleepers. */
    /* release: pairs with thrum_lock_acquire(), thrum_lock_try_acquire(),
     * thrum_lock_acquire_until(), thrum__lock_try_acquire_slow(), take(), wake_first() */
    uint32_t old = __atomic_exchange_n(&lock->thrum__word, 0, __ATOMIC_RELEASE);
    /* *lock may be gone from here */
    if (THRUM__UNLIKELY((int32_t)(old - 1) < 0)) /* free, or with the waiters bit */
        thrum__lock_release_slow(lock, old, "thrum_lock_release");
}

#endif

THRUM__END
#endif

#ifdef THRUM__INLINE_RLOCK
#undef THRUM__INLINE_RLOCK
THRUM__BEGIN

THRUM_API void thrum__rlock_overflow(const thrum_rlock *rlock);
THRUM_API void thrum__rlock_not_held(const thrum_rlock *rlock);

#if !defined(THRUM_NO_INLINE) || defined(THRUM__SYMBOLS)

THRUM__INLINE void thrum_rlock_acquire(thrum_rlock *rlock) {
    uint32_t id = thrum__strand_id();
    uint32_t word = __atomic_load_n(&rlock->thrum__lock.thrum__word, __ATOMIC_RELAXED);
    if (id != 0 && (word & ~THRUM__WAITERS) == id) {
        if (THRUM__UNLIKELY(++rlock->thrum__depth == 0))
            thrum__rlock_overflow(rlock);
        return;
    }
    thrum_lock_acquire(&rlock->thrum__lock);
}

THRUM__INLINE void thrum_rlock_release(thrum_rlock *rlock) {
    uint32_t word = __atomic_load_n(&rlock->thrum__lock.thrum__word, __ATOMIC_RELAXED);
    if (THRUM__UNLIKELY((word & ~THRUM__WAITERS) != thrum__strand_id() || word == 0))
        thrum__rlock_not_held(rlock);
    else if (rlock->thrum__depth != 0)
        rlock->thrum__depth -= 1;
    else
        thrum_lock_release(&rlock->thrum__lock);
}

#endif

THRUM__END
#endif

#ifdef THRUM__INLINE_EVENT
#undef THRUM__INLINE_EVENT
THRUM__BEGIN

THRUM_API void thrum__event_set_slow(thrum_event *event);
THRUM_API int thrum__event_wait_slow(thrum_event *event, thrum_deadline deadline,
                                     bool interruptible);

#if !defined(THRUM_NO_INLINE) || defined(THRUM__SYMBOLS)

THRUM__INLINE void thrum_event_set(thrum_event *event) {
    uint32_t word = 0;
    /* release: pairs with thrum_event_is_set(), thrum_event_wait(), thrum_event_wait_until(),
     * await() */
    if (__atomic_compare_exchange_n(&event->thrum__word, &word, 1, false, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED))
        return;
    /* Set already: write it again, so that what this thread did before is seen too. */
    /* release: pairs with thrum_event_is_set(), thrum_event_wait(), thrum_event_wait_until(),
     * await() */
    if (word == 1 && __atomic_compare_exchange_n(&event->thrum__word, &word, 1, false,
                                                 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        return;
    thrum__event_set_slow(event);
}

THRUM__INLINE void thrum_event_clear(thrum_event *event) {
    uint32_t word = 1;
    __atomic_compare_exchange_n(&event->thrum__word, &word, 0, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
}

THRUM__INLINE bool thrum_event_is_set(const thrum_event *event) {
    /* acquire: pairs with thrum_event_set(), thrum__event_set_slow() */
    return __atomic_load_n(&event->thrum__word, __ATOMIC_ACQUIRE) == 1;
}

THRUM__INLINE void thrum_event_wait(thrum_event *event) {
    /* acquire: pairs with thrum_event_set(), thrum__event_set_slow() */
    if (THRUM__UNLIKELY(__atomic_load_n(&event->thrum__word, __ATOMIC_ACQUIRE) != 1))
        (void)thrum__event_wait_slow(event, THRUM_NEVER, false);
}

THRUM__INLINE int thrum_event_wait_until(thrum_event *event, thrum_deadline deadline) {
    /* acquire: pairs with thrum_event_set(), thrum__event_set_slow() */
    if (__atomic_load_n(&event->thrum__word, __ATOMIC_ACQUIRE) == 1)
        return 0;
    return thrum__event_wait_slow(event, deadline, true);
}

#endif

THRUM__END
#endif

#ifdef THRUM__INLINE_CONDITION
#undef THRUM__INLINE_CONDITION
THRUM__BEGIN

THRUM_API void thrum__condition_notify_slow(thrum_condition *condition, int n);

#if !defined(THRUM_NO_INLINE) || defined(THRUM__SYMBOLS)

THRUM__INLINE int thrum_condition_notify(thrum_condition *condition, int n) {
    if (THRUM__UNLIKELY(n <= 0))
        return -22; /* -EINVAL, without <errno.h> */
    /* Relaxed: who waits has written it before freeing the lock that the caller holds. */
    if (THRUM__UNLIKELY(__atomic_load_n(&condition->thrum__waiters, __ATOMIC_RELAXED) != 0))
        thrum__condition_notify_slow(condition, n);
    return 0;
}

THRUM__INLINE void thrum_condition_notify_all(thrum_condition *condition) {
    /* Relaxed: as in thrum_condition_notify(). */
    if (THRUM__UNLIKELY(__atomic_load_n(&condition->thrum__waiters, __ATOMIC_RELAXED) != 0))
        thrum__condition_notify_slow(condition, INT32_MAX);
}

#endif

THRUM__END
#endif

#ifdef THRUM__INLINE_SEMAPHORE
#undef THRUM__INLINE_SEMAPHORE
THRUM__BEGIN

THRUM_API int thrum__semaphore_wait(thrum_semaphore *semaphore, thrum_deadline deadline,
                                    bool interruptible);
THRUM_API int thrum__semaphore_release_slow(thrum_semaphore *semaphore, int n);
THRUM_API int thrum__semaphore_released(thrum_semaphore *semaphore, int64_t old);

#if !defined(THRUM_NO_INLINE) || defined(THRUM__SYMBOLS)

THRUM__INLINE void thrum_semaphore_acquire(thrum_semaphore *semaphore) {
    /* acquire: pairs with thrum_semaphore_release(), thrum__semaphore_release_slow() */
    if (THRUM__UNLIKELY(__atomic_fetch_sub(&semaphore->thrum__word, 2, __ATOMIC_ACQUIRE) < 2))
        (void)thrum__semaphore_wait(semaphore, THRUM_NEVER, false);
}

THRUM__INLINE bool thrum_semaphore_try_acquire(thrum_semaphore *semaphore) {
    int64_t word = __atomic_load_n(&semaphore->thrum__word, __ATOMIC_RELAXED);
    while (word >= 2) {
        /* acquire: pairs with thrum_semaphore_release(), thrum__semaphore_release_slow() */
        if (__atomic_compare_exchange_n(&semaphore->thrum__word, &word, word - 2, true,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

THRUM__INLINE int thrum_semaphore_acquire_until(thrum_semaphore *semaphore,
                                                thrum_deadline deadline) {
    /* acquire: pairs with thrum_semaphore_release(), thrum__semaphore_release_slow() */
    if (THRUM__LIKELY(__atomic_fetch_sub(&semaphore->thrum__word, 2, __ATOMIC_ACQUIRE) >= 2))
        return 0;
    return thrum__semaphore_wait(semaphore, deadline, true);
}

THRUM__INLINE int thrum_semaphore_release(thrum_semaphore *semaphore, int n) {
    if (THRUM__UNLIKELY(n != 1 || semaphore->thrum__limit != 0))
        return thrum__semaphore_release_slow(semaphore, n);
    /* release: pairs with thrum_semaphore_acquire(), thrum_semaphore_try_acquire(),
     * thrum_semaphore_acquire_until(), ready(), enqueue() */
    int64_t old = __atomic_fetch_add(&semaphore->thrum__word, 2, __ATOMIC_RELEASE);
    /* *semaphore may be gone from here */
    if (THRUM__UNLIKELY(old < 0 || (old & 1) || old >= (int64_t)INT_MAX * 2))
        return thrum__semaphore_released(semaphore, old);
    return 0;
}

#endif

THRUM__END
#endif

#ifdef THRUM__INLINE_FORK_JOIN
#undef THRUM__INLINE_FORK_JOIN
THRUM__BEGIN

/* Returns the next frame, to be filled: nobody sees it before the owner's next slow spawn or
 * sync. */
THRUM_API thrum__call *thrum__call_push(thrum_worker *w);

/* Takes the last frame, which `run` has to be of, into `*frame`: true if it is to be run now, with
 * the arguments in its data; false if another did, whose result that is. Valid until the next spawn
 * or sync. */
THRUM_API bool thrum__call_pop(thrum_worker *w, void (*run)(thrum_worker *, thrum__call *),
                                thrum__call **frame);

#if !defined(THRUM_NO_INLINE) || defined(THRUM__SYMBOLS)

THRUM__INLINE thrum__call *thrum__call_push(thrum_worker *w) {
    thrum__call *frame = w->thrum__head;
    if (THRUM__UNLIKELY((uintptr_t)frame >= __atomic_load_n(&w->thrum__limit, __ATOMIC_RELAXED)))
        return thrum__spawn_slow(w);
    w->thrum__head = frame + 1;
    return frame;
}

THRUM__INLINE bool thrum__call_pop(thrum_worker *w, void (*run)(thrum_worker *, thrum__call *),
                                    thrum__call **frame) {
    thrum__call *last = w->thrum__head - 1;
    if (THRUM__UNLIKELY((uintptr_t)last < __atomic_load_n(&w->thrum__guard, __ATOMIC_RELAXED) ||
                        last->run != run))
        return thrum__sync_slow(w, run, frame);
    w->thrum__head = *frame = last;
    return true;
}

THRUM__INLINE void thrum_spawn(thrum_worker *w, void *(*fn)(thrum_worker *, void *), void *arg) {
    thrum__call *frame = thrum__call_push(w);
    thrum__call_args *args = (thrum__call_args *)(void *)&frame->data;
    frame->run = thrum__call_run;
    args->fn = fn;
    args->arg = arg;
}

THRUM__INLINE void *thrum_sync(thrum_worker *w) {
    thrum__call *frame;
    if (THRUM__UNLIKELY(!thrum__call_pop(w, thrum__call_run, &frame)))
        return frame->data.pointer;
    thrum__call_args *args = (thrum__call_args *)(void *)&frame->data;
    return args->fn(w, args->arg);
}

#endif

THRUM__END
#endif

#undef THRUM__INLINE
#undef THRUM__INLINE_LOCAL
