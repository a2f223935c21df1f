/* SPDX-License-Identifier: MIT */
/* The accounts of a bounded semaphore. All functions take its guard themselves. */
#ifndef THRUM_SHARED_ACCOUNTS_H
#define THRUM_SHARED_ACCOUNTS_H

#include <stdbool.h>

#include <thrum/shared_semaphore.h>

/* Takes a permit for the calling process. With `look`, and no permit left, takes back those of the
 * dead first. Returns 0, -EOWNERDEAD or -EBUSY. */
int thrum__bounded_take(thrum_shared_semaphore *semaphore, bool look);

/* Gives `n` permits back, own ones first. Returns 0 or -EOVERFLOW. */
int thrum__bounded_give(thrum_shared_semaphore *semaphore, uint32_t n);

#endif
