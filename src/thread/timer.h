/* SPDX-License-Identifier: MIT */
/* What the end of the program and the heap need of timers. */
#ifndef THRUM_THREAD_TIMER_H
#define THRUM_THREAD_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/event.h>
#include <thrum/lock.h>
#include <thrum/timer.h>

#include "base/list.h"
#include "base/raw_lock.h"

typedef struct thrum_executor thrum_executor;

struct thrum_timer {
    int refs;       /* the handle, the heap or the call, who hands the call to a pool; under the
                     * timer lock */
    uint32_t busy;  /* id of the strand that runs its call or hands it to a pool, 0 none; changes
                     * under the lock */
    uint32_t handing; /* id of the one that hands it, 0 none: the pool is in use until then; under
                       * the timer lock */
    size_t index;   /* place in the heap + 1, 0: not there; under the timer lock */
    bool calling;   /* its call is on its way or runs; under the timer lock, as the next two */
    bool begun;     /* and can be prevented no more */
    thrum__link away;          /* among those whose call is a pool's */
    thrum_executor *executor;  /* whose, NULL the timers' thread's; read-only */
    uint32_t generation;       /* of that pool; read-only */
    int64_t due;    /* under the timer lock */
    int64_t every;  /* nanoseconds, 0: one shot; read-only */
    uint64_t order; /* of its start, and so among equals; read-only */
    void (*fn)(void *);
    void *arg;
    bool daemon;     /* read-only */
    bool cancelled;  /* under the timer lock */
    uint32_t number; /* of its default name, 0: has its own; read-only */
    char name[];
};

/* Returns whether the program's end waits for `timer`. */
static inline bool thrum__timer_is_regular(const thrum_timer *timer) {
    return !timer->daemon && timer->every == 0;
}

/* Returns the name of `timer`, from `text` where it has to be made. */
const char *thrum__timer_name(const thrum_timer *timer, char *text, size_t size);

/* Returns the first due time of a repeating `timer` after `now`, in step with the ones before. */
int64_t thrum__timer_next_due(const thrum_timer *timer, int64_t now);

/* Returns 0, or the code with which thrum_timer_start() refuses these arguments. */
int thrum__timer_check(double seconds, void (*fn)(void *), const thrum_timer_opts *opts);

/* Returns a timer without references and due time, NULL without memory. */
thrum_timer *thrum__timer_new(void (*fn)(void *), void *arg, const thrum_timer_opts *opts);

/* A heap of timers, the earliest first, those due at the same time in the order of their start. All
 * of these require the timer lock. */
typedef struct thrum__timer_heap {
    struct thrum__timer_place *places;
    size_t n;
    size_t room;
} thrum__timer_heap;

/* Returns the earliest, NULL if there is none. */
thrum_timer *thrum__timer_heap_first(const thrum__timer_heap *heap);

/* Puts `timer` in. Requires room. */
void thrum__timer_heap_insert(thrum__timer_heap *heap, thrum_timer *timer);

/* Takes `timer`, which is in, out. */
void thrum__timer_heap_remove(thrum__timer_heap *heap, thrum_timer *timer);

/* Returns the timer at `place`, less than heap->n, in no order. */
thrum_timer *thrum__timer_heap_at(const thrum__timer_heap *heap, size_t place);

/* Makes the heap `places` long, which it takes over; returns the memory to be freed. */
void *thrum__timer_heap_swap(thrum__timer_heap *heap, void *places, size_t room);

/* Returns how many bytes `room` places take, 0 if too many. */
size_t thrum__timer_heap_size(size_t room);

/* All timers of the process. */
typedef struct thrum__timers {
    thrum__raw_lock lock;
    thrum__timer_heap heap; /* under lock, as all up to `left` */
    uint64_t last_order;
    thrum_timer *running;   /* on the timers' thread, NULL none */
    thrum__link away;       /* those whose call is a pool's */
    size_t n_away;
    uint32_t waited; /* regular timers, pending or running; changes under lock */
    uint32_t server; /* strand id of the timers' thread, 0 none */
    bool served;     /* that thread has been started */
    bool orphan;     /* it has forked, and serves in the child */
    uint32_t left;   /* how many such threads have left; changes under lock */
    thrum_lock starting; /* held while the thread is started */
    thrum_event changed; /* set when there is an earlier one */
} thrum__timers;
extern thrum__timers thrum__timers_all;

/* Drops one reference. Requires the timer lock. Returns whether it was the last: free it then. */
static inline bool thrum__timer_drop(thrum_timer *timer) { return --timer->refs == 0; }

/* One regular timer less. Requires the timer lock. Returns whether thrum__timer_wake() is due. */
bool thrum__timer_count_down(const thrum_timer *timer);
void thrum__timer_wake(bool due);

/* Starts the timers' thread, if it is not there. Returns 0 (it may have left again), -EAGAIN or
 * -ENOMEM. */
int thrum__timer_serve(void);

/* Waits until the call of `timer` that runs is over, unless the current strand is in it. */
void thrum__timer_await_call(thrum_timer *timer);

/* Ends the call of `timer`. `again`: a repeating one goes on. */
void thrum__timer_end_call(thrum_timer *timer, bool again);

/* thrum_timer_start() of a timer that is due at `due`, with arguments that were checked. */
int thrum__timer_start_at(thrum_timer **out, int64_t due, void (*fn)(void *), void *arg,
                          const thrum_timer_opts *opts);

/* Drops the handle of `timer`, at once. */
void thrum__timer_release(thrum_timer *timer);

/* What pools do for timers, set by floor 4 with the first pool. */
typedef struct thrum__timer_pool {
    /* Returns what tells `executor` from a later pool in the same memory. */
    uint32_t (*generation)(const thrum_executor *executor);
    /* Makes a task of thrum__timer_run(timer), called `name`, and then thrum__timer_ran(timer),
     * also if it is cancelled. Never waits for room. Returns 0, or the code of thrum_submit(): then
     * neither is called. */
    int (*submit)(thrum_executor *executor, thrum_timer *timer, const char *name);
} thrum__timer_pool;
extern const thrum__timer_pool *thrum__timer_pool_hooks;

/* Returns these, NULL before the first pool. */
const thrum__timer_pool *thrum__timer_pools(void);

/* Calls the function of `timer`, unless it was cancelled. */
void thrum__timer_run(thrum_timer *timer);

/* The task of the call is over. */
void thrum__timer_ran(thrum_timer *timer);

/* Returns whether there are regular timers, pending or running. */
bool thrum__timer_awaited(void);

/* Waits until there are no regular timers, or until `deadline`. Returns -EAGAIN: look again;
 * -ETIMEDOUT; or
 * 0: there is no thread to call them, which has been said. */
int thrum__timer_wait(int64_t deadline);

/* Appends the names of the timers that the program's end waits for to `names`, of which `used`
 * bytes of `size` are in use. Returns how many are then. */
size_t thrum__timer_names(char *names, size_t size, size_t used);

/* Called by a thread inside exit(): the calls that it is in the middle of are the last of their
 * timers, that of the timers' thread is over, and another takes its place. */
void thrum__timer_leave(void);

#endif
