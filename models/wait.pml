/* SPDX-License-Identifier: MIT */
/* Observers (src/sync/wait.c) of a semaphore and an event: strand 0 waits for either twice, strand
 * 1 for either, the event first, once; with a deadline or without, and anew after a time-out.
 * Strands 2 and 3 change them, in one of three ways: the semaphore alone (a release; an acquire,
 * blocking, and a release), the event alone (a set; a set, a clear and a set), or one each.
 *
 * Holds: no lost wake; one token for each wait that a waker ended, none is left or comes to who
 * does not wait; who waits for nothing any more is in no queue, and no waker touches its words.
 * Every statement is reached.
 *
 * Mutants: MUTANT_NO_SECOND_LOOK MUTANT_LOOK_THEN_FLAG MUTANT_EVENT_LOOKED_AT_TWICE
 *          MUTANT_FLAG_OUTSIDE_BUCKET MUTANT_FLAG_CLEARED_BLINDLY MUTANT_CLAIM_PLAIN
 *          MUTANT_GIVES_UP_UNCLAIMED MUTANT_READY_UNCLAIMED MUTANT_TOKEN_NOT_AWAITED
 *          MUTANT_NODE_LEFT MUTANT_WAKER_LEAVES_NODE MUTANT_RELEASE_SKIPS_OBSERVERS */
#define STRANDS   4
#define ADDRESSES 4
#define SEMAPHORE 0
#define EVENT     1
#define OBSERVED(address) (2 + address)
#define BUCKET(address)   (address & 1)
#define OBSERVERS 2

#include "lot.inc"

/* fired */
#define NOBODY 0
#define ITSELF 1
#define WAKER  2

/* event */
#define CLEAR   0
#define SET     1
#define AWAITED 2

short count;   /* of the semaphore: bits 1- of its word */
bool observed; /* bit 0 of the same word */
byte pending;
byte word = CLEAR; /* of the event */
byte fired[OBSERVERS];
bool open[OBSERVERS]; /* ghost: `fired` is on the stack of a wait */
byte running = STRANDS;

typedef nodes { byte state[2] } /* under the bucket lock of each */
nodes node[OBSERVERS];

/* ---- who wakes ---- */

/* thrum__observers_wake(), in the hold of its caller; granted[w]: it is to be unparked. */
inline observers_wake(object) {
    do
    :: atomic {
           len(queue[OBSERVED(object)]) > 0 ->
           queue[OBSERVED(object)]?<w>;
           assert(open[w] && node[w].state[object] == QUEUED);
#ifndef MUTANT_WAKER_LEAVES_NODE
           node[w].state[object] = GRANTED;
#endif
           queue[OBSERVED(object)]?w;
           got = fired[w] == NOBODY;
#ifdef MUTANT_CLAIM_PLAIN
       }
       atomic {
#endif
           if
           :: got -> fired[w] = WAKER; granted[w] = true; got = false
           :: else
           fi;
           w = 0
       }
    :: else -> break
    od
}

inline unpark_granted() {
    do
    :: atomic { granted[0] -> granted[0] = false; unpark(0) }
    :: atomic { granted[1] -> granted[1] = false; unpark(1) }
    :: atomic { granted[3] -> granted[3] = false; unpark(3) }
    :: else -> break
    od
}

inline pay() {
    atomic {
        bucket_lock(SEMAPHORE);
        if
        :: debt && len(queue[SEMAPHORE]) > 0 ->
           queue[SEMAPHORE]?<w>;
           DEQUEUE(SEMAPHORE, w);
           state[w] = GRANTED;
           granted[w] = true
        :: debt && len(queue[SEMAPHORE]) == 0 -> pending++
        :: else
        fi;
        w = 0;
        debt = false
    }
#ifndef MUTANT_RELEASE_SKIPS_OBSERVERS
    if
    :: look -> observers_wake(SEMAPHORE)
    :: else
    fi;
#endif
    look = false;
    bucket_unlock(SEMAPHORE);
    unpark_granted()
}

inline semaphore_release() {
    d_step { debt = count < 0; look = observed; count++ };
    if
    :: debt || look -> pay()
    :: else
    fi
}

inline semaphore_acquire() {
    d_step { got = count > 0; count-- };
    if
    :: got -> got = false
    :: else ->
       bucket_lock(SEMAPHORE);
       if
       :: pending > 0 -> pending--; bucket_unlock(SEMAPHORE)
       :: else ->
          atomic { enqueue(SEMAPHORE); bucket_unlock(SEMAPHORE) }
          take_token();
          lot_done()
       fi
    fi
}

inline event_set() {
    d_step {
        got = word != AWAITED;
        if
        :: got -> word = SET
        :: else
        fi
    }
    if
    :: got -> got = false
    :: else ->
       atomic { bucket_lock(EVENT); word = SET }
       observers_wake(EVENT);
       bucket_unlock(EVENT);
       unpark_granted()
    fi
}

inline event_clear() {
    d_step {
        if
        :: word == SET -> word = CLEAR
        :: else
        fi
    }
}

/* ---- who waits ---- */

#define READY(object) (object == SEMAPHORE && count > 0 || object == EVENT && word == SET)
#define OTHER(object) (1 - object)

/* What enqueue() of a waitable does with the word. */
inline set_flag(object) {
    d_step {
        if
        :: object == SEMAPHORE -> observed = true
        :: object == EVENT && word == CLEAR -> word = AWAITED
        :: else
        fi
    }
}

/* Flag and look are one operation on one word. */
inline set_flag_and_look(object) {
    d_step {
        got = READY(object);
        if
        :: object == SEMAPHORE -> observed = true
        :: object == EVENT && word == CLEAR -> word = AWAITED
        :: else
        fi
    }
}

inline observe(object) {
#ifdef MUTANT_FLAG_OUTSIDE_BUCKET
    set_flag(object);
#endif
#if defined(MUTANT_NO_SECOND_LOOK)
    bucket_lock(object);
    set_flag(object);
    got = false;
#elif defined(MUTANT_LOOK_THEN_FLAG)
    bucket_lock(object);
    got = READY(object);
    set_flag(object);
#elif defined(MUTANT_FLAG_OUTSIDE_BUCKET)
    bucket_lock(object);
    got = READY(object);
#elif defined(MUTANT_EVENT_LOOKED_AT_TWICE)
    bucket_lock(object);
    set_flag(object);
    got = READY(object);
#else
    atomic { bucket_lock(object); set_flag_and_look(object) }
#endif
    atomic {
        if
        :: got
        :: else ->
           node[me].state[object] = QUEUED;
           queue[OBSERVED(object)]!me;
           queued++
        fi;
        if
        :: object == SEMAPHORE && len(queue[OBSERVED(object)]) == 0 -> observed = false
        :: else
        fi;
        bucket_unlock(object)
    }
}

inline leave(object) {
    atomic {
        bucket_lock(object);
        if
        :: node[me].state[object] == QUEUED ->
           assert(queue[OBSERVED(object)]??[eval(me)]);
           queue[OBSERVED(object)]??eval(me)
        :: else
        fi;
        node[me].state[object] = QUEUED;
        if
#ifdef MUTANT_FLAG_CLEARED_BLINDLY
        :: object == SEMAPHORE -> observed = false
#else
        :: object == SEMAPHORE && len(queue[OBSERVED(object)]) == 0 -> observed = false
#endif
        :: else
        fi;
        bucket_unlock(object)
    }
}

/* wait_once(): `first` is the object that is named first. rc */
inline wait_once(first, timed) {
    d_step { fired[me] = NOBODY; open[me] = true; waits[me] = true; queued = 0; rc = OK };
    observe(first);
    if
    :: got
    :: else -> observe(OTHER(first))
    fi;
    got = false;
    if
    :: queued == 2 -> park(timed)
    :: else
    fi;
    if
#ifdef MUTANT_READY_UNCLAIMED
    :: rc == TIMEDOUT ->
#elif defined(MUTANT_GIVES_UP_UNCLAIMED)
    :: queued < 2 ->
#else
    :: queued < 2 || rc == TIMEDOUT ->
#endif
       d_step {
           got = fired[me] == NOBODY;
           if
           :: got -> fired[me] = ITSELF
           :: else
           fi
       }
       if
       :: got -> got = false
#ifdef MUTANT_TOKEN_NOT_AWAITED
       :: else
#else
       :: else -> take_token() /* which is owed */
#endif
       fi
    :: else
    fi;
#ifndef MUTANT_NODE_LEFT
    if
    :: queued > 0 -> leave(first)
    :: else
    fi;
    if
    :: queued > 1 -> leave(OTHER(first))
    :: else
    fi;
#endif
    atomic { open[me] = false; fired[me] = NOBODY; queued = 0; lot_done() }
}

inline finish() {
    atomic {
        running--;
        if
        :: running == 0 ->
           assert(len(queue[OBSERVED(SEMAPHORE)]) + len(queue[OBSERVED(EVENT)]) == 0);
           assert(len(queue[SEMAPHORE]) == 0 && pending == 0 && !observed);
           assert(!token[0] && !token[1] && !token[2] && !token[3])
        :: else
        fi
    }
}

proctype observer(byte me; byte first; byte rounds) {
    LOCALS;
    byte queued;
    bool timed;
    do
    :: rounds == 0 -> break
    :: rounds > 0 ->
       /* look() */
       if
       :: READY(first) -> rounds--
       :: else ->
          if
          :: READY(OTHER(first)) -> rounds--
          :: else ->
             if
             :: timed = true
             :: timed = false
             fi;
             wait_once(first, timed);
             timed = false
          fi
       fi
    od;
    finish()
}

proctype releaser(byte me; bool twice) {
    LOCALS;
    bool granted[STRANDS], debt, look;
    if
    :: twice -> semaphore_acquire()
    :: else
    fi;
    semaphore_release();
    finish()
}

proctype setter(byte me; bool twice) {
    byte w;
    bool got, granted[STRANDS];
    do
    :: event_set();
       if
       :: twice -> event_clear(); twice = false
       :: else -> break
       fi
    od;
    finish()
}

init {
    atomic {
        run observer(0, SEMAPHORE, 2);
        run observer(1, EVENT, 1);
        if
        :: run releaser(2, false); run releaser(3, true)
        :: run setter(2, false); run setter(3, true)
        :: run releaser(2, false); run setter(3, false)
        fi
    }
}
