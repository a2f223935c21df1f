/* SPDX-License-Identifier: MIT */
#include <thrum/shared_lock.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "shared/wait.h"

static const char NOUN[] = "shared lock";

int thrum_shared_lock_acquire(thrum_shared_lock *lock) {
    thrum__who who = thrum__who_process();
    if (THRUM__LIKELY(thrum__word_take(&lock->thrum__word, who)))
        return 0;
    thrum__shared_wait wait = thrum__shared_wait_for(NOUN, lock);
    return thrum__word_wait(&lock->thrum__word, who, 0, &wait);
}

int thrum_shared_lock_try_acquire(thrum_shared_lock *lock) {
    return thrum__word_try(&lock->thrum__word, thrum__who_process(), 0);
}

int thrum_shared_lock_acquire_until(thrum_shared_lock *lock, thrum_deadline deadline) {
    thrum__who who = thrum__who_process();
    if (THRUM__LIKELY(thrum__word_take(&lock->thrum__word, who)))
        return 0;
    thrum__shared_wait wait = thrum__shared_wait_until(NOUN, lock, deadline);
    return thrum__word_wait(&lock->thrum__word, who, 0, &wait);
}

void thrum_shared_lock_release(thrum_shared_lock *lock) {
    if (THRUM__UNLIKELY(!thrum__word_release(&lock->thrum__word)))
        thrum__panic("thrum_shared_lock_release: lock %p is free", (void *)lock);
}

bool thrum_shared_lock_locked(const thrum_shared_lock *lock) {
    return thrum__load_relaxed(&lock->thrum__word) != 0;
}

int thrum_shared_lock_holder(const thrum_shared_lock *lock) {
    return (int)(thrum__load_relaxed(&lock->thrum__word) & THRUM__WHO_ID);
}
