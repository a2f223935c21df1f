/* SPDX-License-Identifier: MIT */
/* Queues between threads: Python's queue.Queue, LifoQueue and PriorityQueue. Items are copied in
 * and out, by value, whatever their size:
 *
 *     thrum_queue *jobs = thrum_queue_new(sizeof(struct job), &(thrum_queue_opts){.maxsize = 100});
 *     rc = thrum_queue_put(jobs, &job);        blocks while the queue is full
 *     rc = thrum_queue_get(jobs, &job);        blocks while it is empty
 *     thrum_queue_shutdown(jobs, false);       consumers get what is left, then -ESHUTDOWN
 *
 * Any number of producers and consumers. What happened before a put is seen after the get of its
 * item, what happened before a task_done after the join that it ends. A put or get that has begun
 * to move its item is finished by its own thread; who needs exactly that place waits for it, in the
 * try_ verbs too.
 *
 * In the child of a fork() a queue holds its items and works, unless another thread was inside a
 * call on
 * it at that moment: then only thrum_queue_new() makes one that can be used. */
#ifndef THRUM_QUEUE_H
#define THRUM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <thrum/config.h>
#include <thrum/time.h>
#include <thrum/wait.h>

THRUM__BEGIN

/* A queue. Owned by who made it, until thrum_queue_free(). */
typedef struct thrum_queue thrum_queue;

/* The order in which items leave. THRUM_PRIORITY: the smallest by `compare` first, equal ones in
 * the order they came. */
typedef enum thrum_queue_order { THRUM_FIFO, THRUM_LIFO, THRUM_PRIORITY } thrum_queue_order;

/* Options of thrum_queue_new(); zero is the default of each. */
typedef struct thrum_queue_opts {
    size_t maxsize; /* how many items it holds at most, exactly; 0: no limit */
    thrum_queue_order order;
    /* As for qsort(): negative when `a` leaves first. Required by THRUM_PRIORITY, and refused
     * without. Called with the queue's lock held: must return, and must not
     * use the queue or be cancelled. */
    int (*compare)(const void *a, const void *b);
    void *reserved[4]; /* must be zero */
} thrum_queue_opts;

/* Makes a queue of items of `item_size` bytes each. Returns NULL with errno EINVAL (item_size 0, a
 * product that overflows, a bad option; named on stderr) or ENOMEM. Memory grows with the items
 * held, not with maxsize. Any thread. */
THRUM_API thrum_queue *thrum_queue_new(size_t item_size, const thrum_queue_opts *opts);

/* Puts a copy of `*item` in, and blocks while the queue is full. Returns 0, -ESHUTDOWN or -ENOMEM;
 * then the item is not in. Any thread. */
THRUM_API int thrum_queue_put(thrum_queue *queue, const void *item);

/* Puts a copy of `*item` in, if that is possible at once. Returns 0, -EAGAIN (full), -ESHUTDOWN or
 * -ENOMEM. Any thread. */
THRUM_API int thrum_queue_try_put(thrum_queue *queue, const void *item) THRUM_NODISCARD;

/* As thrum_queue_put(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread). */
THRUM_API int thrum_queue_put_until(thrum_queue *queue, const void *item,
                                    thrum_deadline deadline) THRUM_NODISCARD;

/* Takes the next item out into `*item` (NULL: drops it), and blocks while the queue is empty.
 * Returns 0 or -ESHUTDOWN (shut down, and empty). Any thread. */
THRUM_API int thrum_queue_get(thrum_queue *queue, void *item);

/* Takes the next item out, if there is one. Returns 0, -EAGAIN (it was empty at some moment of the
 * call) or -ESHUTDOWN. Any thread. */
THRUM_API int thrum_queue_try_get(thrum_queue *queue, void *item) THRUM_NODISCARD;

/* As thrum_queue_get(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread). */
THRUM_API int thrum_queue_get_until(thrum_queue *queue, void *item,
                                    thrum_deadline deadline) THRUM_NODISCARD;

/* Says that the work on an item that was got is done. Returns 0, or -EINVAL when called more often
 * than items were put in; then nothing has changed. Any thread. */
THRUM_API int thrum_queue_task_done(thrum_queue *queue);

/* Blocks until task_done was called for every item that was put in. Returns 0. Any thread. */
THRUM_API int thrum_queue_join(thrum_queue *queue);

/* As thrum_queue_join(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread). */
THRUM_API int thrum_queue_join_until(thrum_queue *queue, thrum_deadline deadline) THRUM_NODISCARD;

/* Return how many items are in, and whether that is none or maxsize, at this moment. Any thread. */
THRUM_API size_t thrum_queue_qsize(const thrum_queue *queue);
THRUM_API bool thrum_queue_empty(const thrum_queue *queue);
THRUM_API bool thrum_queue_full(const thrum_queue *queue);

/* Shuts the queue down: puts return -ESHUTDOWN, those that wait too; gets do so once the queue is
 * empty. With `immediate` the items in it are dropped, and count as done. May be called again. Any
 * thread. */
THRUM_API void thrum_queue_shutdown(thrum_queue *queue, bool immediate);

/* Return waitables that are ready when a get (a put) would not block; a queue that is shut down is
 * ready. Any thread. */
THRUM_API thrum_waitable thrum_queue_get_waitable(thrum_queue *queue);
THRUM_API thrum_waitable thrum_queue_put_waitable(thrum_queue *queue);

/* Frees the queue and the items in it. Does nothing for NULL. Nobody may be in another call, or it
 * ends the program with a line on stderr where that is seen (somebody waits). But who was told by
 * an item that the queue is no longer needed, or by a join, may free it at once: the put of that
 * item and that last task_done, which may not have returned yet, touch it no more. */
THRUM_API void thrum_queue_free(thrum_queue *queue);

THRUM__END

#endif
