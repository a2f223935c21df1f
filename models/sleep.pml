/* SPDX-License-Identifier: MIT */
/* Who of a pool is woken, who is started, who may sleep (src/exec/wake.c, worker.c, submit.c): two strands
 * submit, workers are started for that, take one task or a batch of two, sleep, and leave when their idle time is
 * over. The task that is run first may wait for all others, so one that is left to its worker is lost. With -DONE the
 * pool has one slot, and an outside strand helps once; with -DFAILS a start of a thread may fail.
 *
 * Holds: every task is run with nobody submitting more; slots, states and places are kept count of.
 *
 * Variants: ONE
 * Variants: FAILS
 * Variants: IDLE
 * Mutants: MUTANT_LOOK_BEFORE_ANNOUNCE MUTANT_STATE_READ_EARLY MUTANT_LOOKS_UNLOCKED
 *          MUTANT_NEXT_NOT_WOKEN MUTANT_NEXT_LOOKED_FOR_EARLY MUTANT_WOKEN_NOT_SEARCHING
 *          MUTANT_LEAVES_WITHOUT_LOOK MUTANT_TIMEOUT_DROPS_GRANT MUTANT_SLOT_BACK_WITHOUT_LOOK
 *          MUTANT_BATCH_UNSEEN MUTANT_START_RELIED_ON MUTANT_COUNTED_START_REFUSES
 *          MUTANT_FIRST_STARTS_TOGETHER */
#ifdef MUTANT_SLOT_BACK_WITHOUT_LOOK
#define ONE
#endif
#ifdef MUTANT_START_RELIED_ON
#define FAILS
#endif
#ifdef MUTANT_COUNTED_START_REFUSES
#define FAILS
#endif
#ifdef MUTANT_FIRST_STARTS_TOGETHER
#define FAILS
#endif
#ifdef MUTANT_LEAVES_WITHOUT_LOOK
#define IDLE
#endif
#ifdef MUTANT_TIMEOUT_DROPS_GRANT
#define IDLE
#endif

#ifdef ONE
#define MAX 1
#else
#define MAX 2
#endif
#ifdef IDLE
#define PLACES 3 /* one to spare: who leaves still has its own */
#define TASKS  2
#else
#define PLACES 2
#define TASKS  3
#endif
#define STRANDS   6 /* workers, submitters, the helper */
#define ADDRESSES 1
#define POOL      0
#define BUCKET(address) 0

#include "lot.inc"

/* The state: one word in the code. SLEEPING is the length of the queue, but for MUTANT_LOOKS_UNLOCKED. */
byte busy, pinned, searching;
byte n_workers, starting;      /* under the bucket lock */
bool alive[3];                 /* under the bucket lock */
bool counted[PLACES];
bool started[PLACES];          /* ghost: there is a thread for it */
bool first_lock;
byte injector, deque[3];       /* how many tasks */
bool taking;
byte ran;
bool long_taken;
#ifdef IDLE
byte idle = 1;                 /* waits for work that may still end by themselves */
#endif
#ifdef FAILS
byte fails = 1;
#endif

#include "wake.inc"

/* thrum__pool_take(). What the batch takes along is in no queue for a while. */
inline take(worker) {
    atomic {
        got = true;
        if
        :: worker && deque[me] > 0 -> deque[me]--
        :: !(worker && deque[me] > 0) && injector > 0 && !taking ->
           injector--;
           if
           :: worker && injector > 0 -> injector--; taking = true; batch = true
           :: true
           fi
        :: !(worker && deque[me] > 0) && !(injector > 0 && !taking) ->
           if
           :: deque[0] > 0 -> deque[0]--
           :: deque[0] == 0 && deque[1] > 0 -> deque[1]--
           :: deque[0] + deque[1] == 0 && deque[2] > 0 -> deque[2]--
           :: else -> got = false
           fi
        fi
    }
    if
    :: batch -> atomic { deque[me]++; taking = false }
    :: else
    fi
}

/* Short, or (one of them, if there are others to run them) until all others have been run. */
inline execute() {
    atomic {
        got = false;
        if
#ifndef ONE
#ifndef FAILS
        :: !long_taken -> long_taken = true; ran == TASKS - 1
#endif
#endif
        :: true
        fi;
        ran++
    }
}

inline take_slot() {
    atomic {
        if
        :: !FULL -> busy++; got = true
        :: else -> got = false
        fi
    }
}

/* work(), with a slot and SEARCHING. */
inline work() {
    take(true);
    if
    :: !got -> d_step { assert(busy > 0); busy-- }
    :: got ->
       batch = false;
#ifdef MUTANT_NEXT_LOOKED_FOR_EARLY
       visible();
       d_step { assert(searching > 0); searching-- };
#else
       d_step { assert(searching > 0); searching-- };
#ifndef MUTANT_NEXT_NOT_WOKEN
       visible();
#endif
#endif
       if
       :: seen -> seen = false; notify()
       :: else
       fi;
       do
       :: got -> execute(); take(true);
#ifndef MUTANT_BATCH_UNSEEN
          if
          :: batch -> notify()
          :: else
          fi;
#endif
          batch = false
       :: else -> break
       od;
       atomic { assert(busy > 0); busy--; searching++ }
    fi
}

inline leave() {
    DEQUEUE(POOL, me);
    searching++;
    given_up = true
}

inline after_leave() { skip }

/* sleep_until_work(): `staying` tells whether the worker stays. */
inline sleep_until_work() {
#ifdef MUTANT_LOOKS_UNLOCKED
    d_step { searching--; off = FULL };
#else
#ifdef MUTANT_LOOK_BEFORE_ANNOUNCE
    visible();
#endif
    atomic { bucket_lock(POOL); assert(searching > 0); searching--; off = FULL };
#endif
#ifndef MUTANT_LOOK_BEFORE_ANNOUNCE
    if
    :: !off -> visible()
    :: else
    fi;
#endif
#ifdef MUTANT_LOOKS_UNLOCKED
    bucket_lock(POOL);
#endif
    if
    :: seen -> atomic { off = false; seen = false; searching++; bucket_unlock(POOL) }
    :: else ->
       atomic {
           off = false;
           enqueue(POOL);
           bucket_unlock(POOL);
           if
           :: timed = false
#ifdef IDLE
           :: idle > 0 -> idle--; timed = true
#endif
           fi
       }
end_asleep:
       lot_sleep_leaving(POOL, timed);
       atomic { lot_done(); staying = rc == OK; timed = false; rc = OK }
    fi
}

/* thrum__pool_drain(), by who got -EAGAIN: that takes back its own, too. */
inline drain_if_refused() {
#ifdef FAILS
    if
    :: refused ->
       refused = false;
       do
       :: take(false);
          if
          :: got -> execute()
          :: else -> break
          fi
       od
    :: else
    fi
#else
    assert(!refused)
#endif
}

#define POOL_LOCALS byte what; bool seen, off, first, failed, refused, only_wake, batch

proctype worker(byte me) {
    LOCALS;
    POOL_LOCALS;
    bool timed, staying;
end:
    do
    :: atomic { started[me] -> started[me] = false; staying = true };
       if
       :: !counted[me] -> searching++
       :: else
       fi;
       do
       :: !staying -> break
       :: staying ->
          visible();
          if
          :: seen -> seen = false; take_slot()
          :: else
          fi;
          if
          :: got -> work()
          :: else -> sleep_until_work()
          fi
       od;
       /* leave() */
       atomic {
           bucket_lock(POOL);
           assert(searching > 0 && n_workers > 0);
           n_workers--;
           searching--;
           pinned++;
           bucket_unlock(POOL)
       };
#ifndef MUTANT_LEAVES_WITHOUT_LOOK
       visible();
#endif
       if
       :: seen -> seen = false; notify(); drain_if_refused()
       :: else
       fi;
       atomic { bucket_lock(POOL); alive[me] = false; pinned--; bucket_unlock(POOL) }
    od
}

proctype submitter(byte me; byte tasks) {
    byte w;
    POOL_LOCALS;
    bool got;
    do
    :: tasks == 0 -> break
    :: else ->
#ifdef MUTANT_STATE_READ_EARLY
       load_state();
#endif
       atomic { injector++; tasks-- };
       notify();
       drain_if_refused()
    od
}

#ifdef ONE
/* thrum__pool_help() */
proctype helper(byte me) {
    byte w;
    POOL_LOCALS;
    bool got;
    take_slot();
    if
    :: got ->
       got = false;
       if
       :: atomic { injector > 0 && !taking -> injector--; got = true }
       :: true
       fi;
       if
       :: got -> execute()
       :: else
       fi;
       /* thrum__pool_release_slot() */
       d_step { assert(busy == MAX); busy--; pinned++ };
#ifndef MUTANT_SLOT_BACK_WITHOUT_LOOK
       visible();
#endif
       if
       :: seen -> seen = false; notify(); drain_if_refused()
       :: else
       fi;
       pinned--
    :: else
    fi
}
#endif

/* Nobody can do anything any more: the idle ones sleep, or have left. */
active proctype judge() {
    timeout ->
    assert(ran == TASKS && injector == 0 && deque[0] + deque[1] + deque[2] == 0);
    assert(busy == 0 && pinned == 0 && searching == 0 && starting == 0 && !first_lock);
    assert(n_workers == len(queue[POOL]) && held[POOL] == 0)
}

init {
    atomic {
        run worker(0);
        run worker(1);
#ifdef IDLE
        run worker(2);
#endif
        run submitter(3, 1);
        run submitter(4, TASKS - 1);
#ifdef ONE
        run helper(5)
#endif
    }
}
