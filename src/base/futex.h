/* SPDX-License-Identifier: MIT */
/* The one door to the kernel's wait: a thread sleeps while a word has a value. */
#ifndef THRUM_BASE_FUTEX_H
#define THRUM_BASE_FUTEX_H

#include <stdint.h>

/* Sleeps while *word == value, until woken, `deadline` (monotonic nanoseconds, INT64_MAX: never) or
 * a signal. Returns 0 (woken, spuriously too, or *word had changed), -ETIMEDOUT or -EINTR. */
int thrum__futex_wait(uint32_t *word, uint32_t value, int64_t deadline);

/* Wakes at most `n` sleepers. `word` is only an address: the memory may be gone. */
void thrum__futex_wake(uint32_t *word, int n);

/* The same for a word in memory that other processes share. */
int thrum__futex_wait_shared(uint32_t *word, uint32_t value, int64_t deadline);
void thrum__futex_wake_shared(uint32_t *word, int n);

#endif
