/* SPDX-License-Identifier: MIT */
/* What C++20's library adds to pthread's. */
#include <barrier>
#include <new>
#include <semaphore>

#define PEER_NAME "C++20"
#define PEER_RANK 17

#define PEER_SEMAPHORE
union peer_semaphore {
    peer_semaphore() {}
    ~peer_semaphore() {}
    std::counting_semaphore<> semaphore;
};
static inline void peer_semaphore_init(peer_semaphore *s) {
    new (&s->semaphore) std::counting_semaphore<>(0);
}
static inline void peer_down(peer_semaphore *s) { s->semaphore.acquire(); }
static inline void peer_up(peer_semaphore *s) { s->semaphore.release(); }

#define PEER_BARRIER
union peer_barrier {
    peer_barrier() {}
    ~peer_barrier() {}
    std::barrier<> barrier;
};
static inline void peer_barrier_init(peer_barrier *b) { new (&b->barrier) std::barrier<>(2); }
static inline void peer_meet(peer_barrier *b) { b->barrier.arrive_and_wait(); }

#include "peer.h"
