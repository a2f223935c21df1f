/* SPDX-License-Identifier: MIT */
#include <blockingconcurrentqueue.h>
#include <cstddef>
#include <cstdlib>

#define PEER_NAME "moodycamel"
#define PEER_RANK 19

#define PEER_QUEUE
#define PEER_QUEUE_UNBOUNDED true
typedef moodycamel::BlockingConcurrentQueue<void *> peer_queue;
static peer_queue *peer_queue_new(std::size_t, int, int) { return new peer_queue; }
static void peer_queue_free(peer_queue *q) { delete q; }
static inline void peer_queue_put(peer_queue *q, void *item) {
    if (!q->enqueue(item))
        std::abort();
}
static inline void *peer_queue_get(peer_queue *q) {
    void *item;
    q->wait_dequeue(item);
    return item;
}

#include "peer.h"
