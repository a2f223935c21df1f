/* SPDX-License-Identifier: MIT */
/* Bytes from one process to another through memory that both map: one puts, one takes, and each may
 * sleep until the other has done so. Who dies in the middle leaves what it had put whole, and no
 * more: the bytes are there before the position that shows them. What the other side writes is read
 * once and not trusted.
 *
 * tail, by who puts:   bits 0-62 how many bytes were put, ever; bit 63 CLOSED, no more come
 * head, by who takes:  how many bytes were taken, ever
 * awaited, a futex:    1 who takes has seen nothing new, and wants to hear of it
 * full, a futex:       1 who puts has seen no room, and wants to hear of it
 *
 * Both are set by who wants to hear, and cleared by who tells it. */
#ifndef THRUM_PROCESS_RING_H
#define THRUM_PROCESS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THRUM__RING_SIZE = 1 << 16 };

#define THRUM__RING_CLOSED (UINT64_C(1) << 63)

typedef struct thrum__ring {
    uint64_t tail __attribute__((aligned(64)));
    uint64_t head __attribute__((aligned(64)));
    uint32_t awaited __attribute__((aligned(64)));
    uint32_t full __attribute__((aligned(64)));
    uint8_t bytes[THRUM__RING_SIZE] __attribute__((aligned(64)));
} thrum__ring;

/* One end: what this side knows by itself. */
typedef struct thrum__ring_end {
    thrum__ring *ring;
    uint64_t mine;   /* the position that this side moves */
    uint64_t theirs; /* the other one, as it was seen last */
} thrum__ring_end;

/* Puts as many of the n bytes as there is room for. Returns how many, -EPROTO: the head is none. */
int64_t thrum__ring_put(thrum__ring_end *end, const void *bytes, size_t n);

/* No more will be put. */
void thrum__ring_close(thrum__ring_end *end);

/* Takes at most n bytes. Returns how many, -ESHUTDOWN: none will come any more, -EPROTO: the tail
 * is none. */
int64_t thrum__ring_get(thrum__ring_end *end, void *bytes, size_t n);

/* Returns whether there is something to take, or the ring was closed. */
bool thrum__ring_ready(const thrum__ring_end *end);

/* Says that who takes wants to hear of more. Returns false, and it need not be told, if there is
 * some. */
bool thrum__ring_await(thrum__ring_end *end);

/* It looks by itself again. */
void thrum__ring_attend(thrum__ring_end *end);

/* Returns whether who takes is to be told of what was put before: once. */
bool thrum__ring_awaited(thrum__ring_end *end);

/* The same of the other direction: who puts wants to hear of room. */
bool thrum__ring_await_room(thrum__ring_end *end);
bool thrum__ring_room_awaited(thrum__ring_end *end);

#endif
