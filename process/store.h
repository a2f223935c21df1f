/* SPDX-License-Identifier: MIT */
/* Shared memory for large arguments and results, used again and again: what is new has to be made
 * page by page, by each who touches it. One store for all pools of the process. */
#ifndef THRUM_PROCESS_STORE_H
#define THRUM_PROCESS_STORE_H

#include <stddef.h>

/* A pool that is made, and one that is freed: with the last one the store empties. */
void thrum__store_open(void);
void thrum__store_close(void);

/* Returns memory for `size` bytes, with whatever was in it, NULL if there is none, or so much is in
 * use that descriptors might run out. `*handle` is for thrum__store_give(). Any thread. */
void *thrum__store_take(size_t size, void **handle);

/* Gives it back; nobody must use it any more. Any thread; in the child of a fork too. */
void thrum__store_give(void *handle);

#endif
