/* SPDX-License-Identifier: MIT */
/* Who of a pool is woken, who is started, who may sleep (src/exec/wake.c, worker.c, submit.c): two strands
 * submit, workers are started for that, take one task or a batch of two, sleep, and leave when their idle time is
 * over. The task that is run first may wait for all others, so one that is left to its worker is lost. With -DONE the
 * pool has one slot, and an outside strand helps once; with -DFAILS a start of a thread may fail; with -DINIT each
 * worker is initialised first, which may wait for all tasks; with -DCLOSE the pool is shut down at any
 * moment, and a submit from outside may be late; with -DWAITS the pool has one slot, which a task leaves to wait for
 * another, and comes back to although another may have it by then.
 *
 * Holds: every task that is taken is run with nobody submitting more; slots, states and places are kept count of;
 * where more run than there are slots, `excess` says so, or somebody is about to; a pool that is shut down comes to
 * rest, and who waits for that learns of it.
 *
 * Variants: ONE
 * Variants: FAILS
 * Variants: IDLE
 * Variants: INIT
 * Variants: CLOSE
 * Variants: WAITS
 * Mutants: MUTANT_LOOK_BEFORE_ANNOUNCE MUTANT_STATE_READ_EARLY MUTANT_LOOKS_UNLOCKED
 *          MUTANT_NEXT_NOT_WOKEN MUTANT_NEXT_LOOKED_FOR_EARLY MUTANT_WOKEN_NOT_SEARCHING
 *          MUTANT_LEAVES_WITHOUT_LOOK MUTANT_TIMEOUT_DROPS_GRANT MUTANT_SLOT_BACK_WITHOUT_LOOK
 *          MUTANT_BATCH_UNSEEN MUTANT_START_RELIED_ON MUTANT_COUNTED_START_REFUSES
 *          MUTANT_FIRST_STARTS_TOGETHER MUTANT_INITIALIZER_RELIED_ON
 *          MUTANT_INITIALIZES_WITHOUT_LOOK MUTANT_START_NOT_NUDGED MUTANT_LEAVER_NOT_NUDGED
 *          MUTANT_LEAVING_BEFORE_WORK MUTANT_WAITS_WITHOUT_LOOK
 *          MUTANT_EXCESS_SET_EARLY MUTANT_EXCESS_CLEARED_LATE */
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

#ifdef MUTANT_INITIALIZER_RELIED_ON
#define INIT
#endif
#ifdef MUTANT_INITIALIZES_WITHOUT_LOOK
#define INIT
#endif
#ifdef MUTANT_START_NOT_NUDGED
#define CLOSE
#endif
#ifdef MUTANT_LEAVER_NOT_NUDGED
#define CLOSE
#endif
#ifdef MUTANT_LEAVING_BEFORE_WORK
#define CLOSE
#endif

#ifdef MUTANT_WAITS_WITHOUT_LOOK
#define WAITS
#endif
#ifdef MUTANT_EXCESS_SET_EARLY
#define WAITS
#endif
#ifdef MUTANT_EXCESS_CLEARED_LATE
#define WAITS
#endif

#if defined(ONE) || defined(WAITS)
#define MAX 1
#else
#define MAX 2
#endif
#define PLACES 2
#define TASKS  3
#if defined(IDLE) || defined(CLOSE)
#undef PLACES
#undef TASKS
#define PLACES 3 /* one to spare: who leaves still has its own */
#define TASKS  2
#endif
#define SUBMITTER PLACES
#define STRANDS   (PLACES + 3) /* workers, submitters, the helper or who closes */
#define ADDRESSES 2
#define POOL      0
#define REST      1 /* where the pool's end is waited for */
#define BUCKET(address) address

#include "lot.inc"

/* The state: one word in the code. SLEEPING is the length of the queue, but for MUTANT_LOOKS_UNLOCKED. */
byte busy, pinned, searching;
byte n_workers, starting;      /* under the bucket lock */
bool alive[PLACES];            /* under the bucket lock */
bool counted[PLACES];
bool started[PLACES];          /* ghost: there is a thread for it */
bool first_lock;
byte injector, deque[3];       /* how many tasks */
#define IN_DEQUES (deque[0] + deque[1] + deque[2])
bool taking;
byte ran;
bool long_taken;
#ifdef IDLE
byte idle = 1;                 /* waits for work that may still end by themselves */
#endif
#ifdef FAILS
byte fails = 1;
#endif
#ifdef INIT
byte initializing;             /* under the bucket lock */
byte queued;                   /* submitted and not started */
#endif
#ifdef WAITS
byte blocked;
bool excess;
byte about;                    /* ghost: who has changed the state and is about to set `excess` */
#define BLOCKED blocked
#else
#define BLOCKED 0
#endif
#ifdef CLOSE
bool closed, leaving;          /* flags of the state */
byte refused_tasks;
byte starts;                   /* ghost: late ones */
bool at_rest;                  /* ghost: who closed the pool knows */
#endif

#include "wake.inc"

#ifdef WAITS
#define GOING_ON going_on
#else
#define GOING_ON true
#endif
#ifdef CLOSE
#define GOING going
#define POOL_LOCALS byte what; bool seen, off, first, failed, refused, only_wake, batch, nudged
#else
#define GOING false
#define POOL_LOCALS byte what; bool seen, off, first, failed, refused, only_wake, batch
#endif

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

#ifdef WAITS
/* Short, or (one of them) until another has been run, having left the slot: thrum__pool_block(), thrum__pool_unblock(). */
inline execute() {
    got = false;
    assert(busy <= MAX || excess || about > 0);
    if
    :: atomic { !long_taken -> long_taken = true; busy--; blocked++ };
#ifndef MUTANT_WAITS_WITHOUT_LOOK
       visible();
#endif
       if
       :: seen -> seen = false; notify(); assert(!refused)
       :: else
       fi;
       ran > 0;
#ifdef MUTANT_EXCESS_SET_EARLY
       atomic { excess = busy >= MAX };
       atomic { busy++; blocked-- }
#else
       atomic { busy++; blocked--; off = busy > MAX; about = about + off };
       if
       :: off -> atomic { excess = true; about--; off = false }
       :: else
       fi
#endif
    :: true
    fi;
    ran++
}

/* may_go_on(), too_many(): sets `going_on`. */
inline may_go_on() {
    going_on = true;
    if
    :: excess ->
#ifdef MUTANT_EXCESS_CLEARED_LATE
       off = busy > MAX;
       excess = false;
#else
       atomic { excess = false; about++ };
       off = busy > MAX;
#endif
       if
       :: off -> atomic { going_on = false; off = false; excess = true }
       :: else
       fi;
#ifndef MUTANT_EXCESS_CLEARED_LATE
       about--
#endif
    :: else
    fi
}
#else
/* Short, or (one of them, if there are others to run them) until all others have been run. */
inline execute() {
    atomic {
        got = false;
#ifdef INIT
        queued--;
#endif
        if
#if !defined(ONE) && !defined(FAILS) && !defined(CLOSE)
        :: !long_taken -> long_taken = true; ran == TASKS - 1
#endif
        :: true
        fi;
        ran++
    }
}

inline may_go_on() { skip }
#endif

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
       :: got -> execute();
          may_go_on();
          if
          :: GOING_ON -> take(true)
          :: else
          fi;
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

/* all_may_leave(): whoever sleeps is granted. With the state as it was when this one was announced; under the bucket
 * lock. Sets `going`. */
inline all_may_leave() {
    if
    :: idle_and_closed && starting == 0 ->
       idle_and_closed = false;
       leaving = true;
       visible();
       atomic {
           if
           :: seen || ACTIVE -> leaving = false
           :: else ->
              going = true;
              do
              :: len(queue[POOL]) > 0 ->
                 queue[POOL]?<w>;
                 DEQUEUE(POOL, w);
                 state[w] = GRANTED;
                 searching++;
                 granted[w] = true
              :: else -> break
              od
           fi;
           seen = false;
           w = 0
       }
    :: else -> idle_and_closed = false
    fi
}

inline unpark_granted() {
    do
    :: w < PLACES && granted[w] -> atomic { granted[w] = false; unpark(w) }
    :: w < PLACES && !granted[w] -> w++
    :: w == PLACES -> break
    od;
    w = 0
}

/* sleep_until_work(): `staying` tells whether the worker stays. */
inline sleep_until_work() {
#ifdef MUTANT_LOOKS_UNLOCKED
    d_step { searching--; off = FULL };
#else
#ifdef MUTANT_LOOK_BEFORE_ANNOUNCE
    visible();
#endif
    atomic {
        bucket_lock(POOL);
        assert(searching > 0);
        searching--;
        off = FULL;
#ifdef CLOSE
        going = leaving;
        idle_and_closed = closed && !leaving && !ACTIVE
#endif
    };
#endif
#ifdef CLOSE
    all_may_leave();
#endif
#ifndef MUTANT_LOOK_BEFORE_ANNOUNCE
    if
    :: !off && !GOING -> visible()
    :: else
    fi;
#endif
#ifdef MUTANT_LOOKS_UNLOCKED
    bucket_lock(POOL);
#endif
    if
    :: seen || GOING ->
       atomic { off = false; seen = false; searching++; bucket_unlock(POOL); staying = !GOING };
#ifdef CLOSE
       if
       :: going -> going = false; unpark_granted()
       :: else
       fi
#endif
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

/* thrum__pool_look(), by who is PINNED. With FAILS a worker may be refused: then tasks are run here, in a slot. */
inline look_pinned() {
    do
    :: visible();
       if
       :: seen -> seen = false; notify()
       :: else -> break
       fi;
#ifdef FAILS
       if
       :: refused ->
          refused = false;
          take_slot();
          if
          :: got ->
             pinned--;
             do
             :: take(false);
                if
                :: got -> execute()
                :: else -> break
                fi
             od;
             atomic { busy--; pinned++ }
          :: else
          fi
       :: else -> break
       fi
#else
       assert(!refused);
       break
#endif
    od
}

/* initialize(): PINNED, so that nobody relies on it. It may wait for all tasks: for the second another is started. */
inline initialize() {
    atomic {
        bucket_lock(POOL);
        assert(searching > 0);
        initializing++;
#ifndef MUTANT_INITIALIZER_RELIED_ON
        searching--;
        pinned++;
#endif
        bucket_unlock(POOL)
    };
#ifndef MUTANT_INITIALIZES_WITHOUT_LOOK
    visible();
#endif
    if
    :: seen -> seen = false; notify()
    :: else
    fi;
    atomic {
        if
        :: !long_taken -> long_taken = true; ran == TASKS
        :: true
        fi
    };
    atomic {
        bucket_lock(POOL);
        initializing--;
#ifndef MUTANT_INITIALIZER_RELIED_ON
        searching++;
        pinned--;
#endif
        bucket_unlock(POOL)
    }
}

proctype worker(byte me) {
    LOCALS;
    POOL_LOCALS;
    bool timed, staying;
#ifdef WAITS
    bool going_on;
#endif
#ifdef CLOSE
    bool going, idle_and_closed, granted[PLACES];
#endif
end:
    do
    :: atomic { started[me] -> started[me] = false; staying = true };
       if
       :: !counted[me] -> searching++
       :: else
       fi;
#ifdef INIT
       initialize();
#endif
       do
       :: !staying -> break
       :: staying ->
#ifdef MUTANT_LEAVING_BEFORE_WORK
          if
          :: !leaving -> visible()
          :: else
          fi;
#else
          visible();
#endif
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
       atomic { bucket_lock(POOL); assert(searching > 0 && n_workers > 0); n_workers-- };
       atomic { searching--; pinned++; bucket_unlock(POOL) };
#ifndef MUTANT_LEAVES_WITHOUT_LOOK
       look_pinned();
#endif
       atomic { bucket_lock(POOL); alive[me] = false; pinned--; bucket_unlock(POOL) };
#ifndef MUTANT_LEAVER_NOT_NUDGED
       nudge()
#endif
    od
}

proctype submitter(byte me; byte tasks) {
    byte w;
    POOL_LOCALS;
    bool got;
    do
    :: tasks == 0 -> break
#ifdef CLOSE
    :: tasks > 0 && closed -> atomic { refused_tasks = refused_tasks + tasks; tasks = 0 }
    :: tasks > 0 && !closed ->
#else
    :: else ->
#endif
#ifdef MUTANT_STATE_READ_EARLY
       load_state();
#endif
       atomic {
           injector++;
           tasks--;
#ifdef INIT
           queued++
#endif
       };
       notify();
#ifdef FAILS
       if
       :: refused -> refused = false; pinned++; look_pinned(); pinned--
       :: else
       fi
#else
       assert(!refused)
#endif
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
       look_pinned();
#endif
       pinned--
    :: else
    fi
}
#endif

#ifdef CLOSE
/* thrum_executor_shutdown(), which waits. */
proctype closer(byte me) {
    LOCALS;
    POOL_LOCALS;
    closed = true;
    nudge();
    do
    :: bucket_lock(REST);
       if
       :: n_workers == 0 -> at_rest = !ACTIVE
       :: else
       fi;
       if
       :: at_rest -> bucket_unlock(REST); break
       :: else ->
          atomic { enqueue(REST); bucket_unlock(REST) };
          lot_sleep(REST, false);
          lot_done()
       fi
    od
}
#endif

/* Nobody can do anything any more: the idle ones sleep, or have left. */
active proctype judge() {
    timeout ->
#ifdef CLOSE
    assert(at_rest && n_workers == 0);
    assert(ran + refused_tasks == TASKS && injector == 0 && IN_DEQUES == 0);
#else
    assert(ran == TASKS && injector == 0 && IN_DEQUES == 0);
#endif
    assert(busy == 0 && pinned == 0 && searching == 0 && starting == 0 && !first_lock);
    assert(n_workers == len(queue[POOL]) && held[POOL] == 0)
}

init {
    atomic {
        run worker(0);
        run worker(1);
#if PLACES == 3
        run worker(2);
#endif
#ifdef CLOSE
        run closer(SUBMITTER + 1);
        run submitter(SUBMITTER, TASKS)
#else
        run submitter(SUBMITTER, 1);
        run submitter(SUBMITTER + 1, TASKS - 1);
#endif
#ifdef ONE
        run helper(SUBMITTER + 2)
#endif
    }
}
