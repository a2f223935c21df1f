/* SPDX-License-Identifier: MIT */
/* Timers: Python's threading.Timer, once or repeating.
 *
 *     thrum_timer *t;
 *     rc = thrum_timer_start(&t, 30.0, save, document, NULL);
 *     ...
 *     if (thrum_timer_cancel(t)) ...      true: save will not be called
 *     thrum_timer_free(t);
 *
 * One thread, started with the first timer, calls them all, one after the other: a callback that
 * takes long makes later ones late. Those due at the same time are called in the order of their
 * start. It is a daemon thread, but the program's end waits for one-shot timers that are still
 * pending or run, as it does in Python (not for those started with .daemon, nor for repeating
 * ones). That thread has the signal mask, CPUs and scheduling of the one that started the first
 * timer; what a callback changes of these stays. Threads that a callback starts are regular by
 * default, daemons if the timer is. A callback that ends the thread (pthread_exit) ends its own
 * call only: another thread takes over; one that calls exit() is not waited for. In the child of a
 * fork no timer of the parent is pending; where a callback has forked, its thread ends after that
 * call and the timers that it has started.
 *
 * With .executor each call is a task of that pool, so that one that takes long delays no other
 * timer: submitted when it is due, beyond any queue_limit, and named as the timer (where no worker
 * can be had, the timers' thread runs it). A timer has one call at a time, queued or running; what
 * falls due meanwhile is left out. A call that is still queued can be cancelled. A pool that does
 * not take the call (it was shut down, its initializer failed, or there is no memory) is reported
 * to the excepthook; a repeating timer goes on unless that is for good. The pool must outlive the
 * timer: cancel and free that first. */
#ifndef THRUM_TIMER_H
#define THRUM_TIMER_H

#include <stdbool.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

struct thrum_executor;

/* A handle on a timer. Owned by who started it, until thrum_timer_free(). */
typedef struct thrum_timer thrum_timer;

/* Options of thrum_timer_start(); zero is the default of each. */
typedef struct thrum_timer_opts {
    double every;     /* seconds between calls after the first; 0: one shot */
    const char *name; /* copied; in reports of failures; default "Timer-1", "Timer-2", ... */
    bool daemon;      /* the program's end does not wait for this one-shot timer */
    struct thrum_executor *executor; /* calls are tasks of this pool: see below; NULL: none */
    void *reserved[4]; /* must be zero */
} thrum_timer_opts;

/* Calls fn(arg), on the timers' thread or as a task of opts->executor, `seconds` from now (zero and
 * less: at once; infinity: never), and then every opts->every seconds, counted from the first
 * call's due time: a late call does not move the later ones; calls that a long callback missed are
 * left out. `*out` gets a handle to be freed, before the first call begins; with `out` NULL the
 * timer just runs. A failure of fn (thrum_raise()) goes to the excepthook, with the timer's name as
 * its task; a repeating timer goes on. Returns 0, -EINVAL (fn is NULL, NaN, a bad option; named on
 * stderr), -ENOMEM or -EAGAIN (no thread). Any thread. */
THRUM_API int thrum_timer_start(thrum_timer **out, double seconds, void (*fn)(void *arg), void *arg,
                                const thrum_timer_opts *opts);

/* Cancels the timer: no call begins after this, but for one that the timers' thread (with an
 * executor: one of its workers) has taken already (thrum_timer_free() waits for it). Returns true
 * when that prevented a call (the only one, or further ones of a repeating timer), false when it
 * was too late or cancelled before. Does not wait for a call that runs. O(log n) in the number of
 * pending timers. Any thread, the callback too. */
THRUM_API bool thrum_timer_cancel(thrum_timer *timer);

/* Returns whether a call is still to come. Any thread. */
THRUM_API bool thrum_timer_pending(const thrum_timer *timer);

/* Drops the handle, after a call that runs has ended (unless called from it). A pending timer goes
 * on. Does nothing for NULL. No other call with the same handle may overlap. */
THRUM_API void thrum_timer_free(thrum_timer *timer);

THRUM__END

#endif
