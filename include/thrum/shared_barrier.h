/* SPDX-License-Identifier: MIT */
/* SharedBarrier: a number of processes wait for each other, Python's multiprocessing.Barrier. It
 * stands in memory that they share (shared.h):
 *
 *     *phase = (thrum_shared_barrier)THRUM_SHARED_BARRIER_INIT(4);
 *     int index = thrum_shared_barrier_wait(phase);    0 to 3, each once; and again
 *
 * A wait may name an action: a function pointer means nothing in another process, so it is not the
 * barrier's. That of the last to come is called before all go. A wait that is given up (deadline,
 * signal) breaks the barrier, until thrum_shared_barrier_reset(); so does the death of a process
 * that waits in it or is in its action, noticed within about 130 ms. One that dies before it comes
 * is late for ever: only a deadline tells. Of more than THRUM_SHARED_BARRIER_NAMED parties, the
 * death of the last to come is not noticed. What happened before a wait of a phase is seen after
 * every wait of it, and by its action. */
#ifndef THRUM_SHARED_BARRIER_H
#define THRUM_SHARED_BARRIER_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

#define THRUM_SHARED_BARRIER_NAMED 64

/* The fields are of nobody's program.
 *
 * state: bits 0-31   number of the phase: resets and aborts count too
 *        bits 32-61  how many have come; 0 in an action
 *        bit  62     all have come, and the action runs
 *        bit  63     broken; in an action: the next phase. Changed at once, under the guard */
typedef struct thrum_shared_barrier {
    uint64_t thrum__state __attribute__((aligned(8)));
    uint64_t thrum__guard;
    int32_t thrum__parties; /* read-only */
    uint32_t thrum__ends;   /* how the last 32 phases ended, 1 broken; under the guard */
    uint32_t thrum__breaks; /* how many ended broken; under the guard */
    uint32_t thrum__reserved;
    uint64_t thrum__actor;  /* who runs the action; under the guard */
    uint64_t thrum__who[THRUM_SHARED_BARRIER_NAMED]; /* of those who have come; under the guard */
} thrum_shared_barrier;

/* A barrier for `n` processes (or threads of them); with n <= 0 every wait returns -EINVAL. */
#define THRUM_SHARED_BARRIER_INIT(n) {0, 0, (n), 0, 0, 0, 0, {0}}

/* Blocks until as many threads wait as the barrier has parties. Returns a number from 0 (came
 * first) to parties - 1, another for each; or -EPIPE when the barrier is or gets broken or is reset
 * meanwhile, -EOWNERDEAD in the one that found another dead, or -EINVAL (no parties). Any
 * thread. */
THRUM_API int thrum_shared_barrier_wait(thrum_shared_barrier *barrier);

/* As thrum_shared_barrier_wait(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread), the barrier is broken, and the waits of the others return -EPIPE. */
THRUM_API int thrum_shared_barrier_wait_until(thrum_shared_barrier *barrier,
                                              thrum_deadline deadline) THRUM_NODISCARD;

/* As thrum_shared_barrier_wait(); if this is the last to come, it calls action(arg) before it lets
 * all go. That returns 0, or a negative errno, which breaks the barrier: this wait returns that
 * code, the others -EPIPE. It must not wait in its own barrier. `action` NULL: none. */
THRUM_API int thrum_shared_barrier_wait_action(thrum_shared_barrier *barrier,
                                               int (*action)(void *arg), void *arg);

/* As thrum_shared_barrier_wait_action(), until `deadline`, which ends no wait once all have
 * come. */
THRUM_API int thrum_shared_barrier_wait_action_until(thrum_shared_barrier *barrier,
                                                     int (*action)(void *arg), void *arg,
                                                     thrum_deadline deadline) THRUM_NODISCARD;

/* Makes the barrier as new: waits that are under way return -EPIPE, later ones wait. An action that
 * runs goes on, and no phase begins before it has ended. Any thread. */
THRUM_API void thrum_shared_barrier_reset(thrum_shared_barrier *barrier);

/* Breaks the barrier: waits that are under way and later ones return -EPIPE. Any thread. */
THRUM_API void thrum_shared_barrier_abort(thrum_shared_barrier *barrier);

/* Returns how many the barrier is for. Cannot fail; any thread. */
THRUM_API int thrum_shared_barrier_parties(const thrum_shared_barrier *barrier);

/* Returns how many wait at this moment. Cannot fail; any thread. */
THRUM_API int thrum_shared_barrier_n_waiting(const thrum_shared_barrier *barrier);

/* Returns whether the barrier is broken. Cannot fail; any thread. */
THRUM_API bool thrum_shared_barrier_broken(const thrum_shared_barrier *barrier);

THRUM__END

#endif
