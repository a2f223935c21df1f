/* SPDX-License-Identifier: MIT */
/* A semaphore (src/sync/semaphore.c and its fast paths in inline.h). Three users acquire a permit
 * each, user 0 twice: blocking, with a deadline or without, or by trying, and anew after a
 * failure; each releases it again. A releaser makes two permits at once where there were none;
 * with -DONE_PERMIT the first is there from the start, there is no releaser, and user 1 acquires
 * twice too. Who acquired last of all destroys the semaphore.
 *
 * Holds: as many own a permit as there are, at most (one: mutual exclusion); no permit is lost; no
 * lost wake; permits wait for who has not queued, or waiters for permits, never both; no token is
 * left or comes to who does not wait; a release touches nothing after its addition, unless it owes
 * a permit.
 * Every statement is reached.
 *
 * Variants: ONE_PERMIT
 * Mutants: MUTANT_TIMEOUT_ADDS_BLINDLY MUTANT_PENDING_IGNORED MUTANT_PENDING_LOST
 *          MUTANT_PENDING_READ_OUTSIDE MUTANT_QUEUE_READ_OUTSIDE MUTANT_PAYS_ALL
 *          MUTANT_TIMEOUT_DROPS_GRANT MUTANT_FLAG_BESIDE_COUNT MUTANT_TRY_TAKES_AND_GIVES_BACK
 *          MUTANT_ACQUIRE_PLAIN MUTANT_RELEASE_PLAIN */
#define ADDRESSES 1
#define SEMAPHORE 0
#define BUCKET(address) 0
#define USERS     3
#ifdef ONE_PERMIT
#define STRANDS   3
#define PERMITS   1
#define ROUNDS(strand) (strand < 2 -> 2 : 1)
#define ALL_ROUNDS 5
#else
#define STRANDS   4
#define PERMITS   2
#define ROUNDS(strand) (strand < 1 -> 2 : 1)
#define ALL_ROUNDS 4
#endif

#include "lot.inc"

short count;       /* bits 1- of the word: permits, or minus the debtors that nobody pays */
byte pending;      /* under the bucket lock */
bool alive = true; /* ghost: the semaphore has not been destroyed */
byte made, owned;  /* ghost: permits that exist, and that somebody has */
byte rounds = ALL_ROUNDS, running = STRANDS;

/* A debtor gives up. */
inline leave() {
    d_step {
        assert(alive);
        if
#ifdef MUTANT_TIMEOUT_ADDS_BLINDLY
        :: true -> count++; DEQUEUE(SEMAPHORE, me); given_up = true
#else
        :: count < 0 -> count++; DEQUEUE(SEMAPHORE, me); given_up = true
        :: else /* all debts are paid: a permit is on its way */
#endif
        fi
    }
}

inline after_leave() { skip }

/* thrum__semaphore_wait() */
inline semaphore_wait(timed) {
#ifdef MUTANT_PENDING_READ_OUTSIDE
    got = pending > 0;
    bucket_lock(SEMAPHORE);
#else
    bucket_lock(SEMAPHORE);
    got = pending > 0;
#endif
#ifdef MUTANT_PENDING_IGNORED
    got = false;
#endif
    if
    :: got ->
       d_step { assert(alive && pending > 0); pending--; got = false; rc = OK };
       bucket_unlock(SEMAPHORE)
    :: else ->
       enqueue(SEMAPHORE);
       bucket_unlock(SEMAPHORE);
       lot_sleep_leaving(SEMAPHORE, timed);
       lot_done()
    fi
}

inline semaphore_acquire(timed) {
#ifdef MUTANT_ACQUIRE_PLAIN
    change = count;
    d_step { count = change - 1; got = change > 0; change = 0 };
#else
    d_step { assert(alive); got = count > 0; count-- };
#endif
    if
    :: got -> got = false; rc = OK
    :: else -> semaphore_wait(timed)
    fi
}

inline semaphore_try_acquire() {
#ifdef MUTANT_TRY_TAKES_AND_GIVES_BACK
    d_step { rc = (count > 0 -> OK : TIMEDOUT); count-- };
    if
    :: rc == TIMEDOUT -> count++
    :: else
    fi
#else
    d_step {
        assert(alive);
        if
        :: count > 0 -> count--; rc = OK
        :: else -> rc = TIMEDOUT
        fi
    }
#endif
}

/* How many of `n` new permits are owed to debtors. */
#define DEBTS(count, n) (count >= 0 -> 0 : (-count < n -> -count : n))

/* pay(): `debts` of them. */
inline pay() {
#ifdef MUTANT_QUEUE_READ_OUTSIDE
    got = len(queue[SEMAPHORE]) > 0;
#else
    got = true;
#endif
    bucket_lock(SEMAPHORE);
    d_step {
        do
        :: got && debts > 0 && len(queue[SEMAPHORE]) > 0 ->
           queue[SEMAPHORE]?<w>;
           DEQUEUE(SEMAPHORE, w);
           state[w] = GRANTED;
           granted[w] = true;
           debts--
        :: else -> break
        od;
        w = 0;
        got = false;
        if
        :: debts > 0 ->
           assert(alive); /* who is owed it has not returned */
#ifndef MUTANT_PENDING_LOST
           pending = pending + debts;
#endif
           debts = 0
        :: else
        fi;
        assert(pending == 0 || len(queue[SEMAPHORE]) == 0)
    }
    bucket_unlock(SEMAPHORE);
    do
    :: w < USERS && granted[w] -> granted[w] = false; unpark(w); w++
    :: w < USERS && !granted[w] -> w++
    :: w == USERS -> w = 0; break
    od
}

inline semaphore_release(n, own) {
#ifdef MUTANT_RELEASE_PLAIN
    change = count;
    d_step {
        owned = owned - own;
        made = made + n - own;
        debts = DEBTS(change, n);
        count = change + n;
        change = 0
    }
#else
    d_step {
        assert(alive);
        debts = DEBTS(count, n);
#ifdef MUTANT_PAYS_ALL
        debts = (count < 0 -> n : 0);
#endif
        owned = owned - own;
        made = made + n - own;
        count = count + n
    }
#endif
#ifdef MUTANT_FLAG_BESIDE_COUNT
    assert(alive); /* looks at a flag: is it observed? */
#endif
    if
    :: debts > 0 -> pay()
    :: else
    fi
}

inline finish() {
    atomic {
        running--;
        if
        :: running == 0 ->
           assert(!alive && count == PERMITS - 1 && pending == 0);
           assert(len(queue[SEMAPHORE]) == 0 && held[SEMAPHORE] == 0);
           assert(!token[0] && !token[1] && !token[2])
        :: else
        fi
    }
}

proctype user(byte me) {
    LOCALS;
    byte round, debts;
    short change;
    bool timed, granted[USERS], last;
    do
    :: round < ROUNDS(me) ->
       if
       :: semaphore_try_acquire()
       :: if
          :: timed = false
          :: timed = true
          fi;
          semaphore_acquire(timed)
       fi;
       timed = false;
       if
       :: rc == OK ->
          d_step {
              owned++;
              assert(owned <= made);
              rounds--;
              last = rounds == 0
          }
          round++;
          if
          :: last -> d_step { owned == 1 && made == PERMITS -> alive = false }; break
          :: else -> semaphore_release(1, 1)
          fi
       :: else -> rc = OK
       fi
    :: else -> break
    od;
    finish()
}

#ifndef ONE_PERMIT
proctype releaser(byte me) {
    byte w, debts;
    short change;
    bool got, granted[USERS];
    semaphore_release(2, 0);
    finish()
}
#endif

init {
    atomic {
#ifdef ONE_PERMIT
        made = 1;
        count = 1;
#else
        run releaser(3);
#endif
        run user(0);
        run user(1);
        run user(2)
    }
}
