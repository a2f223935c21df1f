/* SPDX-License-Identifier: MIT */
/* A stream has a slot for each item that was taken and not read. Who reads takes the items and
 * submits them, each as a task: so queue, shutdown, fork and broken pools are those of tasks. */
#ifndef THRUM_EXEC_STREAM_H
#define THRUM_EXEC_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/stream.h>

#include "base/raw_lock.h"
#include "exec/hook.h"
#include "exec/remote.h"

/* A slot is free; held: an item, no task yet; outstanding: a task that was not read. */
typedef struct thrum__slot {
    thrum__named named; /* first: the task's argument begins with it */
    thrum_stream *stream;
    thrum_future *future; /* outstanding, else NULL; own */
    thrum__hook hook;     /* of an unordered stream */
    struct thrum__slot *after; /* in the list where it stands */
    uint64_t index;       /* of its item; read-only while outstanding */
    bool skipped;         /* its item was not started; by its task, or who reads its answer */
    char *item;           /* read-only, as result */
    char *result;         /* remote: in the answer, once that is read */
} __attribute__((aligned(16))) thrum__slot; /* item and result stand behind it */

struct thrum_stream {
    thrum_executor *pool; /* read-only, down to `slots` */
    int (*next)(void *arg, void *item);
    void *arg;
    int (*fn)(const void *item, void *result);
    size_t result_size;
    size_t n;
    size_t stride; /* bytes of a slot with its item and result */
    size_t item_size;
    thrum_stream_opts opts;
    bool remote; /* the pool has a backend */
    thrum__remote_block watch; /* remote, with stop_on_error */
    uint64_t *failed; /* `lowest`, or in the watch; only with stop_on_error:
                       * thrum__items_streamed() */
    char *slots;
    void *memory;
    /* The reader's: */
    thrum__slot *free;
    thrum__slot *held;   /* NULL none */
    size_t outstanding;
    size_t hand;         /* where it looks for something to help with */
    size_t patience;     /* results that a wait is for: stream_wait.c */
    unsigned helped;     /* items that it ran */
    unsigned helps_not;  /* waits in which it is not to run one */
    uint64_t taken;      /* items */
    uint64_t index;      /* of what was read last */
    thrum_future *read;  /* a failure that was read last, NULL none */
    int code; /* why no items are taken: END, or what is not reported yet; 0: they are */
    bool stopped;        /* nothing more is to be read */
    unsigned generation; /* of forks */
    /* Under lock if unordered, else the reader's: what is to be read. */
    thrum__raw_lock lock; /* inside a bucket lock */
    thrum__slot *first;
    thrum__slot **last;
    size_t awaited; /* the reader sleeps until so many more are there; 0: it does not */
    uint64_t lowest __attribute__((aligned(8)));
};

/* Returns one of the n slots. */
static inline thrum__slot *thrum__stream_slot(const thrum_stream *s, size_t i) {
    return (thrum__slot *)(void *)(s->slots + i * s->stride);
}

/* Puts `one` behind what is to be read; under lock if unordered. */
static inline void thrum__stream_append(thrum_stream *s, thrum__slot *one) {
    one->after = NULL;
    *s->last = one;
    s->last = &one->after;
}

/* Returns why no item may be submitted now, or 0. */
int thrum__stream_allowed(const thrum_stream *s);

/* Opens, and closes, what a stream on a pool with a backend has: nothing for others. Returns 0 or a
 * negative errno. */
int thrum__stream_open_remote(thrum_stream *s);
void thrum__stream_close_remote(thrum_stream *s);

/* Submits the item of a slot to the backend. */
int thrum__stream_submit_remote(thrum_stream *s, thrum__slot *one);

/* The task of a slot is done: takes its answer, if it has one. */
void thrum__stream_read_remote(thrum__slot *one);

/* Returns whether the current thread completes what the stream would wait for. */
bool thrum__stream_inside(const thrum_stream *s);

/* Takes items from the generator and submits them until the look-ahead is full. Returns 0, or why
 * it cannot go on although nothing is outstanding. */
int thrum__stream_refill(thrum_stream *s);

/* Waits until the first that is to be read is done, or in an unordered stream any is: 0, or why it
 * does not. Requires that something is outstanding. */
int thrum__stream_await(thrum_stream *s, int64_t deadline, bool interruptible);

/* In the child of a fork: the others are not here. What they had not done is cancelled, and nobody
 * says so: another thread may have been in the middle of that. */
void thrum__stream_settle(thrum_stream *s);

/* Of the hook of a slot's task in an unordered stream. */
extern const thrum__hook_ops thrum__stream_hook_ops;

#endif
