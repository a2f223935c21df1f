/* SPDX-License-Identifier: MIT */
#include <nsync.h>

#define PEER_NAME "nsync"
#define PEER_RANK 12

#define PEER_LOCK
typedef nsync_mu peer_lock;
static inline void peer_lock_init(peer_lock *l) { nsync_mu_init(l); }
static inline void peer_acquire(peer_lock *l) { nsync_mu_lock(l); }
static inline void peer_release(peer_lock *l) { nsync_mu_unlock(l); }

#define PEER_CONDITION
typedef nsync_cv peer_condition;
static inline void peer_condition_init(peer_condition *c) { nsync_cv_init(c); }
static inline void peer_wait(peer_condition *c, peer_lock *l) { nsync_cv_wait(c, l); }
static inline void peer_notify(peer_condition *c) { nsync_cv_signal(c); }

#include "peer.h"
