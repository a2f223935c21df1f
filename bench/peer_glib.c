/* SPDX-License-Identifier: MIT */
#include <glib.h>

#define PEER_NAME "GLib"
#define PEER_RANK 13

#define PEER_LOCK
typedef GMutex peer_lock;
static inline void peer_lock_init(peer_lock *l) { g_mutex_init(l); }
static inline void peer_acquire(peer_lock *l) { g_mutex_lock(l); }
static inline void peer_release(peer_lock *l) { g_mutex_unlock(l); }

#define PEER_RLOCK
typedef GRecMutex peer_rlock;
static inline void peer_rlock_init(peer_rlock *l) { g_rec_mutex_init(l); }
static inline void peer_racquire(peer_rlock *l) { g_rec_mutex_lock(l); }
static inline void peer_rrelease(peer_rlock *l) { g_rec_mutex_unlock(l); }

#define PEER_CONDITION
typedef GCond peer_condition;
static inline void peer_condition_init(peer_condition *c) { g_cond_init(c); }
static inline void peer_wait(peer_condition *c, peer_lock *l) { g_cond_wait(c, l); }
static inline void peer_notify(peer_condition *c) { g_cond_signal(c); }

#define PEER_THREAD
typedef GThread *peer_thread;
static void *peer_nothing(void *arg) { return arg; }
static inline void peer_start(peer_thread *t) { *t = g_thread_new("bench", peer_nothing, NULL); }
static inline void peer_join(peer_thread *t) { g_thread_join(*t); }

#define PEER_LOCAL
static GPrivate local_key = G_PRIVATE_INIT(NULL);
static inline void peer_local_set(void *value) { g_private_set(&local_key, value); }
static inline void *peer_local_get(void) { return g_private_get(&local_key); }

#define PEER_QUEUE
#define PEER_QUEUE_UNBOUNDED true
typedef GAsyncQueue peer_queue;
static peer_queue *peer_queue_new(gsize capacity, int producers, int consumers) {
    (void)capacity, (void)producers, (void)consumers;
    return g_async_queue_new();
}
static void peer_queue_free(peer_queue *q) { g_async_queue_unref(q); }
static inline void peer_queue_put(peer_queue *q, void *item) { g_async_queue_push(q, item); }
static inline void *peer_queue_get(peer_queue *q) { return g_async_queue_pop(q); }

#include "peer.h"
