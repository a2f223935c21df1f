/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/atomic.h"
#include "shared/accounts.h"
#include "shared/wait.h"

enum { ACCOUNTS = THRUM_SHARED_SEMAPHORE_HOLDERS };

static void set_value(thrum_shared_semaphore *semaphore, uint32_t value) {
    thrum__store_relaxed(&semaphore->thrum__value, value);
}

/* A change of one account is the one step that counts; the value follows from the accounts. */
static void count_value(thrum_shared_semaphore *semaphore) {
    uint32_t held = semaphore->thrum__others;
    for (int i = 0; i < ACCOUNTS; i++)
        held += thrum__load_relaxed(&semaphore->thrum__held[i]);
    set_value(semaphore, semaphore->thrum__limit - 1 - held);
}

static void lock(thrum_shared_semaphore *semaphore) {
    if (thrum__guard_acquire(&semaphore->thrum__guard) == -EOWNERDEAD)
        count_value(semaphore);
}

static void unlock(thrum_shared_semaphore *semaphore) {
    thrum__word_release(&semaphore->thrum__guard);
}

/* Returns the account of `who`, or a closed one to be opened for it, or -1. */
static int find_account(const thrum_shared_semaphore *semaphore, thrum__who who) {
    int closed = -1;
    for (int i = 0; i < ACCOUNTS; i++) {
        if (semaphore->thrum__who[i] == who)
            return i;
        if (closed < 0 && thrum__load_relaxed(&semaphore->thrum__held[i]) == 0)
            closed = i;
    }
    return closed;
}

static void add_held(thrum_shared_semaphore *semaphore, int account, uint32_t n) {
    uint32_t *held = account < 0 ? &semaphore->thrum__others : &semaphore->thrum__held[account];
    thrum__store_relaxed(held, thrum__load_relaxed(held) + n);
}

static bool reclaim(thrum_shared_semaphore *semaphore) {
    bool found = false;
    for (int i = 0; i < ACCOUNTS; i++)
        if (thrum__load_relaxed(&semaphore->thrum__held[i]) != 0 &&
            thrum__who_is_dead(semaphore->thrum__who[i], false)) {
            thrum__store_relaxed(&semaphore->thrum__held[i], 0);
            found = true;
        }
    if (found)
        count_value(semaphore);
    return found;
}

int thrum__bounded_take(thrum_shared_semaphore *semaphore, bool look) {
    thrum__who who = thrum__who_process();
    int rc = -EBUSY;
    lock(semaphore);
    bool reclaimed = semaphore->thrum__value == 0 && look && reclaim(semaphore);
    if (semaphore->thrum__value > 0) {
        int account = find_account(semaphore, who);
        if (account >= 0)
            semaphore->thrum__who[account] = who;
        add_held(semaphore, account, 1);
        set_value(semaphore, semaphore->thrum__value - 1);
        rc = reclaimed ? -EOWNERDEAD : 0;
    }
    unlock(semaphore);
    return rc;
}

/* The account to take the next permit out of: the own one, the common one, any. */
static int source(const thrum_shared_semaphore *semaphore, thrum__who who) {
    int any = -1;
    for (int i = 0; i < ACCOUNTS; i++) {
        if (thrum__load_relaxed(&semaphore->thrum__held[i]) == 0)
            continue;
        if (semaphore->thrum__who[i] == who)
            return i;
        any = i;
    }
    return semaphore->thrum__others != 0 ? -1 : any;
}

int thrum__bounded_give(thrum_shared_semaphore *semaphore, uint32_t n) {
    thrum__who who = thrum__who_process();
    lock(semaphore);
    uint32_t held = semaphore->thrum__limit - 1 - semaphore->thrum__value;
    int rc = n > held ? -EOVERFLOW : 0;
    while (rc == 0 && n > 0) {
        int account = source(semaphore, who);
        uint32_t there = account < 0 ? semaphore->thrum__others : semaphore->thrum__held[account];
        uint32_t part = n < there ? n : there;
        add_held(semaphore, account, -part);
        set_value(semaphore, semaphore->thrum__value + part);
        n -= part;
    }
    unlock(semaphore);
    return rc;
}
