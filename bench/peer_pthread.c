/* SPDX-License-Identifier: MIT */
/* The baseline: what a C program on Linux uses. */
#include <pthread.h>
#include <stdlib.h>

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

#include "peer.h"
