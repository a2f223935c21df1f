/* SPDX-License-Identifier: MIT */
/* Barrier: a number of threads wait for each other, Python's threading.Barrier:
 *
 *     static thrum_barrier phase = THRUM_BARRIER_INIT(4);
 *     int index = thrum_barrier_wait(&phase);      0 to 3, each once; then again for the next phase
 *
 * When the last of them has come, it calls the action, if there is one, and lets all go. A wait
 * that is given up (deadline, signal) breaks the barrier: nobody waits in it then until
 * thrum_barrier_reset(). What happened before a wait of a phase is seen after every wait of it. A
 * barrier may be freed once the last wait of it has returned. An action must not wait in its own
 * barrier. */
#ifndef THRUM_BARRIER_H
#define THRUM_BARRIER_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The fields are of nobody's program.
 *
 * state: bit 0: all have come, the action runs; bit 1: broken. Under the bucket lock */
typedef struct thrum_barrier {
    int32_t thrum__parties; /* read-only */
    int32_t thrum__arrived; /* under the bucket lock */
    uint32_t thrum__state;
    uint32_t thrum__generation; /* counts phases, resets and aborts; under the bucket lock */
    int (*thrum__action)(void *arg); /* read-only */
    void *thrum__arg;                /* read-only */
} thrum_barrier;

/* A barrier for `n` threads; with n <= 0 every wait returns -EINVAL. */
#define THRUM_BARRIER_INIT(n) {(n), 0, 0, 0, 0, 0}

/* A barrier for `n` threads, the last of which calls fn(arg) before it lets all go. fn returns 0,
 * or a negative errno, which breaks the barrier: the caller's wait returns that code. */
#define THRUM_BARRIER_INIT_ACTION(n, fn, arg) {(n), 0, 0, 0, (fn), (arg)}

/* Blocks until as many threads wait as the barrier has parties. Returns a number from 0 (came
 * first) to parties - 1, another for each; or -EPIPE when the barrier is or gets broken or is reset
 * meanwhile, the action's code in the thread that called it, or -EINVAL (no parties). Any
 * thread. */
THRUM_API int thrum_barrier_wait(thrum_barrier *barrier);

/* As thrum_barrier_wait(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread), the barrier is broken, and the waits of the others return -EPIPE. */
THRUM_API int thrum_barrier_wait_until(thrum_barrier *barrier,
                                       thrum_deadline deadline) THRUM_NODISCARD;

/* Makes the barrier as new: waits that are under way return -EPIPE, later ones wait. An action that
 * runs goes on, and no phase begins before it has ended. Any thread. */
THRUM_API void thrum_barrier_reset(thrum_barrier *barrier);

/* Breaks the barrier: waits that are under way and later ones return -EPIPE. Any thread. */
THRUM_API void thrum_barrier_abort(thrum_barrier *barrier);

/* Returns how many threads the barrier is for. Cannot fail; any thread. */
THRUM_API int thrum_barrier_parties(const thrum_barrier *barrier);

/* Returns how many threads wait at this moment. Cannot fail; any thread. */
THRUM_API int thrum_barrier_n_waiting(const thrum_barrier *barrier);

/* Returns whether the barrier is broken. Cannot fail; any thread. */
THRUM_API bool thrum_barrier_broken(const thrum_barrier *barrier);

/* Forgets the waiters in a child process after fork(). Requires that no other thread of the child
 * uses it. */
THRUM_API void thrum_barrier_at_fork_reinit(thrum_barrier *barrier);

THRUM__END

#endif
