/* SPDX-License-Identifier: MIT */
/* Bytes on their way: appended at the end, taken at the start. Zero is an empty one. */
#ifndef THRUM_PROCESS_BUFFER_H
#define THRUM_PROCESS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct thrum__buffer {
    uint8_t *data;
    size_t begin, end, capacity; /* what is in it: data[begin .. end) */
} thrum__buffer;

/* Returns room for `size` bytes at the end, which count once thrum__buffer_grow() is called; NULL
 * without memory. */
uint8_t *thrum__buffer_room(thrum__buffer *buffer, size_t size);

static inline void thrum__buffer_grow(thrum__buffer *buffer, size_t size) { buffer->end += size; }

/* Appends `size` bytes. Returns false, nothing being appended, without memory. */
bool thrum__buffer_put(thrum__buffer *buffer, const void *bytes, size_t size);

/* Drops `size` bytes at the start; a large buffer that is empty then gives its memory back. */
void thrum__buffer_take(thrum__buffer *buffer, size_t size);

void thrum__buffer_free(thrum__buffer *buffer);

static inline size_t thrum__buffer_size(const thrum__buffer *buffer) {
    return buffer->end - buffer->begin;
}

#endif
