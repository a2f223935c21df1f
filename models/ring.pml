/* SPDX-License-Identifier: MIT */
/* The chain of rings of a FIFO queue (src/thread/queue_ring.c): maxsize 2, a ring of one slot and,
 * once that was full, a second one of two. Two putters put two items each and a getter gets four,
 * or one puts four and two get two each; an attempt that finds the queue full or empty is made
 * again when it is not (sleeping is queue.pml's business). With -DSHUT another strand shuts the
 * queue down at any moment, while one puts three or two put one, and one gets.
 *
 * Holds: items leave in the order in which their puts moved a tail, each once and written; never
 * more than maxsize are in; "empty" and "full" are said only if that was so at a moment of the
 * attempt, "shut down" to a get only when nothing is left, and nothing else to a put once it is;
 * nobody waits for a slot for ever.
 *
 * Variants: SHUT
 * Mutants: MUTANT_UNWRITTEN_IS_EMPTY MUTANT_GET_PLAIN MUTANT_PUT_PLAIN MUTANT_LEAVES_UNWRITTEN
 *          MUTANT_PUTS_INTO_CLOSED MUTANT_COUNTS_LAST_RING MUTANT_MAXSIZE_OF_RING
 *          MUTANT_TURN_WITHOUT_LAP MUTANT_SHUT_FORGETS_CLOSED */
#ifdef MUTANT_SHUT_FORGETS_CLOSED
#define SHUT
#endif

#define MAXSIZE 2

#define OK       0
#define AGAIN    2
#define SHUTDOWN 3

/* Ring r has r + 1 slots. Positions count on; a turn is twice the lap, plus WRITTEN. */
#define CAPACITY(r) (r + 1)
#define SLOT(r, p)  (r + (p) % CAPACITY(r))
#define WRITTEN     1
#ifdef MUTANT_TURN_WITHOUT_LAP
#define LAP(r, p)   0
#define NEXT(r, p)  0
#else
#define LAP(r, p)   (2 * ((p) / CAPACITY(r)))
#define NEXT(r, p)  (LAP(r, p) + 2)
#endif

byte head[2], tail[2], turn[3];
bool closed[2], shut[2]; /* bits of tail */
byte head_ring, tail_ring;

byte puts, gets;  /* ghost: moves of a tail, of a head */
byte number[3];   /* ghost: 1 + the put that has the slot, 0 none */
bool was[4];      /* ghost: it was empty (full) at a moment of the strand's attempt */
bool shut_down;   /* ghost */
byte running;

#define EMPTY (puts == gets)
#define FULL  (puts - gets == MAXSIZE)
#define SAME_TAIL (tail[r] == t && !closed[r] && !shut[r])

/* A local variable that is not needed any more must not tell states apart. */
#define FORGET r = 0; t = 0; seen = 0; n = 0; late = false; is_closed = false; is_shut = false

inline read_tail(position) {
    d_step { position = tail[r]; is_closed = closed[r]; is_shut = shut[r] }
}

inline move_on(place) {
    d_step {
        if
        :: place == r -> assert(r == 0); place = 1
        :: else
        fi
    }
}

/* full(): got = it was full at a moment since the tail of ring r was read as t. */
inline look_full() {
    n = head_ring;
    atomic { n = (n < r -> tail[0] - head[0] : 0) }; /* that tail is final */
#ifdef MUTANT_COUNTS_LAST_RING
    n = 0;
#endif
    d_step { n = n + (head[r] > t -> 0 : t - head[r]) };
#ifdef MUTANT_MAXSIZE_OF_RING
    d_step { got = n >= MAXSIZE; n = 0 }
#else
    d_step { got = n >= MAXSIZE && SAME_TAIL; n = 0 }
#endif
}

/* position_move() of a tail, from `t` without flags: got. */
inline claim_tail() {
    atomic {
        if
#if defined(MUTANT_PUT_PLAIN)
        :: true ->
#elif defined(MUTANT_PUTS_INTO_CLOSED)
        :: tail[r] == t && !shut[r] ->
#else
        :: SAME_TAIL ->
           assert(number[SLOT(r, t)] == 0);
#endif
           tail[r] = t + 1;
           number[SLOT(r, t)] = 1 + puts;
           puts++;
           assert(puts - gets <= MAXSIZE);
           was[0] = was[0] || FULL;
           was[1] = was[1] || FULL;
           got = true
        :: else
        fi
    }
}

/* grow(), whose ring is there already. */
inline grow() {
    d_step {
        if
        :: !shut[r] -> closed[r] = true
        :: else
        fi
    }
}

inline put_attempt() {
    atomic { was[me] = FULL; late = shut_down };
    do
    :: r = tail_ring;
       read_tail(t);
       if
       :: is_shut -> rc = SHUTDOWN; break
       :: !is_shut && is_closed -> move_on(tail_ring)
       :: else ->
          seen = turn[SLOT(r, t)];
          if
          :: seen == LAP(r, t) ->
#ifndef MUTANT_MAXSIZE_OF_RING
             if
             :: head_ring != r -> look_full()
             :: else
             fi;
#endif
             if
             :: got -> got = false; rc = AGAIN; break
             :: else ->
                claim_tail();
                if
                :: got ->
                   atomic {
                       turn[SLOT(r, t)] = LAP(r, t) + WRITTEN;
                       got = false;
                       rc = OK;
                       break
                   }
                :: else
                fi
             fi
          :: else ->
             if
             :: head[r] + CAPACITY(r) == t ->
                if
                :: CAPACITY(r) == MAXSIZE -> rc = AGAIN; break
                :: else ->
                   look_full();
                   if
                   :: got -> got = false; rc = AGAIN; break
                   :: else -> grow()
                   fi
                fi
             :: else -> !SAME_TAIL || turn[SLOT(r, t)] != seen /* a get is in the middle of it */
             fi
          fi
       fi
    od;
    atomic {
        assert(rc != AGAIN || was[me]);
        assert(rc == SHUTDOWN || !late);
        was[me] = false;
        FORGET
    }
}

/* position_move() of a head, from `t`: got. */
inline claim_head() {
    atomic {
        if
#ifdef MUTANT_GET_PLAIN
        :: true ->
#else
        :: head[r] == t ->
#endif
           assert(number[SLOT(r, t)] == 1 + gets);
           head[r] = t + 1;
           gets++;
           was[2] = was[2] || EMPTY;
           was[3] = was[3] || EMPTY;
           got = true
        :: else
        fi
    }
}

inline get_attempt() {
    atomic { was[me] = EMPTY; late = shut_down };
    do
    :: r = head_ring;
       t = head[r];
       seen = turn[SLOT(r, t)];
       if
       :: seen == LAP(r, t) + WRITTEN ->
          claim_head();
          if
          :: got ->
             atomic {
                 number[SLOT(r, t)] = 0;
                 turn[SLOT(r, t)] = NEXT(r, t);
                 got = false;
                 rc = OK;
                 break
             }
          :: else
          fi
       :: else ->
          read_tail(n);
          if
#if defined(MUTANT_UNWRITTEN_IS_EMPTY)
          :: false
#elif defined(MUTANT_LEAVES_UNWRITTEN)
          :: n != t && !is_closed -> head[r] != t || turn[SLOT(r, t)] != seen
#else
          :: n != t -> head[r] != t || turn[SLOT(r, t)] != seen /* a put is in the middle of it */
#endif
          :: else ->
             if
             :: is_closed -> move_on(head_ring)
             :: else -> rc = (is_shut -> SHUTDOWN : AGAIN); break
             fi
          fi
       fi
    od;
    atomic {
        assert(rc != AGAIN || was[me]);
        assert(rc != SHUTDOWN || EMPTY && shut_down);
        assert(rc != AGAIN || !late);
        was[me] = false;
        FORGET
    }
}

#define LOCALS byte rc, r, t, n, seen; bool got, is_closed, is_shut, late

inline finish() {
    atomic {
        running--;
        if
        :: running == 0 -> assert(EMPTY && number[0] + number[1] + number[2] == 0)
        :: else
        fi
    }
}

proctype putter(byte me; byte quota) {
    LOCALS;
    do
    :: quota == 0 -> break
    :: else ->
       put_attempt();
       if
       :: rc == OK -> quota--
       :: rc == SHUTDOWN -> rc = OK; quota = 0
       :: rc == AGAIN -> atomic { !FULL || shut_down -> rc = OK }
       fi
    od;
    finish()
}

proctype getter(byte me; byte quota) {
    LOCALS;
    do
    :: quota == 0 -> break
    :: else ->
       get_attempt();
       if
       :: rc == OK -> quota--
       :: rc == SHUTDOWN -> rc = OK; quota = 0
       :: rc == AGAIN -> atomic { !EMPTY || shut_down -> rc = OK }
       fi
    od;
    finish()
}

/* thrum__ring_shut() */
proctype shutter() {
    byte r;
    do
    :: r = tail_ring;
       if
#ifndef MUTANT_SHUT_FORGETS_CLOSED
       :: closed[r] -> move_on(tail_ring)
#endif
       :: atomic {
#ifdef MUTANT_SHUT_FORGETS_CLOSED
              true ->
#else
              !closed[r] ->
#endif
              shut[r] = true;
              shut_down = true;
              break
          }
       fi
    od;
    finish()
}

init {
    atomic {
#ifdef SHUT
        running = 3;
        run shutter();
        if
        :: run putter(0, 3)
        :: run putter(0, 1); run putter(1, 1); running++
        fi;
        run getter(2, 3)
#else
        running = 3;
        if
        :: run putter(0, 2); run putter(1, 2); run getter(2, 4)
        :: run putter(0, 4); run getter(2, 2); run getter(3, 2)
        fi
#endif
    }
}
