/* SPDX-License-Identifier: MIT */
/* The mappings of thrum_shared in this process, by address and by number: so that a pointer can be
 * said in words that another process understands. */
#ifndef THRUM_SHARED_SEGMENT_H
#define THRUM_SHARED_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds the mapping in which all of at[0 .. size) lies. Returns its number, which no other will
 * have in this process; 0: none. `*offset` counts from thrum_shared_memory(). Any thread. */
uint64_t thrum__segment_find(const void *at, size_t size, uint64_t *offset);

/* Returns a descriptor of the mapping with that number, closed on exec() and the caller's, or a
 * negative errno; -ENOENT: it was closed. Any thread. */
int thrum__segment_descriptor(uint64_t number);

/* Returns whether there is still a mapping with that number. Any thread. */
bool thrum__segment_exists(uint64_t number);

/* Returns how many mappings were closed so far. Any thread. */
uint64_t thrum__segments_closed(void);

#endif
