/* SPDX-License-Identifier: MIT */
/* A condition with its lock: two takers wait for an item each without a deadline, `passer` waits
 * once with one and passes its notification on, `giver` puts two items and notifies two. The lock
 * ticks and starves as in lock.pml. Once with a bucket for each address, once with both in one
 * bucket (-DONE_BUCKET): the hash decides that.
 *
 * Holds: who was notified returns 0 and who was not returns a time-out; no notification is lost
 * (else a taker never ends); the lock is held after each wait; no queue is touched without its
 * bucket lock; no token, waiter or bucket lock is left.
 *
 * Variants: ONE_BUCKET
 * Mutants: MUTANT_ADDRESS_READ_LATE MUTANT_MOVED_MAY_TIME_OUT MUTANT_ADDRESS_NOT_READ_AGAIN
 *          MUTANT_NO_MARK MUTANT_RELEASE_BEFORE_QUEUE MUTANT_WAITERS_CLEARED */
#define STRANDS   4
#define ADDRESSES 2
#define CONDITION 0
#define LOCK      1
#ifdef ONE_BUCKET
#define BUCKET(address) 0
#else
#define BUCKET(address) address
#endif

#include "lot.inc"
#include "quantum.inc"

bool waiters;           /* written and read by who holds the lock */
bool notified[STRANDS]; /* ghost */
byte items, running = STRANDS;

inline bucket_lock_pair() {
    bucket_lock(CONDITION);
#ifndef ONE_BUCKET
    bucket_lock(LOCK)
#endif
}

inline bucket_unlock_pair() {
    bucket_unlock(CONDITION);
#ifndef ONE_BUCKET
    bucket_unlock(LOCK)
#endif
}

/* wait_with(): got = notified, false = timed out. */
inline condition_wait(timed) {
#ifdef MUTANT_RELEASE_BEFORE_QUEUE
    waiters = true;
    lock_release();
#endif
    bucket_lock(CONDITION);
    waiters = true;
    enqueue(CONDITION);
    bucket_unlock(CONDITION);
#ifndef MUTANT_RELEASE_BEFORE_QUEUE
    lock_release();
#endif
    lot_sleep(CONDITION, timed);
    if
    :: rc == OK -> arrive(false); got = true
    :: else -> lot_done(); lock_acquire(false); got = false
    fi;
    atomic {
        assert(HOLDER(word) == 1 + me && got == notified[me]);
        notified[me] = false
    }
}

/* thrum_condition_notify() of at most n waiters, by the holder of the lock. */
inline condition_notify(n) {
    if
    :: waiters ->
       bucket_lock_pair();
       atomic {
           assert(alive);
           if
           :: len(queue[CONDITION]) > 0 ->
              assert(word != 0);
#ifndef MUTANT_NO_MARK
              word = word | WAITERS
#endif
           :: else
           fi
       }
       atomic {
           moves = 0;
           do
           :: len(queue[CONDITION]) > 0 && moves < n ->
              queue[CONDITION]?<w>;
              DEQUEUE(CONDITION, w);
              assert(held[BUCKET(LOCK)] == 1 + me);
              queue[LOCK]!w;
              at[w] = LOCK;
              notified[w] = true;
              moves++
           :: else -> break
           od;
           moves = 0;
           w = 0;
#ifdef MUTANT_WAITERS_CLEARED
           waiters = false
#else
           waiters = len(queue[CONDITION]) > 0
#endif
       }
       bucket_unlock_pair()
    :: else
    fi
}

inline finish() {
    atomic {
        running--;
        if
        :: running == 0 ->
           assert(word == 0 && len(queue[LOCK]) + len(queue[CONDITION]) == 0);
           assert(held[CONDITION] + held[LOCK] == 0);
           assert(!token[0] && !token[1] && !token[2] && !token[3])
        :: else
        fi
    }
}

proctype taker(byte me) {
    LOCALS;
    lock_acquire(false);
    do
    :: items > 0 -> break
    :: else -> condition_wait(false); got = false
    od;
    items--;
    lock_release();
    finish()
}

proctype passer(byte me) {
    LOCALS;
    byte moves;
    lock_acquire(false);
    if
    :: items == 0 ->
       condition_wait(true);
       if
       :: got -> got = false; condition_notify(1)
       :: else
       fi
    :: else
    fi;
    lock_release();
    finish()
}

proctype giver(byte me) {
    LOCALS;
    byte moves;
    lock_acquire(false);
    items = 2;
    condition_notify(2);
    lock_release();
    finish()
}

init {
    atomic { run taker(0); run taker(1); run passer(2); run giver(3) }
}
