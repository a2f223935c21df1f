/* SPDX-License-Identifier: MIT */
/* SharedQueue: a bounded FIFO queue between processes, Python's multiprocessing.Queue. Queue and
 * room for its items stand in memory that they share (shared.h); items are plain bytes, copied in
 * and out:
 *
 *     struct line { thrum_shared_queue jobs; struct job room[100]; } *line = ...
 *     rc = thrum_shared_queue_init(&line->jobs, line->room, sizeof line->room[0], 100);
 *     rc = thrum_shared_queue_put(&line->jobs, &job);        blocks while the queue is full
 *     rc = thrum_shared_queue_get(&line->jobs, &job);        blocks while it is empty
 *     thrum_shared_queue_shutdown(&line->jobs, false);       gets still get what is left
 *
 * Any number of producers and consumers. An item is in the queue at once, and out of it at once: a
 * producer that is killed in a put has put its item or has not; a consumer that is killed in a get
 * has taken one or has not; nothing else is lost, and nobody waits for them longer than about 130
 * ms. What happened before a put is seen after the get of its item. A process that is stopped in
 * the middle of a put or get is waited for: by the _until verbs about 130 ms past their deadline at
 * most, by the try_ verbs too.
 *
 * It is Python's JoinableQueue too: thrum_shared_queue_task_done() after the work on each item, and
 * thrum_shared_queue_join() to wait until all that was put is done. The tasks that a process has
 * got and not done die with it: a join does not wait for them, and says so (-EOWNERDEAD). Of more
 * than 32 processes that have tasks at a time, the deaths of the last to come are not noticed. */
#ifndef THRUM_SHARED_QUEUE_H
#define THRUM_SHARED_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/shared.h>
#include <thrum/time.h>

THRUM__BEGIN

/* One side.
 *
 * at: bits 0-31   its position, modulo 2 * maxsize, so that full and empty differ
 *     bits 32-63  how many items it has moved, modulo 2^32. One store, under the guard, last */
typedef struct thrum__shared_side {
    uint64_t thrum__guard; /* held by who moves an item on this side */
    uint64_t thrum__at;
    uint32_t thrum__seen;  /* the other side's position, when last looked at; under the guard */
} __attribute__((aligned(64))) thrum__shared_side;

/* The fields are of nobody's program. A zeroed one is not made yet: its functions return
 * -EINVAL. */
typedef struct thrum_shared_queue {
    int64_t thrum__items;    /* bytes from here to the items; read-only, as the next two */
    uint64_t thrum__item_size;
    uint32_t thrum__maxsize; /* 0: not made */
    uint32_t thrum__closed;  /* 1 shut down, 2 immediately; under the guards */
    uint32_t thrum__getters; /* sleepers; bit 0: there may be some */
    uint32_t thrum__putters;
    uint32_t thrum__joiners;
    uint32_t thrum__lost;    /* tasks of the dead that no join has told of */
    thrum__shared_side thrum__put;
    thrum__shared_side thrum__get;
    uint32_t thrum__done;    /* tasks, modulo 2^32; under the guard of gets, as the next */
    uint32_t thrum__reserved;
    thrum__shared_accounts thrum__tasks; /* got and not done: by whom */
} __attribute__((aligned(64))) thrum_shared_queue;

/* Makes a queue of at most `maxsize` items of `item_size` bytes each, in `room` (that many bytes,
 * in the same shared memory as `queue`). Returns 0, or -EINVAL (item_size or maxsize is 0, maxsize
 * is above 2^30, or the product overflows). Nobody else may use it before this has returned. */
THRUM_API int thrum_shared_queue_init(thrum_shared_queue *queue, void *room, size_t item_size,
                                      size_t maxsize);

/* Puts a copy of `*item` in, and blocks while the queue is full. Returns 0, -ESHUTDOWN (the item is
 * not in) or -EINVAL. Any thread. */
THRUM_API int thrum_shared_queue_put(thrum_shared_queue *queue, const void *item);

/* Puts a copy of `*item` in, if there is room. Returns 0, -EAGAIN, -ESHUTDOWN or -EINVAL. Any
 * thread. */
THRUM_API int thrum_shared_queue_try_put(thrum_shared_queue *queue,
                                         const void *item) THRUM_NODISCARD;

/* As thrum_shared_queue_put(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread). */
THRUM_API int thrum_shared_queue_put_until(thrum_shared_queue *queue, const void *item,
                                           thrum_deadline deadline) THRUM_NODISCARD;

/* Takes the next item out into `*item` (NULL: drops it), and blocks while the queue is empty.
 * Returns 0, -ESHUTDOWN (shut down, and empty) or -EINVAL. Any thread. */
THRUM_API int thrum_shared_queue_get(thrum_shared_queue *queue, void *item);

/* Takes the next item out, if there is one. Returns 0, -EAGAIN, -ESHUTDOWN or -EINVAL. Any
 * thread. */
THRUM_API int thrum_shared_queue_try_get(thrum_shared_queue *queue, void *item) THRUM_NODISCARD;

/* As thrum_shared_queue_get(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread). */
THRUM_API int thrum_shared_queue_get_until(thrum_shared_queue *queue, void *item,
                                           thrum_deadline deadline) THRUM_NODISCARD;

/* Says that the work on an item that was got is done: by this process or, if it has got none, by
 * another. Returns 0, or -EINVAL when called more often than items were put in; then nothing has
 * changed. Any thread. */
THRUM_API int thrum_shared_queue_task_done(thrum_shared_queue *queue);

/* Blocks until task_done was called for every item that was put in, and that no process took with
 * it into death. Returns 0, -EOWNERDEAD (all is done but what such processes had got, since the
 * last join that said so) or -EINVAL. What happened before a task_done is seen after the join. Any
 * thread. */
THRUM_API int thrum_shared_queue_join(thrum_shared_queue *queue) THRUM_NODISCARD;

/* As thrum_shared_queue_join(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread). */
THRUM_API int thrum_shared_queue_join_until(thrum_shared_queue *queue,
                                            thrum_deadline deadline) THRUM_NODISCARD;

/* Return how many items are in, and whether that is none or maxsize, at this moment. Any thread. */
THRUM_API size_t thrum_shared_queue_qsize(const thrum_shared_queue *queue);
THRUM_API bool thrum_shared_queue_empty(const thrum_shared_queue *queue);
THRUM_API bool thrum_shared_queue_full(const thrum_shared_queue *queue);

/* Shuts the queue down: puts return -ESHUTDOWN, those that wait too; gets do so once the queue is
 * empty, or at once with `immediate`, which drops the items: they count as done. May be called
 * again. Any thread. */
THRUM_API void thrum_shared_queue_shutdown(thrum_shared_queue *queue, bool immediate);

THRUM__END

#endif
