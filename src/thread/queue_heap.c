/* SPDX-License-Identifier: MIT */
/* LIFO and PRIORITY under a lock: a stack, and a binary heap whose equal items leave in the order
 * they came. The memory doubles and halves with what is held. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "thread/queue.h"

enum { LEAST = 16, SHRINK = 4 };

/* unfinished: bit 0 JOINED, somebody waits in join; from ONE on: the items that are not done */
enum { JOINED = 1, ONE = 2 };

static unsigned char *at(const thrum_queue *queue, size_t i) {
    return queue->heap.items + i * queue->item_size;
}

/* Gives the queue room for `capacity` items, at least as many as it holds. Under the lock. */
static bool resize(thrum_queue *queue, size_t capacity) {
    thrum__heap *heap = &queue->heap;
    size_t most = PTRDIFF_MAX / (queue->item_size + sizeof *heap->order);
    if (capacity > most)
        return false;
    unsigned char *items = malloc(capacity * queue->item_size);
    uint64_t *order = heap->compare ? malloc(capacity * sizeof *order) : NULL;
    if (!items || (heap->compare && !order)) {
        free(items);
        free(order);
        return false;
    }
    if (heap->count > 0) {
        memcpy(items, heap->items, heap->count * queue->item_size);
        if (order)
            memcpy(order, heap->order, heap->count * sizeof *order);
    }
    free(heap->items);
    free(heap->order);
    heap->items = items;
    heap->order = order;
    heap->capacity = capacity;
    return true;
}

static bool make_room(thrum_queue *queue) {
    size_t capacity = queue->heap.capacity;
    if (queue->heap.count < capacity)
        return true;
    size_t larger = capacity == 0 ? LEAST : capacity * 2;
    return resize(queue, larger < queue->maxsize ? larger : queue->maxsize);
}

static void give_back(thrum_queue *queue) {
    size_t capacity = queue->heap.capacity;
    if (capacity / 2 >= LEAST && queue->heap.count < capacity / SHRINK)
        (void)resize(queue, capacity / 2); /* without memory it stays as large */
}

/* Moves the place `i`, whose item is going to be replaced, towards the root while `item`, the last
 * that came, leaves before its parents. */
static size_t sift_up(thrum_queue *queue, size_t i, const void *item) {
    thrum__heap *heap = &queue->heap;
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (heap->compare(item, at(queue, parent)) >= 0)
            break;
        memcpy(at(queue, i), at(queue, parent), queue->item_size);
        heap->order[i] = heap->order[parent];
        i = parent;
    }
    return i;
}

static bool before(const thrum_queue *queue, size_t a, size_t b) {
    const thrum__heap *heap = &queue->heap;
    int c = heap->compare(at(queue, a), at(queue, b));
    return c != 0 ? c < 0 : heap->order[a] < heap->order[b];
}

/* Fills the root, whose item was taken, with the item at `last`, behind the others. */
static void sift_down(thrum_queue *queue, size_t last) {
    thrum__heap *heap = &queue->heap;
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < last; i = child) {
        child += child + 1 < last && before(queue, child + 1, child);
        if (!before(queue, child, last))
            break;
        memcpy(at(queue, i), at(queue, child), queue->item_size);
        heap->order[i] = heap->order[child];
    }
    if (i != last) {
        memcpy(at(queue, i), at(queue, last), queue->item_size);
        heap->order[i] = heap->order[last];
    }
}

/* Under the lock; returns 0, -EAGAIN, -ESHUTDOWN or -ENOMEM. */
static int insert(thrum_queue *queue, const void *item) {
    thrum__heap *heap = &queue->heap;
    size_t i = heap->count;
    if (heap->shut)
        return -ESHUTDOWN;
    if (i == queue->maxsize)
        return -EAGAIN;
    if (!make_room(queue))
        return -ENOMEM;
    if (heap->compare) {
        i = sift_up(queue, i, item);
        heap->order[i] = heap->puts++;
    }
    memcpy(at(queue, i), item, queue->item_size);
    thrum__add_relaxed(&heap->unfinished, ONE);
    thrum__position_set(&heap->count, heap->count + 1);
    return 0;
}

/* Under the lock; returns 0, -EAGAIN or -ESHUTDOWN. */
static int take(thrum_queue *queue, void *item) {
    thrum__heap *heap = &queue->heap;
    if (heap->count == 0)
        return heap->shut ? -ESHUTDOWN : -EAGAIN;
    size_t last = heap->count - 1;
    if (item)
        memcpy(item, at(queue, heap->compare ? 0 : last), queue->item_size);
    if (heap->compare)
        sift_down(queue, last);
    thrum__position_set(&heap->count, last);
    give_back(queue);
    return 0;
}

int thrum__heap_put(thrum_queue *queue, const void *item) {
    thrum__side *getters = &queue->getters;
    thrum_lock_acquire(&queue->heap.lock);
    int rc = insert(queue, item);
    bool owes = rc == 0 && thrum__side_owes(getters);
    thrum_lock_release(&queue->heap.lock); /* *queue may be gone from here */
    if (owes)
        thrum__queue_wake(getters, &thrum__queue_getting);
    return rc;
}

int thrum__heap_get(thrum_queue *queue, void *item) {
    thrum__side *putters = &queue->putters;
    thrum_lock_acquire(&queue->heap.lock);
    int rc = take(queue, item);
    bool owes = rc == 0 && thrum__side_owes(putters);
    thrum_lock_release(&queue->heap.lock);
    if (owes)
        thrum__queue_wake(putters, &thrum__queue_putting);
    return rc;
}

bool thrum__heap_can_put(thrum_queue *queue) {
    return thrum__load_relaxed(&queue->heap.shut) ||
           thrum__position(&queue->heap.count) < queue->maxsize;
}

bool thrum__heap_can_get(thrum_queue *queue) {
    return thrum__load_relaxed(&queue->heap.shut) || thrum__position(&queue->heap.count) > 0;
}

/* Relaxed: who is about to sleep looks under its bucket lock, which the wake of all takes after. */
void thrum__heap_shut(thrum_queue *queue) {
    thrum_lock_acquire(&queue->heap.lock);
    thrum__store_relaxed(&queue->heap.shut, 1);
    thrum_lock_release(&queue->heap.lock);
}

/* The exchange is the last touch of the queue. */
int thrum__heap_task_done(thrum_queue *queue) {
    const uint32_t *joiners = &queue->joiners;
    size_t old = thrum__load_relaxed(&queue->heap.unfinished), next;
    do {
        if (old < ONE)
            return -EINVAL;
        next = old - ONE < ONE ? 0 : old - ONE;
        /* acq_rel: pairs with thrum__heap_mark_joined() */
    } while (!thrum__cas_acq_rel(&queue->heap.unfinished, &old, next));
    if (next == 0 && (old & JOINED))
        thrum__queue_wake_joiners(joiners);
    return 0;
}

bool thrum__heap_mark_joined(thrum_queue *queue) {
    size_t *unfinished = &queue->heap.unfinished;
    /* acquire: pairs with thrum__heap_task_done() */
    size_t old = thrum__load_acquire(unfinished);
    while (old >= ONE && !thrum__cas_relaxed(unfinished, &old, old | JOINED))
        /* acquire: pairs with thrum__heap_task_done() */
        old = thrum__load_acquire(unfinished);
    return old >= ONE;
}

void thrum__heap_free(thrum_queue *queue) {
    free(queue->heap.items);
    free(queue->heap.order);
}
