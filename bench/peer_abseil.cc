/* SPDX-License-Identifier: MIT */
#include <absl/synchronization/mutex.h>

#define PEER_NAME "Abseil"
#define PEER_RANK 14

#define PEER_LOCK
typedef absl::Mutex peer_lock;
static inline void peer_lock_init(peer_lock *) {}
static inline void peer_acquire(peer_lock *l) { l->Lock(); }
static inline void peer_release(peer_lock *l) { l->Unlock(); }

#define PEER_CONDITION
typedef absl::CondVar peer_condition;
static inline void peer_condition_init(peer_condition *) {}
static inline void peer_wait(peer_condition *c, peer_lock *l) { c->Wait(l); }
static inline void peer_notify(peer_condition *c) { c->Signal(); }

#include "peer.h"
