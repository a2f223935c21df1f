/* SPDX-License-Identifier: MIT */
#include <thrum/shared_condition.h>

#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/futex.h"
#include "base/panic.h"
#include "shared/wait.h"

#undef thrum_shared_condition_wait
#undef thrum_shared_condition_wait_until

static const char NOUN[] = "shared condition";

/* The lock of a wait: the word of a lock or an rlock, and how it is taken. */
typedef struct {
    uint64_t *word;
    thrum__who who;
    unsigned how;
} lock_of;

static void lock_free(const lock_of *lock, const thrum_shared_condition *condition) {
    if (THRUM__UNLIKELY(!thrum__word_release(lock->word)))
        thrum__panic("thrum_shared_condition_wait: the lock %p of condition %p is free",
                     (void *)lock->word, (const void *)condition);
}

static int lock_again(const lock_of *lock) {
    if (THRUM__LIKELY(thrum__word_take(lock->word, lock->who)))
        return 0;
    thrum__shared_wait wait = thrum__shared_wait_for(
        lock->how & THRUM__WORD_THREAD ? "shared rlock" : "shared lock", lock->word);
    return thrum__word_wait(lock->word, lock->who, lock->how, &wait);
}

/* Whether a wait of this number may end. Sure under the lock, a hint without. */
static bool may_end(const thrum_shared_condition *condition, uint32_t number) {
    return thrum__load_relaxed(&condition->thrum__tokens) != 0 &&
           (int32_t)(thrum__load_relaxed(&condition->thrum__limit) - number) > 0;
}

static uint32_t calls_of(const thrum_shared_condition *condition) {
    /* acquire: pairs with thrum_shared_condition_notify() */
    return thrum__load_acquire(&condition->thrum__calls);
}

static void set(uint32_t *field, uint32_t value) { thrum__store_relaxed(field, value); }

/* One step inside the wait: sleeps without the lock, and comes back with it. Returns 0, what the
 * sleep ended with, or -EOWNERDEAD. */
static int sleep_unlocked(thrum_shared_condition *condition, const lock_of *lock, uint32_t number,
                          thrum__shared_wait *wait) {
    int rc;
    uint32_t calls = calls_of(condition);
    lock_free(lock, condition);
    do {
        rc = thrum__shared_sleep(&condition->thrum__calls, calls, wait);
        calls = calls_of(condition);
    } while (rc >= 0 && !may_end(condition, number));
    return lock_again(lock) == 0 ? rc : -EOWNERDEAD;
}

static int await(thrum_shared_condition *condition, const lock_of *lock, thrum__shared_wait *wait) {
    uint32_t number = condition->thrum__came;
    int rc;
    set(&condition->thrum__waiting, condition->thrum__waiting + 1);
    set(&condition->thrum__came, number + 1);
    do
        rc = sleep_unlocked(condition, lock, number, wait);
    while (rc >= 0 && !may_end(condition, number));
    /* A token that is left by who dies here is taken by the next: never one too few. */
    if (may_end(condition, number)) {
        set(&condition->thrum__tokens, condition->thrum__tokens - 1);
        rc = rc == -EOWNERDEAD ? rc : 0;
    }
    set(&condition->thrum__waiting, condition->thrum__waiting - 1);
    return rc;
}

static int wait_lock(thrum_shared_condition *condition, thrum_shared_lock *lock,
                     thrum__shared_wait wait) {
    return await(condition, &(lock_of){&lock->thrum__word, thrum__who_process(), 0}, &wait);
}

static int wait_rlock(thrum_shared_condition *condition, thrum_shared_rlock *rlock,
                      thrum__shared_wait wait) {
    uint32_t depth = rlock->thrum__depth;
    lock_of lock = {&rlock->thrum__word, thrum__who_thread(), THRUM__WORD_THREAD};
    if ((thrum__load_relaxed(lock.word) & ~THRUM__WORD_WAITERS) != lock.who)
        thrum__panic("thrum_shared_condition_wait: the calling thread does not hold the rlock %p "
                     "of condition %p", (void *)rlock, (void *)condition);
    rlock->thrum__depth = 0;
    int rc = await(condition, &lock, &wait);
    rlock->thrum__depth = depth;
    return rc;
}

int thrum_shared_condition_wait(thrum_shared_condition *condition, thrum_shared_lock *lock) {
    return wait_lock(condition, lock, thrum__shared_wait_for(NOUN, condition));
}

int thrum_shared_condition_wait_until(thrum_shared_condition *condition, thrum_shared_lock *lock,
                                      thrum_deadline deadline) {
    return wait_lock(condition, lock, thrum__shared_wait_until(NOUN, condition, deadline));
}

int thrum_shared_condition_wait_rlock(thrum_shared_condition *condition,
                                      thrum_shared_rlock *rlock) {
    return wait_rlock(condition, rlock, thrum__shared_wait_for(NOUN, condition));
}

int thrum_shared_condition_wait_until_rlock(thrum_shared_condition *condition,
                                            thrum_shared_rlock *rlock, thrum_deadline deadline) {
    return wait_rlock(condition, rlock, thrum__shared_wait_until(NOUN, condition, deadline));
}

int thrum_shared_condition_notify(thrum_shared_condition *condition, int n) {
    if (n <= 0)
        return -EINVAL;
    uint32_t waiting = condition->thrum__waiting;
    uint32_t tokens = condition->thrum__tokens;
    uint32_t free = waiting > tokens ? waiting - tokens : 0;
    if (waiting == 0)
        return 0;
    set(&condition->thrum__limit, condition->thrum__came);
    set(&condition->thrum__tokens, tokens + (free < (uint32_t)n ? free : (uint32_t)n));
    /* release: pairs with calls_of() */
    thrum__store_release(&condition->thrum__calls, condition->thrum__calls + 1);
    thrum__futex_wake_shared(&condition->thrum__calls, n);
    return 0;
}

void thrum_shared_condition_notify_all(thrum_shared_condition *condition) {
    (void)thrum_shared_condition_notify(condition, INT_MAX);
}
