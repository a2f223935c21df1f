/* SPDX-License-Identifier: MIT */
/* One thread calls all timers. It sleeps until the earliest is due, or until one that is earlier is
 * started. */
#include "thread/timer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <thrum/event.h>
#include <thrum/lock.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/panic.h"
#include "base/raw_lock.h"
#include "park/lot.h"
#include "thread/thread.h"

enum { ROOM_MIN = 64, NAME_SIZE = 64 };

static thrum__raw_lock timer_lock;
static thrum__timer_heap heap; /* under timer_lock */
static uint64_t last_order;    /* under timer_lock */
static thrum_timer *running;   /* under timer_lock */
static uint32_t waited;        /* regular timers, pending or running; changes under timer_lock */
static uint32_t server;        /* strand id of the timers' thread, 0 none; under timer_lock */
static bool served;            /* that thread has been started; under timer_lock */
static bool orphan;            /* it has forked, and serves in the child; under timer_lock */
static uint32_t left;          /* how many such threads have left; changes under timer_lock */
static thrum_lock starting;    /* held while the thread is started */
static thrum_event changed;    /* set when there is an earlier one */

static uint32_t caller_of(const void *object) {
    const thrum_timer *timer = object;
    return thrum__load_relaxed(&timer->busy);
}

static const thrum__wait_kind timer_kind = {"timer", caller_of};
static const thrum__wait_kind timers_kind = {"timers", NULL};

/* Drops one reference. Requires timer_lock. Returns whether it was the last: free it then. */
static bool drop(thrum_timer *timer) { return --timer->refs == 0; }

/* One regular timer less. Requires timer_lock. Returns whether wake_waiting() is due. */
static bool count_down(const thrum_timer *timer) {
    if (!thrum__timer_is_regular(timer))
        return false;
    uint32_t n = waited - 1;
    /* release: pairs with thrum__timer_awaited() */
    thrum__store_release(&waited, n);
    return n == 0;
}

static void wake_waiting(bool due) {
    if (due)
        thrum__lot_unpark_all(&waited);
}

/* Ends the running call. `again`: a repeating timer goes on. */
static void end_call(thrum_timer *timer, bool again) {
    int64_t now = thrum_now().ns;
    thrum__raw_lock_acquire(&timer_lock);
    running = NULL;
    if (again && timer->every > 0 && !timer->cancelled) {
        timer->due = thrum__timer_next_due(timer, now);
        timer->refs++;
        thrum__timer_heap_insert(&heap, timer);
    }
    bool wake = count_down(timer);
    /* In the same hold: a child of a fork must not see a call that nobody runs. */
    /* release: pairs with thrum_timer_free() */
    thrum__store_release(&timer->busy, 0);
    thrum__raw_lock_release(&timer_lock);
    thrum__lot_unpark_all(timer);
    thrum__raw_lock_acquire(&timer_lock);
    bool last = drop(timer);
    thrum__raw_lock_release(&timer_lock);
    if (last)
        free(timer);
    wake_waiting(wake);
}

static void report(const thrum_timer *timer) {
    char text[NAME_SIZE];
    thrum__failure_flush(thrum__timer_name(timer, text, sizeof text));
}

static int start_server(void);

/* Ends the running call and the service of the calling thread, which is the timers'. */
static void leave(bool again) {
    thrum__raw_lock_acquire(&timer_lock);
    thrum_timer *timer = running;
    thrum__raw_lock_release(&timer_lock);
    if (timer)
        end_call(timer, again);
    thrum__raw_lock_acquire(&timer_lock);
    server = 0;
    served = false;
    thrum__store_relaxed(&left, left + 1);
    bool needed = heap.n > 0;
    thrum__raw_lock_release(&timer_lock);
    if (needed && start_server() != 0)
        thrum__complain("no thread for the pending timers: the next thrum_timer_start() tries again");
}

static void leave_unwound(void *arg) {
    (void)arg;
    leave(true);
}

static void report_unwound(void *timer) { report(timer); }

/* The thread leaves when the callback, or the hook that is told of its failure, ends it. */
static void call(thrum_timer *timer) {
    thrum__thread_of(thrum__strand_self())->passes_daemon = timer->daemon;
    pthread_cleanup_push(leave_unwound, NULL);
    pthread_cleanup_push(report_unwound, timer);
    timer->fn(timer->arg);
    pthread_cleanup_pop(0);
    report(timer);
    pthread_cleanup_pop(0);
    end_call(timer, true);
}

/* Returns whether the calling thread served only since it had forked, and has nothing left to serve. */
static bool leaves_as_orphan(void) {
    thrum__raw_lock_acquire(&timer_lock);
    bool leaves = orphan && heap.n == 0;
    if (leaves) {
        orphan = false;
        server = 0;
        served = false;
        thrum__store_relaxed(&left, left + 1);
    }
    thrum__raw_lock_release(&timer_lock);
    return leaves;
}

/* Returns the timer that is due, marked as running; else NULL, with the time of the next. */
static thrum_timer *take_due(uint32_t id, thrum_deadline *next) {
    int64_t now = thrum_now().ns;
    thrum__raw_lock_acquire(&timer_lock);
    thrum_event_clear(&changed);
    thrum_timer *timer = thrum__timer_heap_first(&heap);
    next->ns = timer ? timer->due : INT64_MAX;
    if (timer && timer->due > now)
        timer = NULL;
    if (timer) {
        thrum__timer_heap_remove(&heap, timer);
        running = timer;
        thrum__store_relaxed(&timer->busy, id);
    }
    thrum__raw_lock_release(&timer_lock);
    return timer;
}

static void *serve(void *arg) {
    uint32_t id = thrum__strand_self()->id;
    int cancel;
    (void)arg;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    thrum__raw_lock_acquire(&timer_lock);
    server = id;
    thrum__raw_lock_release(&timer_lock);
    for (;;) {
        thrum_deadline next;
        thrum_timer *timer = take_due(id, &next);
        if (timer)
            call(timer);
        else if (leaves_as_orphan())
            break;
        else
            (void)!thrum_event_wait_until(&changed, next);
    }
    return NULL;
}

static bool is_served(void) {
    thrum__raw_lock_acquire(&timer_lock);
    bool is = served;
    thrum__raw_lock_release(&timer_lock);
    return is;
}

/* Starts the timers' thread, if it is not there. Returns 0 (it may have left again), -EAGAIN or -ENOMEM. */
static int start_server(void) {
    int rc = 0;
    if (is_served())
        return 0;
    thrum_lock_acquire(&starting);
    if (!is_served()) {
        uint32_t before = thrum__load_relaxed(&left);
        rc = thrum_thread_start(NULL, serve, NULL,
                                &(thrum_thread_opts){.name = "thrum-timer", .daemon = true});
        thrum__raw_lock_acquire(&timer_lock);
        served = rc == 0 && left == before;
        thrum__raw_lock_release(&timer_lock);
    }
    thrum_lock_release(&starting);
    return rc;
}

/* Makes the heap longer than `room`. Returns 0 or -ENOMEM. */
static int reserve(size_t room) {
    size_t more = room ? 2 * room : ROOM_MIN;
    size_t size = thrum__timer_heap_size(more);
    void *places = size ? malloc(size) : NULL;
    if (!places)
        return -ENOMEM;
    thrum__raw_lock_acquire(&timer_lock);
    if (more > heap.room)
        places = thrum__timer_heap_swap(&heap, places, more);
    thrum__raw_lock_release(&timer_lock);
    free(places);
    return 0;
}

/* Puts `timer` in the heap, and a handle in `*out`. Returns false when there is no thread, or no room for it
 * and for a repeating one that runs: then *room says for how many there is. */
static bool insert(thrum_timer **out, thrum_timer *timer, size_t *room) {
    thrum__raw_lock_acquire(&timer_lock);
    *room = heap.n + 2 > heap.room ? heap.room : SIZE_MAX;
    bool possible = served && *room == SIZE_MAX;
    bool earlier = false;
    if (possible) {
        timer->order = ++last_order;
        timer->refs = out ? 2 : 1;
        if (out)
            *out = timer;
        if (thrum__timer_is_regular(timer))
            thrum__store_relaxed(&waited, waited + 1);
        thrum__timer_heap_insert(&heap, timer);
        earlier = thrum__timer_heap_first(&heap) == timer;
    }
    thrum__raw_lock_release(&timer_lock);
    if (earlier)
        thrum_event_set(&changed);
    return possible;
}

int thrum_timer_start(thrum_timer **out, double seconds, void (*fn)(void *), void *arg,
                      const thrum_timer_opts *opts) {
    int rc = thrum__timer_check(seconds, fn, opts);
    if (rc != 0)
        return rc;
    thrum_timer *timer = thrum__timer_new(fn, arg, opts);
    if (!timer)
        return -ENOMEM;
    timer->due = thrum_in(seconds).ns;
    size_t room = SIZE_MAX;
    do {
        rc = room != SIZE_MAX ? reserve(room) : start_server();
        if (rc != 0) {
            free(timer);
            return rc;
        }
    } while (!insert(out, timer, &room));
    return 0;
}

bool thrum_timer_cancel(thrum_timer *timer) {
    bool wake = false;
    thrum__raw_lock_acquire(&timer_lock);
    bool pending = timer->index != 0;
    bool prevented = !timer->cancelled && (pending || (running == timer && timer->every > 0));
    timer->cancelled = true;
    if (pending) {
        thrum__timer_heap_remove(&heap, timer);
        wake = count_down(timer);
        drop(timer); /* there is the handle */
    }
    thrum__raw_lock_release(&timer_lock);
    wake_waiting(wake);
    return prevented;
}

bool thrum_timer_pending(const thrum_timer *timer) {
    thrum__raw_lock_acquire(&timer_lock);
    bool pending =
        timer->index != 0 || (running == timer && timer->every > 0 && !timer->cancelled);
    thrum__raw_lock_release(&timer_lock);
    return pending;
}

void thrum_timer_free(thrum_timer *timer) {
    if (!timer)
        return;
    thrum__waiter waiter;
    uint32_t id = thrum__strand_self()->id;
    thrum__bucket *bucket = thrum__lot_lock(timer);
    /* acquire: pairs with end_call() */
    uint32_t busy = thrum__load_acquire(&timer->busy);
    if (busy == 0 || busy == id) {
        thrum__lot_unlock(bucket);
    } else {
        thrum__lot_enqueue(bucket, &waiter, timer, &timer_kind);
        thrum__lot_park(bucket, &waiter, INT64_MAX, 0);
        thrum__lot_done(&waiter);
    }
    thrum__raw_lock_acquire(&timer_lock);
    bool last = drop(timer);
    thrum__raw_lock_release(&timer_lock);
    if (last)
        free(timer);
}

bool thrum__timer_awaited(void) {
    /* acquire: pairs with count_down() */
    return thrum__load_acquire(&waited) != 0;
}

int thrum__timer_wait(int64_t deadline) {
    thrum__waiter waiter;
    thrum__strand_self(); /* met before the bucket is locked */
    if (start_server() != 0) {
        thrum__complain("the program ends without its pending timers: no thread for them");
        return 0;
    }
    thrum__bucket *bucket = thrum__lot_lock(&waited);
    if (thrum__load_relaxed(&waited) == 0) {
        thrum__lot_unlock(bucket);
        return -EAGAIN;
    }
    thrum__lot_enqueue(bucket, &waiter, &waited, &timers_kind);
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
    thrum__raw_lock_acquire(&timer_lock);
    used = add_name(running, names, size, used);
    for (size_t i = 0; i < heap.n && used < size - 1; i++)
        used = add_name(thrum__timer_heap_at(&heap, i), names, size, used);
    thrum__raw_lock_release(&timer_lock);
    return used;
}

void thrum__timer_leave(void) {
    uint32_t id = thrum__strand_self()->id;
    thrum__raw_lock_acquire(&timer_lock);
    bool here = server == id;
    thrum__raw_lock_release(&timer_lock);
    if (here)
        leave(false);
}

static void before_fork(void) { thrum__raw_lock_acquire(&timer_lock); }

static void after_fork(void) { thrum__raw_lock_release(&timer_lock); }

static void forget(thrum_timer *timer) {
    timer->index = 0;
    timer->cancelled = true;
    thrum__store_relaxed(&timer->busy, 0);
    if (drop(timer))
        free(timer);
}

/* The child has no pending timers, and no thread for them unless that one has forked: then it goes on with
 * its call, and with what that starts. */
static void child_after_fork(void) {
    const thrum__strand *self = thrum__strand_peek();
    bool here = self && server == self->id;
    for (size_t i = 0; i < heap.n; i++)
        forget(thrum__timer_heap_at(&heap, i));
    heap.n = 0;
    orphan = here;
    if (here) {
        if (running)
            running->cancelled = true;
    } else {
        if (running)
            forget(running);
        running = NULL;
        served = false;
        server = 0;
    }
    thrum__store_relaxed(&waited, running && thrum__timer_is_regular(running) ? 1 : 0);
    starting = (thrum_lock)THRUM_LOCK_INIT;
    changed = (thrum_event)THRUM_EVENT_INIT;
    thrum__raw_lock_release(&timer_lock);
}

static const thrum__fork_hooks fork_hooks = {before_fork, after_fork, child_after_fork};

__attribute__((constructor)) static void register_fork(void) {
    thrum__fork_register(THRUM__FORK_TIMER, &fork_hooks);
}
