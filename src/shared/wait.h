/* SPDX-License-Identifier: MIT */
/* How threads wait in memory that several processes share: on a futex there, never longer than
 * 128 ms without a look at the state, since whoever should have woken them may have been killed.
 * README.md beside this file has the argument. */
#ifndef THRUM_SHARED_WAIT_H
#define THRUM_SHARED_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <thrum/time.h>

#include "shared/who.h"

/* One wait of one thread, on its stack. */
typedef struct thrum__shared_wait {
    const char *noun;   /* "shared lock", for dumps, as the next */
    const void *object;
    int64_t deadline;   /* INT64_MAX: never */
    bool interruptible; /* may end with -EINTR, if the thread has asked for that */
    int64_t step;       /* the next sleep, at most; 0 before the first */
    int64_t since;      /* when the first began */
    uint64_t holder;    /* who held the object when last looked at, 0 nobody */
} thrum__shared_wait;

/* A wait for ever, that no signal ends. */
static inline thrum__shared_wait thrum__shared_wait_for(const char *noun, const void *object) {
    return (thrum__shared_wait){noun, object, INT64_MAX, false, 0, 0, 0};
}

static inline thrum__shared_wait thrum__shared_wait_until(const char *noun, const void *object,
                                                          thrum_deadline deadline) {
    return (thrum__shared_wait){noun, object, deadline.ns, true, 0, 0, 0};
}

/* What thrum__shared_sleep() returns when the state must be looked at though nobody woke it. */
enum { THRUM__LOOK_AGAIN = 1 };

/* Sleeps while *word == value, for a step of `wait`. Returns 0 (woken, or *word had changed),
 * THRUM__LOOK_AGAIN, -ETIMEDOUT or -EINTR. */
int thrum__shared_sleep(uint32_t *word, uint32_t value, thrum__shared_wait *wait);

/* Looks for a while (none where the partner cannot be running) whether *word leaves `value`. */
bool thrum__shared_spin(const uint32_t *word, uint32_t value);

/* Returns the half of `word` that has bits 0-31, for a futex. */
static inline uint32_t *thrum__low_half(uint64_t *word) {
    return (uint32_t *)(void *)word + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* A word that says who holds something, the base of every lock in shared memory:
 *   bits 0-63  name of the holder, 0 free   set by acquire, cleared by release
 *   bit  31    somebody may be asleep       set by a waiter, cleared by release, which wakes one
 * It waits for a holder that has died no longer than the rest of a step. */
#define THRUM__WORD_WAITERS UINT64_C(0x80000000)

/* How to wait for a word. */
enum {
    THRUM__WORD_THREAD = 1, /* its holders are threads, not processes */
    THRUM__WORD_GUARD = 2   /* held for a few instructions: a look before the sleep pays */
};

/* Waits until `who` holds *word. Returns 0, -EOWNERDEAD (held too; the holder before died),
 * -ETIMEDOUT or -EINTR. */
int thrum__word_wait(uint64_t *word, thrum__who who, unsigned how, thrum__shared_wait *wait);

/* Frees *word, and wakes one waiter. Returns whether it was held. */
bool thrum__word_release(uint64_t *word);

/* Returns whether `who` got *word, which must be free for that. */
static inline bool thrum__word_take(uint64_t *word, thrum__who who) {
    uint64_t seen = 0;
    /* acquire: pairs with thrum__word_release() */
    return thrum__cas_acquire(word, &seen, who);
}

/* Takes *word, if it is free or its holder died. Returns 0, -EOWNERDEAD or -EBUSY. */
int thrum__word_try(uint64_t *word, thrum__who who, unsigned how);

/* Takes *word for a few instructions of the calling process. Returns 0 or -EOWNERDEAD, held in
 * both cases; or, when its holder does not run (it was stopped), -ETIMEDOUT or -EINTR as `wait`
 * says, though not before a while has passed. `wait` NULL: never. */
int thrum__guard_acquire(uint64_t *word, const thrum__shared_wait *wait);

/* Sleepers: who waits for a change of state that no holder owes them. The word:
 *   bit  0     somebody may be asleep   set by a waiter before its last look; cleared by a wake
 *   bits 1-31  number of wakes: the value that a waiter sleeps on changes with each */

/* Says that the caller will sleep unless it sees the state it waits for, which it must look at
 * (seq_cst) after this. Returns the value to sleep on. */
uint32_t thrum__sleepers_prepare(uint32_t *sleepers);

/* Wakes up to `n` sleepers. */
void thrum__sleepers_wake_some(uint32_t *sleepers, int n);

/* Wakes up to `n` sleepers, if there are any. The state they wait for was changed before this, by a
 * seq_cst store or read-modify-write. A waiter that slept and got what it waited for passes on what
 * is left to the next. */
static inline void thrum__sleepers_wake(uint32_t *sleepers, int n) {
    /* seq_cst: pairs with thrum__sleepers_prepare() */
    if (THRUM__UNLIKELY(thrum__load_seq_cst(sleepers) & 1))
        thrum__sleepers_wake_some(sleepers, n);
}

#endif
