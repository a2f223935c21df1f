/* SPDX-License-Identifier: MIT */
/* Which shared memory a worker knows: its descriptors go through a socket of their own, before the
 * first call that needs them. */
#ifndef THRUM_PROCESS_SEGMENTS_H
#define THRUM_PROCESS_SEGMENTS_H

#include "call.h"

/* The pool's side, one for each worker. Zero, but for the socket, is one that has told nothing. */
typedef struct thrum__told {
    int socket; /* -1: none */
    uint64_t *numbers;
    size_t n, room;
    uint64_t closed; /* thrum__segments_closed() when it was looked at */
} thrum__told;

/* Makes the socket. Returns the worker's end, to be closed here when that has started, or a
 * negative errno. */
int thrum__told_open(thrum__told *told);
void thrum__told_close(thrum__told *told);

/* Tells the worker of the segments of a call. Returns 0, -EAGAIN: there is no room now, but when it
 * has done what it has; or another negative errno. */
int thrum__told_call(thrum__told *told, const thrum__errand *call);

/* Appends a frame FORGET for each that was closed. Without memory that is done later. */
void thrum__told_forget(thrum__told *told, thrum__buffer *out);

/* The worker's side. */
typedef struct thrum__known {
    int socket;
    struct thrum__known_segment *all;
    size_t n, room;
} thrum__known;

/* Returns where `size` bytes behind the start of a segment are, or NULL, and why not in `text`. */
void *thrum__known_at(thrum__known *known, const thrum__errand_ref *ref, size_t size, char *text,
                      size_t text_size);

void thrum__known_forget(thrum__known *known, uint64_t number);

#endif
