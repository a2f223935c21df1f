/* SPDX-License-Identifier: MIT */
/* FIFO: a chain of rings, of which all but the last are closed. A ring is linked behind a full one
 * when maxsize allows more, twice as large; drained ones stay until the queue is freed, for a late
 * strand may still look at them. */
#include "thread/queue_ring.h"

#include <stdlib.h>

#include "base/cpu.h"

enum { WHOLE_BYTES = 16384, FIRST_BYTES = 4096, FIRST_LEAST = 4 };

/* Returns the bytes of a slot, 0 if there is no such number. */
static size_t slot_size(size_t item_size) {
    size_t align = sizeof(size_t);
    size_t size = sizeof(thrum__slot) + item_size + align - 1;
    return item_size > PTRDIFF_MAX / 4 ? 0 : size / align * align;
}

/* Returns how many items the largest ring may have. */
static size_t most(const thrum_queue *queue) {
    size_t bytes = PTRDIFF_MAX - sizeof(thrum__ring) - THRUM__APART;
    return bytes / slot_size(queue->item_size) / THRUM__STEP;
}

static thrum__ring *ring_new(const thrum_queue *queue, size_t capacity) {
    void *memory;
    size_t size = slot_size(queue->item_size);
    if (capacity > most(queue))
        return NULL;
    thrum__ring *ring = thrum__queue_alloc(sizeof *ring + capacity * size, &memory);
    if (!ring)
        return NULL;
    ring->capacity = capacity;
    ring->slot_size = size;
    ring->memory = memory;
    ring->lap = THRUM__STEP;
    while (ring->lap < capacity * THRUM__STEP)
        ring->lap *= 2;
    return ring;
}

int thrum__ring_init(thrum_queue *queue) {
    size_t size = slot_size(queue->item_size);
    if (size == 0)
        return -EINVAL;
    size_t capacity = FIRST_BYTES / size;
    if (capacity < FIRST_LEAST)
        capacity = FIRST_LEAST;
    if (queue->maxsize < capacity || queue->maxsize <= WHOLE_BYTES / size)
        capacity = queue->maxsize;
    thrum__ring *ring = ring_new(queue, capacity);
    if (!ring)
        return -ENOMEM;
    queue->first_ring = queue->head_ring = queue->tail_ring = queue->done_ring = ring;
    return 0;
}

void thrum__ring_free(thrum_queue *queue) {
    for (thrum__ring *ring = queue->first_ring, *next; ring; ring = next) {
        next = ring->next;
        free(ring->memory);
    }
}

/* Moves one of the queue's pointers from `ring`, whose tail is CLOSED, to the next. */
static void move_on(thrum__ring **place, thrum__ring *ring) {
    thrum__ring_replace(place, ring, thrum__ring_load(&ring->next));
}

/* Returns how many items are between the two; 0 if `tail` is old and head is past it. */
static size_t between(const thrum__ring *ring, size_t head, size_t tail) {
    size_t laps = thrum__lap_of(ring, tail) - thrum__lap_of(ring, head);
    size_t n = thrum__index_of(ring, tail) - thrum__index_of(ring, head);
    n += laps == 0 ? 0 : ring->capacity;
    return n > ring->capacity ? 0 : n;
}

/* Returns how many items were in when the tail of the last ring was `tail`, less what was got
 * since. */
static size_t held(const thrum_queue *queue, const thrum__ring *last, size_t tail) {
    size_t n = 0;
    const thrum__ring *ring = thrum__ring_load(&queue->head_ring);
    for (; ring && ring != last; ring = thrum__ring_load(&ring->next)) {
        size_t head = thrum__position(&ring->head);
        n += between(ring, head, thrum__position(&ring->tail));
    }
    return n + between(last, thrum__position(&last->head), tail);
}

/* Returns whether the queue was full at a moment after its last ring's tail was read as `tail`. */
static bool full(const thrum_queue *queue, const thrum__ring *last, size_t tail) {
    return held(queue, last, tail) >= queue->maxsize && thrum__position(&last->tail) == tail;
}

/* Links a larger ring behind `ring` and closes it. Any number may do so at once. */
static int grow(thrum_queue *queue, thrum__ring *ring) {
    if (!thrum__ring_load(&ring->next)) {
        size_t capacity = ring->capacity * 2;
        thrum__ring *next =
            ring_new(queue, capacity < queue->maxsize ? capacity : queue->maxsize);
        if (next && !thrum__ring_replace(&ring->next, NULL, next))
            free(next->memory);
        if (!next && !thrum__ring_load(&ring->next))
            return -ENOMEM;
    }
    size_t tail;
    do {
        tail = thrum__position(&ring->tail);
    } while (!(tail & THRUM__FLAGS) &&
             !thrum__position_move(&ring->tail, tail, tail | THRUM__CLOSED));
    return 0;
}

int thrum__ring_put_slow(thrum_queue *queue, const void *item) {
    for (;;) {
        thrum__ring *ring = thrum__ring_load(&queue->tail_ring);
        size_t tail = thrum__position(&ring->tail);
        size_t lap = thrum__lap_of(ring, tail);
        thrum__slot *slot = thrum__slot_at(ring, tail);
        if (tail & THRUM__SHUT)
            return -ESHUTDOWN;
        if (tail & THRUM__CLOSED) {
            move_on(&queue->tail_ring, ring);
        } else if (thrum__slot_turn(slot) == lap) {
            if (thrum__ring_load(&queue->head_ring) != ring && full(queue, ring, tail))
                return -EAGAIN;
            if (thrum__position_move(&ring->tail, tail, thrum__behind(ring, tail))) {
                thrum__ring_fill(queue, slot, lap, item);
                return 0;
            }
            thrum__pause();
        } else if (thrum__position(&ring->head) + ring->lap == tail) {
            if (ring->capacity == queue->maxsize || full(queue, ring, tail))
                return -EAGAIN;
            int rc = grow(queue, ring);
            if (rc != 0)
                return rc;
        } else if (thrum__position(&ring->tail) == tail) {
            return -EBUSY; /* a get of the lap before is in the middle of it */
        }
    }
}

int thrum__ring_get_slow(thrum_queue *queue, void *item) {
    for (;;) {
        thrum__ring *ring = thrum__ring_load(&queue->head_ring);
        size_t head = thrum__position(&ring->head);
        size_t lap = thrum__lap_of(ring, head);
        thrum__slot *slot = thrum__slot_at(ring, head);
        if (thrum__slot_turn(slot) == (lap | THRUM__WRITTEN)) {
            if (thrum__position_move(&ring->head, head, thrum__behind(ring, head))) {
                thrum__ring_drain(queue, slot, lap + ring->lap, item);
                return 0;
            }
            thrum__pause();
            continue;
        }
        size_t tail = thrum__position(&ring->tail);
        if ((tail & ~(size_t)THRUM__FLAGS) != head) {
            if (thrum__position(&ring->head) == head)
                return -EBUSY; /* its put is in the middle of it */
        } else if (tail & THRUM__CLOSED) {
            move_on(&queue->head_ring, ring);
        } else {
            return tail & THRUM__SHUT ? -ESHUTDOWN : -EAGAIN;
        }
    }
}

bool thrum__ring_can_get(thrum_queue *queue) {
    for (;;) {
        thrum__ring *ring = thrum__ring_load(&queue->head_ring);
        size_t head = thrum__position(&ring->head);
        size_t tail = thrum__position(&ring->tail);
        if ((tail & ~(size_t)THRUM__FLAGS) != head)
            return true;
        if (!(tail & THRUM__CLOSED))
            return (tail & THRUM__SHUT) != 0;
        move_on(&queue->head_ring, ring);
    }
}

bool thrum__ring_can_put(thrum_queue *queue) {
    for (;;) {
        thrum__ring *ring = thrum__ring_load(&queue->tail_ring);
        size_t tail = thrum__position(&ring->tail);
        if (tail & THRUM__SHUT)
            return true;
        if (!(tail & THRUM__CLOSED))
            return !full(queue, ring, tail);
        move_on(&queue->tail_ring, ring);
    }
}

size_t thrum__ring_size(const thrum_queue *queue) {
    for (;;) {
        const thrum__ring *ring = thrum__ring_load(&queue->tail_ring);
        size_t tail = thrum__position(&ring->tail);
        while (tail & THRUM__CLOSED) {
            ring = thrum__ring_load(&ring->next);
            tail = thrum__position(&ring->tail);
        }
        size_t n = held(queue, ring, tail);
        if (thrum__position(&ring->tail) == tail)
            return n;
    }
}

void thrum__ring_shut(thrum_queue *queue) {
    for (;;) {
        thrum__ring *ring = thrum__ring_load(&queue->tail_ring);
        size_t tail = thrum__position(&ring->tail);
        if (tail & THRUM__CLOSED)
            move_on(&queue->tail_ring, ring);
        else if ((tail & THRUM__SHUT) ||
                 thrum__position_move(&ring->tail, tail, tail | THRUM__SHUT))
            return;
    }
}

/* Returns the ring of the oldest unfinished item and its done in *done, or NULL if there is
 * none. */
static thrum__ring *unfinished(thrum_queue *queue, size_t *done, size_t *tail) {
    for (;;) {
        thrum__ring *ring = thrum__ring_load(&queue->done_ring);
        /* acquire: pairs with thrum__ring_task_done() */
        *done = thrum__load_acquire(&ring->done);
        *tail = thrum__position(&ring->tail);
        if ((*done & ~(size_t)THRUM__JOINED) != (*tail & ~(size_t)THRUM__FLAGS))
            return ring;
        if (!(*tail & THRUM__CLOSED))
            return NULL;
        move_on(&queue->done_ring, ring);
    }
}

/* The exchange of done is the last touch of the queue. */
int thrum__ring_task_done(thrum_queue *queue) {
    const uint32_t *joiners = &queue->joiners;
    for (;;) {
        size_t done, tail;
        thrum__ring *ring = unfinished(queue, &done, &tail);
        if (!ring)
            return -EINVAL;
        size_t joined = done & THRUM__JOINED;
        size_t next = thrum__behind(ring, done - joined);
        bool last = next == (tail & ~(size_t)THRUM__FLAGS);
        /* acq_rel: pairs with unfinished() */
        if (thrum__cas_acq_rel(&ring->done, &done, last ? next : next | joined)) {
            if (last && joined)
                thrum__queue_wake_joiners(joiners);
            return 0;
        }
    }
}

bool thrum__ring_mark_joined(thrum_queue *queue) {
    for (;;) {
        size_t done, tail;
        thrum__ring *ring = unfinished(queue, &done, &tail);
        if (!ring)
            return false;
        if (thrum__cas_relaxed(&ring->done, &done, done | THRUM__JOINED))
            return true;
    }
}
