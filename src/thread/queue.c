/* SPDX-License-Identifier: MIT */
#include <thrum/queue.h>

#include <errno.h>
#include <stdlib.h>

#include "base/panic.h"
#include "sync/wait.h"
#include "thread/queue_ring.h"

static inline int try_put(thrum_queue *queue, const void *item) {
    return THRUM__LIKELY(queue->fifo) ? thrum__ring_put(queue, item) : thrum__heap_put(queue, item);
}

static inline int try_get(thrum_queue *queue, void *item) {
    return THRUM__LIKELY(queue->fifo) ? thrum__ring_get(queue, item) : thrum__heap_get(queue, item);
}

static int attempt_put(thrum_queue *queue, void *item) { return try_put(queue, item); }

static int attempt_get(thrum_queue *queue, void *item) { return try_get(queue, item); }

static bool can_put(thrum_queue *queue) {
    return queue->fifo ? thrum__ring_can_put(queue) : thrum__heap_can_put(queue);
}

static bool can_get(thrum_queue *queue) {
    return queue->fifo ? thrum__ring_can_get(queue) : thrum__heap_can_get(queue);
}

static bool may_put(const thrum_queue *queue) {
    return queue->fifo ? thrum__ring_may_put(queue)
                       : thrum__load_relaxed(&queue->heap.count) < queue->maxsize;
}

static bool may_get(const thrum_queue *queue) {
    return queue->fifo ? thrum__ring_may_get(queue) : thrum__load_relaxed(&queue->heap.count) > 0;
}

const thrum__verb thrum__queue_putting = {
    attempt_put, can_put, may_put, offsetof(thrum_queue, putters), {"queue (put)", NULL}};
const thrum__verb thrum__queue_getting = {
    attempt_get, can_get, may_get, offsetof(thrum_queue, getters), {"queue (get)", NULL}};

void *thrum__queue_alloc(size_t size, void **memory) {
    *memory = calloc(1, size + THRUM__APART - 1);
    uintptr_t place = (uintptr_t)*memory + THRUM__APART - 1;
    return *memory ? (void *)(place - place % THRUM__APART) : NULL;
}

/* Returns what is wrong with the arguments of thrum_queue_new(), or NULL. */
static const char *mistake(size_t item_size, const thrum_queue_opts *opts) {
    if (item_size == 0)
        return "item_size is 0";
    if (item_size > PTRDIFF_MAX / 4 ||
        (opts->maxsize != 0 && opts->maxsize > SIZE_MAX / item_size))
        return "items of this size and number are more than memory can hold";
    if (opts->order != THRUM_FIFO && opts->order != THRUM_LIFO && opts->order != THRUM_PRIORITY)
        return "there is no such order";
    if ((opts->order == THRUM_PRIORITY) != (opts->compare != NULL))
        return opts->compare ? "compare is only for THRUM_PRIORITY"
                             : "THRUM_PRIORITY needs compare";
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++)
        if (opts->reserved[i])
            return "reserved fields must be zero";
    return NULL;
}

thrum_queue *thrum_queue_new(size_t item_size, const thrum_queue_opts *opts) {
    static const thrum_queue_opts defaults;
    void *memory;
    opts = opts ? opts : &defaults;
    const char *wrong = mistake(item_size, opts);
    if (wrong) {
        thrum__complain("thrum_queue_new: %s", wrong);
        errno = EINVAL;
        return NULL;
    }
    thrum_queue *queue = thrum__queue_alloc(sizeof *queue, &memory);
    if (!queue)
        return NULL;
    queue->memory = memory;
    queue->item_size = item_size;
    queue->maxsize = opts->maxsize ? opts->maxsize : SIZE_MAX;
    queue->fifo = opts->order == THRUM_FIFO;
    queue->heap.compare = opts->compare;
    if (queue->fifo && thrum__ring_init(queue) != 0) {
        free(memory);
        errno = ENOMEM;
        return NULL;
    }
    return queue;
}

void thrum_queue_free(thrum_queue *queue) {
    if (!queue)
        return;
    if (thrum__queue_awaited(queue))
        thrum__panic("thrum_queue_free(%p): somebody waits in it", (void *)queue);
    if (queue->fifo)
        thrum__ring_free(queue);
    else
        thrum__heap_free(queue);
    free(queue->memory);
}

int thrum_queue_put(thrum_queue *queue, const void *item) {
    int rc = try_put(queue, item);
    return THRUM__LIKELY(rc != -EAGAIN && rc != -EBUSY)
               ? rc
               : thrum__queue_wait(queue, &thrum__queue_putting, (void *)(uintptr_t)item, INT64_MAX,
                                   0);
}

int thrum_queue_try_put(thrum_queue *queue, const void *item) {
    int rc = try_put(queue, item);
    return THRUM__LIKELY(rc != -EBUSY)
               ? rc
               : thrum__queue_try(queue, &thrum__queue_putting, (void *)(uintptr_t)item);
}

int thrum_queue_put_until(thrum_queue *queue, const void *item, thrum_deadline deadline) {
    int rc = try_put(queue, item);
    return THRUM__LIKELY(rc != -EAGAIN && rc != -EBUSY)
               ? rc
               : thrum__queue_wait(queue, &thrum__queue_putting, (void *)(uintptr_t)item,
                                   deadline.ns, THRUM__PARK_INTERRUPTIBLE);
}

int thrum_queue_get(thrum_queue *queue, void *item) {
    int rc = try_get(queue, item);
    return THRUM__LIKELY(rc != -EAGAIN && rc != -EBUSY)
               ? rc
               : thrum__queue_wait(queue, &thrum__queue_getting, item, INT64_MAX, 0);
}

int thrum_queue_try_get(thrum_queue *queue, void *item) {
    int rc = try_get(queue, item);
    return THRUM__LIKELY(rc != -EBUSY) ? rc
                                       : thrum__queue_try(queue, &thrum__queue_getting, item);
}

int thrum_queue_get_until(thrum_queue *queue, void *item, thrum_deadline deadline) {
    int rc = try_get(queue, item);
    return THRUM__LIKELY(rc != -EAGAIN && rc != -EBUSY)
               ? rc
               : thrum__queue_wait(queue, &thrum__queue_getting, item, deadline.ns,
                                   THRUM__PARK_INTERRUPTIBLE);
}

int thrum_queue_task_done(thrum_queue *queue) {
    return queue->fifo ? thrum__ring_task_done(queue) : thrum__heap_task_done(queue);
}

int thrum_queue_join(thrum_queue *queue) { return thrum__queue_join(queue, INT64_MAX, 0); }

int thrum_queue_join_until(thrum_queue *queue, thrum_deadline deadline) {
    return thrum__queue_join(queue, deadline.ns, THRUM__PARK_INTERRUPTIBLE);
}

size_t thrum_queue_qsize(const thrum_queue *queue) {
    return queue->fifo ? thrum__ring_size(queue) : thrum__position(&queue->heap.count);
}

bool thrum_queue_empty(const thrum_queue *queue) { return thrum_queue_qsize(queue) == 0; }

bool thrum_queue_full(const thrum_queue *queue) {
    return thrum_queue_qsize(queue) == queue->maxsize;
}

void thrum_queue_shutdown(thrum_queue *queue, bool immediate) {
    if (queue->fifo)
        thrum__ring_shut(queue);
    else
        thrum__heap_shut(queue);
    while (immediate && thrum_queue_try_get(queue, NULL) == 0)
        (void)thrum_queue_task_done(queue);
    thrum__queue_wake_all(&queue->putters, &thrum__queue_putting);
    thrum__queue_wake_all(&queue->getters, &thrum__queue_getting);
}

static bool get_ready(void *queue) { return can_get(queue); }

static bool put_ready(void *queue) { return can_put(queue); }

static const void *getters(void *queue) { return &((thrum_queue *)queue)->getters; }

static const void *putters(void *queue) { return &((thrum_queue *)queue)->putters; }

static bool observe_get(void *queue) {
    thrum__side_mark(&((thrum_queue *)queue)->getters);
    return can_get(queue);
}

static bool observe_put(void *queue) {
    thrum__side_mark(&((thrum_queue *)queue)->putters);
    return can_put(queue);
}

static const thrum__waitable_ops get_ops = {get_ready, getters, observe_get, NULL,
                                            &thrum__queue_getting.kind, NULL};
static const thrum__waitable_ops put_ops = {put_ready, putters, observe_put, NULL,
                                            &thrum__queue_putting.kind, NULL};

thrum_waitable thrum_queue_get_waitable(thrum_queue *queue) {
    return (thrum_waitable){&get_ops, queue};
}

thrum_waitable thrum_queue_put_waitable(thrum_queue *queue) {
    return (thrum_waitable){&put_ops, queue};
}
