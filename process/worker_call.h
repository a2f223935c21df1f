/* SPDX-License-Identifier: MIT */
/* What a worker does with a call. */
#ifndef THRUM_PROCESS_WORKER_CALL_H
#define THRUM_PROCESS_WORKER_CALL_H

#include "segments.h"
#include "table.h"

typedef struct thrum__callee {
    const thrum__table *table;
    const char *name; /* of the worker */
    void (*begin)(void *arg, uint64_t id); /* called when a task begins */
    void *arg;
    thrum__buffer *out;
    thrum__known known;
    thrum__buffer args, result;
    thrum__buffer given; /* what the task `given_id` is called by its user */
    uint64_t given_id;
} thrum__callee;

/* Takes a frame NAME in. Returns 0, -EPROTO or -ENOMEM. */
int thrum__callee_name(thrum__callee *callee, const thrum__frame_view *frame);

/* Returns the name that the task `id` was given, NULL: none. */
const char *thrum__callee_given(const thrum__callee *callee, uint64_t id);

/* Runs a task that came in a frame CALL, and appends the answer. Returns 0, -EPROTO: it is no call;
 * or -ENOMEM. */
int thrum__callee_run(thrum__callee *callee, const thrum__frame_view *frame);

#endif
