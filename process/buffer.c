/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP = 1 << 18, LEAST = 1 << 12 };

uint8_t *thrum__buffer_room(thrum__buffer *buffer, size_t size) {
    size_t used = thrum__buffer_size(buffer), capacity;
    if (size <= buffer->capacity - buffer->end && buffer->data)
        return buffer->data + buffer->end;
    if (buffer->data && used + size <= buffer->capacity / 2) {
        memmove(buffer->data, buffer->data + buffer->begin, used);
        buffer->begin = 0;
        buffer->end = used;
        return buffer->data + used;
    }
    if (__builtin_add_overflow(used, size, &capacity) || capacity > PTRDIFF_MAX / 2)
        return NULL;
    capacity = capacity < LEAST / 2 ? LEAST : 2 * capacity;
    uint8_t *data = malloc(capacity);
    if (!data)
        return NULL;
    if (used)
        memcpy(data, buffer->data + buffer->begin, used);
    free(buffer->data);
    *buffer = (thrum__buffer){data, 0, used, capacity};
    return data + used;
}

bool thrum__buffer_put(thrum__buffer *buffer, const void *bytes, size_t size) {
    uint8_t *room = thrum__buffer_room(buffer, size);
    if (!room)
        return false;
    if (size)
        memcpy(room, bytes, size);
    thrum__buffer_grow(buffer, size);
    return true;
}

void thrum__buffer_take(thrum__buffer *buffer, size_t size) {
    buffer->begin += size;
    if (buffer->begin < buffer->end)
        return;
    buffer->begin = buffer->end = 0;
    if (buffer->capacity > KEEP)
        thrum__buffer_free(buffer);
}

void thrum__buffer_free(thrum__buffer *buffer) {
    free(buffer->data);
    *buffer = (thrum__buffer){0};
}
