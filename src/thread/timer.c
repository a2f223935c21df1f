/* SPDX-License-Identifier: MIT */
/* Timers as their holders see them. timer_serve.c calls them, timer_end.c has the end of the
 * program and forks. */
#include "thread/timer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "park/lot.h"

enum { ROOM_MIN = 64 };

static thrum__timers *const all = &thrum__timers_all;

static uint32_t caller_of(const void *object) {
    const thrum_timer *timer = object;
    return thrum__load_relaxed(&timer->busy);
}

static const thrum__wait_kind timer_kind = {"timer", caller_of};

/* Makes the heap longer than `room`. Returns 0 or -ENOMEM. */
static int reserve(size_t room) {
    size_t more = room ? 2 * room : ROOM_MIN;
    size_t size = thrum__timer_heap_size(more);
    void *places = size ? malloc(size) : NULL;
    if (!places)
        return -ENOMEM;
    thrum__raw_lock_acquire(&all->lock);
    if (more > all->heap.room)
        places = thrum__timer_heap_swap(&all->heap, places, more);
    thrum__raw_lock_release(&all->lock);
    free(places);
    return 0;
}

/* Puts `timer` in the heap, and a handle in `*out`. Returns false when there is no thread, or no
 * room for it and for the repeating ones that run: then *room says for how many there is. */
static bool insert(thrum_timer **out, thrum_timer *timer, size_t *room) {
    thrum__raw_lock_acquire(&all->lock);
    *room = all->heap.n + all->n_away + 2 > all->heap.room ? all->heap.room : SIZE_MAX;
    bool possible = all->served && *room == SIZE_MAX;
    bool earlier = false;
    if (possible) {
        timer->order = ++all->last_order;
        timer->refs = out ? 2 : 1;
        if (out)
            *out = timer;
        if (thrum__timer_is_regular(timer))
            thrum__store_relaxed(&all->waited, all->waited + 1);
        thrum__timer_heap_insert(&all->heap, timer);
        earlier = thrum__timer_heap_first(&all->heap) == timer;
    }
    thrum__raw_lock_release(&all->lock);
    if (earlier)
        thrum_event_set(&all->changed);
    return possible;
}

int thrum__timer_start_at(thrum_timer **out, int64_t due, void (*fn)(void *), void *arg,
                          const thrum_timer_opts *opts) {
    thrum_timer *timer = thrum__timer_new(fn, arg, opts);
    if (!timer)
        return -ENOMEM;
    timer->due = due;
    size_t room = SIZE_MAX;
    do {
        int rc = room != SIZE_MAX ? reserve(room) : thrum__timer_serve();
        if (rc != 0) {
            free(timer);
            return rc;
        }
    } while (!insert(out, timer, &room));
    return 0;
}

int thrum_timer_start(thrum_timer **out, double seconds, void (*fn)(void *), void *arg,
                      const thrum_timer_opts *opts) {
    int rc = thrum__timer_check(seconds, fn, opts);
    return rc != 0 ? rc : thrum__timer_start_at(out, thrum_in(seconds).ns, fn, arg, opts);
}

bool thrum_timer_cancel(thrum_timer *timer) {
    bool wake = false;
    thrum__raw_lock_acquire(&all->lock);
    bool pending = timer->index != 0;
    bool prevented = !timer->cancelled &&
                     (pending || (timer->calling && (timer->every > 0 || !timer->begun)));
    timer->cancelled = true;
    if (pending) {
        thrum__timer_heap_remove(&all->heap, timer);
        wake = thrum__timer_count_down(timer);
        thrum__timer_drop(timer); /* there is the handle */
    }
    thrum__raw_lock_release(&all->lock);
    thrum__timer_wake(wake);
    return prevented;
}

bool thrum_timer_pending(const thrum_timer *timer) {
    thrum__raw_lock_acquire(&all->lock);
    bool pending = timer->index != 0 ||
                   (timer->calling && !timer->cancelled && (timer->every > 0 || !timer->begun));
    thrum__raw_lock_release(&all->lock);
    return pending;
}

void thrum__timer_release(thrum_timer *timer) {
    thrum__raw_lock_acquire(&all->lock);
    bool last = thrum__timer_drop(timer);
    thrum__raw_lock_release(&all->lock);
    if (last)
        free(timer);
}

void thrum__timer_await_call(thrum_timer *timer) {
    thrum__waiter waiter;
    uint32_t id = thrum__strand_self()->id;
    thrum__bucket *bucket = thrum__lot_lock(timer);
    /* acquire: pairs with thrum__timer_end_call(), handed_over() */
    uint32_t busy = thrum__load_acquire(&timer->busy);
    if (busy == 0 || busy == id) {
        thrum__lot_unlock(bucket);
    } else {
        thrum__lot_enqueue(bucket, &waiter, timer, &timer_kind);
        thrum__lot_park(bucket, &waiter, INT64_MAX, 0);
        thrum__lot_done(&waiter);
    }
}

void thrum_timer_free(thrum_timer *timer) {
    if (!timer)
        return;
    thrum__timer_await_call(timer);
    thrum__timer_release(timer);
}
