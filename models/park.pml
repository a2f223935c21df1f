/* SPDX-License-Identifier: MIT */
/* The token of an OS strand (src/park/strand_linux.c) on a futex, under a lot of one bucket: one
 * strand waits for two objects in turn, with a deadline or without, and two wakers set one each.
 * The kernel may wake who sleeps for no reason, once. The strand is gone when it has both.
 *
 * Holds: no lost wake; each token has one park that takes it, and nothing returns while one is
 * owed; the strand's word is not touched by unpark after its exchange (the address goes to the
 * kernel, and a late futex wake disturbs nobody).
 * Every statement is reached.
 *
 * Mutants: MUTANT_UNPARK_PLAIN MUTANT_SLEEP_PLAIN MUTANT_DEADLINE_PLAIN MUTANT_FUTEX_BLIND
 *          MUTANT_FUTEX_NO_LOOP MUTANT_UNPARK_LOOKS_AGAIN MUTANT_TIMEOUT_DROPS_WAKE
 *          MUTANT_CHECK_OUTSIDE_BUCKET MUTANT_WAKE_THEN_SET */
#define IDLE   0
#define TOKEN  1
#define ASLEEP 2

#define OK       0
#define TIMEDOUT 1
#define AGAIN    2

#define NOBODY 2

byte word = IDLE;      /* of the strand */
bool in_kernel;        /* it sleeps in the futex queue */
bool may_disturb = true;
bool bucket;           /* held */
byte queued = NOBODY;  /* object that the waiter is queued at; under the bucket lock */
bool object[2];
bool owed;             /* ghost: a waiter was granted, its token not taken yet */
bool alive = true;     /* ghost: the strand is not gone */

inline bucket_lock() { atomic { !bucket -> bucket = true } }

/* take_token(): only its owner leaves TOKEN, so a load and a store will do. */
inline take_token() {
    got = word == TOKEN;
    if
    :: got ->
       d_step { assert(word == TOKEN && owed); owed = false; word = IDLE }
    :: else
    fi
}

inline futex_wait(timed) {
    atomic {
        if
#ifdef MUTANT_FUTEX_BLIND
        :: true -> in_kernel = true; rc = OK
#else
        :: word == ASLEEP -> in_kernel = true; rc = OK
        :: word != ASLEEP -> rc = AGAIN
#endif
        fi
    }
    if
    :: rc == OK ->
       if
       :: !in_kernel
       :: atomic { in_kernel && may_disturb -> may_disturb = false; in_kernel = false }
       :: atomic { timed -> in_kernel = false; rc = TIMEDOUT }
       fi
    :: else
    fi
}

/* sleep_for_token(): rc is OK or TIMEDOUT. */
inline sleep_for_token(timed) {
    rc = OK;
#ifdef MUTANT_SLEEP_PLAIN
    got = word == IDLE;
    if
    :: got -> word = ASLEEP
    :: else
    fi;
#else
    atomic {
        got = word == IDLE;
        if
        :: got -> word = ASLEEP
        :: else
        fi
    }
#endif
    do
    :: !got -> break
    :: got ->
       futex_wait(timed);
#ifdef MUTANT_FUTEX_NO_LOOP
       got = rc == TIMEDOUT;
#else
       got = word == ASLEEP;
#endif
       if
       :: !got -> rc = OK
       :: got && rc != TIMEDOUT
       :: got && rc == TIMEDOUT ->
#ifdef MUTANT_DEADLINE_PLAIN
          word = IDLE;
          break
#else
          atomic {
              if
              :: word == ASLEEP -> word = IDLE; break
              :: else
              fi
          }
#endif
       fi
    od
}

/* os_park() */
inline park(timed) {
    take_token();
    if
    :: got -> rc = OK
    :: !got && timed -> rc = TIMEDOUT /* the deadline has passed already */
    :: !got ->
       sleep_for_token(timed);
       if
       :: rc == OK -> take_token()
       :: else
       fi
    fi;
    got = false
}

proctype waiter() {
    byte rc, round;
    bool got, timed;
    do
    :: round < 2 ->
#ifdef MUTANT_CHECK_OUTSIDE_BUCKET
       got = object[round];
       bucket_lock();
#else
       bucket_lock();
       got = object[round];
#endif
       if
       :: got -> got = false; bucket = false; round++
       :: else ->
          queued = round;
          bucket = false;
          if
          :: timed = true
          :: timed = false
          fi;
          do
          :: park(timed);
             if
             :: rc == OK -> break
             :: else -> /* thrum__lot_sleep() */
                bucket_lock();
                if
                :: queued == round -> queued = NOBODY; bucket = false; break
                :: else ->
                   bucket = false;
#ifdef MUTANT_TIMEOUT_DROPS_WAKE
                   rc = OK;
                   break
#else
                   timed = false /* a token is owed */
#endif
                fi
             fi
          od;
          assert(!owed && word == IDLE);
          assert(rc == TIMEDOUT || object[round]);
          rc = OK;
          timed = false
       fi
    :: else -> break
    od;
    assert(word == IDLE && queued == NOBODY && !in_kernel);
    alive = false
}

/* os_unpark() */
inline unpark() {
#ifdef MUTANT_UNPARK_PLAIN
    old = word;
    word = TOKEN;
#else
    d_step { assert(alive && owed && word != TOKEN); old = word; word = TOKEN }
#endif
#ifdef MUTANT_UNPARK_LOOKS_AGAIN
    assert(alive);
#endif
    if
    :: old == ASLEEP -> in_kernel = false /* futex wake: by address, whoever sleeps there */
    :: else
    fi
}

proctype waker(byte me) {
    byte old;
    bool granted;
#ifndef MUTANT_WAKE_THEN_SET
    object[me] = true;
#endif
    bucket_lock();
    atomic {
        granted = queued == me;
        if
        :: granted -> queued = NOBODY; owed = true
        :: else
        fi
    }
    bucket = false;
#ifdef MUTANT_WAKE_THEN_SET
    object[me] = true;
#endif
    if
    :: granted -> unpark()
    :: else
    fi
}

init {
    atomic { run waiter(); run waker(0); run waker(1) }
}
