/* SPDX-License-Identifier: MIT */
/* A task's record from submit to recycling (src/exec/task.h, task.c, await.c, future.c, hook.c, cold.c): two
 * holders of a handle that wait, help, cancel, add a callback or give up; two workers, of which one pops the record and
 * runs the task, or cancels it for a pool that is shut down; and one that gets the recycled record for its
 * own task while those who completed the first may still be on their way to wake at its address.
 *
 * Holds: one claims; what was cancelled does not run; no lost wake, and who returns from a wait finds its own task
 * done; each callback is called once; nobody touches a record that is recycled, and each is recycled;
 * a failure is given to a reader, or reported once.
 *
 * Mutants: MUTANT_CLAIM_PLAIN MUTANT_CANCEL_PLAIN MUTANT_WAITERS_READ_EARLY
 *          MUTANT_WAITERS_READ_LATE MUTANT_FLAG_OUTSIDE_BUCKET MUTANT_FLAG_WITHOUT_LOOK
 *          MUTANT_WAKES_ONE MUTANT_WAITER_TRUSTS_WAKE MUTANT_TIMEOUT_DROPS_WAKE
 *          MUTANT_DROP_BEFORE_HOOKS MUTANT_HOOK_WITHOUT_LOOK MUTANT_CLAIMED_KEEPS_REF
 *          MUTANT_HELPER_DROPS_QUEUES MUTANT_UNREF_SPLIT MUTANT_READ_PLAIN MUTANT_READ_NOT_MARKED */
#define STRANDS   5
#define ADDRESSES 1
#define RECORD    0
#define NEXT_USER 4
#define BUCKET(address) 0

#include "lot.inc"

#define PENDING   0
#define RUNNING   1
#define SUCCEEDED 4 /* OK */
#define FAILED    5
#define CANCELLED 6
#define DONE(s)   (s >= SUCCEEDED)

/* The word. */
byte st, refs = 3;
bool waiters, hooks, read;
byte listed;       /* callbacks; under the bucket lock */
byte queued = 1;
bool alive = true; /* ghost: not recycled */
byte gen;          /* ghost: whose task the record is */
byte ran, known, reported, added, called; /* ghost, of this task */
byte finished;

#define TOUCH assert(alive && gen == mine)

/* thrum__task_claim() */
inline claim() {
    atomic {
        TOUCH;
        got = st == PENDING;
#ifdef MUTANT_CLAIM_PLAIN
    };
    atomic {
#endif
        if
        :: got -> st = RUNNING
        :: else
        fi
    }
}

/* thrum__task_run() of a claimed one. */
inline run_task(drop) {
    atomic {
        TOUCH;
        ran++;
        assert(ran == 1 && st == RUNNING);
        select (what : SUCCEEDED .. FAILED)
    };
    complete(what, drop)
}

/* The compare-exchange of thrum__task_complete(). */
inline set_done(state_, drop) {
    was_waiters = waiters;
    was_hooks = hooks;
    st = state_;
#ifdef MUTANT_DROP_BEFORE_HOOKS
    refs = refs - drop;
#else
    refs = refs - (hooks -> 0 : drop);
#endif
    left = refs
}

inline complete(state_, drop) {
#ifdef MUTANT_WAITERS_READ_EARLY
    early = waiters;
#endif
    atomic {
        TOUCH;
        got = state_ != CANCELLED || st == PENDING;
#ifdef MUTANT_CANCEL_PLAIN
    };
    atomic {
#endif
        if
        :: got -> set_done(state_, drop)
        :: else
        fi
    };
#ifdef MUTANT_WAITERS_READ_EARLY
    atomic { was_waiters = early; early = false };
#endif
    if
    :: got ->
#ifdef MUTANT_WAITERS_READ_LATE
       atomic { TOUCH; was_waiters = waiters };
#endif
       if
       :: was_waiters -> was_waiters = false; wake()
       :: else
       fi;
       if
       :: was_hooks ->
          was_hooks = false;
          run_hooks();
#ifndef MUTANT_DROP_BEFORE_HOOKS
          if
          :: drop > 0 -> unref()
          :: else
          fi
#endif
       :: !was_hooks && left == 0 -> die()
       :: else
       fi;
       left = 0
    :: else
    fi
}

/* The record is only an address here. */
inline wake() {
    atomic {
        bucket_lock(RECORD);
        do
        :: len(queue[RECORD]) > 0 ->
           queue[RECORD]?<w>;
           DEQUEUE(RECORD, w);
           state[w] = GRANTED;
           granted[w] = true;
#ifdef MUTANT_WAKES_ONE
           break
#endif
        :: else -> break
        od;
        w = 0;
        bucket_unlock(RECORD)
    }
    do
    :: granted[0] -> d_step { granted[0] = false; unpark(0) }
    :: granted[1] -> d_step { granted[1] = false; unpark(1) }
    :: granted[NEXT_USER] -> d_step { granted[NEXT_USER] = false; unpark(NEXT_USER) }
    :: else -> break
    od
}

inline run_hooks() {
    atomic { bucket_lock(RECORD); TOUCH; left = listed; listed = 0; bucket_unlock(RECORD) };
    do
    :: left > 0 -> left--; call_hook()
    :: else -> break
    od
}

/* Who is called back is told of a failure. */
inline call_hook() {
    atomic {
        TOUCH;
        assert(DONE(st));
        called++;
        if
        :: st == FAILED -> known++; read = true
        :: else
        fi
    }
}

inline unref() {
    atomic { TOUCH; last = refs == 1 };
    if
    :: last
    :: else ->
#ifdef MUTANT_UNREF_SPLIT
       atomic { TOUCH; refs-- };
       atomic { TOUCH; last = refs == 0 }
#else
       atomic { TOUCH; refs--; last = refs == 0 }
#endif
    fi;
    if
    :: last -> last = false; die()
    :: else
    fi
}

/* The last touch. */
inline die() {
    atomic {
        TOUCH;
        assert(DONE(st) && queued == 0 && listed == 0 && called == added);
        assert(st == CANCELLED && ran == 0 || st != CANCELLED && ran == 1);
        if
        :: st == FAILED && !read -> reported++
        :: else
        fi;
        assert(reported == (st == FAILED && known == 0 -> 1 : 0));
        alive = false
    }
}

/* result(), result_until() */
inline await(timed) {
    do
    :: atomic { TOUCH; got = DONE(st) };
       if
       :: got -> break
       :: else
       fi;
#ifndef MUTANT_FLAG_OUTSIDE_BUCKET
       bucket_lock(RECORD);
#endif
       flag_waiters();
#ifdef MUTANT_FLAG_OUTSIDE_BUCKET
       bucket_lock(RECORD);
#endif
       if
       :: got -> bucket_unlock(RECORD); break
       :: else
       fi;
       atomic { enqueue(RECORD); bucket_unlock(RECORD) };
       lot_sleep(RECORD, timed);
       lot_done();
#ifdef MUTANT_WAITER_TRUSTS_WAKE
       break
#endif
       if
       :: rc == OK
       :: else -> break
       fi
    od;
    got = false;
    if
    :: rc == OK -> outcome()
    :: else -> rc = OK
    fi
}

/* thrum__task_flag_waiters() */
inline flag_waiters() {
    atomic {
        TOUCH;
#ifdef MUTANT_FLAG_WITHOUT_LOOK
        waiters = true;
        got = false
#else
        got = DONE(st);
        if
        :: !got -> waiters = true
        :: else
        fi
#endif
    }
}

inline outcome() {
    atomic { TOUCH; assert(DONE(st)) };
    if
    :: atomic { st == FAILED -> TOUCH; known++ };
#ifdef MUTANT_READ_PLAIN
       atomic { TOUCH; left = refs };
       atomic { TOUCH; read = true; refs = left; left = 0 }
#else
#ifndef MUTANT_READ_NOT_MARKED
       atomic { TOUCH; read = true }
#endif
#endif
    :: atomic { st != FAILED -> skip }
    fi
}

/* thrum_future_add_done_callback() */
inline add_callback() {
    bucket_lock(RECORD);
    atomic {
        TOUCH;
        added++;
#ifdef MUTANT_HOOK_WITHOUT_LOOK
        got = true;
#else
        got = !DONE(st) || listed > 0;
#endif
        if
        :: !DONE(st) -> hooks = true
        :: else
        fi
    };
    atomic {
        if
        :: got -> listed++
        :: else
        fi;
        bucket_unlock(RECORD)
    };
    if
    :: got -> got = false
    :: else -> call_hook()
    fi
}

/* help_as_worker(): claims first, and takes the record out of the queue if it still finds it. */
inline help() {
    claim();
    if
    :: got ->
       got = false;
       if
       :: atomic { queued > 0 -> queued--; got = true }
       :: true
       fi;
#ifdef MUTANT_HELPER_DROPS_QUEUES
       got = true;
#endif
       if
       :: got -> got = false; run_task(1)
       :: else -> run_task(0)
       fi
    :: else
    fi
}

#define TASK_LOCALS byte what, left, mine; bool was_waiters, was_hooks, last, early, granted[STRANDS]

proctype holder(byte me) {
    LOCALS;
    TASK_LOCALS;
    if
    :: help()
    :: await(true)
    :: complete(CANCELLED, 0)
    :: add_callback()
    :: true
    fi;
    if
    :: await(false)
    :: true
    fi;
    unref();
    finished++
}

/* The record is popped once: execute(), or abandon() in a pool that is shut down. */
proctype worker(byte me) {
    byte w;
    bool got;
    TASK_LOCALS;
end:
    do
    :: atomic { queued > 0 -> queued--; mine = gen };
       if
       :: claim();
          if
          :: got -> got = false; run_task(1)
#ifdef MUTANT_CLAIMED_KEEPS_REF
          :: else
#else
          :: else -> unref()
#endif
          fi
       :: complete(CANCELLED, 0); unref()
       fi;
       atomic { got = false; mine = 0 }
    od
}

proctype next_user(byte me) {
    LOCALS;
    TASK_LOCALS;
    atomic {
        !alive -> alive = true;
        gen++;
        mine = gen;
        st = PENDING; refs = 2; waiters = false; hooks = false; read = false;
        ran = 0; known = 0; reported = 0; added = 0; called = 0;
        queued++
    };
    await(false);
    unref();
    finished++
}

active proctype judge() {
    timeout ->
    assert(finished == 3 && !alive && gen == 1 && queued == 0);
    assert(len(queue[RECORD]) == 0 && held[RECORD] == 0);
    assert(!token[0] && !token[1] && !token[NEXT_USER])
}

init {
    atomic { run holder(0); run holder(1); run worker(2); run worker(3); run next_user(NEXT_USER) }
}
