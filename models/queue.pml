/* SPDX-License-Identifier: MIT */
/* How the getters of a queue sleep (src/thread/queue_wait.c; putters do it in the same way):
 * putters 0 and 1 put two items and one, getters 2 and 3 get one and two, one of their waits with
 * a deadline and anew after it. With -DSHUT strand 4 shuts the queue down at any moment, and
 * putter 0 puts one. An attempt is one step, and waits for an item whose put has moved the tail
 * and not written its slot yet: that it may be so is what ring.pml shows.
 *
 * Holds: no lost wake; no token is left or comes to who does not wait; who was shut out got
 * nothing, and nothing is left then.
 *
 * Variants: SHUT
 * Mutants: MUTANT_MARK_BUFFERED MUTANT_FLAG_READ_EARLY MUTANT_LOOKS_AT_SLOT MUTANT_MARK_NOT_AGAIN
 *          MUTANT_NOT_PASSED_ON MUTANT_CHOSEN_GIVES_UP MUTANT_TIMEOUT_DROPS_WAKE
 *          MUTANT_SLEEPS_UNLOCKED MUTANT_SHUT_WAKES_NOBODY */
#ifdef MUTANT_SHUT_WAKES_NOBODY
#define SHUT
#endif

#define STRANDS   5
#define ADDRESSES 1
#define GETTERS   0
#define BUCKET(address) 0
#define ITEMS     3

#include "lot.inc"

/* Reasons, beside OK and TIMEDOUT. */
#define AGAIN    2
#define SHUTDOWN 3

byte head, tail;
bool shut;            /* a bit of tail */
bool written[ITEMS];  /* the slot at this position */
bool asleep;
bool others[STRANDS]; /* of a sleeper; under the bucket lock */
byte deadlines = 1;   /* waits that may still have one */
byte running;

/* thrum__side_owes() */
inline look_for_sleepers() {
    owes_wake = asleep;
    if
    :: owes_wake -> d_step { owes_wake = asleep; asleep = false }
    :: else
    fi
}

/* grant_first(), in a hold. */
inline grant_first() {
    queue[GETTERS]?<w>;
    DEQUEUE(GETTERS, w);
    state[w] = GRANTED;
    others[w] = len(queue[GETTERS]) > 0;
    granted[w - 2] = true;
    w = 0
}

inline unpark_granted() {
    do
    :: granted[0] -> d_step { granted[0] = false; unpark(2) }
    :: granted[1] -> d_step { granted[1] = false; unpark(3) }
    :: else -> break
    od
}

inline wake() {
    atomic {
        bucket_lock(GETTERS);
        if
        :: len(queue[GETTERS]) > 0 -> grant_first()
        :: else
        fi;
        bucket_unlock(GETTERS)
    }
    unpark_granted()
}

inline wake_all() {
    atomic {
        bucket_lock(GETTERS);
        do
        :: len(queue[GETTERS]) > 0 -> grant_first()
        :: else -> break
        od;
        bucket_unlock(GETTERS)
    }
    unpark_granted()
}

inline get_attempt() {
    atomic {
        if
        :: head < tail && written[head] -> head++; rc = OK
        :: head == tail -> rc = (shut -> SHUTDOWN : AGAIN)
        fi
    }
}

/* thrum__ring_can_get() */
inline look() {
    seen = head;
    d_step {
#ifdef MUTANT_LOOKS_AT_SLOT
        got = shut || seen < ITEMS && written[seen];
#else
        got = shut || tail != seen;
#endif
        seen = 0
    }
}

/* A store that is not seq_cst may take effect after the loads that follow it. */
inline mark_and_look() {
#ifdef MUTANT_MARK_BUFFERED
    if
    :: asleep = true; look()
    :: look(); asleep = true
    fi
#else
    asleep = true;
    look()
#endif
}

inline sleep_once(timed) {
#ifdef MUTANT_SLEEPS_UNLOCKED
    mark_and_look();
    bucket_lock(GETTERS);
#else
    bucket_lock(GETTERS);
    mark_and_look();
#endif
    if
    :: got -> atomic { got = false; bucket_unlock(GETTERS); rc = OK }
    :: else ->
       atomic { enqueue(GETTERS); bucket_unlock(GETTERS) }
       lot_sleep(GETTERS, timed);
       atomic {
           lot_done();
           owes = rc == OK && others[me];
           others[me] = false
       }
#ifndef MUTANT_MARK_NOT_AGAIN
       if
       :: owes -> asleep = true
       :: else
       fi
#endif
    fi
}

inline pass_on() {
    bucket_lock(GETTERS);
    if
    :: len(queue[GETTERS]) > 0 ->
       look();
       if
       :: got -> got = false; look_for_sleepers()
       :: else
       fi;
       if
       :: owes_wake -> atomic { owes_wake = false; grant_first() }
       :: else
       fi
    :: else
    fi;
    bucket_unlock(GETTERS);
    unpark_granted()
}

/* thrum__queue_wait(), and the attempt before it. */
inline get(timed) {
    get_attempt();
    do
    :: rc != AGAIN -> break
    :: rc == AGAIN ->
       sleep_once(timed);
       if
#ifdef MUTANT_CHOSEN_GIVES_UP
       :: rc == OK && timed -> rc = TIMEDOUT; owes = false; break
       :: rc == OK && !timed -> get_attempt()
#else
       :: rc == OK -> get_attempt()
#endif
       :: else -> break
       fi
    od;
#ifdef MUTANT_NOT_PASSED_ON
    owes = false;
#endif
    if
    :: owes -> owes = false; pass_on()
    :: else
    fi
}

inline finish() {
    atomic {
        running--;
        if
        :: running == 0 ->
           assert(len(queue[GETTERS]) == 0 && held[GETTERS] == 0 && !token[2] && !token[3]);
           assert(head == tail)
        :: else
        fi
    }
}

proctype putter(byte me; byte quota) {
    byte w, n;
    bool owes_wake, granted[2];
    do
    :: quota == 0 -> break
    :: else ->
#ifdef MUTANT_FLAG_READ_EARLY
       owes_wake = asleep;
#endif
       atomic {
           if
           :: shut -> break
           :: else -> n = tail; tail++; quota--
           fi
       }
#ifdef MUTANT_FLAG_READ_EARLY
       if
       :: owes_wake -> d_step { owes_wake = asleep; asleep = false }
       :: else
       fi;
#else
       look_for_sleepers();
#endif
       d_step { written[n] = true; n = 0 };
       if
       :: owes_wake -> owes_wake = false; wake()
       :: else
       fi
    od;
    finish()
}

proctype getter(byte me; byte quota) {
    LOCALS;
    byte seen;
    bool owes_wake, owes, timed, granted[2];
    do
    :: quota == 0 -> break
    :: quota > 0 ->
       if
       :: timed = false
       :: atomic { deadlines > 0 -> deadlines--; timed = true }
       fi;
       get(timed);
       atomic {
           timed = false;
           if
           :: rc == OK -> quota--
           :: rc == TIMEDOUT
           :: rc == SHUTDOWN -> assert(shut && head == tail); quota = 0
           fi;
           rc = OK
       }
    od;
    finish()
}

proctype shutter(byte me) {
    byte w;
    bool granted[2];
    shut = true;
#ifndef MUTANT_SHUT_WAKES_NOBODY
    wake_all();
#endif
    finish()
}

init {
    atomic {
#ifdef SHUT
        running = 5;
        run shutter(4);
        run putter(0, 1);
#else
        running = 4;
        run putter(0, 2);
#endif
        run putter(1, 1);
        run getter(2, 1);
        run getter(3, 2)
    }
}
