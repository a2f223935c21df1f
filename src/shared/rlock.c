/* SPDX-License-Identifier: MIT */
#include <thrum/shared_rlock.h>

#include <errno.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "shared/wait.h"

static const char NOUN[] = "shared rlock";

static bool is_own(const thrum_shared_rlock *rlock, thrum__who who) {
    return (thrum__load_relaxed(&rlock->thrum__word) & ~THRUM__WORD_WAITERS) == who;
}

static int again(thrum_shared_rlock *rlock) {
    if (THRUM__UNLIKELY(++rlock->thrum__depth == 0))
        thrum__panic("thrum_shared_rlock_acquire: rlock %p is held 2^32 times", (void *)rlock);
    return 0;
}

/* The depth is what a dead holder left, unless it was free. */
static int begin(thrum_shared_rlock *rlock, int rc) {
    if (rc == -EOWNERDEAD)
        rlock->thrum__depth = 0;
    return rc;
}

static int acquire(thrum_shared_rlock *rlock, thrum__shared_wait wait) {
    thrum__who who = thrum__who_thread();
    if (THRUM__LIKELY(thrum__word_take(&rlock->thrum__word, who)))
        return 0;
    if (is_own(rlock, who))
        return again(rlock);
    return begin(rlock, thrum__word_wait(&rlock->thrum__word, who, THRUM__WORD_THREAD, &wait));
}

int thrum_shared_rlock_acquire(thrum_shared_rlock *rlock) {
    return acquire(rlock, thrum__shared_wait_for(NOUN, rlock));
}

int thrum_shared_rlock_acquire_until(thrum_shared_rlock *rlock, thrum_deadline deadline) {
    return acquire(rlock, thrum__shared_wait_until(NOUN, rlock, deadline));
}

int thrum_shared_rlock_try_acquire(thrum_shared_rlock *rlock) {
    thrum__who who = thrum__who_thread();
    if (is_own(rlock, who))
        return again(rlock);
    return begin(rlock, thrum__word_try(&rlock->thrum__word, who, THRUM__WORD_THREAD));
}

void thrum_shared_rlock_release(thrum_shared_rlock *rlock) {
    if (THRUM__UNLIKELY(!is_own(rlock, thrum__who_thread())))
        thrum__panic("thrum_shared_rlock_release: rlock %p is not the calling thread's, but of %d",
                     (void *)rlock, thrum_shared_rlock_holder(rlock));
    if (rlock->thrum__depth != 0)
        rlock->thrum__depth -= 1;
    else
        thrum__word_release(&rlock->thrum__word);
}

bool thrum_shared_rlock_locked(const thrum_shared_rlock *rlock) {
    return thrum__load_relaxed(&rlock->thrum__word) != 0;
}

int thrum_shared_rlock_holder(const thrum_shared_rlock *rlock) {
    return (int)(thrum__load_relaxed(&rlock->thrum__word) & THRUM__WHO_ID);
}
