/* SPDX-License-Identifier: MIT */
/* thrum as a user's program has it. Compiled three times: inlined and with THRUM_NO_INLINE against
 * the shared library, inlined against the static one. */
#include <stdlib.h>
#include <thrum.h>

#define PEER_LOCK
typedef thrum_lock peer_lock;
static inline void peer_lock_init(peer_lock *l) { *l = (thrum_lock)THRUM_LOCK_INIT; }
static inline void peer_acquire(peer_lock *l) { thrum_lock_acquire(l); }
static inline void peer_release(peer_lock *l) { thrum_lock_release(l); }

#define PEER_RLOCK
typedef thrum_rlock peer_rlock;
static inline void peer_rlock_init(peer_rlock *l) { *l = (thrum_rlock)THRUM_RLOCK_INIT; }
static inline void peer_racquire(peer_rlock *l) { thrum_rlock_acquire(l); }
static inline void peer_rrelease(peer_rlock *l) { thrum_rlock_release(l); }

#define PEER_CONDITION
typedef thrum_condition peer_condition;
static inline void peer_condition_init(peer_condition *c) {
    *c = (thrum_condition)THRUM_CONDITION_INIT;
}
static inline void peer_wait(peer_condition *c, peer_lock *l) { thrum_condition_wait(c, l); }
static inline void peer_notify(peer_condition *c) { thrum_condition_notify(c, 1); }

#define PEER_EVENT
typedef thrum_event peer_event;
static inline void peer_event_init(peer_event *e) { *e = (thrum_event)THRUM_EVENT_INIT; }
static inline void peer_event_set(peer_event *e) { thrum_event_set(e); }
static inline void peer_event_clear(peer_event *e) { thrum_event_clear(e); }
static inline void peer_event_wait(peer_event *e) { thrum_event_wait(e); }

#define PEER_THREAD
typedef thrum_thread *peer_thread;
static void *peer_nothing(void *arg) { return arg; }
static inline void peer_start(peer_thread *t) {
    if (thrum_thread_start(t, peer_nothing, NULL, NULL) != 0)
        abort();
}
static inline void peer_join(peer_thread *t) {
    thrum_thread_join(*t, NULL);
    thrum_thread_free(*t);
}

#include "peer.h"
