/* SPDX-License-Identifier: MIT */
/* An event over two generations. Waiter 0 waits, clears, waits again and destroys the event as
 * soon as all three sets have taken effect and nobody waits; waiter 1 waits once, at any time;
 * setter 2 sets twice, at any time; setter 3 sets once, after the clear. Each wait is with a
 * deadline or without, and tried again after a time-out.
 *
 * Holds: no lost wake; who returns 0 found the event set at some moment of its wait (a setter that
 * comes late wakes nobody of the next generation); no setter touches the event after its set took
 * effect; no token is left or comes to who does not wait.
 * Every statement is reached.
 *
 * Mutants: MUTANT_LATE_SETTER MUTANT_CHECK_OUTSIDE_BUCKET MUTANT_SET_PLAIN MUTANT_TOUCH_AFTER_SET
 *          MUTANT_TIMEOUT_DROPS_WAKE */
#define STRANDS   4
#define ADDRESSES 1
#define EVENT     0
#define BUCKET(address) 0

#include "lot.inc"

#define CLEAR   0
#define SET     1
#define AWAITED 2

byte word = CLEAR;
bool alive = true; /* ghost: the event has not been destroyed */
byte sets;         /* ghost: sets that have taken effect */
bool cleared, other_done;
byte running = STRANDS;

inline event_wait(timed) {
    atomic { assert(alive); got = word == SET; since = sets }
    if
    :: got -> rc = OK
    :: else ->
#ifdef MUTANT_CHECK_OUTSIDE_BUCKET
       look();
       bucket_lock(EVENT);
#else
       bucket_lock(EVENT);
       look();
#endif
       if
       :: got -> bucket_unlock(EVENT); rc = OK
       :: else ->
          enqueue(EVENT);
          bucket_unlock(EVENT);
          lot_sleep(EVENT, timed);
          lot_done()
       fi;
       assert(rc == TIMEDOUT || got || sets > since)
    fi;
    atomic { got = false; since = 0 }
}

/* The loop in thrum__event_wait_slow(). */
inline look() {
    atomic {
        assert(alive);
        got = word == SET;
        if
        :: !got -> word = AWAITED
        :: else
        fi
    }
}

inline event_set() {
    if
    :: atomic { word == CLEAR -> assert(alive); word = SET; sets++; got = true }
    :: atomic { word == SET -> assert(alive) };
       atomic {
           assert(alive);
           if
           :: word == SET -> sets++; got = true
           :: else
           fi
       }
    :: atomic { word == AWAITED -> assert(alive) }
#ifdef MUTANT_SET_PLAIN
       ; atomic { word = SET; sets++; got = true }
#endif
    fi;
    if
    :: got -> got = false
    :: else -> event_set_slow()
    fi
}

inline event_set_slow() {
#ifdef MUTANT_LATE_SETTER
    d_step { assert(alive); word = SET; sets++ };
    bucket_lock(EVENT);
#else
    bucket_lock(EVENT);
    d_step { assert(alive); word = SET; sets++ };
#endif
    atomic {
        do
        :: len(queue[EVENT]) > 0 ->
           queue[EVENT]?<w>;
           DEQUEUE(EVENT, w);
           state[w] = GRANTED;
           granted[w] = true
        :: else -> break
        od;
        w = 0
    }
    bucket_unlock(EVENT);
    if
    :: granted[0] -> granted[0] = false; unpark(0)
    :: else
    fi;
    if
    :: granted[1] -> granted[1] = false; unpark(1)
    :: else
    fi
#ifdef MUTANT_TOUCH_AFTER_SET
    ; assert(alive)
#endif
}

inline event_clear() {
    atomic {
        assert(alive);
        if
        :: word == SET -> word = CLEAR
        :: else
        fi
    }
}

inline finish() {
    atomic {
        running--;
        if
        :: running == 0 ->
           assert(!alive && len(queue[EVENT]) == 0 && held[EVENT] == 0);
           assert(!token[0] && !token[1])
        :: else
        fi
    }
}

proctype waiter(byte me) {
    LOCALS;
    byte since;
    bool timed, again;
    do
    :: if
       :: timed = false
       :: timed = true
       fi;
       event_wait(timed);
       timed = false;
       if
       :: rc == TIMEDOUT -> rc = OK
       :: rc == OK && me == 0 && !cleared -> event_clear(); cleared = true
       :: rc == OK && me == 0 && cleared -> other_done && sets == 3 -> alive = false; break
       :: rc == OK && me == 1 -> other_done = true; break
       fi
    od;
    finish()
}

proctype setter(byte me) {
    byte w, n;
    bool got, granted[2];
    n = (me == 2 -> 2 : 1);
    if
    :: me == 3 -> cleared
    :: else
    fi;
    do
    :: n > 0 -> event_set(); n--
    :: else -> break
    od;
    finish()
}

init {
    atomic { run waiter(0); run waiter(1); run setter(2); run setter(3) }
}
