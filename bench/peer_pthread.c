/* SPDX-License-Identifier: MIT */
/* The baseline: what a C program on Linux uses. */
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifndef PEER_NAME
#define PEER_NAME "pthread"
#endif
#define PEER_RANK 10
#define PEER_IS_BASELINE true

#define PEER_LOCK
typedef pthread_mutex_t peer_lock;
static inline void peer_lock_init(peer_lock *l) { pthread_mutex_init(l, NULL); }
static inline void peer_acquire(peer_lock *l) { pthread_mutex_lock(l); }
static inline void peer_release(peer_lock *l) { pthread_mutex_unlock(l); }

#define PEER_RLOCK
typedef pthread_mutex_t peer_rlock;
static inline void peer_rlock_init(peer_rlock *l) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(l, &attr);
    pthread_mutexattr_destroy(&attr);
}
static inline void peer_racquire(peer_rlock *l) { pthread_mutex_lock(l); }
static inline void peer_rrelease(peer_rlock *l) { pthread_mutex_unlock(l); }

#define PEER_CONDITION
typedef pthread_cond_t peer_condition;
static inline void peer_condition_init(peer_condition *c) { pthread_cond_init(c, NULL); }
static inline void peer_wait(peer_condition *c, peer_lock *l) { pthread_cond_wait(c, l); }
static inline void peer_notify(peer_condition *c) { pthread_cond_signal(c); }

#define PEER_THREAD
typedef pthread_t peer_thread;
static void *peer_nothing(void *arg) { return arg; }
static inline void peer_start(peer_thread *t) {
    if (pthread_create(t, NULL, peer_nothing, NULL) != 0)
        abort();
}
static inline void peer_join(peer_thread *t) { pthread_join(*t, NULL); }

#define PEER_SEMAPHORE
typedef sem_t peer_semaphore;
static inline void peer_semaphore_init(peer_semaphore *s) { sem_init(s, 0, 0); }
static inline void peer_down(peer_semaphore *s) { sem_wait(s); }
static inline void peer_up(peer_semaphore *s) { sem_post(s); }

#define PEER_BARRIER
typedef pthread_barrier_t peer_barrier;
static inline void peer_barrier_init(peer_barrier *b) { pthread_barrier_init(b, NULL, 2); }
static inline void peer_meet(peer_barrier *b) { pthread_barrier_wait(b); }

#define PEER_LOCAL
static pthread_key_t local_key;
__attribute__((constructor)) static void make_key(void) { pthread_key_create(&local_key, NULL); }
static inline void peer_local_set(void *value) { pthread_setspecific(local_key, value); }
static inline void *peer_local_get(void) { return pthread_getspecific(local_key); }

/* What a C program writes: a ring with a mutex and two conditions. */
#define PEER_QUEUE
typedef struct peer_queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty, not_full;
    void **ring;                /* this and what follows: under mutex */
    size_t size, limit;         /* of the ring; limit 0: it grows */
    size_t first, used;
} peer_queue;

static peer_queue *peer_queue_new(size_t capacity, int producers, int consumers) {
    peer_queue *q = calloc(1, sizeof *q);
    (void)producers, (void)consumers;
    if (!q)
        abort();
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->not_empty, NULL);
    pthread_cond_init(&q->not_full, NULL);
    q->limit = capacity;
    q->size = capacity ? capacity : 64;
    q->ring = malloc(q->size * sizeof *q->ring);
    if (!q->ring)
        abort();
    return q;
}

static void peer_queue_free(peer_queue *q) {
    free(q->ring);
    free(q);
}

static void ring_grow(peer_queue *q) {
    void **ring = malloc(2 * q->size * sizeof *ring);
    if (!ring)
        abort();
    memcpy(ring, q->ring + q->first, (q->size - q->first) * sizeof *ring);
    memcpy(ring + q->size - q->first, q->ring, q->first * sizeof *ring);
    free(q->ring);
    q->ring = ring;
    q->first = 0;
    q->size *= 2;
}

static inline void peer_queue_put(peer_queue *q, void *item) {
    pthread_mutex_lock(&q->mutex);
    while (q->used == q->size && q->limit)
        pthread_cond_wait(&q->not_full, &q->mutex);
    if (q->used == q->size)
        ring_grow(q);
    size_t last = q->first + q->used++;
    q->ring[last < q->size ? last : last - q->size] = item;
    pthread_cond_signal(&q->not_empty);
    pthread_mutex_unlock(&q->mutex);
}

static inline void *peer_queue_get(peer_queue *q) {
    pthread_mutex_lock(&q->mutex);
    while (q->used == 0)
        pthread_cond_wait(&q->not_empty, &q->mutex);
    void *item = q->ring[q->first];
    q->first = q->first + 1 < q->size ? q->first + 1 : 0;
    q->used -= 1;
    pthread_cond_signal(&q->not_full);
    pthread_mutex_unlock(&q->mutex);
    return item;
}

#include "peer.h"
