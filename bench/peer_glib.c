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

#include "peer.h"
