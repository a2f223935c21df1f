/* SPDX-License-Identifier: MIT */
/* Three strands, two rounds each, on one quantum lock; each with a deadline or without, and anew
 * after a time-out. Who holds the lock last in the last round destroys it after its release.
 *
 * Holds: one holder at a time; no lost wake (every end state is "all finished"); no token comes to
 * who does not wait, none is left; nobody queued is left; the lock is not touched once destroyed.
 *
 * Every statement is reached.
 *
 * Mutants: MUTANT_CHECK_OUTSIDE_BUCKET MUTANT_NO_MORE_BIT MUTANT_TIMEOUT_DROPS_WAKE
 *          MUTANT_TICK_FREES MUTANT_TICK_GRANTS_SLEEPER MUTANT_STAYS_WOKEN MUTANT_RELEASE_PLAIN
 *          MUTANT_WAKE_LEAVES_QUEUED */
#define STRANDS   3
#define ROUNDS    2
#define ADDRESSES 1
#define LOCK      0
#define BUCKET(address) 0

#include "lot.inc"
#include "quantum.inc"

byte inside, users = STRANDS, running = STRANDS;

inline critical_section() {
    d_step { assert(HOLDER(word) == 1 + me && inside == 0); inside = 1 };
    inside = 0
}

proctype strand(byte me) {
    LOCALS;
    byte round;
    bool timed, last;
    do
    :: round < ROUNDS ->
       if
       :: timed = false
       :: timed = true
       fi;
       lock_acquire(timed);
       timed = false;
       if
       :: rc == OK ->
          critical_section();
          if
          :: round == ROUNDS - 1 -> d_step { users--; last = users == 0 }
          :: else
          fi;
          lock_release();
          round++
       :: else -> rc = OK
       fi
    :: else -> break
    od;
    atomic {
        if
        :: last -> alive = false
        :: else
        fi;
        running--;
        if
        :: running == 0 ->
           assert(word == 0 && len(queue[LOCK]) == 0 && held[LOCK] == 0);
           assert(!token[0] && !token[1] && !token[2])
        :: else
        fi
    }
}

init {
    atomic { run strand(0); run strand(1); run strand(2) }
}
