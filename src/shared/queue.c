/* SPDX-License-Identifier: MIT */
#include <thrum/shared_queue.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "shared/wait.h"

enum { OPEN = 0, SHUT = 1, SHUT_NOW = 2, MAXSIZE_MAX = 1 << 30 };

int thrum_shared_queue_init(thrum_shared_queue *queue, void *room, size_t item_size,
                            size_t maxsize) {
    if (item_size == 0 || maxsize == 0 || maxsize > MAXSIZE_MAX ||
        item_size > (size_t)PTRDIFF_MAX / maxsize)
        return -EINVAL;
    memset(queue, 0, sizeof *queue);
    queue->thrum__items = (char *)room - (char *)queue;
    queue->thrum__item_size = item_size;
    queue->thrum__maxsize = (uint32_t)maxsize;
    return 0;
}

static uint32_t next(const thrum_shared_queue *queue, uint32_t at) {
    return at + 1 < 2 * queue->thrum__maxsize ? at + 1 : 0;
}

/* Returns how many items stand between the positions. */
static uint32_t between(const thrum_shared_queue *queue, uint32_t head, uint32_t tail) {
    return tail >= head ? tail - head : tail + 2 * queue->thrum__maxsize - head;
}

static char *item_at(thrum_shared_queue *queue, uint32_t at) {
    uint32_t index = at < queue->thrum__maxsize ? at : at - queue->thrum__maxsize;
    return (char *)queue + queue->thrum__items + index * queue->thrum__item_size;
}

static uint32_t position(const thrum__shared_side *side) {
    /* seq_cst: pairs with move_to() */
    return thrum__load_seq_cst(&side->thrum__at);
}

/* The one step of a put or get that counts. */
static void move_to(thrum__shared_side *side, uint32_t at) {
    /* seq_cst: pairs with position() */
    thrum__store_seq_cst(&side->thrum__at, at);
}

static uint32_t closed(const thrum_shared_queue *queue) {
    /* seq_cst: pairs with thrum_shared_queue_shutdown() */
    return thrum__load_seq_cst(&queue->thrum__closed);
}

/* Who died while it held the guard has moved its side's position, or has not: nothing to repair. */
static void lock(thrum__shared_side *side) { (void)!thrum__guard_acquire(&side->thrum__guard); }

static void unlock(thrum__shared_side *side) { thrum__word_release(&side->thrum__guard); }

static int put_one(thrum_shared_queue *queue, const void *item) {
    thrum__shared_side *side = &queue->thrum__put;
    int rc = 0;
    lock(side);
    uint32_t tail = side->thrum__at;
    if (between(queue, side->thrum__seen, tail) == queue->thrum__maxsize)
        thrum__store_relaxed(&side->thrum__seen, position(&queue->thrum__get));
    if (closed(queue) != OPEN) {
        rc = -ESHUTDOWN;
    } else if (between(queue, side->thrum__seen, tail) == queue->thrum__maxsize) {
        rc = -EAGAIN;
    } else {
        memcpy(item_at(queue, tail), item, queue->thrum__item_size);
        move_to(side, next(queue, tail));
    }
    unlock(side);
    if (rc == 0)
        thrum__sleepers_wake(&queue->thrum__getters, 1);
    return rc;
}

static int get_one(thrum_shared_queue *queue, void *item) {
    thrum__shared_side *side = &queue->thrum__get;
    int rc = 0;
    uint32_t shut = closed(queue); /* before the tail: who saw it open has put its item by now */
    lock(side);
    uint32_t head = side->thrum__at;
    if (side->thrum__seen == head)
        thrum__store_relaxed(&side->thrum__seen, position(&queue->thrum__put));
    if (shut == SHUT_NOW || side->thrum__seen == head) {
        rc = shut != OPEN ? -ESHUTDOWN : -EAGAIN;
    } else {
        if (item)
            memcpy(item, item_at(queue, head), queue->thrum__item_size);
        move_to(side, next(queue, head));
    }
    unlock(side);
    if (rc == 0)
        thrum__sleepers_wake(&queue->thrum__putters, 1);
    return rc;
}

static bool blocked(const thrum_shared_queue *queue, bool putter) {
    return putter ? thrum_shared_queue_full(queue) : thrum_shared_queue_empty(queue);
}

static int late(const thrum__shared_wait *wait) {
    return wait->deadline != INT64_MAX && wait->deadline <= thrum__clock_now() ? -ETIMEDOUT : 0;
}

/* After a sleep: the wake may have been meant for several, who have to be seen again first. */
static void pass_on(thrum_shared_queue *queue, bool putter) {
    (void)thrum__sleepers_prepare(putter ? &queue->thrum__putters : &queue->thrum__getters);
    if (!blocked(queue, putter))
        thrum__sleepers_wake(putter ? &queue->thrum__putters : &queue->thrum__getters, 1);
}

/* One try: `from` is the item to put, else one is got into `to`. */
static int attempt(thrum_shared_queue *queue, const void *from, void *to) {
    return from ? put_one(queue, from) : get_one(queue, to);
}

static int await(thrum_shared_queue *queue, const void *from, void *to, thrum__shared_wait *wait) {
    uint32_t *sleepers = from ? &queue->thrum__putters : &queue->thrum__getters;
    const thrum__shared_side *other = from ? &queue->thrum__get : &queue->thrum__put;
    uint32_t key = 0; /* what it slept on, or will: odd */
    for (int slept = 0;;) {
        uint32_t at = thrum__load_relaxed(&other->thrum__at);
        int rc = attempt(queue, from, to);
        if (rc == 0 && key != 0)
            pass_on(queue, from != NULL);
        if (rc != -EAGAIN)
            return rc;
        if (slept < 0)
            return slept;
        slept = late(wait);
        if (slept == 0 && thrum__shared_spin(&other->thrum__at, at))
            continue;
        key = thrum__sleepers_prepare(sleepers);
        if (closed(queue) == OPEN && blocked(queue, from != NULL))
            slept = thrum__shared_sleep(sleepers, key, wait);
    }
}

int thrum_shared_queue_try_put(thrum_shared_queue *queue, const void *item) {
    return queue->thrum__maxsize == 0 ? -EINVAL : put_one(queue, item);
}

int thrum_shared_queue_try_get(thrum_shared_queue *queue, void *item) {
    return queue->thrum__maxsize == 0 ? -EINVAL : get_one(queue, item);
}

int thrum_shared_queue_put(thrum_shared_queue *queue, const void *item) {
    int rc = thrum_shared_queue_try_put(queue, item);
    return rc != -EAGAIN ? rc
                         : await(queue, item, NULL, &(thrum__shared_wait){INT64_MAX, 0, false});
}

int thrum_shared_queue_get(thrum_shared_queue *queue, void *item) {
    int rc = thrum_shared_queue_try_get(queue, item);
    return rc != -EAGAIN ? rc
                         : await(queue, NULL, item, &(thrum__shared_wait){INT64_MAX, 0, false});
}

int thrum_shared_queue_put_until(thrum_shared_queue *queue, const void *item,
                                 thrum_deadline deadline) {
    int rc = thrum_shared_queue_try_put(queue, item);
    return rc != -EAGAIN ? rc
                         : await(queue, item, NULL, &(thrum__shared_wait){deadline.ns, 0, true});
}

int thrum_shared_queue_get_until(thrum_shared_queue *queue, void *item, thrum_deadline deadline) {
    int rc = thrum_shared_queue_try_get(queue, item);
    return rc != -EAGAIN ? rc
                         : await(queue, NULL, item, &(thrum__shared_wait){deadline.ns, 0, true});
}

size_t thrum_shared_queue_qsize(const thrum_shared_queue *queue) {
    if (queue->thrum__maxsize == 0 || closed(queue) == SHUT_NOW)
        return 0;
    uint32_t head = position(&queue->thrum__get);
    uint32_t n = between(queue, head, position(&queue->thrum__put));
    return n < queue->thrum__maxsize ? n : queue->thrum__maxsize; /* it may have moved meanwhile */
}

bool thrum_shared_queue_empty(const thrum_shared_queue *queue) {
    return thrum_shared_queue_qsize(queue) == 0;
}

bool thrum_shared_queue_full(const thrum_shared_queue *queue) {
    return thrum_shared_queue_qsize(queue) == queue->thrum__maxsize;
}

void thrum_shared_queue_shutdown(thrum_shared_queue *queue, bool immediate) {
    lock(&queue->thrum__put);
    if (immediate || closed(queue) == OPEN)
        /* seq_cst: pairs with closed() */
        thrum__store_seq_cst(&queue->thrum__closed, immediate ? SHUT_NOW : SHUT);
    unlock(&queue->thrum__put);
    thrum__sleepers_wake(&queue->thrum__getters, INT_MAX);
    thrum__sleepers_wake(&queue->thrum__putters, INT_MAX);
}
