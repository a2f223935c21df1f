/* SPDX-License-Identifier: MIT */
#include <thrum/shared_semaphore.h>

#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "shared/accounts.h"
#include "shared/wait.h"

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

static int take(thrum_shared_semaphore *semaphore, bool look) {
    return semaphore->thrum__limit != 0 ? thrum__bounded_take(semaphore, look)
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
    int rc = take(semaphore, false);
    while (rc == -EBUSY) {
        uint32_t key = thrum__sleepers_prepare(&semaphore->thrum__sleepers);
        rc = take(semaphore, slept != 0);
        if (rc != -EBUSY)
            pass_on(semaphore);
        else if (slept < 0)
            return slept;
        else
            slept = thrum__shared_sleep(&semaphore->thrum__sleepers, key, wait);
    }
    return rc;
}

int thrum_shared_semaphore_acquire(thrum_shared_semaphore *semaphore) {
    thrum__shared_wait wait = {INT64_MAX, 0, false};
    return await(semaphore, &wait);
}

int thrum_shared_semaphore_try_acquire(thrum_shared_semaphore *semaphore) {
    return take(semaphore, true);
}

int thrum_shared_semaphore_acquire_until(thrum_shared_semaphore *semaphore,
                                         thrum_deadline deadline) {
    thrum__shared_wait wait = {deadline.ns, 0, true};
    return await(semaphore, &wait);
}

int thrum_shared_semaphore_release(thrum_shared_semaphore *semaphore, int n) {
    if (n <= 0)
        return -EINVAL;
    int rc = semaphore->thrum__limit != 0 ? thrum__bounded_give(semaphore, (uint32_t)n)
                                          : give_signals(semaphore, (uint32_t)n);
    if (rc == 0)
        thrum__sleepers_wake(&semaphore->thrum__sleepers, n);
    return rc;
}

int thrum_shared_semaphore_value(const thrum_shared_semaphore *semaphore) {
    return (int)thrum__load_relaxed(&semaphore->thrum__value);
}
