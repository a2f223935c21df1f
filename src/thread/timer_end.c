/* SPDX-License-Identifier: MIT */
/* Timers at the end of the program, and in the child of a fork. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/panic.h"
#include "park/lot.h"
#include "thread/timer.h"

enum { NAME_SIZE = 64 };

static thrum__timers *const all = &thrum__timers_all;

static const thrum__wait_kind timers_kind = {"timers", NULL};

#define AWAY(link) THRUM__MEMBER(thrum_timer, away, link)

bool thrum__timer_awaited(void) {
    /* acquire: pairs with thrum__timer_count_down() */
    return thrum__load_acquire(&all->waited) != 0;
}

int thrum__timer_wait(int64_t deadline) {
    thrum__waiter waiter;
    thrum__strand_self(); /* met before the bucket is locked */
    if (thrum__timer_serve() != 0) {
        thrum__complain("the program ends without its pending timers: no thread for them");
        return 0;
    }
    thrum__bucket *bucket = thrum__lot_lock(&all->waited);
    if (thrum__load_relaxed(&all->waited) == 0) {
        thrum__lot_unlock(bucket);
        return -EAGAIN;
    }
    thrum__lot_enqueue(bucket, &waiter, &all->waited, &timers_kind);
    int rc = thrum__lot_park(bucket, &waiter, deadline, 0);
    thrum__lot_done(&waiter);
    return rc == 0 ? -EAGAIN : rc;
}

static size_t add_name(const thrum_timer *timer, char *names, size_t size, size_t used) {
    char text[NAME_SIZE];
    if (!timer || !thrum__timer_is_regular(timer) || used >= size - 1)
        return used;
    int n = snprintf(names + used, size - used, "%stimer \"%s\"", used ? ", " : "",
                     thrum__timer_name(timer, text, sizeof text));
    return used + (n > 0 ? (size_t)n : 0);
}

size_t thrum__timer_names(char *names, size_t size, size_t used) {
    thrum__raw_lock_acquire(&all->lock);
    used = add_name(all->running, names, size, used);
    THRUM__EACH(link, &all->away)
        used = add_name(AWAY(link), names, size, used);
    for (size_t i = 0; i < all->heap.n && used < size - 1; i++)
        used = add_name(thrum__timer_heap_at(&all->heap, i), names, size, used);
    thrum__raw_lock_release(&all->lock);
    return used;
}

static void before_fork(void) { thrum__raw_lock_acquire(&all->lock); }

static void after_fork(void) { thrum__raw_lock_release(&all->lock); }

static void forget(thrum_timer *timer) {
    timer->index = 0;
    timer->cancelled = true;
    timer->calling = timer->begun = false;
    thrum__store_relaxed(&timer->busy, 0);
    if (thrum__timer_drop(timer))
        free(timer);
}

/* Of the calls that pools had, those that the forking strand is in the middle of go on. Returns how
 * many the end of the program waits for. */
static uint32_t forget_away(const thrum__strand *self) {
    uint32_t regular = 0;
    for (thrum__link *link = all->away.next, *next; link != &all->away; link = next) {
        thrum_timer *timer = AWAY(link);
        next = link->next;
        if (self && timer->begun && timer->busy == self->id) {
            timer->cancelled = true;
            timer->handing = 0;
            regular += thrum__timer_is_regular(timer);
        } else {
            thrum__list_remove(link);
            all->n_away--;
            forget(timer);
        }
    }
    return regular;
}

/* The child has no pending timers, and no thread for them unless that one has forked: then it goes
 * on with its call, and with what that starts. */
static void child_after_fork(void) {
    const thrum__strand *self = thrum__strand_peek();
    bool here = self && all->server == self->id;
    for (size_t i = 0; i < all->heap.n; i++)
        forget(thrum__timer_heap_at(&all->heap, i));
    all->heap.n = 0;
    all->orphan = here;
    if (here) {
        if (all->running)
            all->running->cancelled = true;
    } else {
        if (all->running)
            forget(all->running);
        all->running = NULL;
        all->served = false;
        all->server = 0;
    }
    uint32_t regular = forget_away(self);
    regular += all->running && thrum__timer_is_regular(all->running);
    thrum__store_relaxed(&all->waited, regular);
    all->starting = (thrum_lock)THRUM_LOCK_INIT;
    all->changed = (thrum_event)THRUM_EVENT_INIT;
    thrum__raw_lock_release(&all->lock);
}

static const thrum__fork_hooks fork_hooks = {before_fork, after_fork, child_after_fork};

__attribute__((constructor)) static void register_fork(void) {
    thrum__fork_register(THRUM__FORK_TIMER, &fork_hooks);
}
