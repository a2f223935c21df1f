/* SPDX-License-Identifier: MIT */
/* Who moves the tasks of a pool of processes (process/pump.c, loop.c, ring.c, worker_linux.c): the
 * pool's thread, two users who submit a task each and wait for it, and a worker; with -DKILL somebody
 * who kills that at any moment, and user 1 only sleeps. User 2 has a callback, which only the pool's
 * thread may run. A task is short, or so long that the one before it must be known to be done. A ring
 * is a channel: its tail moves with the send; what is done under the pool's lock is one step where it
 * touches no flag of a ring.
 *
 * Holds: every user hears of its task; none runs twice; only one that had begun fails, and not when its
 * result was put; callbacks run in the pool's thread.
 *
 * Variants: KILL
 * Mutants: MUTANT_FLAG_READ_EARLY MUTANT_POKE_READ_EARLY MUTANT_WORKER_LOOKS_FIRST MUTANT_POOL_LOOKS_FIRST
 *          MUTANT_LEAVES_UNARMED MUTANT_INTAKE_FORGOTTEN MUTANT_STUCK_UNTOLD MUTANT_TELLS_LATE
 *          MUTANT_REAPS_UNREAD MUTANT_SLEEPS_ON_INTAKE MUTANT_NAPS_WITHOUT_END
 *          MUTANT_BEGUN_UNKNOWN */
#if defined(MUTANT_REAPS_UNREAD) || defined(MUTANT_BEGUN_UNKNOWN)
#define KILL
#endif

#define USERS 2

mtype = { AWAKE, NAPS, SLEEPS };

mtype state = AWAKE; /* of the pool's thread; under the lock, as the next five */
bool locked, pumped = true, wanted, event;
chan intake = [USERS] of { byte };

chan queue = [USERS] of { byte }; /* by who holds the pump, as the next five */
chan jobs = [USERS] of { byte };
byte left; /* an answer that a user has left in the buffer */
bool awaits;

chan down = [USERS] of { byte }; /* shared with the worker, as the next five */
chan up = [USERS] of { byte };
bool down_awaited, up_awaited, poke;
byte begun;

bool killed, dead;
bool ran[USERS + 1], answered[USERS + 1], done[USERS + 1];
byte last;

inline acquire() { atomic { !locked -> locked = true } }
inline release() { locked = false }

inline take_in() {
    do
    :: len(intake) > 0 -> intake?t; queue!t
    :: else -> break
    od;
    t = 0
}

/* thrum__hand_send(): the tail, then the flag. */
inline dispatch() {
    do
    :: len(queue) > 0 ->
#ifdef MUTANT_FLAG_READ_EARLY
       flag = down_awaited;
       atomic { queue?t; jobs!t; down!t; t = 0 };
#else
       atomic { queue?t; jobs!t; down!t; t = 0 };
       flag = down_awaited;
#endif
       if
       :: flag -> atomic { down_awaited = false; flag = false }
       :: else
       fi
    :: len(queue) == 0 -> break
    od
}

inline complete(task) {
    atomic { jobs?eval(task); done[task] = true }
}

/* thrum__hand_receive() */
inline receive(own) {
    do
    :: left != 0 && own -> complete(left); left = 0
    :: left == 0 && len(up) > 0 ->
       atomic {
           up?t;
           if
           :: t == 2 && !own -> left = t; t = 0; break
           :: else -> jobs?eval(t); done[t] = true; t = 0
           fi
       }
    :: (left == 0 && len(up) == 0) || (left != 0 && !own) -> break
    od
}

/* thrum__ring_await() for the worker, if it has a task. */
inline await() {
    quiet = true;
    if
    :: len(jobs) > 0 && !awaits ->
#ifdef MUTANT_POOL_LOOKS_FIRST
       quiet = len(up) == 0;
       up_awaited = true;
#else
       up_awaited = true;
       quiet = len(up) == 0;
#endif
       if
       :: quiet -> awaits = true
       :: else -> up_awaited = false
       fi
    :: else
    fi
}

inline attend() {
    if
    :: awaits -> up_awaited = false; awaits = false
    :: else
    fi
}

/* leave() */
inline leave() {
    stuck = left != 0;
    acquire();
    if
    :: len(intake) > 0 && !stuck ->
#ifndef MUTANT_INTAKE_FORGOTTEN
       take_in();
#endif
       release();
       dispatch();
       acquire()
    :: else
    fi;
    quiet = true;
    if
#ifndef MUTANT_LEAVES_UNARMED
    :: state == SLEEPS && !stuck -> await()
#endif
    :: else
    fi;
    if
#ifdef MUTANT_INTAKE_FORGOTTEN
    :: state == SLEEPS && (stuck || !quiet)
#elif defined(MUTANT_STUCK_UNTOLD)
    :: state == SLEEPS && (len(intake) > 0 || !quiet)
#else
    :: state == SLEEPS && (stuck || len(intake) > 0 || !quiet)
#endif
       -> state = AWAKE; event = true
    :: else
    fi;
    d_step { pumped = false; quiet = false; stuck = false; release() }
}

active proctype thread() {
    byte t;
    bool flag, quiet, naps;
    do
    :: atomic { !locked -> take_in() };
       dispatch();
       if
       :: naps = true
       :: naps = false
       fi;
       quiet = true;
       if
       :: !naps -> await()
       :: else
       fi;
       if
       :: quiet ->
          atomic {
              !locked;
              if
#ifdef MUTANT_SLEEPS_ON_INTAKE
              :: true ->
#else
              :: len(intake) == 0 ->
#endif
                 state = (naps -> NAPS : SLEEPS);
                 pumped = false
              :: else -> goto awake
              fi
          }
#ifndef MUTANT_NAPS_WITHOUT_END
end:      (event || poke || dead || state == NAPS);
#else
end:      (event || poke || dead);
#endif
          d_step { event = false; poke = false };
          atomic { !locked -> state = AWAKE; wanted = true };
          atomic { !locked && !pumped -> pumped = true; wanted = false }
       :: else
       fi;
awake: attend();
#ifndef MUTANT_REAPS_UNREAD
       receive(true);
#endif
       if
       :: dead ->
#ifndef MUTANT_REAPS_UNREAD
          receive(true);
#endif
          t = 0;
          d_step {
              do
              :: len(jobs) > 0 ->
                 jobs?t;
                 if
#ifdef MUTANT_BEGUN_UNKNOWN
                 :: false
#else
                 :: begun == t -> assert(!answered[t]); done[t] = true
#endif
                 :: else -> queue!t
                 fi
              :: else -> break
              od;
              do
              :: len(down) > 0 -> down?t
              :: else -> break
              od;
              do
              :: len(up) > 0 -> up?t
              :: else -> break
              od;
              awaits = false;
              down_awaited = false;
              up_awaited = false;
              begun = 0;
              last = 0;
              killed = false;
              dead = false
          }
       :: else -> receive(true)
       fi
    od
}

inline tell() {
#ifdef MUTANT_POKE_READ_EARLY
    silent = false;
#else
    flag = up_awaited;
    silent = false;
#endif
    if
    :: flag -> up_awaited = false; d_step { poke = true; flag = false }
    :: else
    fi
}

inline do_task() {
    d_step { begun = t; assert(!ran[t]); ran[t] = true };
    if
    :: (last == 0 || done[last]) /* long: whoever waits for the last result must have it by then */
    fi;
#ifdef MUTANT_POKE_READ_EARLY
    flag = up_awaited;
#endif
    d_step { up!t; answered[t] = true };
    d_step { last = t; t = 0; silent = true }
}

active proctype worker() {
    byte t;
    bool flag, silent;
again:
    {
        do
        :: len(down) > 0 ->
           down?t;
#ifndef MUTANT_TELLS_LATE
           if
           :: silent -> tell()
           :: else
           fi;
#endif
           do_task()
        :: len(down) == 0 ->
           if
           :: silent -> tell()
           :: else
           fi;
#ifdef MUTANT_WORKER_LOOKS_FIRST
           if
           :: len(down) == 0 -> down_awaited = true; end1: !down_awaited
           :: else
           fi
#else
           down_awaited = true;
           if
           :: len(down) == 0 -> end: !down_awaited
           :: len(down) > 0 -> down_awaited = false
           fi
#endif
        od
    } unless { killed };
    dead = true;
end2: !dead;
    silent = false;
    goto again
}

#ifdef KILL
active proctype killer() {
    killed = true
}
#endif

active [USERS] proctype user() {
#ifdef KILL
    byte t, me = (_pid == 3 -> 1 : 2), looks = (_pid == 3 -> 0 : 1);
#else
    byte t, me = (_pid == 2 -> 1 : 2), looks = 1;
#endif
    bool flag, quiet, stuck, holds;
    atomic {
        !locked;
        intake!me;
        holds = !pumped && !wanted;
        pumped = pumped || holds
    }
    if
    :: holds ->
       holds = false;
       atomic { !locked -> take_in() };
       dispatch();
       leave()
    :: else
    fi;
    do
    :: done[me] -> break
    :: looks > 0 ->
       looks--;
       atomic { !locked -> holds = !pumped && !wanted; pumped = pumped || holds }
       if
       :: holds ->
          holds = false;
          attend();
          receive(false);
          leave()
       :: else
       fi
    od
}
