/* SPDX-License-Identifier: MIT */
/* A lock for the library's own use that may be held across a system call: strictly first come,
 * first served. Slower than thrum_lock under contention (a switch per hand-off). Zero is free. */
#ifndef THRUM_SYNC_FIFO_H
#define THRUM_SYNC_FIFO_H

#include <stdint.h>

/* word:
 *   0  free                   by release
 *   1  held                   by acquire, or by a release that hands over to the only waiter
 *   2  held, somebody waits   by a waiter, under the bucket lock */
typedef struct thrum__fifo {
    uint32_t word;
} thrum__fifo;

/* Blocks until `lock` is the current strand's. */
void thrum__fifo_acquire(thrum__fifo *lock);

/* Hands `lock`, which the caller holds, to who has waited longest, or frees it. */
void thrum__fifo_release(thrum__fifo *lock);

#endif
