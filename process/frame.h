/* SPDX-License-Identifier: MIT */
/* What goes between a pool and its workers: frames of a head and bytes. Both ends are one program
 * on one machine, so numbers are as the machine has them. Nothing that is decoded is trusted: a
 * worker may have written over it. */
#ifndef THRUM_PROCESS_FRAME_H
#define THRUM_PROCESS_FRAME_H

#include <thrum/error.h>

#include "buffer.h"

/* How many bytes a frame may have after its head; a version of all that is below. */
#define THRUM__FRAME_MAX ((uint64_t)(PTRDIFF_MAX / 4))
#define THRUM__FRAME_VERSION UINT32_C(0x74680001)

typedef enum thrum__frame_kind {
    THRUM__FRAME_HELLO = 1, /* worker: its table of tasks; id: its process id */
    THRUM__FRAME_READY,     /* worker: its initializer is done */
    THRUM__FRAME_BROKEN,    /* worker: its initializer has failed: a failure */
    THRUM__FRAME_SETUP,     /* pool, first: the initializer and its argument: call.h */
    THRUM__FRAME_TASK,      /* pool: index of the type; id; the arguments */
    THRUM__FRAME_RESULT,    /* worker: id; the result */
    THRUM__FRAME_FAILURE,   /* worker: id; a failure */
    THRUM__FRAME_CALL,      /* pool: a task that is more than bytes: call.h */
    THRUM__FRAME_FORGET,    /* pool: id: the number of a segment that is not used any more */
    THRUM__FRAME_NAME,      /* pool: id; what its user calls the task of that id, which follows: a
                             * text */
    THRUM__FRAME_KINDS
} thrum__frame_kind;

typedef struct thrum__frame_head {
    uint32_t version;
    uint16_t kind, zero;
    uint32_t index, zero_too;
    uint64_t id;
    uint64_t size; /* of the bytes that follow */
} thrum__frame_head;

/* A frame that was found in a buffer, whose bytes these are. */
typedef struct thrum__frame_view {
    thrum__frame_kind kind;
    uint32_t index;
    uint64_t id;
    const uint8_t *bytes;
    size_t size;
} thrum__frame_view;

/* Finds the frame that data[0 .. n) begins with. Returns its size with the head, 0 if more must
 * come first, or -EPROTO: no frame begins so. With 0 `*frame` is what is known: without bytes; kind
 * 0 if even the head is not whole. */
int64_t thrum__frame_next(const uint8_t *data, size_t n, thrum__frame_view *frame);

/* Append a frame. Return false without memory; nothing is appended then. */
bool thrum__frame_put(thrum__buffer *buffer, thrum__frame_kind kind, uint32_t index, uint64_t id,
                      const void *bytes, size_t size);
bool thrum__frame_put_failure(thrum__buffer *buffer, thrum__frame_kind kind, uint64_t id,
                              const thrum_failure *failure);

/* Appends the head of a frame, and makes room for the `size` bytes that are to follow. The same. */
bool thrum__frame_put_head(thrum__buffer *buffer, thrum__frame_kind kind, uint32_t index,
                           uint64_t id, size_t size);

/* Reads a failure, whose texts are the frame's. Returns 0 or -EPROTO. */
int thrum__frame_failure(const thrum__frame_view *frame, thrum_failure *failure);

#endif
