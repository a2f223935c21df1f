/* SPDX-License-Identifier: MIT */
/* Where the lines of stream and file handlers meet, to be written one batch after the other. Who
 * finds nobody at it owns the sink and writes; who comes meanwhile leaves his line to the owner
 * and waits: so the lines of many threads take few writes, and none returns before its line was
 * handed on. */
#ifndef THRUM_THREAD_LOG_SINK_H
#define THRUM_THREAD_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thrum/lock.h>

#include "base/raw_lock.h"

/* A file that is rotated. */
typedef struct thrum__log_rotation {
    char *path;      /* absolute; read-only. NULL: no file of the handler's own */
    size_t max_bytes; /* 0: never */
    int backup_count;
    size_t again_at; /* the size at which a rotation that failed is tried again */
    bool failed;     /* and that was said */
} thrum__log_rotation;

/* All but the head, what is read-only, and the stage belongs to the owner. Lines that are held
 * back are copied to the stage by their own threads, without the sink; the owner empties it.
 *
 * head: 0                nobody owns the sink        set by the owner that finds no work left
 *       1                owned                       set by who finds 0, and by the owner who takes
 *                                                    the list
 *       1 | address      owned, with a list of work  set by who adds to the list, newest first */
typedef struct thrum__log_sink {
    uintptr_t head;
    thrum_lock gate; /* of those who come when there are more threads than CPUs */
    int fd;
    int kind;        /* of thrum__log_file_kind(); read-only */
    bool hold;       /* lines are held back until the buffer is full; read-only */
    bool closed;     /* written under the stage lock */
    bool due;        /* a line must not be held back */
    bool torn;       /* the last line in the file lacks its end */
    int flush_level; /* read-only */
    char *memory;    /* twice `size` bytes; NULL: each line is a write of its own; read-only */
    size_t size;     /* read-only */
    thrum__raw_lock stage_lock;
    char *stage;      /* half of memory; under the stage lock */
    char *spare;      /* the other; of the owner */
    size_t used;      /* of stage; under the stage lock */
    size_t file_size; /* staged bytes included; SIZE_MAX: to be asked for; under the stage lock */
    thrum__log_rotation rotation;
    size_t *failed; /* counts lines; read-only */
} thrum__log_sink;

/* Gives the sink memory for `size` bytes of lines. Returns 0 or -ENOMEM. */
int thrum__log_sink_buffer(thrum__log_sink *sink, size_t size);

/* Writes data[0..n), a line of `level`; with `more` it may be held back until the next one, or a
 * flush. Returns 0, or -ESHUTDOWN if the sink was closed before. */
int thrum__log_sink_put(thrum__log_sink *sink, const char *data, size_t n, int level, bool more);

/* Writes what is held back. */
void thrum__log_sink_flush(thrum__log_sink *sink);

/* Flushes, and lets every later put fail. Closes the file, if it is the handler's own. */
void thrum__log_sink_close(thrum__log_sink *sink);

/* In the child of a fork: what is held back is the parent's to write. */
void thrum__log_sink_after_fork_child(thrum__log_sink *sink);

#endif
