/* SPDX-License-Identifier: MIT */
#include <cstddef>
#include <tbb/concurrent_queue.h>

#define PEER_NAME "TBB"
#define PEER_RANK 18

#define PEER_QUEUE
typedef tbb::concurrent_bounded_queue<void *> peer_queue;
static peer_queue *peer_queue_new(std::size_t capacity, int, int) {
    peer_queue *q = new peer_queue;
    if (capacity)
        q->set_capacity(static_cast<std::ptrdiff_t>(capacity));
    return q;
}
static void peer_queue_free(peer_queue *q) { delete q; }
static inline void peer_queue_put(peer_queue *q, void *item) { q->push(item); }
static inline void *peer_queue_get(peer_queue *q) {
    void *item;
    q->pop(item);
    return item;
}

#include "peer.h"
