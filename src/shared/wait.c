/* SPDX-License-Identifier: MIT */
#include "shared/wait.h"

#include <errno.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"
#include "park/os.h"
#include "park/strand.h"

enum { GUARD_PAUSES = 60, SPIN_NS = 20000, MISSES_MAX = 6 };
static const int64_t FIRST_STEP = 2000000, LAST_STEP = 128000000;

/* Tells dumps what `self` waits for. */
static void show(thrum__strand *self, const thrum__shared_wait *wait) {
    thrum__store_relaxed(&self->shared_object, wait->object);
    thrum__store_relaxed(&self->shared_holder, wait->holder);
    thrum__store_relaxed(&self->shared_since, wait->since);
    thrum__store_relaxed(&self->shared_noun, wait->noun);
}

int thrum__shared_sleep(uint32_t *word, uint32_t value, thrum__shared_wait *wait) {
    int64_t now = thrum__clock_now();
    if (wait->deadline <= now)
        return -ETIMEDOUT;
    if (wait->step == 0) {
        wait->step = FIRST_STEP;
        wait->since = now;
    }
    int64_t until = wait->deadline - now < wait->step ? wait->deadline : now + wait->step;
    thrum__strand *self = thrum__strand_self();
    show(self, wait);
    if (self->counted)
        thrum__os_asleep();
    int rc = thrum__futex_wait_shared(word, value, until);
    if (self->counted)
        thrum__os_awake();
    thrum__store_relaxed(&self->shared_noun, NULL);
    if (rc == 0)
        return 0;
    if (rc == -EINTR)
        return wait->interruptible && self->interruptible ? -EINTR : THRUM__LOOK_AGAIN;
    if (until == wait->deadline)
        return -ETIMEDOUT;
    wait->step = wait->step < LAST_STEP ? wait->step * 2 : LAST_STEP;
    return THRUM__LOOK_AGAIN;
}

/* After looks in vain the next 1, 3, .. 63 are left out, as in a strand's own. */
bool thrum__shared_spin(const uint32_t *word, uint32_t value) {
    thrum__strand *self = thrum__strand_self();
    if (!thrum__strand_may_spin(self))
        return false;
    if (self->skip > 0) {
        self->skip--;
        return false;
    }
    for (uint32_t i = thrum__cpu_pauses(SPIN_NS); i > 0; i--) {
        if (thrum__load_relaxed(word) != value) {
            self->misses = 0;
            return true;
        }
        thrum__pause();
    }
    self->misses += self->misses < MISSES_MAX;
    self->skip = (uint8_t)((1U << self->misses) - 1);
    return false;
}

static bool holder_is_dead(uint64_t seen, unsigned how) {
    return thrum__who_is_dead(seen & ~THRUM__WHO_FLAGS, how & THRUM__WORD_THREAD);
}

/* Takes *word from the dead holder that `seen` names. One only of those who try gets it. */
static bool take_over(uint64_t *word, uint64_t seen, thrum__who who) {
    /* acquire: pairs with thrum__word_release() */
    return thrum__cas_acquire(word, &seen, who | THRUM__WORD_WAITERS);
}

int thrum__word_wait(uint64_t *word, thrum__who who, unsigned how, thrum__shared_wait *wait) {
    thrum__who mark = 0;
    int rc = 0;
    for (int i = 0; how & THRUM__WORD_GUARD && i < GUARD_PAUSES; i++) {
        thrum__pause();
        if (thrum__load_relaxed(word) == 0 && thrum__word_take(word, who))
            return 0;
    }
    for (;;) {
        uint64_t seen = thrum__load_relaxed(word);
        if (seen == 0) {
            if (thrum__word_take(word, who | mark))
                return 0;
            continue;
        }
        /* Also by who is about to give up: the wake that it may have used up is owed to the
         * next. */
        if (!(seen & THRUM__WORD_WAITERS) &&
            !thrum__cas_relaxed(word, &seen, seen | THRUM__WORD_WAITERS))
            continue;
        seen |= THRUM__WORD_WAITERS;
        mark = THRUM__WORD_WAITERS;
        if (rc != 0 && holder_is_dead(seen, how)) {
            if (take_over(word, seen, who))
                return -EOWNERDEAD;
            continue;
        }
        if (rc < 0)
            return rc;
        wait->holder = (seen & ~THRUM__WHO_FLAGS) |
                       (how & THRUM__WORD_THREAD ? THRUM__WHO_IS_THREAD : 0);
        rc = thrum__shared_sleep(thrum__low_half(word), (uint32_t)seen, wait);
    }
}

bool thrum__word_release(uint64_t *word) {
    /* release: pairs with thrum__word_take(), take_over() */
    uint64_t old = thrum__xchg_release(word, 0);
    /* *word may be gone from here */
    if (THRUM__UNLIKELY(old & THRUM__WORD_WAITERS))
        thrum__futex_wake_shared(thrum__low_half(word), 1);
    return old != 0;
}

int thrum__word_try(uint64_t *word, thrum__who who, unsigned how) {
    if (THRUM__LIKELY(thrum__word_take(word, who)))
        return 0;
    uint64_t seen = thrum__load_relaxed(word);
    if (seen == 0 || !holder_is_dead(seen, how))
        return thrum__word_take(word, who) ? 0 : -EBUSY;
    return take_over(word, seen, who) ? -EOWNERDEAD : -EBUSY;
}

static int guard_wait(uint64_t *word, thrum__who who, const thrum__shared_wait *wait) {
    thrum__shared_wait own = thrum__shared_wait_for("shared object", word);
    if (wait && (wait->deadline != INT64_MAX || wait->interruptible)) {
        int64_t least = thrum__clock_now() + LAST_STEP;
        own.deadline = wait->deadline > least ? wait->deadline : least;
        own.interruptible = wait->interruptible;
    }
    if (wait) {
        own.noun = wait->noun;
        own.object = wait->object;
    }
    return thrum__word_wait(word, who, THRUM__WORD_GUARD, &own);
}

int thrum__guard_acquire(uint64_t *word, const thrum__shared_wait *wait) {
    thrum__who who = thrum__who_process();
    return THRUM__LIKELY(thrum__word_take(word, who)) ? 0 : guard_wait(word, who, wait);
}

uint32_t thrum__sleepers_prepare(uint32_t *sleepers) {
    /* seq_cst: pairs with thrum__sleepers_wake() */
    return thrum__or_seq_cst(sleepers, 1) | 1;
}

void thrum__sleepers_wake_some(uint32_t *sleepers, int n) {
    uint32_t seen = thrum__load_relaxed(sleepers);
    while (seen & 1)
        if (thrum__cas_relaxed(sleepers, &seen, seen + 1)) {
            thrum__futex_wake_shared(sleepers, n);
            return;
        }
}
