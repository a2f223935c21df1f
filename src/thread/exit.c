/* SPDX-License-Identifier: MIT */
/* The end of the program: it waits for the regular threads and timers, and for nothing else. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "park/lot.h"
#include "thread/thread.h"
#include "thread/timer.h"

static const double NOTICE_SECONDS = 5.0;
enum { NAMES_SIZE = 512 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
const thrum__exit_more *thrum__exit_more_hooks;
static uint32_t exiting; /* relaxed: id of the strand inside exit(), 0 none */

static const thrum__exit_more *more(void) {
    /* acquire: pairs with thrum__pools_prepare() */
    return thrum__load_acquire(&thrum__exit_more_hooks);
}

static bool waited_for(const thrum__strand *strand, const thrum__strand *self) {
    const thrum_thread *thread = strand->thread;
    return strand != self && thread && thread->started_here && !thread->daemon && !thread->exempt;
}

/* Returns a handle on the oldest regular thread other than the current one, NULL if there is none.
 * *timers: whether there are regular timers, as of the same moment: one may start the other, and be
 * gone. */
static thrum_thread *oldest_regular(bool *timers) {
    thrum__strand *self = thrum__strand_self();
    thrum_thread *found = NULL;
    thrum__link *registry = thrum__registry_lock();
    *timers = thrum__timer_awaited();
    THRUM__EACH(link, registry) {
        thrum__strand *strand = THRUM__MEMBER(thrum__strand, listed, link);
        if (waited_for(strand, self)) {
            found = strand->thread;
            found->handles++;
            thrum__add_relaxed(&found->refs, 1);
            break;
        }
    }
    thrum__registry_unlock();
    return found;
}

static void print_notice(void) {
    const char *wanted = getenv("THRUM_EXIT_NOTICE");
    char names[NAMES_SIZE] = "";
    size_t used = 0;
    if (wanted && strcmp(wanted, "0") == 0)
        return;
    thrum__strand *self = thrum__strand_self();
    thrum__link *registry = thrum__registry_lock();
    THRUM__EACH(link, registry) {
        thrum__strand *strand = THRUM__MEMBER(thrum__strand, listed, link);
        if (!waited_for(strand, self) || used >= sizeof names - 1)
            continue;
        int n = snprintf(names + used, sizeof names - used, "%s\"%s\"", used ? ", " : "",
                         thrum_thread_name(strand->thread));
        used += n > 0 ? (size_t)n : 0;
    }
    thrum__registry_unlock();
    used = thrum__timer_names(names, sizeof names, used);
    if (more())
        used = more()->names(names, sizeof names, used);
    if (used > 0)
        thrum__complain("the program's end waits for %s", names);
}

/* Returns 0, -ETIMEDOUT or -EAGAIN: look again. Drops the handle. */
static int wait_for_one(thrum_thread *thread, int64_t deadline) {
    int rc = thrum__thread_wait(thread, deadline, false, true);
    if (rc == 0 && !thrum_thread_is_alive(thread))
        (void)thrum__thread_reap(thread, true);
    thrum_thread_free(thread);
    return rc == 0 ? -EAGAIN : rc;
}

/* The strand is inside exit(), and comes back to nothing: who waits for what it was doing, or for
 * its end, goes on. */
static void leave_for_good(const thrum__strand *self) {
    thrum__timer_leave();
    if (more())
        more()->desert();
    thrum_thread *thread = thrum__thread_of(self);
    if (thread)
        thrum__thread_exempt(thread);
}

static void wait_for_threads(void) {
    int64_t deadline = thrum_in(NOTICE_SECONDS).ns;
    int rc;
    thrum__store_relaxed(&exiting, thrum__strand_self()->id);
    leave_for_good(thrum__strand_self());
    do {
        bool timers;
        thrum_thread *thread = oldest_regular(&timers);
        rc = thread ? wait_for_one(thread, deadline) : timers ? thrum__timer_wait(deadline) : 0;
        if (rc == 0 && more())
            rc = more()->finish(deadline);
        if (rc == -ETIMEDOUT) {
            print_notice();
            deadline = INT64_MAX;
        }
    } while (rc != 0);
}

/* Registered to run after wait_for_threads(): meets a second thread that calls exit() while the
 * first one waits, and parks it for ever. It registers itself again for a third one. */
static void park_second_exit(void) {
    thrum__strand *self = thrum__strand_self();
    if (thrum__load_relaxed(&exiting) == self->id)
        return;
    atexit(park_second_exit);
    leave_for_good(self);
    for (;;)
        thrum_sleep_until(THRUM_NEVER);
}

/* Twice: a third exit may come while the second has not registered the handler again. */
static void register_handlers(void) {
    atexit(park_second_exit);
    atexit(park_second_exit);
    atexit(wait_for_threads);
}

/* If another thread was inside exit() its handlers are spent, and this process has its end to
 * come. */
void thrum__exit_child_after_fork(void) {
    const thrum__strand *self = thrum__strand_peek();
    uint32_t first = thrum__load_relaxed(&exiting);
    if (first == 0 || (self && first == self->id))
        return;
    thrum__store_relaxed(&exiting, 0);
    register_handlers();
}

void thrum__exit_prepare(void) { pthread_once(&once, register_handlers); }

void thrum__exit_if_last(void) {
    bool regular = false, daemon = false;
    thrum__link *registry = thrum__registry_lock();
    bool main_runs = thrum__strand_main != NULL || thrum__load_relaxed(&exiting) != 0;
    if (!main_runs)
        THRUM__EACH(link, registry) {
            const thrum_thread *thread = THRUM__MEMBER(thrum__strand, listed, link)->thread;
            if (thread && thread->started_here)
                *(thread->daemon ? &daemon : &regular) = true;
        }
    thrum__registry_unlock();
    if (!main_runs && daemon && !regular)
        exit(0);
}
