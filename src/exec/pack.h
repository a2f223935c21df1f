/* SPDX-License-Identifier: MIT */
/* What is packed: for each thing its size, and its bytes at a multiple of 16. */
#ifndef THRUM_EXEC_PACK_H
#define THRUM_EXEC_PACK_H

#include <thrum/pack.h>

/* Returns how many bytes pack() adds for `args`, in `*size`; 0 or a negative errno. */
int thrum__pack_count(const thrum_task_type *type, const void *args, size_t *size);

/* Lets pack() write them to `to`. The same; -EINVAL: it has not added as many as before. */
int thrum__pack_write(const thrum_task_type *type, const void *args, void *to, size_t size);

/* Lets unpack() take from[0 .. size). The current task fails if it cannot. Returns whether it
 * could. */
bool thrum__pack_take(const thrum_task_type *type, void *args, void *from, size_t size);

static inline bool thrum__pack_has(const thrum_task_type *type) {
    return type->packing && type->packing->pack && type->packing->unpack;
}

/* Returns where packed bytes begin behind arguments that are so large. */
static inline size_t thrum__pack_offset(size_t args_size) { return (args_size + 15) / 16 * 16; }

#endif
