/* SPDX-License-Identifier: MIT */
#include <thrum/shared_barrier.h>

#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/futex.h"
#include "shared/wait.h"

static const uint64_t BROKEN = UINT64_C(1) << 63;
enum { NAMED = THRUM_SHARED_BARRIER_NAMED, ENDS = 32 };

static uint32_t phase_of(uint64_t state) { return (uint32_t)state; }

static int come(uint64_t state) { return (int)((state & ~BROKEN) >> 32); }

static uint64_t state_of(const thrum_shared_barrier *barrier) {
    /* acquire: pairs with set_state() */
    return thrum__load_acquire(&barrier->thrum__state);
}

/* The one step that counts: who is killed before it has not come, has not ended the phase. */
static void set_state(thrum_shared_barrier *barrier, uint64_t state) {
    /* release: pairs with state_of() */
    thrum__store_release(&barrier->thrum__state, state);
}

static uint64_t lock(thrum_shared_barrier *barrier) {
    (void)!thrum__guard_acquire(&barrier->thrum__guard); /* a dead holder left nothing half-done */
    return state_of(barrier);
}

static void unlock(thrum_shared_barrier *barrier) { thrum__word_release(&barrier->thrum__guard); }

/* Requires the guard, and frees it: ends the phase of `state`, for all who wait in it. */
static void end_phase(thrum_shared_barrier *barrier, uint64_t state, bool broken, uint64_t then) {
    uint32_t bit = UINT32_C(1) << phase_of(state) % ENDS;
    uint32_t ends = barrier->thrum__ends & ~bit;
    thrum__store_relaxed(&barrier->thrum__ends, broken ? ends | bit : ends);
    set_state(barrier, then | (phase_of(state) + 1));
    unlock(barrier);
    thrum__futex_wake_shared(thrum__low_half(&barrier->thrum__state), INT_MAX);
}

/* Breaks the phase, if it is still that of the caller, because of `why`. Returns what its wait
 * returns. */
static int give_up(thrum_shared_barrier *barrier, uint32_t phase, int index, int why) {
    uint64_t state = lock(barrier);
    if (phase_of(state) == phase) {
        end_phase(barrier, state, true, BROKEN);
        return why;
    }
    bool broken = barrier->thrum__ends >> phase % ENDS & 1;
    unlock(barrier);
    return broken ? -EPIPE : index;
}

static bool anybody_died(thrum_shared_barrier *barrier, uint32_t phase) {
    bool died = false;
    uint64_t state = lock(barrier);
    for (int i = 0; phase_of(state) == phase && i < come(state) && i < NAMED && !died; i++)
        died = thrum__who_is_dead(barrier->thrum__who[i], false);
    unlock(barrier);
    return died;
}

static int await(thrum_shared_barrier *barrier, uint32_t phase, int index,
                 thrum__shared_wait *wait) {
    for (;;) {
        int rc = thrum__shared_sleep(thrum__low_half(&barrier->thrum__state), phase, wait);
        if (phase_of(state_of(barrier)) != phase)
            return give_up(barrier, phase, index, 0);
        if (rc < 0)
            return give_up(barrier, phase, index, rc);
        if (rc == THRUM__LOOK_AGAIN && anybody_died(barrier, phase))
            return give_up(barrier, phase, index, -EOWNERDEAD);
    }
}

static int arrive(thrum_shared_barrier *barrier, thrum__shared_wait *wait) {
    if (barrier->thrum__parties <= 0)
        return -EINVAL;
    uint64_t state = lock(barrier);
    int index = come(state);
    if (state & BROKEN) {
        unlock(barrier);
        return -EPIPE;
    }
    if (index + 1 >= barrier->thrum__parties) {
        end_phase(barrier, state, false, 0);
        return index;
    }
    if (index < NAMED)
        barrier->thrum__who[index] = thrum__who_process();
    set_state(barrier, state + (UINT64_C(1) << 32));
    unlock(barrier);
    return await(barrier, phase_of(state), index, wait);
}

int thrum_shared_barrier_wait(thrum_shared_barrier *barrier) {
    return arrive(barrier, &(thrum__shared_wait){INT64_MAX, 0, false});
}

int thrum_shared_barrier_wait_until(thrum_shared_barrier *barrier, thrum_deadline deadline) {
    return arrive(barrier, &(thrum__shared_wait){deadline.ns, 0, true});
}

void thrum_shared_barrier_reset(thrum_shared_barrier *barrier) {
    end_phase(barrier, lock(barrier), true, 0);
}

void thrum_shared_barrier_abort(thrum_shared_barrier *barrier) {
    end_phase(barrier, lock(barrier), true, BROKEN);
}

int thrum_shared_barrier_parties(const thrum_shared_barrier *barrier) {
    return barrier->thrum__parties;
}

int thrum_shared_barrier_n_waiting(const thrum_shared_barrier *barrier) {
    return come(state_of(barrier));
}

bool thrum_shared_barrier_broken(const thrum_shared_barrier *barrier) {
    return state_of(barrier) & BROKEN;
}
