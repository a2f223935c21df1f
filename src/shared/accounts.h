/* SPDX-License-Identifier: MIT */
/* Who holds how much: the accounts of a bounded semaphore, and those of the tasks of a queue. The
 * caller holds the guard of the object they belong to. Each change is one store. */
#ifndef THRUM_SHARED_ACCOUNTS_H
#define THRUM_SHARED_ACCOUNTS_H

#include <stdbool.h>

#include <thrum/shared.h>

#include "shared/who.h"

/* Returns how much is held by all. */
uint32_t thrum__accounts_sum(const thrum__shared_accounts *accounts);

/* Adds 1 to what `who` holds. */
void thrum__accounts_add(thrum__shared_accounts *accounts, thrum__who who);

/* Takes up to `n` out of one account: that of `who` first, then what is held without one, then any.
 * Returns how much; 0 when nothing is held. */
uint32_t thrum__accounts_take(thrum__shared_accounts *accounts, thrum__who who, uint32_t n);

/* Closes the accounts of the dead. Returns whether there were any. System calls. */
bool thrum__accounts_reclaim(thrum__shared_accounts *accounts);

#endif
