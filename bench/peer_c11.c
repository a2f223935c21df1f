/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <threads.h>

#define PEER_NAME "C11"
#define PEER_RANK 11

#define PEER_LOCK
typedef mtx_t peer_lock;
static inline void peer_lock_init(peer_lock *l) { mtx_init(l, mtx_plain); }
static inline void peer_acquire(peer_lock *l) { mtx_lock(l); }
static inline void peer_release(peer_lock *l) { mtx_unlock(l); }

#define PEER_RLOCK
typedef mtx_t peer_rlock;
static inline void peer_rlock_init(peer_rlock *l) { mtx_init(l, mtx_plain | mtx_recursive); }
static inline void peer_racquire(peer_rlock *l) { mtx_lock(l); }
static inline void peer_rrelease(peer_rlock *l) { mtx_unlock(l); }

#define PEER_CONDITION
typedef cnd_t peer_condition;
static inline void peer_condition_init(peer_condition *c) { cnd_init(c); }
static inline void peer_wait(peer_condition *c, peer_lock *l) { cnd_wait(c, l); }
static inline void peer_notify(peer_condition *c) { cnd_signal(c); }

#define PEER_THREAD
typedef thrd_t peer_thread;
static int peer_nothing(void *arg) { return arg != NULL; }
static inline void peer_start(peer_thread *t) {
    if (thrd_create(t, peer_nothing, NULL) != thrd_success)
        abort();
}
static inline void peer_join(peer_thread *t) { thrd_join(*t, NULL); }

#define PEER_LOCAL
static _Thread_local void *local_value;
static inline void peer_local_set(void *value) { local_value = value; }
static inline void *peer_local_get(void) { return local_value; }

#include "peer.h"
