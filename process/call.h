/* SPDX-License-Identifier: MIT */
/* A task on its way to a worker that is more than the bytes of its arguments: a function named by
 * its address, or with memory that both share. */
#ifndef THRUM_PROCESS_CALL_H
#define THRUM_PROCESS_CALL_H

#include "address.h"
#include "frame.h"

/* What the index of the frame is for a plain function. */
#define THRUM__CALL_FUNCTION UINT32_MAX

/* Something in shared memory: behind the start of a segment, which the worker is told by its
 * number. */
typedef struct thrum__errand_ref {
    uint64_t segment, offset;
    uint64_t where; /* in the arguments, where the pointer to it belongs; or one of these */
} thrum__errand_ref;

#define THRUM__CALL_ARGS UINT64_MAX         /* the arguments themselves: none are in the frame */
#define THRUM__CALL_RESULT (UINT64_MAX - 1) /* the result: none is sent back */

enum { THRUM__CALL_REFS = 10 }; /* most of one call */

typedef struct thrum__errand {
    thrum__address function; /* kind NONE: a typed task */
    uint64_t args_size, result_size;
    uint64_t n_refs;
    thrum__errand_ref refs[THRUM__CALL_REFS];
} thrum__errand;

/* Appends a frame with a call, and the arguments unless they are in shared memory. Returns false
 * without memory. */
bool thrum__errand_put(thrum__buffer *buffer, uint32_t index, uint64_t id,
                       const thrum__errand *call, const void *args);

/* Reads a call. `*args` are the bytes in the frame, NULL if they are in shared memory. Returns 0 or
 * -EPROTO: it is damaged, or a pointer belongs beyond the arguments. */
int thrum__errand_read(const thrum__frame_view *frame, thrum__errand *call, const uint8_t **args);

/* Appends a frame SETUP: the initializer (kind NONE: none) and its argument. Returns false without
 * memory. */
bool thrum__setup_put(thrum__buffer *buffer, const thrum__address *initializer, const void *arg,
                      size_t size);

/* Reads it. Returns 0 or -EPROTO. */
int thrum__setup_read(const thrum__frame_view *frame, thrum__address *initializer,
                      const uint8_t **arg, size_t *size);

/* Returns the reference for `where`, NULL if there is none. */
const thrum__errand_ref *thrum__errand_find(const thrum__errand *call, uint64_t where);

#endif
