/* SPDX-License-Identifier: MIT */
/* What the end of the program and the heap need of timers. */
#ifndef THRUM_THREAD_TIMER_H
#define THRUM_THREAD_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/timer.h>

struct thrum_timer {
    int refs;       /* the handle, the heap, the running call; under the timer lock */
    uint32_t busy;  /* id of the strand that runs its call, 0 none; left by it alone */
    size_t index;   /* place in the heap + 1, 0: not there; under the timer lock */
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

/* Returns whether there are regular timers, pending or running. */
bool thrum__timer_awaited(void);

/* Waits until there are no regular timers, or until `deadline`. Returns -EAGAIN: look again;
 * -ETIMEDOUT; or
 * 0: there is no thread to call them, which has been said. */
int thrum__timer_wait(int64_t deadline);

/* Appends the names of the timers that the program's end waits for to `names`, of which `used`
 * bytes of `size` are in use. Returns how many are then. */
size_t thrum__timer_names(char *names, size_t size, size_t used);

/* Called by a thread inside exit(): if it is the timers', another takes its place. */
void thrum__timer_leave(void);

#endif
