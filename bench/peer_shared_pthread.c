/* SPDX-License-Identifier: MIT */
/* A robust mutex, a sem_t, and a ring with that mutex and two conditions: what a C program uses. */
#include "bench.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define PEER_NAME "pthread, robust"
#define PEER_RANK 3
#define PEER_IS_BASELINE true

static void lock_init(void *lock) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(lock, &attr);
}
static void lock_acquire(void *lock) {
    if (pthread_mutex_lock(lock) == EOWNERDEAD)
        pthread_mutex_consistent(lock);
}
static void lock_release(void *lock) { pthread_mutex_unlock(lock); }

static void semaphore_init(void *semaphore) { sem_init(semaphore, 1, 1); }
static void semaphore_acquire(void *semaphore) { sem_wait(semaphore); }
static void semaphore_release(void *semaphore) { sem_post(semaphore); }

struct ring {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    size_t size, first, used;
    bool closed;
    char items[][BENCH_ITEM];
};

static size_t queue_size(size_t capacity) { return sizeof(struct ring) + capacity * BENCH_ITEM; }

static void queue_init(void *queue, size_t capacity) {
    struct ring *q = queue;
    pthread_condattr_t attr;
    lock_init(&q->mutex);
    pthread_condattr_init(&attr);
    pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&q->not_empty, &attr);
    pthread_cond_init(&q->not_full, &attr);
    q->size = capacity;
}

static void queue_put(void *queue, const void *item) {
    struct ring *q = queue;
    lock_acquire(&q->mutex);
    while (q->used == q->size)
        pthread_cond_wait(&q->not_full, &q->mutex);
    memcpy(q->items[(q->first + q->used++) % q->size], item, BENCH_ITEM);
    pthread_cond_signal(&q->not_empty);
    lock_release(&q->mutex);
}

static bool queue_get(void *queue, void *item) {
    struct ring *q = queue;
    lock_acquire(&q->mutex);
    while (q->used == 0 && !q->closed)
        pthread_cond_wait(&q->not_empty, &q->mutex);
    bool got = q->used != 0;
    if (got) {
        memcpy(item, q->items[q->first], BENCH_ITEM);
        q->first = (q->first + 1) % q->size;
        q->used -= 1;
        pthread_cond_signal(&q->not_full);
    }
    lock_release(&q->mutex);
    return got;
}

static void queue_close(void *queue) {
    struct ring *q = queue;
    lock_acquire(&q->mutex);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    lock_release(&q->mutex);
}

#include "peer_shared.h"
