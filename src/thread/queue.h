/* SPDX-License-Identifier: MIT */
/* The parts of a queue: queue.c has the public verbs, queue_wait.c the sleeping of both sides and
 * of joiners, queue_ring.c the order FIFO, queue_heap.c the orders LIFO and PRIORITY. An order
 * supplies attempts, which never wait; docs/decisions/0004-queue.md has the argument. */
#ifndef THRUM_THREAD_QUEUE_H
#define THRUM_THREAD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/lock.h>
#include <thrum/queue.h>

#include "base/atomic.h"
#include "park/lot.h"

enum { THRUM__APART = 128 }; /* two cache lines: processors fetch them in pairs */

typedef struct thrum__ring thrum__ring;

/* Those who wait to get, or to put; its address is where they queue.
 *
 * asleep: 0  nobody sleeps, or one is on its way          cleared by who then wakes one
 *         1  somebody may sleep, or observe               set before the look that precedes a
 *                                                         sleep */
typedef struct thrum__side {
    uint32_t asleep;
} thrum__side;

/* LIFO and PRIORITY: everything under the lock, but for what is read without. */
typedef struct thrum__heap {
    thrum_lock lock;
    int (*compare)(const void *a, const void *b); /* NULL: LIFO; read-only */
    unsigned char *items;                         /* capacity of them */
    uint64_t *order;                              /* of PRIORITY: when each came */
    uint64_t puts;
    size_t capacity;
    size_t count;    /* written under the lock, read by thrum__position() */
    uint32_t shut;   /* the same */
    size_t unfinished; /* bit 0: JOINED, the rest: puts without their task_done */
} thrum__heap;

struct thrum_queue {
    thrum__ring *head_ring; /* the oldest that may hold items */
    thrum__ring *tail_ring; /* the one that puts go to */
    size_t item_size;       /* this and the next two: read-only */
    size_t maxsize;         /* SIZE_MAX: no limit */
    bool fifo;
    thrum__side getters;
    thrum__side putters;
    /* that of the oldest unfinished item */
    thrum__ring *done_ring __attribute__((aligned(THRUM__APART)));
    thrum__ring *first_ring; /* read-only */
    uint32_t joiners;        /* its address is where they queue */
    void *memory;            /* what to give to free(); read-only */
    thrum__heap heap;
};

/* One of the two waits. */
typedef struct thrum__verb {
    /* Gets into, or puts from, `item`. Returns 0, -EAGAIN (empty, full), -EBUSY (a strand is in the
     * middle of the one slot that is meant), -ESHUTDOWN or -ENOMEM. Never waits for these. */
    int (*attempt)(thrum_queue *queue, void *item);
    /* Returns whether an attempt would not say -EAGAIN. */
    bool (*can)(thrum_queue *queue);
    /* A hint of the same that touches no more than it must; may be false for ever after
     * shutdown. */
    bool (*may)(const thrum_queue *queue);
    size_t side; /* offset of those who wait */
    thrum__wait_kind kind;
} thrum__verb;

extern const thrum__verb thrum__queue_getting;
extern const thrum__verb thrum__queue_putting;

/* Returns what an attempt says when nobody is in the middle of its slot. */
int thrum__queue_try(thrum_queue *queue, const thrum__verb *verb, void *item);

/* Waits until an attempt of `verb` says neither -EAGAIN nor -EBUSY, or for `deadline` or a
 * signal. */
int thrum__queue_wait(thrum_queue *queue, const thrum__verb *verb, void *item, int64_t deadline,
                      unsigned flags);

/* Wakes the first who waits at `side` for `verb`, and the observers. Of `side` only the address is
 * used: the queue may be gone. */
void thrum__queue_wake(const thrum__side *side, const thrum__verb *verb);

/* Wakes everybody who waits for `verb`. */
void thrum__queue_wake_all(const thrum__side *side, const thrum__verb *verb);

/* Waits until nothing is unfinished. */
int thrum__queue_join(thrum_queue *queue, int64_t deadline, unsigned flags);

/* Wakes the joiners at this address; the queue may be gone. */
void thrum__queue_wake_joiners(const uint32_t *joiners);

/* Says that one more item is done. Returns 0 or -EINVAL. */
int thrum__queue_task_done(thrum_queue *queue);

/* Returns whether anybody waits in the queue. */
bool thrum__queue_awaited(thrum_queue *queue);

/* Returns `size` bytes of zero at a multiple of THRUM__APART and in *memory what to free(), or
 * NULL. */
void *thrum__queue_alloc(size_t size, void **memory);

/* FIFO. */
int thrum__ring_init(thrum_queue *queue);
void thrum__ring_free(thrum_queue *queue);
int thrum__ring_put_slow(thrum_queue *queue, const void *item);
int thrum__ring_get_slow(thrum_queue *queue, void *item);
bool thrum__ring_can_put(thrum_queue *queue);
bool thrum__ring_can_get(thrum_queue *queue);
size_t thrum__ring_size(const thrum_queue *queue);
void thrum__ring_shut(thrum_queue *queue);
int thrum__ring_task_done(thrum_queue *queue);
bool thrum__ring_mark_joined(thrum_queue *queue);

/* LIFO and PRIORITY. */
void thrum__heap_free(thrum_queue *queue);
int thrum__heap_put(thrum_queue *queue, const void *item);
int thrum__heap_get(thrum_queue *queue, void *item);
bool thrum__heap_can_put(thrum_queue *queue);
bool thrum__heap_can_get(thrum_queue *queue);
void thrum__heap_shut(thrum_queue *queue);
int thrum__heap_task_done(thrum_queue *queue);
bool thrum__heap_mark_joined(thrum_queue *queue);

/* Says that somebody of this side is about to sleep. What follows is a look at the positions. */
static inline void thrum__side_mark(thrum__side *side) {
    /* seq_cst: pairs with thrum__side_owes() */
    thrum__store_seq_cst(&side->asleep, 1);
}

/* Called after a position has moved. Returns whether the caller owes somebody of this side a
 * wake. */
static inline bool thrum__side_owes(thrum__side *side) {
    /* seq_cst: pairs with thrum__side_mark() */
    return THRUM__UNLIKELY(thrum__load_seq_cst(&side->asleep) != 0) &&
           thrum__xchg_seq_cst(&side->asleep, 0) != 0; /* seq_cst: pairs with thrum__side_mark() */
}

/* Returns a position (head, tail, count). */
static inline size_t thrum__position(const size_t *position) {
    /* seq_cst: pairs with thrum__position_move(), thrum__position_set() */
    return thrum__load_seq_cst(position);
}

/* Moves a position on from `from`. */
static inline bool thrum__position_move(size_t *position, size_t from, size_t to) {
    /* seq_cst: pairs with thrum__position() */
    return thrum__cas_seq_cst(position, &from, to);
}

/* Sets a position that changes under a lock. */
static inline void thrum__position_set(size_t *position, size_t to) {
    /* seq_cst: pairs with thrum__position() */
    thrum__store_seq_cst(position, to);
}

/* Copies an item; the sizes that are met most often without a call. Whose memory it is stays hidden
 * from link-time optimisation, which warns about the sizes that an object it knows is too small
 * for. */
static inline void thrum__item_copy(void *to, const void *from, size_t size) {
    __asm__("" : "+r"(to), "+r"(from));
    if (THRUM__LIKELY(size == 8))
        __builtin_memcpy(to, from, 8);
    else if (size == 4)
        __builtin_memcpy(to, from, 4);
    else if (size == 16)
        __builtin_memcpy(to, from, 16);
    else if (size == 1)
        __builtin_memcpy(to, from, 1);
    else if (size == 2)
        __builtin_memcpy(to, from, 2);
    else
        __builtin_memcpy(to, from, size);
}

#endif
