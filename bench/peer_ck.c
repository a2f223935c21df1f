/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's ring does not wait; here its user yields, and burns CPU. It holds one item less
 * than its size, a power of two. Compiled twice: for one thread on each side, and for many. With
 * four on each side of two CPUs the latter does not come to an end: a producer that is preempted
 * between taking its place and publishing it makes all others spin. */
#include <ck_ring.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#define PEER_QUEUE
typedef struct peer_queue {
    ck_ring_t ring;
    ck_ring_buffer_t *items;
} peer_queue;

static peer_queue *peer_queue_new(size_t capacity, int producers, int consumers) {
    peer_queue *q;
    unsigned size = capacity < 4 ? 4 : (unsigned)capacity;
    int most = producers > consumers ? producers : consumers;
    if (capacity == 0 || most > PEER_MOST || posix_memalign((void **)&q, 64, sizeof *q) != 0)
        return NULL;
    q->items = calloc(size, sizeof *q->items);
    if (!q->items)
        abort();
    ck_ring_init(&q->ring, size);
    return q;
}

static void peer_queue_free(peer_queue *q) {
    free(q->items);
    free(q);
}

static inline void peer_queue_put(peer_queue *q, void *item) {
    while (!PEER_ENQUEUE(&q->ring, q->items, item))
        sched_yield();
}

static inline void *peer_queue_get(peer_queue *q) {
    void *item;
    while (!PEER_DEQUEUE(&q->ring, q->items, &item))
        sched_yield();
    return item;
}

#include "peer.h"
