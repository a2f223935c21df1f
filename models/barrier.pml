/* SPDX-License-Identifier: MIT */
/* A barrier (src/sync/barrier.c), either of two parties with an action, which may fail, or of
 * three without. Three strands wait in it until it was passed once, with a deadline (two waits,
 * one with an action) or without; who finds it broken makes it new, who has seen it passed aborts
 * it, for those of a next phase. Strand 3 makes it new or aborts it at any moment. What happens in
 * one hold of the bucket lock is one step, for nobody touches it without.
 *
 * Holds: who passes does so with as many as there are parties, all of them waiting then, each with
 * another index; a phase passes for all who wait in it or for none; at most one times out of a
 * phase, which is open then; one action runs at a time; nobody waits for ever; no token is left or
 * comes to who does not wait.
 *
 * Mutants: MUTANT_LATE_WAKER MUTANT_TIMEOUT_LEAVES_ARRIVED MUTANT_TIMEOUT_DROPS_GRANT
 *          MUTANT_ARRIVED_KEPT MUTANT_RESULT_AFTER_TOKEN MUTANT_TIMEOUT_WHILE_ACTING
 *          MUTANT_PHASE_NOT_COMPARED MUTANT_ACTIONS_OVERLAP MUTANT_NO_GATE MUTANT_GATE_NOT_WOKEN */
#define STRANDS   4
#define USERS     3
#define PHASES    1
#define ADDRESSES 2
#define BARRIER   0
#define GATE      1
#define BUCKET(address) 0

#include "lot.inc"

/* bits of the state */
#define OPEN   0
#define ACTING 1
#define BROKEN 2

/* results that are no index */
#define PIPE 8
#define LATE 9
#define CODE 10

byte parties;
bool action;
byte how = OPEN; /* thrum__state */
bool in_action;  /* ghost */
byte arrived;
byte result[USERS];
byte acts;          /* 1 + strand whose action is of this generation; 0 none */
bool passed[USERS]; /* ghost: since the strand began to wait, its phase was passed */
byte indices;       /* ghost: set of them, within a step */
byte phases;        /* ghost: passed so far, at most PHASES */
byte deadlines; /* waits that may still have one */
bool may_fail = true;
byte running = STRANDS;

/* In the hold of its caller; `me` is the last of the phase if it `goes` through. */
inline end_phase(next, goes, own) {
    indices = (goes -> (1 << own) : 0);
    assert(!goes || len(queue[BARRIER]) == parties - 1);
    do
    :: len(queue[BARRIER]) > 0 ->
       queue[BARRIER]?<w>;
#ifndef MUTANT_RESULT_AFTER_TOKEN
       indices = (goes -> indices | (1 << result[w]) : 0);
       result[w] = (goes -> result[w] : PIPE);
#endif
       passed[w] = goes;
       grant(BARRIER)
    :: else -> break
    od;
#ifndef MUTANT_GATE_NOT_WOKEN
    do
    :: len(queue[GATE]) > 0 && (next) != ACTING -> queue[GATE]?<w>; grant(GATE)
    :: else -> break
    od;
#endif
#ifndef MUTANT_RESULT_AFTER_TOKEN
    assert(!goes || indices == (1 << parties) - 1);
#endif
    phases = (goes && phases < PHASES -> phases + 1 : phases);
    indices = 0;
    w = 0;
    how = next;
#ifdef MUTANT_ARRIVED_KEPT
    arrived = (goes -> 0 : arrived);
#else
    arrived = 0;
#endif
    acts = 0
}

inline grant(address) {
    DEQUEUE(address, w);
    state[w] = GRANTED;
    granted[w] = true
}

#ifdef MUTANT_RESULT_AFTER_TOKEN
#define LATE_RESULT(strand, goes) ; result[strand] = (goes -> result[strand] : PIPE)
#else
#define LATE_RESULT(strand, goes)
#endif

inline unpark_granted(goes) {
    do
    :: granted[0] -> d_step { granted[0] = false; unpark(0) } LATE_RESULT(0, goes)
    :: granted[1] -> d_step { granted[1] = false; unpark(1) } LATE_RESULT(1, goes)
    :: granted[2] -> d_step { granted[2] = false; unpark(2) } LATE_RESULT(2, goes)
    :: else -> break
    od
}

/* A wait is given up; in the hold of its caller. */
inline leave() {
    if
#ifdef MUTANT_TIMEOUT_WHILE_ACTING
    :: false
#else
    :: how & ACTING
#endif
    :: else ->
       given_up = true;
       assert(how == OPEN && !passed[me]);
       DEQUEUE(BARRIER, me);
#ifdef MUTANT_TIMEOUT_LEAVES_ARRIVED
       skip
#else
       end_phase(BROKEN, false, 0)
#endif
    fi
}

inline after_leave() { unpark_granted(false) }

/* wait_in(), which gives `index` or a reason. Each branch is what one hold finds and does. */
#define MEETS(what) held[BUCKET(BARRIER)] == 0 && (what)

inline barrier_wait(timed) {
    do
#ifndef MUTANT_NO_GATE
    :: atomic {
           MEETS(how == ACTING) ->
           bucket_lock(GATE);
           enqueue(GATE);
           bucket_unlock(GATE)
       }
       take_token();
       lot_done()
#endif
    :: atomic { MEETS(how & BROKEN) -> index = PIPE; break }
#ifdef MUTANT_NO_GATE
    :: atomic {
           MEETS(!(how & BROKEN)) && arrived + 1 < parties ->
#else
    :: atomic {
           MEETS(how == OPEN) && arrived + 1 < parties ->
#endif
           bucket_lock(BARRIER);
           result[me] = arrived;
           arrived++;
           enqueue(BARRIER);
           bucket_unlock(BARRIER)
       }
       lot_sleep_leaving(BARRIER, timed);
       atomic {
           lot_done();
           index = (rc == OK -> result[me] : LATE);
           assert((index < PIPE) == passed[me]);
           passed[me] = false;
           result[me] = 0;
           rc = OK;
           break
       }
    :: atomic {
           MEETS(how == OPEN) && arrived + 1 == parties && !action ->
           bucket_lock(BARRIER);
           index = arrived;
#ifdef MUTANT_LATE_WAKER
           arrived = 0;
           bucket_unlock(BARRIER)
       }
       atomic {
           bucket_lock(BARRIER);
#endif
           end_phase(OPEN, true, index);
           bucket_unlock(BARRIER)
       }
       unpark_granted(true);
       break
    :: atomic {
           MEETS(how == OPEN) && arrived + 1 == parties && action ->
           bucket_lock(BARRIER);
           index = arrived;
           arrived = 0;
           assert(!in_action);
           in_action = true;
           how = ACTING;
           acts = 1 + me;
           bucket_unlock(BARRIER)
       }
       atomic { /* the action has returned 0, or a code */
           bucket_lock(BARRIER);
           in_action = false;
           if
           :: true -> got = true
           :: may_fail -> may_fail = false
           fi;
           if
#ifdef MUTANT_PHASE_NOT_COMPARED
           :: got -> end_phase(OPEN, true, index)
           :: else -> end_phase(BROKEN, false, 0); index = CODE
#else
           :: acts == 1 + me && got -> end_phase(OPEN, true, index)
           :: acts == 1 + me && !got -> end_phase(BROKEN, false, 0); index = CODE
           :: acts != 1 + me -> end_phase(how & BROKEN, false, 0); index = (got -> PIPE : CODE)
#endif
           fi;
           bucket_unlock(BARRIER)
       }
       unpark_granted(got);
       got = false;
       break
    od
}

/* end_now(): reset or abort. */
inline end_now(next) {
    atomic {
        bucket_lock(BARRIER);
#ifdef MUTANT_ACTIONS_OVERLAP
        end_phase(next, false, 0);
#else
        end_phase(next | (how & ACTING), false, 0);
#endif
        bucket_unlock(BARRIER)
    }
    unpark_granted(false)
}

inline finish() {
    atomic {
        running--;
        if
        :: running == 0 ->
           assert(len(queue[BARRIER]) + len(queue[GATE]) == 0 && held[BARRIER] == 0);
           assert(!token[0] && !token[1] && !token[2])
        :: else
        fi
    }
}

proctype user(byte me) {
    LOCALS;
    byte index;
    bool timed, granted[USERS];
    do
    :: phases == PHASES -> break
    :: phases < PHASES ->
       if
       :: timed = false
       :: atomic { deadlines > 0 -> deadlines--; timed = true }
       fi;
       barrier_wait(timed);
       timed = false;
       if
       :: atomic { index >= PIPE -> index = 0 }; end_now(OPEN)
       :: atomic { else -> index = 0 }
       fi
    od;
    end_now(BROKEN);
    finish()
}

proctype meddler(byte me) {
    byte w;
    bool granted[USERS];
    if
    :: end_now(OPEN);
       if
       :: phases == PHASES -> end_now(BROKEN)
       :: else
       fi
    :: end_now(BROKEN)
    fi;
    finish()
}

init {
    atomic {
        if
        :: action = true; parties = 2; deadlines = 1
        :: action = false; parties = 3; deadlines = 2
        fi;
        run user(0);
        run user(1);
        run user(2);
        run meddler(3)
    }
}
