/* SPDX-License-Identifier: MIT */
#include <thrum/shared_queue.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "shared/accounts.h"
#include "shared/wait.h"

static const char PUT[] = "shared queue (put)", GET[] = "shared queue (get)",
                  JOIN[] = "shared queue (join)";
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

static uint64_t state_of(const thrum__shared_side *side) {
    /* seq_cst: pairs with move() */
    return thrum__load_seq_cst(&side->thrum__at);
}

static uint32_t position(const thrum__shared_side *side) { return (uint32_t)state_of(side); }

/* How many items the side has moved. */
static uint32_t moved(const thrum__shared_side *side) { return (uint32_t)(state_of(side) >> 32); }

/* The one step of a put or get that counts. */
static void move(const thrum_shared_queue *queue, thrum__shared_side *side) {
    uint64_t at = thrum__load_relaxed(&side->thrum__at);
    uint64_t n = (at >> 32) + 1;
    /* seq_cst: pairs with state_of() */
    thrum__store_seq_cst(&side->thrum__at, n << 32 | next(queue, (uint32_t)at));
}

static uint32_t closed(const thrum_shared_queue *queue) {
    /* seq_cst: pairs with thrum_shared_queue_shutdown() */
    return thrum__load_seq_cst(&queue->thrum__closed);
}

static uint32_t done(const thrum_shared_queue *queue) {
    /* seq_cst: pairs with set_done() */
    return thrum__load_seq_cst(&queue->thrum__done);
}

static void set_done(thrum_shared_queue *queue, uint32_t n) {
    /* seq_cst: pairs with done() */
    thrum__store_seq_cst(&queue->thrum__done, n);
}

/* How many tasks are not done. Those done are read first: they are never more than those put, so
 * that 0 was true at that moment. (Of items that were dropped some may have been done.) */
static uint32_t unfinished(const thrum_shared_queue *queue) {
    uint32_t n = done(queue);
    if (closed(queue) != SHUT_NOW)
        return moved(&queue->thrum__put) - n;
    int32_t left = (int32_t)(moved(&queue->thrum__get) - n);
    return left > 0 ? (uint32_t)left : 0;
}

/* Under the guard of gets: how many tasks were got and are not done; below 0: so many were done
 * that nobody has got yet. */
static int32_t in_hand(const thrum_shared_queue *queue) {
    return (int32_t)(moved(&queue->thrum__get) - done(queue));
}

static void wake_joiners(thrum_shared_queue *queue) {
    if (unfinished(queue) == 0)
        thrum__sleepers_wake(&queue->thrum__joiners, INT_MAX);
}

/* Under the guard of gets: what was got and is neither done nor in an account is of the dead. An
 * account is raised after the get, and lowered before the task is done, so that nothing is missed
 * whenever somebody dies; and never counted twice, since `done` is the one step that counts. */
static void settle(thrum_shared_queue *queue) {
    int32_t n = in_hand(queue);
    uint32_t lost = n > 0 ? (uint32_t)n - thrum__accounts_sum(&queue->thrum__tasks) : 0;
    if (lost == 0)
        return;
    /* release: pairs with join() */
    thrum__store_release(&queue->thrum__lost, 1);
    set_done(queue, done(queue) + lost);
    wake_joiners(queue);
}

/* Who died while it held the guard has moved its side's position, or has not. */
static int lock_put(thrum_shared_queue *queue, const thrum__shared_wait *wait) {
    int rc = thrum__guard_acquire(&queue->thrum__put.thrum__guard, wait);
    return rc == -EOWNERDEAD ? 0 : rc;
}

static int lock_get(thrum_shared_queue *queue, const thrum__shared_wait *wait) {
    int rc = thrum__guard_acquire(&queue->thrum__get.thrum__guard, wait);
    if (THRUM__LIKELY(rc != -EOWNERDEAD))
        return rc;
    settle(queue);
    return 0;
}

static void unlock(thrum__shared_side *side) { thrum__word_release(&side->thrum__guard); }

static int put_one(thrum_shared_queue *queue, const void *item, const thrum__shared_wait *wait) {
    thrum__shared_side *side = &queue->thrum__put;
    int rc = lock_put(queue, wait);
    if (rc != 0)
        return rc;
    uint32_t tail = (uint32_t)thrum__load_relaxed(&side->thrum__at);
    if (between(queue, side->thrum__seen, tail) == queue->thrum__maxsize)
        thrum__store_relaxed(&side->thrum__seen, position(&queue->thrum__get));
    if (closed(queue) != OPEN) {
        rc = -ESHUTDOWN;
    } else if (between(queue, side->thrum__seen, tail) == queue->thrum__maxsize) {
        rc = -EAGAIN;
    } else {
        memcpy(item_at(queue, tail), item, queue->thrum__item_size);
        move(queue, side);
    }
    unlock(side);
    if (rc == 0)
        thrum__sleepers_wake(&queue->thrum__getters, 1);
    return rc;
}

static int get_one(thrum_shared_queue *queue, void *item, const thrum__shared_wait *wait) {
    thrum__shared_side *side = &queue->thrum__get;
    int rc = lock_get(queue, wait);
    if (rc != 0)
        return rc;
    uint32_t shut = closed(queue); /* before the tail: who saw it open has put its item by now */
    uint32_t head = (uint32_t)thrum__load_relaxed(&side->thrum__at);
    if (side->thrum__seen == head)
        thrum__store_relaxed(&side->thrum__seen, position(&queue->thrum__put));
    if (shut == SHUT_NOW || side->thrum__seen == head) {
        rc = shut != OPEN ? -ESHUTDOWN : -EAGAIN;
    } else {
        if (item)
            memcpy(item, item_at(queue, head), queue->thrum__item_size);
        move(queue, side);
        if (in_hand(queue) > 0)
            thrum__accounts_add(&queue->thrum__tasks, thrum__who_process());
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
static int attempt(thrum_shared_queue *queue, const void *from, void *to,
                   const thrum__shared_wait *wait) {
    return from ? put_one(queue, from, wait) : get_one(queue, to, wait);
}

static int await(thrum_shared_queue *queue, const void *from, void *to, thrum__shared_wait *wait) {
    uint32_t *sleepers = from ? &queue->thrum__putters : &queue->thrum__getters;
    thrum__shared_side *other = from ? &queue->thrum__get : &queue->thrum__put;
    uint32_t key = 0; /* what it slept on, or will: odd */
    for (int slept = 0;;) {
        uint32_t at = (uint32_t)thrum__load_relaxed(&other->thrum__at);
        int rc = attempt(queue, from, to, wait);
        if (rc == 0 && key != 0)
            pass_on(queue, from != NULL);
        if (rc != -EAGAIN)
            return rc;
        if (slept < 0)
            return slept;
        slept = late(wait);
        if (slept == 0 && thrum__shared_spin(thrum__low_half(&other->thrum__at), at))
            continue;
        key = thrum__sleepers_prepare(sleepers);
        if (closed(queue) == OPEN && blocked(queue, from != NULL))
            slept = thrum__shared_sleep(sleepers, key, wait);
    }
}

int thrum_shared_queue_try_put(thrum_shared_queue *queue, const void *item) {
    return queue->thrum__maxsize == 0 ? -EINVAL : put_one(queue, item, NULL);
}

int thrum_shared_queue_try_get(thrum_shared_queue *queue, void *item) {
    return queue->thrum__maxsize == 0 ? -EINVAL : get_one(queue, item, NULL);
}

int thrum_shared_queue_put(thrum_shared_queue *queue, const void *item) {
    int rc = thrum_shared_queue_try_put(queue, item);
    if (THRUM__LIKELY(rc != -EAGAIN))
        return rc;
    thrum__shared_wait wait = thrum__shared_wait_for(PUT, queue);
    return await(queue, item, NULL, &wait);
}

int thrum_shared_queue_get(thrum_shared_queue *queue, void *item) {
    int rc = thrum_shared_queue_try_get(queue, item);
    if (THRUM__LIKELY(rc != -EAGAIN))
        return rc;
    thrum__shared_wait wait = thrum__shared_wait_for(GET, queue);
    return await(queue, NULL, item, &wait);
}

int thrum_shared_queue_put_until(thrum_shared_queue *queue, const void *item,
                                 thrum_deadline deadline) {
    thrum__shared_wait wait = thrum__shared_wait_until(PUT, queue, deadline);
    return queue->thrum__maxsize == 0 ? -EINVAL : await(queue, item, NULL, &wait);
}

int thrum_shared_queue_get_until(thrum_shared_queue *queue, void *item, thrum_deadline deadline) {
    thrum__shared_wait wait = thrum__shared_wait_until(GET, queue, deadline);
    return queue->thrum__maxsize == 0 ? -EINVAL : await(queue, NULL, item, &wait);
}

int thrum_shared_queue_task_done(thrum_shared_queue *queue) {
    if (queue->thrum__maxsize == 0)
        return -EINVAL;
    (void)lock_get(queue, NULL);
    int rc = unfinished(queue) == 0 ? -EINVAL : 0;
    if (rc == 0) {
        (void)thrum__accounts_take(&queue->thrum__tasks, thrum__who_process(), 1);
        set_done(queue, done(queue) + 1);
    }
    bool all = rc == 0 && unfinished(queue) == 0;
    unlock(&queue->thrum__get);
    if (all)
        thrum__sleepers_wake(&queue->thrum__joiners, INT_MAX);
    return rc;
}

/* Takes the tasks of the dead away. */
static int reclaim(thrum_shared_queue *queue, const thrum__shared_wait *wait) {
    int rc = lock_get(queue, wait);
    if (rc != 0)
        return rc;
    if (thrum__accounts_reclaim(&queue->thrum__tasks))
        settle(queue);
    unlock(&queue->thrum__get);
    return 0;
}

static int join(thrum_shared_queue *queue, thrum__shared_wait *wait) {
    if (queue->thrum__maxsize == 0)
        return -EINVAL;
    for (int slept = 0; unfinished(queue) != 0;) {
        if (slept < 0)
            return slept;
        uint32_t key = thrum__sleepers_prepare(&queue->thrum__joiners);
        if (unfinished(queue) == 0)
            break;
        slept = thrum__shared_sleep(&queue->thrum__joiners, key, wait);
        int rc = slept != 0 ? reclaim(queue, wait) : 0;
        slept = rc < 0 ? rc : slept;
    }
    /* acquire: pairs with settle() */
    return thrum__xchg_acquire(&queue->thrum__lost, 0) != 0 ? -EOWNERDEAD : 0;
}

int thrum_shared_queue_join(thrum_shared_queue *queue) {
    thrum__shared_wait wait = thrum__shared_wait_for(JOIN, queue);
    return join(queue, &wait);
}

int thrum_shared_queue_join_until(thrum_shared_queue *queue, thrum_deadline deadline) {
    thrum__shared_wait wait = thrum__shared_wait_until(JOIN, queue, deadline);
    return join(queue, &wait);
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

/* Both guards: no get takes an item that was dropped, and counted as done. */
void thrum_shared_queue_shutdown(thrum_shared_queue *queue, bool immediate) {
    (void)lock_put(queue, NULL);
    (void)lock_get(queue, NULL);
    if (immediate || closed(queue) == OPEN)
        /* seq_cst: pairs with closed() */
        thrum__store_seq_cst(&queue->thrum__closed, immediate ? SHUT_NOW : SHUT);
    unlock(&queue->thrum__get);
    unlock(&queue->thrum__put);
    thrum__sleepers_wake(&queue->thrum__getters, INT_MAX);
    thrum__sleepers_wake(&queue->thrum__putters, INT_MAX);
    wake_joiners(queue);
}
