/* SPDX-License-Identifier: MIT */
#include "shared/accounts.h"

#include "base/atomic.h"

enum { HOLDERS = THRUM__SHARED_HOLDERS, NONE = -1 };

static uint32_t held_by(const thrum__shared_accounts *accounts, int account) {
    return thrum__load_relaxed(account == NONE ? &accounts->thrum__others
                                               : &accounts->thrum__held[account]);
}

static void set_held(thrum__shared_accounts *accounts, int account, uint32_t n) {
    thrum__store_relaxed(account == NONE ? &accounts->thrum__others
                                         : &accounts->thrum__held[account], n);
}

uint32_t thrum__accounts_sum(const thrum__shared_accounts *accounts) {
    uint32_t sum = 0;
    for (int i = NONE; i < HOLDERS; i++)
        sum += held_by(accounts, i);
    return sum;
}

/* Returns the account of `who`, or a closed one, or NONE. */
static int find(const thrum__shared_accounts *accounts, thrum__who who) {
    int closed = NONE;
    for (int i = 0; i < HOLDERS; i++) {
        if (accounts->thrum__who[i] == who)
            return i;
        if (closed == NONE && held_by(accounts, i) == 0)
            closed = i;
    }
    return closed;
}

void thrum__accounts_add(thrum__shared_accounts *accounts, thrum__who who) {
    int account = find(accounts, who);
    if (account != NONE)
        accounts->thrum__who[account] = who;
    set_held(accounts, account, held_by(accounts, account) + 1);
}

/* The account to take out of; NONE if that is what is held without one, or nothing is held. */
static int source(const thrum__shared_accounts *accounts, thrum__who who) {
    int any = NONE;
    for (int i = 0; i < HOLDERS; i++) {
        if (held_by(accounts, i) == 0)
            continue;
        if (accounts->thrum__who[i] == who)
            return i;
        any = i;
    }
    return held_by(accounts, NONE) != 0 ? NONE : any;
}

uint32_t thrum__accounts_take(thrum__shared_accounts *accounts, thrum__who who, uint32_t n) {
    int account = source(accounts, who);
    uint32_t there = held_by(accounts, account);
    uint32_t part = n < there ? n : there;
    set_held(accounts, account, there - part);
    return part;
}

bool thrum__accounts_reclaim(thrum__shared_accounts *accounts) {
    bool found = false;
    for (int i = 0; i < HOLDERS; i++)
        if (held_by(accounts, i) != 0 && thrum__who_is_dead(accounts->thrum__who[i], false)) {
            set_held(accounts, i, 0);
            found = true;
        }
    return found;
}
