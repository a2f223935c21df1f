/* SPDX-License-Identifier: MIT */
/* The ring of a FIFO queue, and the paths of a put and a get that meet nobody. */
#ifndef THRUM_THREAD_QUEUE_RING_H
#define THRUM_THREAD_QUEUE_RING_H

#include <errno.h>

#include "thread/queue.h"

/* turn, for lap L (a multiple of ring->lap) of the ring:
 *   L            free for the put of this lap          from the get of the lap before; 0 at first
 *   L | WRITTEN  holds the item of this lap            from its put
 * A slot belongs to who moved tail, or head, over it, until that one writes the turn. */
typedef struct thrum__slot {
    size_t turn;
    unsigned char item[];
} thrum__slot;

enum { THRUM__WRITTEN = 1 };

/* A position of a ring: head, tail and done.
 *   bits 2 ..         index, below capacity
 *   multiples of lap  the lap; wraps
 *   tail, bit 0       CLOSED: puts go on in the next ring     by who grows; final, never with SHUT
 *   tail, bit 1       SHUT: there will be no more puts        by shutdown; final, never with CLOSED
 *   done, bit 0       JOINED: somebody waits in join          by join; cleared by the task_done
 *                                                             that catches up with tail */
enum { THRUM__CLOSED = 1, THRUM__SHUT = 2, THRUM__JOINED = 1, THRUM__FLAGS = 3, THRUM__STEP = 4 };

struct thrum__ring {
    thrum__ring *next; /* NULL, then set once, before the tail is CLOSED */
    size_t capacity;   /* these: read-only */
    size_t lap;
    size_t slot_size;
    void *memory;
    size_t head __attribute__((aligned(THRUM__APART)));
    size_t tail __attribute__((aligned(THRUM__APART)));
    size_t done __attribute__((aligned(THRUM__APART)));
    unsigned char slots[] __attribute__((aligned(THRUM__APART)));
};

static inline size_t thrum__lap_of(const thrum__ring *ring, size_t position) {
    return position & ~(ring->lap - 1);
}

static inline size_t thrum__index_of(const thrum__ring *ring, size_t position) {
    return (position & (ring->lap - 1)) / THRUM__STEP;
}

/* Returns the position behind `position`, which has no flags. */
static inline size_t thrum__behind(const thrum__ring *ring, size_t position) {
    return THRUM__LIKELY(thrum__index_of(ring, position) + 1 < ring->capacity)
               ? position + THRUM__STEP
               : thrum__lap_of(ring, position) + ring->lap;
}

static inline thrum__slot *thrum__slot_at(thrum__ring *ring, size_t position) {
    return (thrum__slot *)(void *)(ring->slots + thrum__index_of(ring, position) * ring->slot_size);
}

static inline size_t thrum__slot_turn(const thrum__slot *slot) {
    /* acquire: pairs with thrum__slot_pass() */
    return thrum__load_acquire(&slot->turn);
}

/* Gives the slot to the other side. For a put it is the last touch of the queue. */
static inline void thrum__slot_pass(thrum__slot *slot, size_t turn) {
    /* release: pairs with thrum__slot_turn() */
    thrum__store_release(&slot->turn, turn);
}

/* Returns one of head_ring, tail_ring, done_ring, or the next of a ring. */
static inline thrum__ring *thrum__ring_load(thrum__ring *const *place) {
    /* acquire: pairs with thrum__ring_replace() */
    return thrum__load_acquire(place);
}

/* Changes such a pointer, once. */
static inline bool thrum__ring_replace(thrum__ring **place, thrum__ring *old, thrum__ring *ring) {
    /* release: pairs with thrum__ring_load() */
    return thrum__cas_release(place, &old, ring);
}

/* Puts `item` into the slot that the caller has moved the tail over. */
static inline void thrum__ring_fill(thrum_queue *queue, thrum__slot *slot, size_t lap,
                                    const void *item) {
    thrum__side *getters = &queue->getters;
    bool owes = thrum__side_owes(getters);
    thrum__item_copy(slot->item, item, queue->item_size);
    thrum__slot_pass(slot, lap | THRUM__WRITTEN); /* *queue may be gone from here */
    if (THRUM__UNLIKELY(owes))
        thrum__queue_wake(getters, &thrum__queue_getting);
}

/* Takes the item out of the slot that the caller has moved the head over. */
static inline void thrum__ring_drain(thrum_queue *queue, thrum__slot *slot, size_t next_lap,
                                     void *item) {
    thrum__side *putters = &queue->putters;
    bool owes = thrum__side_owes(putters);
    if (item)
        thrum__item_copy(item, slot->item, queue->item_size);
    thrum__slot_pass(slot, next_lap);
    if (THRUM__UNLIKELY(owes))
        thrum__queue_wake(putters, &thrum__queue_putting);
}

static inline int thrum__ring_put(thrum_queue *queue, const void *item) {
    thrum__ring *ring = thrum__ring_load(&queue->tail_ring);
    size_t tail = thrum__load_relaxed(&ring->tail);
    size_t lap = thrum__lap_of(ring, tail);
    thrum__slot *slot = thrum__slot_at(ring, tail);
    if (THRUM__UNLIKELY((tail & THRUM__FLAGS) != 0 || thrum__slot_turn(slot) != lap ||
                        thrum__ring_load(&queue->head_ring) != ring ||
                        !thrum__position_move(&ring->tail, tail, thrum__behind(ring, tail))))
        return thrum__ring_put_slow(queue, item);
    thrum__ring_fill(queue, slot, lap, item);
    return 0;
}

static inline int thrum__ring_get(thrum_queue *queue, void *item) {
    thrum__ring *ring = thrum__ring_load(&queue->head_ring);
    size_t head = thrum__load_relaxed(&ring->head);
    size_t lap = thrum__lap_of(ring, head);
    thrum__slot *slot = thrum__slot_at(ring, head);
    if (THRUM__UNLIKELY(thrum__slot_turn(slot) != (lap | THRUM__WRITTEN) ||
                        !thrum__position_move(&ring->head, head, thrum__behind(ring, head))))
        return thrum__ring_get_slow(queue, item);
    thrum__ring_drain(queue, slot, lap + ring->lap, item);
    return 0;
}

/* Return whether the slot that is next for a put, or a get, has come to its turn. Of what the other
 * side writes they read only that slot: looking again and again does not take its tail (head)
 * away. */
static inline bool thrum__ring_may_put(const thrum_queue *queue) {
    thrum__ring *ring = thrum__ring_load(&queue->tail_ring);
    size_t tail = thrum__load_relaxed(&ring->tail);
    return thrum__slot_turn(thrum__slot_at(ring, tail)) == thrum__lap_of(ring, tail);
}

static inline bool thrum__ring_may_get(const thrum_queue *queue) {
    thrum__ring *ring = thrum__ring_load(&queue->head_ring);
    size_t head = thrum__load_relaxed(&ring->head);
    return thrum__slot_turn(thrum__slot_at(ring, head)) != thrum__lap_of(ring, head);
}

#endif
