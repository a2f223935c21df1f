/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdlib.h>
#include <thrum.h>

#define PEER_NAME "thrum"
#define PEER_RANK 0
#define PEER_IS_BASELINE false

static void lock_init(void *lock) { *(thrum_shared_lock *)lock = (thrum_shared_lock){0}; }
static void lock_acquire(void *lock) {
    if (thrum_shared_lock_acquire(lock) != 0)
        abort();
}
static void lock_release(void *lock) { thrum_shared_lock_release(lock); }

static void semaphore_init(void *semaphore) {
    *(thrum_shared_semaphore *)semaphore = (thrum_shared_semaphore)THRUM_SHARED_SEMAPHORE_INIT(1);
}
static void semaphore_acquire(void *semaphore) {
    if (thrum_shared_semaphore_acquire(semaphore) != 0)
        abort();
}
static void semaphore_release(void *semaphore) { thrum_shared_semaphore_release(semaphore, 1); }

static size_t queue_size(size_t capacity) {
    return sizeof(thrum_shared_queue) + capacity * BENCH_ITEM;
}
static void queue_init(void *queue, size_t capacity) {
    if (thrum_shared_queue_init(queue, (thrum_shared_queue *)queue + 1, BENCH_ITEM, capacity) != 0)
        abort();
}
static void queue_put(void *queue, const void *item) { thrum_shared_queue_put(queue, item); }
static bool queue_get(void *queue, void *item) { return thrum_shared_queue_get(queue, item) == 0; }
static void queue_close(void *queue) { thrum_shared_queue_shutdown(queue, false); }

#include "peer_shared.h"
