/* SPDX-License-Identifier: MIT */
/* One thread calls all timers, or hands their calls to pools. It sleeps until the earliest is due,
 * or until one that is earlier is started. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "park/lot.h"
#include "thread/thread.h"
#include "thread/timer.h"

enum { NAME_SIZE = 64 };

thrum__timers thrum__timers_all = {.away = THRUM__LIST_INIT(thrum__timers_all.away)};
static thrum__timers *const all = &thrum__timers_all;

const thrum__timer_pool *thrum__timer_pool_hooks;

const thrum__timer_pool *thrum__timer_pools(void) {
    /* acquire: pairs with thrum__pools_prepare() */
    return thrum__load_acquire(&thrum__timer_pool_hooks);
}

bool thrum__timer_count_down(const thrum_timer *timer) {
    if (!thrum__timer_is_regular(timer))
        return false;
    uint32_t n = all->waited - 1;
    /* release: pairs with thrum__timer_awaited() */
    thrum__store_release(&all->waited, n);
    return n == 0;
}

void thrum__timer_wake(bool due) {
    if (due)
        thrum__lot_unpark_all(&all->waited);
}

/* Serves those that are pending, or says why nobody does. */
static void serve_on(void) {
    if (thrum__timer_serve() != 0)
        thrum__complain(
            "no thread for the pending timers: the next thrum_timer_start() tries again");
}

/* The running one is no more. Under the timer lock. */
static void forget_call(thrum_timer *timer) {
    if (all->running == timer) {
        all->running = NULL;
    } else {
        thrum__list_remove(&timer->away);
        all->n_away--;
    }
    timer->calling = timer->begun = false;
}

void thrum__timer_end_call(thrum_timer *timer, bool again) {
    int64_t now = thrum_now().ns;
    bool earlier = false;
    thrum__raw_lock_acquire(&all->lock);
    forget_call(timer);
    if (again && timer->every > 0 && !timer->cancelled) {
        timer->due = thrum__timer_next_due(timer, now);
        timer->refs++;
        thrum__timer_heap_insert(&all->heap, timer);
        earlier = timer->executor && thrum__timer_heap_first(&all->heap) == timer;
    }
    bool served = all->served || all->heap.n == 0;
    bool wake = thrum__timer_count_down(timer);
    bool idle = timer->handing == 0;
    /* In the same hold: a child of a fork must not see a call that nobody runs. */
    /* release: pairs with thrum__timer_await_call() */
    thrum__store_release(&timer->busy, timer->handing);
    thrum__raw_lock_release(&all->lock);
    if (idle)
        thrum__lot_unpark_all(timer);
    thrum__timer_release(timer);
    thrum__timer_wake(wake);
    if (earlier)
        thrum_event_set(&all->changed);
    if (!served)
        serve_on();
}

static void report(const thrum_timer *timer) {
    char text[NAME_SIZE];
    thrum__failure_flush(thrum__timer_name(timer, text, sizeof text));
}

/* Ends the running call and the service of the calling thread, which is the timers'. */
static void leave(bool again) {
    thrum__raw_lock_acquire(&all->lock);
    thrum_timer *timer = all->running;
    thrum__raw_lock_release(&all->lock);
    if (timer)
        thrum__timer_end_call(timer, again);
    thrum__raw_lock_acquire(&all->lock);
    all->server = 0;
    all->served = false;
    thrum__store_relaxed(&all->left, all->left + 1);
    bool needed = all->heap.n > 0;
    thrum__raw_lock_release(&all->lock);
    if (needed)
        serve_on();
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
    thrum__timer_end_call(timer, true);
}

/* The pool has the call, and may have run it already: who frees the timer waits for this thread no
 * more. */
static void handed_over(void *arg) {
    thrum_timer *timer = arg;
    thrum__raw_lock_acquire(&all->lock);
    bool here = timer->busy == timer->handing;
    timer->handing = 0;
    if (here)
        /* release: pairs with thrum__timer_await_call() */
        thrum__store_release(&timer->busy, 0);
    thrum__raw_lock_release(&all->lock);
    if (here)
        thrum__lot_unpark_all(timer);
    thrum__timer_release(timer);
}

static void handed_over_unwound(void *timer) {
    handed_over(timer);
    leave(true);
}

/* The call is left out; where no later one can do better the timer ends too. */
static void refused(thrum_timer *timer, int code, const char *name) {
    thrum_failure failure = {.code = code,
                             .message = "its executor did not take the call of a timer",
                             .thread = thrum_thread_name(thrum_thread_current()),
                             .task = name};
    thrum__raw_lock_acquire(&all->lock);
    thrum__list_remove(&timer->away);
    all->n_away--;
    all->running = timer;
    timer->begun = true;
    timer->cancelled |= code == -ESHUTDOWN || code == -EPIPE;
    thrum__raw_lock_release(&all->lock);
    pthread_cleanup_push(handed_over_unwound, timer);
    thrum__failure_report(&failure);
    pthread_cleanup_pop(0);
    thrum__timer_end_call(timer, true);
}

/* The pool may run tasks here, when it can have no worker: they may end the thread. */
static void hand_over(thrum_timer *timer) {
    const thrum__timer_pool *pools = thrum__timer_pools();
    char text[NAME_SIZE];
    const char *name = thrum__timer_name(timer, text, sizeof text);
    int rc;
    thrum__raw_lock_acquire(&all->lock);
    all->running = NULL;
    timer->handing = timer->busy;
    all->n_away++;
    thrum__list_insert(&all->away, &timer->away);
    timer->refs++;
    thrum__raw_lock_release(&all->lock);
    pthread_cleanup_push(handed_over_unwound, timer);
    rc = pools->generation(timer->executor) == timer->generation
             ? pools->submit(timer->executor, timer, name)
             : -ESHUTDOWN;
    pthread_cleanup_pop(0);
    if (rc != 0)
        refused(timer, rc, name);
    handed_over(timer);
}

void thrum__timer_run(thrum_timer *timer) {
    thrum__raw_lock_acquire(&all->lock);
    bool wanted = !timer->cancelled;
    if (wanted) {
        timer->begun = true;
        thrum__store_relaxed(&timer->busy, thrum__strand_self()->id);
    }
    thrum__raw_lock_release(&all->lock);
    if (wanted)
        timer->fn(timer->arg);
}

void thrum__timer_ran(thrum_timer *timer) { thrum__timer_end_call(timer, true); }

/* Returns whether the calling thread served only since it had forked, and has nothing left to
 * serve. */
static bool leaves_as_orphan(void) {
    thrum__raw_lock_acquire(&all->lock);
    bool leaves = all->orphan && all->heap.n == 0;
    if (leaves) {
        all->orphan = false;
        all->server = 0;
        all->served = false;
        thrum__store_relaxed(&all->left, all->left + 1);
    }
    thrum__raw_lock_release(&all->lock);
    return leaves;
}

/* Returns the timer that is due, marked as running; else NULL, with the time of the next. */
static thrum_timer *take_due(uint32_t id, thrum_deadline *next) {
    int64_t now = thrum_now().ns;
    thrum__raw_lock_acquire(&all->lock);
    thrum_event_clear(&all->changed);
    thrum_timer *timer = thrum__timer_heap_first(&all->heap);
    next->ns = timer ? timer->due : INT64_MAX;
    if (timer && timer->due > now)
        timer = NULL;
    if (timer) {
        thrum__timer_heap_remove(&all->heap, timer);
        all->running = timer;
        timer->calling = true;
        timer->begun = !timer->executor;
        thrum__store_relaxed(&timer->busy, id);
    }
    thrum__raw_lock_release(&all->lock);
    return timer;
}

/* The calls that pools run on the strand `id` end with their tasks, and are the last. */
static void end_repetition(uint32_t id) {
    thrum__raw_lock_acquire(&all->lock);
    THRUM__EACH(link, &all->away) {
        thrum_timer *timer = THRUM__MEMBER(thrum_timer, away, link);
        if (timer->begun && timer->busy == id)
            timer->cancelled = true;
    }
    thrum__raw_lock_release(&all->lock);
}

void thrum__timer_leave(void) {
    uint32_t id = thrum__strand_self()->id;
    end_repetition(id);
    thrum__raw_lock_acquire(&all->lock);
    bool here = all->server == id;
    thrum__raw_lock_release(&all->lock);
    if (here)
        leave(false);
}

static void *serve(void *arg) {
    uint32_t id = thrum__strand_self()->id;
    int cancel;
    (void)arg;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    thrum__raw_lock_acquire(&all->lock);
    all->server = id;
    thrum__raw_lock_release(&all->lock);
    for (;;) {
        thrum_deadline next;
        thrum_timer *timer = take_due(id, &next);
        if (timer && timer->executor)
            hand_over(timer);
        else if (timer)
            call(timer);
        else if (leaves_as_orphan())
            break;
        else
            (void)!thrum_event_wait_until(&all->changed, next);
    }
    return NULL;
}

static bool is_served(void) {
    thrum__raw_lock_acquire(&all->lock);
    bool is = all->served;
    thrum__raw_lock_release(&all->lock);
    return is;
}

int thrum__timer_serve(void) {
    int rc = 0;
    if (is_served())
        return 0;
    thrum_lock_acquire(&all->starting);
    if (!is_served()) {
        uint32_t before = thrum__load_relaxed(&all->left);
        rc = thrum_thread_start(NULL, serve, NULL,
                                &(thrum_thread_opts){.name = "thrum-timer", .daemon = true});
        thrum__raw_lock_acquire(&all->lock);
        all->served = rc == 0 && all->left == before;
        thrum__raw_lock_release(&all->lock);
    }
    thrum_lock_release(&all->starting);
    return rc;
}
