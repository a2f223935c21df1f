/* SPDX-License-Identifier: MIT */
/* The split deque of fork-join: the owner spawns and syncs as it likes; a thief takes its public calls, asks for
 * more, and sleeps when there are none; in a call that it took it may spawn one itself, which the owner
 * takes while it waits (leapfrogging).
 *
 * Holds: every call is run once, by whom the sync believes; a taken frame is not written again before it is done; who
 * sleeps is woken with news of public calls and at the end, and who sleeps without news has asked.
 *
 * Mutants: MUTANT_TAKE_BACK_PLAIN MUTANT_PUBLISH_BEFORE_WRITE MUTANT_READ_BEFORE_TAKE
 *          MUTANT_LIMIT_BACK_LATE MUTANT_SLEEP_WITHOUT_LOOK MUTANT_DONE_WITHOUT_WAKE
 *          MUTANT_NO_NEWS_TO_OWNER MUTANT_AWAITED_LATE MUTANT_TAIL_NOT_RESET */
#define OWNER  0
#define THIEF  1
#define FRAMES 3
#define SPAWNS 4
#define IDS    10 /* 1 .. SPAWNS the owner's, the others the thief's */

typedef forker {
    byte tail, split;  /* one word: changed and read together */
    bool asked;        /* limit and guard */
    byte own_split, head;
    byte id[FRAMES];   /* which call a frame holds, 0 none yet */
    bool taken[FRAMES], done[FRAMES], awaited[FRAMES]; /* state: one word */
}

forker f[2];
byte ran[IDS];
byte next_sub = SPAWNS + 1;
bool announced, parked, woken; /* the thief, in the pool; parked: a ghost, it has looked since */
bool asleep[2], over;  /* who waits for a frame */
byte running = 2;

#define PUBLIC(who) (f[who].tail < f[who].split)

inline ask(who) {
    if
    :: f[who].asked
    :: else -> f[who].asked = true
    fi
}

/* answer(): `head` is where its private frames end; the last waits at frame 0 of the owner or the thief. */
inline answer(who, head_) {
    if
    :: f[who].asked && head_ > f[who].own_split ->
       n = (head_ - f[who].own_split + 1) / 2;
       f[who].own_split = f[who].own_split + n;
#ifndef MUTANT_LIMIT_BACK_LATE
       f[who].asked = false;
#endif
       f[who].split = f[who].split + n;
       n = 0;
       if
       :: announced && !woken -> woken = true
       :: else
       fi;
#ifdef MUTANT_LIMIT_BACK_LATE
       f[who].asked = false;
#endif
       news(who)
    :: else
    fi
}

/* wake_owners(): the owner waits for a frame that the thief runs. */
inline news(who) {
    if
    :: who == THIEF ->
#ifndef MUTANT_NO_NEWS_TO_OWNER
       if
       :: f[OWNER].awaited[mine] ->
          atomic { f[OWNER].awaited[mine] = false; asleep[OWNER] = false }
       :: else
       fi;
#endif
       assert(!(asleep[OWNER] && PUBLIC(THIEF)))
    :: else
    fi
}

/* Takes the oldest public frame of `who` into `at`, FRAMES if there is none. */
inline take(who) {
    at = FRAMES;
    old_tail = f[who].tail;
    if
    :: atomic { PUBLIC(who) -> old_tail = f[who].tail; old_split = f[who].split };
#ifdef MUTANT_READ_BEFORE_TAKE
       what = f[who].id[old_tail];
#endif
       atomic {
           if
           :: f[who].tail == old_tail && f[who].split == old_split ->
              f[who].tail = f[who].tail + 1;
              at = old_tail
           :: else
           fi
       }
    :: atomic { !PUBLIC(who) -> skip };
       ask(who)
    fi;
    if
    :: at < FRAMES ->
#ifndef MUTANT_READ_BEFORE_TAKE
       what = f[who].id[at];
#endif
       f[who].taken[at] = true
    :: else
    fi;
    atomic { old_tail = 0; old_split = 0 }
}

inline run_call(what_) {
    d_step { assert(what_ > 0); ran[what_]++; assert(ran[what_] == 1) }
}

inline finish(who, at_) {
    atomic { f[who].done[at_] = true; was = f[who].awaited[at_] };
#ifndef MUTANT_DONE_WITHOUT_WAKE
    if
    :: was -> asleep[who] = false
    :: else
    fi;
#endif
    was = false
}

/* take_back(): `got` tells whether the last frame is the owner's again. */
inline take_back(who) {
    got = false;
    do
    :: old_tail = f[who].tail;
       if
       :: old_tail == f[who].own_split -> break
       :: else
       fi;
       old_split = old_tail + (f[who].own_split - old_tail) / 2;
#ifdef MUTANT_TAKE_BACK_PLAIN
       f[who].split = old_split;
       got = true;
#else
       atomic {
           if
           :: f[who].tail == old_tail -> f[who].split = old_split; got = true
           :: else
           fi
       }
#endif
       if
       :: got -> f[who].own_split = old_split; break
       :: else
       fi
    od;
    atomic { old_tail = 0; old_split = 0 }
}

/* The rest of a sync whose frame `index` was taken and is done: nobody takes while tail and split are equal. */
inline forget(who, index) {
    atomic {
        assert(f[who].done[index] && ran[f[who].id[index]] == 1);
        f[who].done[index] = false;
        f[who].taken[index] = false;
        f[who].awaited[index] = false;
        f[who].id[index] = 0
    };
    f[who].own_split = index;
#ifdef MUTANT_TAIL_NOT_RESET
    f[who].split = index
#else
    atomic { f[who].tail = index; f[who].split = index }
#endif
}

/* await_taken() and await_news(), by the owner: it takes from the thief meanwhile. */
inline owner_awaits(index) {
    do
    :: f[OWNER].done[index] -> break
    :: !f[OWNER].done[index] && f[OWNER].taken[index] -> leap()
    :: !f[OWNER].done[index] ->
#ifdef MUTANT_AWAITED_LATE
       leap();
       f[OWNER].awaited[index] = true;
#else
       f[OWNER].awaited[index] = true;
       if
       :: f[OWNER].taken[index] -> leap()
       :: else
       fi;
#endif
       atomic {
           if
           :: f[OWNER].done[index] || !f[OWNER].awaited[index]
           :: else -> asleep[OWNER] = true
           fi
       };
       !asleep[OWNER]
    od
}

inline leap() {
    take(THIEF);
    if
    :: at < FRAMES -> run_call(what); finish(THIEF, at)
    :: else
    fi;
    atomic { at = 0; what = 0 }
}

#define LOCALS byte n, at, what, old_tail, old_split, index, mine; bool was, got

active proctype owner() {
    LOCALS;
    byte spawned;
    do
    :: spawned < SPAWNS && f[OWNER].head < FRAMES ->
       assert(!(parked && !woken) || (f[OWNER].asked && !PUBLIC(OWNER)));
       spawned++;
#ifdef MUTANT_PUBLISH_BEFORE_WRITE
       answer(OWNER, f[OWNER].head + 1);
#else
       answer(OWNER, f[OWNER].head);
#endif
       d_step { assert(!f[OWNER].taken[f[OWNER].head]); f[OWNER].id[f[OWNER].head] = spawned };
       f[OWNER].head++
    :: f[OWNER].head > 0 ->
       index = f[OWNER].head - 1;
       answer(OWNER, index);
       got = true;
       if
       :: index < f[OWNER].own_split -> take_back(OWNER)
       :: else
       fi;
       if
       :: got ->
          f[OWNER].head = index;
          run_call(f[OWNER].id[index])
       :: else ->
          owner_awaits(index);
          forget(OWNER, index);
          f[OWNER].head = index
       fi;
       atomic { index = 0; got = false }
    :: spawned == SPAWNS && f[OWNER].head == 0 -> break
    od;
    atomic { over = true; woken = true; running-- }
}

/* What a taken call spawns and syncs, in the thief's own deque. */
inline sub_call() {
    d_step { f[THIEF].id[0] = next_sub; next_sub++ };
    f[THIEF].head = 1;
    answer(THIEF, 1);
    index = 0;
    got = true;
    if
    :: index < f[THIEF].own_split -> take_back(THIEF)
    :: else
    fi;
    if
    :: got -> run_call(f[THIEF].id[0])
    :: else ->
       f[THIEF].awaited[0] = true;
       atomic {
           if
           :: f[THIEF].done[0]
           :: else -> asleep[THIEF] = true
           fi
       };
       !asleep[THIEF];
       forget(THIEF, 0)
    fi;
    atomic { f[THIEF].head = 0; got = false }
}

active proctype thief() {
    LOCALS;
    byte stolen;
    do
    :: over -> break
    :: !over ->
       take(OWNER);
       if
       :: at < FRAMES ->
          atomic { mine = at; stolen = what; at = 0; what = 0 };
          if
          :: sub_call()
          :: skip
          fi;
          run_call(stolen);
          finish(OWNER, mine);
          atomic { mine = 0; stolen = 0 }
       :: else -> at = 0;
          atomic { announced = true; woken = over };
#ifndef MUTANT_SLEEP_WITHOUT_LOOK
          if
          :: atomic { PUBLIC(OWNER) -> woken = true }
          :: atomic { !PUBLIC(OWNER) -> skip };
             ask(OWNER)
          fi;
#endif
          parked = true;
          woken;
          atomic { announced = false; parked = false; woken = false }
       fi
    od;
    atomic {
        running--;
        index = 1;
        do
        :: index <= SPAWNS -> assert(ran[index] == 1 || running > 0); index++
        :: else -> break
        od
    }
}
