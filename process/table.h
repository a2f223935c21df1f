/* SPDX-License-Identifier: MIT */
/* The typed tasks of a process, sorted by name, with a hash of each: what a worker and its pool
 * must agree on, so that a number says which task is meant. */
#ifndef THRUM_PROCESS_TABLE_H
#define THRUM_PROCESS_TABLE_H

#include <thrum/task.h>

#include "frame.h"

typedef struct thrum__table {
    const thrum_task_type **types;
    uint64_t *hashes; /* of name, types and sizes */
    uint32_t n;
    uint64_t hash; /* of these */
} thrum__table;

/* Makes the table of all tasks that there are now. Returns 0 or -ENOMEM. */
int thrum__table_make(thrum__table *table);
void thrum__table_free(thrum__table *table);

/* Makes the table of types[0 .. n), which it keeps. The same. */
int thrum__table_of(thrum__table *table, const thrum_task_type *const *types, uint32_t n);

/* Returns the number of `type`; -ENOENT: it is not in the table; -EEXIST: another has its name. */
int64_t thrum__table_index(const thrum__table *table, const thrum_task_type *type);

/* Appends a frame HELLO with the table. Returns false without memory. */
bool thrum__table_put(thrum__buffer *buffer, const thrum__table *table, uint64_t id);

/* Compares the table with that of a frame HELLO. Returns 0, or -EPROTO with a text: the frame is
 * damaged, or both hashes and the first name that differs. */
int thrum__table_compare(const thrum__table *table, const thrum__frame_view *hello, char *text,
                         size_t size);

#endif
