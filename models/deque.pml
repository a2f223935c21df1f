/* SPDX-License-Identifier: MIT */
/* A worker's deque of two places (src/exec/deque.c): the owner pushes four tasks, singly or two at once, pops, and takes
 * from the top, in any order; two thieves steal as often as they like. A store of bottom that is not seq_cst stays in
 * the owner's store buffer for as long as it likes, or until the owner's next read-modify-write.
 *
 * Holds: each task is taken once; who takes one gets what was pushed there; none is left behind.
 * Every statement is reached.
 *
 * Mutants: MUTANT_POP_BUFFERED MUTANT_TOP_READ_EARLY MUTANT_BOTTOM_READ_FIRST
 *          MUTANT_LAST_WITHOUT_CAS MUTANT_PUBLISH_BEFORE_WRITE MUTANT_SLOT_READ_LATE
 *          MUTANT_ROOM_FOR_ONE_MORE MUTANT_INDICES_REUSED MUTANT_UNSIGNED MUTANT_NOT_RESTORED */
#define SIZE  2
#define TASKS 4

short top, bottom;
short buffer;        /* of the owner, for bottom */
bool buffered;
byte slot[SIZE];
byte taken[TASKS + 1];
byte running = 3;
bool over;           /* the owner pushes no more */

#ifdef MUTANT_UNSIGNED
#define DIFFERENCE(a, b) ((a - b + 256) % 256)
#else
#define DIFFERENCE(a, b) (a - b)
#endif

#define OWN_BOTTOM (buffered -> buffer : bottom)

/* Exchange, by the owner: the buffer is empty after it. */
#define XCHG_BOTTOM(value) bottom = value; buffered = false; buffer = 0

/* A plain store, which follows an earlier one that is still in the buffer. */
inline store_bottom(value) {
    atomic {
        if
        :: buffered -> bottom = buffer
        :: else
        fi;
        buffer = value;
        buffered = true
    }
}

inline use(task_) {
    atomic {
        assert(task_ > 0);
        taken[task_]++;
        assert(taken[task_] == 1);
        task_ = 0
    }
}

/* thrum__deque_write(), once or twice, and thrum__deque_publish(); top_seen read anew each time: that only says
 * "full" less often. */
inline push() {
    my_bottom = OWN_BOTTOM;
#ifdef MUTANT_PUBLISH_BEFORE_WRITE
    my_top = top;
    if
    :: my_bottom - my_top >= SIZE
    :: else ->
       pushed++;
       atomic { XCHG_BOTTOM(my_bottom + 1) };
       slot[my_bottom % SIZE] = pushed
    fi
#else
    do
    :: pushed == TASKS || written > 0 -> break
    :: pushed < TASKS ->
       my_top = top;
       if
#ifdef MUTANT_ROOM_FOR_ONE_MORE
       :: my_bottom + written - my_top > SIZE -> break
#else
       :: my_bottom + written - my_top >= SIZE -> break
#endif
       :: else -> atomic { pushed++; slot[(my_bottom + written) % SIZE] = pushed; written++ }
       fi
    od;
    if
    :: written > 0 -> atomic { XCHG_BOTTOM(my_bottom + written); written = 0 }
    :: else
    fi
#endif
}

/* pop(), called by who has seen its task at the bottom */
inline pop() {
    my_bottom = OWN_BOTTOM - 1;
    if
    :: my_bottom < 0
    :: else ->
#ifdef MUTANT_TOP_READ_EARLY
       my_top = top;
#endif
#ifdef MUTANT_POP_BUFFERED
       store_bottom(my_bottom);
#else
       atomic { XCHG_BOTTOM(my_bottom) };
#endif
#ifndef MUTANT_TOP_READ_EARLY
       my_top = top;
#endif
       if
       :: my_bottom != my_top && DIFFERENCE(my_bottom, my_top) > 0 ->
          task = slot[my_bottom % SIZE]
       :: my_bottom == my_top ->
          task = slot[my_bottom % SIZE];
          atomic {
#ifdef MUTANT_POP_BUFFERED
              if
              :: buffered -> XCHG_BOTTOM(buffer)
              :: else
              fi;
#endif
#ifdef MUTANT_LAST_WITHOUT_CAS
              top = my_top + 1
#else
              if
              :: top == my_top -> top++
              :: else -> task = 0
              fi
#endif
          };
#ifdef MUTANT_INDICES_REUSED
          atomic { top = 0; XCHG_BOTTOM(0) }
#else
          restore()
#endif
       :: my_bottom != my_top && DIFFERENCE(my_bottom, my_top) <= 0 -> restore()
       fi;
       if
       :: task > 0 -> use(task)
       :: else
       fi
    fi
}

inline restore() {
#ifdef MUTANT_NOT_RESTORED
    skip
#else
    store_bottom(my_bottom + 1)
#endif
}

/* thrum__deque_steal(); its loop is that of who calls it. */
inline steal(own) {
#ifdef MUTANT_BOTTOM_READ_FIRST
    my_bottom = (own && buffered -> buffer : bottom);
    my_top = top;
#else
    my_top = top;
    my_bottom = (own && buffered -> buffer : bottom);
#endif
    if
    :: DIFFERENCE(my_bottom, my_top) <= 0
    :: else ->
#ifndef MUTANT_SLOT_READ_LATE
       task = slot[my_top % SIZE];
#endif
       atomic {
           got = top == my_top;
           if
           :: got -> top++
           :: else -> task = 0
           fi
       };
#ifdef MUTANT_SLOT_READ_LATE
       if
       :: got -> task = slot[my_top % SIZE]
       :: else
       fi;
#endif
       if
       :: got -> got = false; use(task)
       :: else
       fi
    fi
}

inline finish() {
    atomic {
        my_top = 0;
        my_bottom = 0;
        running--;
        if
        :: running == 0 -> assert(taken[1] + taken[2] + taken[3] + taken[4] == TASKS)
        :: else
        fi
    }
}

active proctype owner() {
    short my_top, my_bottom;
    byte task, pushed, written;
    bool got;
    do
    :: pushed < TASKS -> push()
    :: pop()
    :: steal(true)
    :: pushed == TASKS -> break
    od;
    over = true;
    do
    :: top >= OWN_BOTTOM -> break
    :: else -> pop()
    od;
    finish()
}

/* The store buffer. */
active proctype memory() {
end:
    do
    :: atomic { buffered -> XCHG_BOTTOM(buffer) }
    od
}

active [2] proctype thief() {
    short my_top, my_bottom;
    byte task;
    bool got;
    do
    :: over -> break
    :: steal(false)
    od;
    finish()
}
