/* SPDX-License-Identifier: MIT */
#include <thrum/shared_semaphore.h>

#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "shared/accounts.h"
#include "shared/wait.h"

static const char NOUN[] = "shared semaphore";

/* Takes a permit of an unbounded one. Returns 0 or -EBUSY. */
static int take_signal(thrum_shared_semaphore *semaphore) {
    /* seq_cst: pairs with give_signals() */
    uint32_t value = thrum__load_seq_cst(&semaphore->thrum__value);
    while (value > 0)
        /* acquire: pairs with give_signals() */
        if (thrum__cas_acquire(&semaphore->thrum__value, &value, value - 1))
            return 0;
    return -EBUSY;
}

static int give_signals(thrum_shared_semaphore *semaphore, uint32_t n) {
    uint32_t value = thrum__load_relaxed(&semaphore->thrum__value);
    do
        if (n > INT_MAX - value)
            return -EOVERFLOW;
    /* seq_cst: pairs with take_signal() */
    while (!thrum__cas_seq_cst(&semaphore->thrum__value, &value, value + n));
    return 0;
}

static uint32_t value_of(const thrum_shared_semaphore *semaphore) {
    return thrum__load_relaxed(&semaphore->thrum__value);
}

static void set_value(thrum_shared_semaphore *semaphore, uint32_t value) {
    thrum__store_relaxed(&semaphore->thrum__value, value);
}

/* A change of one account is the one step that counts; the value follows from the accounts. */
static void count_value(thrum_shared_semaphore *semaphore) {
    set_value(semaphore, semaphore->thrum__limit - 1 -
                             thrum__accounts_sum(&semaphore->thrum__accounts));
}

static int lock(thrum_shared_semaphore *semaphore, const thrum__shared_wait *wait) {
    int rc = thrum__guard_acquire(&semaphore->thrum__guard, wait);
    if (THRUM__LIKELY(rc != -EOWNERDEAD))
        return rc;
    count_value(semaphore);
    return 0;
}

static void unlock(thrum_shared_semaphore *semaphore) {
    thrum__word_release(&semaphore->thrum__guard);
}

static bool reclaim(thrum_shared_semaphore *semaphore) {
    bool found = thrum__accounts_reclaim(&semaphore->thrum__accounts);
    if (found)
        count_value(semaphore);
    return found;
}

/* Takes a permit of a bounded one. With `look`, and no permit left, takes back those of the dead
 * first. Returns 0, -EOWNERDEAD, -EBUSY, or what the guard says. */
static __attribute__((noinline)) int take_permit(thrum_shared_semaphore *semaphore, bool look,
                                                 const thrum__shared_wait *wait) {
    int rc = lock(semaphore, wait);
    if (rc != 0)
        return rc;
    bool reclaimed = value_of(semaphore) == 0 && look && reclaim(semaphore);
    rc = -EBUSY;
    if (value_of(semaphore) > 0) {
        thrum__accounts_add(&semaphore->thrum__accounts, thrum__who_process());
        set_value(semaphore, value_of(semaphore) - 1);
        rc = reclaimed ? -EOWNERDEAD : 0;
    }
    unlock(semaphore);
    return rc;
}

static __attribute__((noinline)) int give_permits(thrum_shared_semaphore *semaphore, uint32_t n) {
    thrum__who who = thrum__who_process();
    (void)lock(semaphore, NULL);
    uint32_t held = semaphore->thrum__limit - 1 - value_of(semaphore);
    int rc = n > held ? -EOVERFLOW : 0;
    while (rc == 0 && n > 0) {
        uint32_t part = thrum__accounts_take(&semaphore->thrum__accounts, who, n);
        set_value(semaphore, value_of(semaphore) + part);
        n -= part;
    }
    unlock(semaphore);
    return rc;
}

static int take(thrum_shared_semaphore *semaphore, bool look, const thrum__shared_wait *wait) {
    return semaphore->thrum__limit != 0 ? take_permit(semaphore, look, wait)
                                        : take_signal(semaphore);
}

/* One wake may have been meant for several: passes on what is left. */
static void pass_on(thrum_shared_semaphore *semaphore) {
    int left = thrum_shared_semaphore_value(semaphore);
    if (left > 0)
        thrum__sleepers_wake(&semaphore->thrum__sleepers, left);
}

static int await(thrum_shared_semaphore *semaphore, thrum__shared_wait *wait) {
    int slept = 0;
    int rc = take(semaphore, false, wait);
    while (rc == -EBUSY) {
        uint32_t key = thrum__sleepers_prepare(&semaphore->thrum__sleepers);
        rc = take(semaphore, slept != 0, wait);
        if (rc == 0 || rc == -EOWNERDEAD)
            pass_on(semaphore);
        if (rc != -EBUSY)
            return rc;
        if (slept < 0)
            return slept;
        slept = thrum__shared_sleep(&semaphore->thrum__sleepers, key, wait);
    }
    return rc;
}

int thrum_shared_semaphore_acquire(thrum_shared_semaphore *semaphore) {
    if (THRUM__LIKELY(semaphore->thrum__limit == 0 && take_signal(semaphore) == 0))
        return 0;
    thrum__shared_wait wait = thrum__shared_wait_for(NOUN, semaphore);
    return await(semaphore, &wait);
}

int thrum_shared_semaphore_try_acquire(thrum_shared_semaphore *semaphore) {
    return take(semaphore, true, NULL);
}

int thrum_shared_semaphore_acquire_until(thrum_shared_semaphore *semaphore,
                                         thrum_deadline deadline) {
    thrum__shared_wait wait = thrum__shared_wait_until(NOUN, semaphore, deadline);
    return await(semaphore, &wait);
}

int thrum_shared_semaphore_release(thrum_shared_semaphore *semaphore, int n) {
    if (n <= 0)
        return -EINVAL;
    int rc = semaphore->thrum__limit != 0 ? give_permits(semaphore, (uint32_t)n)
                                          : give_signals(semaphore, (uint32_t)n);
    if (rc == 0)
        thrum__sleepers_wake(&semaphore->thrum__sleepers, n);
    return rc;
}

int thrum_shared_semaphore_value(const thrum_shared_semaphore *semaphore) {
    return (int)thrum__load_relaxed(&semaphore->thrum__value);
}
