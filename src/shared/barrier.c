/* SPDX-License-Identifier: MIT */
#include <thrum/shared_barrier.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "base/atomic.h"
#include "base/futex.h"
#include "shared/wait.h"

static const uint64_t ONE_COMES = UINT64_C(1) << 32, ACTING = UINT64_C(1) << 62,
                      BROKEN = UINT64_C(1) << 63;
static const char NOUN[] = "shared barrier";
enum { NAMED = THRUM_SHARED_BARRIER_NAMED, ENDS = 32 };

/* One wait, on its caller's stack. */
typedef struct {
    thrum_shared_barrier *barrier;
    thrum__shared_wait wait;
    int (*action)(void *arg); /* NULL: none */
    void *arg;
    uint32_t phase;  /* the one it came in, as which it was the `index`th; */
    uint32_t breaks; /* so many had been broken by then */
    int index;
    int code; /* of the action; -ECANCELED until it has returned */
} arrival;

static uint32_t phase_of(uint64_t state) { return (uint32_t)state; }

static int come(uint64_t state) { return (int)((state & ~(BROKEN | ACTING)) >> 32); }

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
    /* a dead holder left nothing half-done */
    (void)!thrum__guard_acquire(&barrier->thrum__guard, NULL);
    return state_of(barrier);
}

static void unlock(thrum_shared_barrier *barrier) { thrum__word_release(&barrier->thrum__guard); }

static void wake_all(thrum_shared_barrier *barrier) {
    thrum__futex_wake_shared(thrum__low_half(&barrier->thrum__state), INT_MAX);
}

/* Requires the guard, and frees it: ends the phase of `state`, for all who wait in it. */
static void end_phase(thrum_shared_barrier *barrier, uint64_t state, bool broken, uint64_t then) {
    uint32_t bit = UINT32_C(1) << phase_of(state) % ENDS;
    uint32_t ends = barrier->thrum__ends & ~bit;
    barrier->thrum__ends = broken ? ends | bit : ends;
    barrier->thrum__breaks += broken;
    set_state(barrier, then | (uint32_t)(phase_of(state) + 1));
    unlock(barrier);
    wake_all(barrier);
}

/* Requires the guard: whether the phase of `a`, which is not that of `state`, was broken. One that
 * is too long ago to be known is taken for broken, unless none was. */
static bool was_broken(const arrival *a, uint64_t state) {
    if (a->barrier->thrum__breaks == a->breaks)
        return false;
    return phase_of(state) - a->phase >= ENDS ||
           (a->barrier->thrum__ends >> a->phase % ENDS & 1) != 0;
}

/* Requires the guard: whether the one died whom the waits of this phase, or those at the gate,
 * wait for. */
static bool actor_died(const thrum_shared_barrier *barrier, uint64_t state) {
    return state & ACTING && thrum__who_is_dead(barrier->thrum__actor, false);
}

static bool anybody_died(const thrum_shared_barrier *barrier, uint64_t state) {
    for (int i = 0; i < come(state) && i < NAMED; i++)
        if (thrum__who_is_dead(barrier->thrum__who[i], false))
            return true;
    return actor_died(barrier, state);
}

/* After a sleep that ended with `rc`. Returns whether the wait is over, and then its result. */
static bool look(arrival *a, int rc, int *result) {
    uint64_t state = lock(a->barrier);
    if (phase_of(state) != a->phase) {
        *result = was_broken(a, state) ? -EPIPE : a->index;
        unlock(a->barrier);
        return true;
    }
    if (rc == THRUM__LOOK_AGAIN && anybody_died(a->barrier, state))
        rc = -EOWNERDEAD;
    if (state & ACTING && rc != -EOWNERDEAD) {
        /* All have come: only the action is awaited. */
        a->wait.deadline = INT64_MAX;
        a->wait.interruptible = false;
        rc = 0;
    }
    if (rc >= 0) {
        unlock(a->barrier);
        return false;
    }
    end_phase(a->barrier, state, true, BROKEN);
    *result = rc;
    return true;
}

static int await(arrival *a) {
    uint32_t *word = thrum__low_half(&a->barrier->thrum__state);
    int result = 0, rc;
    do
        rc = thrum__shared_sleep(word, a->phase, &a->wait);
    while ((rc == 0 && phase_of(state_of(a->barrier)) == a->phase) || !look(a, rc, &result));
    return result;
}

/* Ends the phase after its action, also when the thread ends within it. After a reset or abort
 * meanwhile only the gate is left to be opened. */
static void end_act(void *arg) {
    arrival *a = arg;
    uint64_t state = lock(a->barrier);
    bool passed = phase_of(state) == a->phase && a->code >= 0;
    bool failed = phase_of(state) == a->phase && a->code < 0;
    end_phase(a->barrier, state, !passed, failed ? BROKEN : state & BROKEN);
    a->index = passed ? a->index : a->code < 0 ? a->code : -EPIPE;
}

/* The last of a phase has come. Requires the guard, and frees it. */
static int finish(arrival *a, uint64_t state) {
    thrum_shared_barrier *barrier = a->barrier;
    if (!a->action) {
        end_phase(barrier, state, false, 0);
        return a->index;
    }
    thrum__store_relaxed(&barrier->thrum__actor, thrum__who_process());
    set_state(barrier, ACTING | phase_of(state));
    unlock(barrier);
    a->code = -ECANCELED;
    pthread_cleanup_push(end_act, a);
    a->code = a->action(a->arg);
    pthread_cleanup_pop(1);
    return a->index;
}

/* Who comes during an action is of the next phase. Frees the guard, unless it returns 0. */
static int pass_gate(arrival *a, uint64_t *state) {
    thrum_shared_barrier *barrier = a->barrier;
    int rc = 0;
    while (*state & ACTING && !(*state & BROKEN)) {
        if (rc == THRUM__LOOK_AGAIN && actor_died(barrier, *state))
            rc = -EOWNERDEAD;
        if (rc == -EOWNERDEAD) {
            end_phase(barrier, *state, true, BROKEN);
            return rc;
        }
        if (rc < 0) { /* breaks the next phase; those at the gate see it when they look */
            set_state(barrier, *state | BROKEN);
            unlock(barrier);
            wake_all(barrier);
            return rc;
        }
        unlock(barrier);
        rc = thrum__shared_sleep(thrum__low_half(&barrier->thrum__state), phase_of(*state),
                                 &a->wait);
        *state = lock(barrier);
    }
    if (!(*state & BROKEN))
        return 0;
    unlock(barrier);
    return -EPIPE;
}

static int arrive(arrival *a) {
    thrum_shared_barrier *barrier = a->barrier;
    if (barrier->thrum__parties <= 0)
        return -EINVAL;
    uint64_t state = lock(barrier);
    int rc = pass_gate(a, &state);
    if (rc != 0)
        return rc;
    a->index = come(state);
    a->phase = phase_of(state);
    a->breaks = barrier->thrum__breaks;
    if (a->index + 1 >= barrier->thrum__parties)
        return finish(a, state);
    if (a->index < NAMED)
        barrier->thrum__who[a->index] = thrum__who_process();
    set_state(barrier, state + ONE_COMES);
    unlock(barrier);
    return await(a);
}

static int wait_in(thrum_shared_barrier *barrier, int (*action)(void *arg), void *arg,
                   thrum__shared_wait wait) {
    return arrive(&(arrival){.barrier = barrier, .wait = wait, .action = action, .arg = arg});
}

int thrum_shared_barrier_wait(thrum_shared_barrier *barrier) {
    return wait_in(barrier, NULL, NULL, thrum__shared_wait_for(NOUN, barrier));
}

int thrum_shared_barrier_wait_until(thrum_shared_barrier *barrier, thrum_deadline deadline) {
    return wait_in(barrier, NULL, NULL, thrum__shared_wait_until(NOUN, barrier, deadline));
}

int thrum_shared_barrier_wait_action(thrum_shared_barrier *barrier, int (*action)(void *arg),
                                     void *arg) {
    return wait_in(barrier, action, arg, thrum__shared_wait_for(NOUN, barrier));
}

int thrum_shared_barrier_wait_action_until(thrum_shared_barrier *barrier,
                                           int (*action)(void *arg), void *arg,
                                           thrum_deadline deadline) {
    return wait_in(barrier, action, arg, thrum__shared_wait_until(NOUN, barrier, deadline));
}

/* Ends what is under way; an action that runs goes on, and no phase begins before it has ended. */
static void end_now(thrum_shared_barrier *barrier, uint64_t then) {
    uint64_t state = lock(barrier);
    bool acting = state & ACTING && !actor_died(barrier, state);
    end_phase(barrier, state, true, acting ? then | ACTING : then);
}

void thrum_shared_barrier_reset(thrum_shared_barrier *barrier) { end_now(barrier, 0); }

void thrum_shared_barrier_abort(thrum_shared_barrier *barrier) { end_now(barrier, BROKEN); }

int thrum_shared_barrier_parties(const thrum_shared_barrier *barrier) {
    return barrier->thrum__parties;
}

int thrum_shared_barrier_n_waiting(const thrum_shared_barrier *barrier) {
    return come(state_of(barrier));
}

bool thrum_shared_barrier_broken(const thrum_shared_barrier *barrier) {
    return state_of(barrier) & BROKEN;
}
