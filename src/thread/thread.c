/* SPDX-License-Identifier: MIT */
/* Start, join and end of a thread. */
#include <thrum/thread.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/panic.h"
#include "park/lot.h"
#include "sync/local.h"
#include "sync/wait.h"
#include "thread/thread.h"

static uint32_t thread_counter; /* relaxed: for the names "Thread-N" */

static uint32_t ident_of_waited(const void *ended) {
    return THRUM__MEMBER(thrum_thread, ended, ended)->ident;
}

static const thrum__wait_kind thread_kind = {"thread", ident_of_waited};

static bool has_ended(const thrum_thread *thread) {
    /* acquire: pairs with wake(), end() */
    return thrum__load_acquire(&thread->ended) != 0;
}

/* Wakes who waits for its end; `ended`: that has come. */
static void wake(thrum_thread *thread, bool ended) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__waiter *waiter;
    thrum__bucket *bucket = thrum__lot_lock(&thread->ended);
    if (ended)
        /* release: pairs with has_ended() */
        thrum__store_release(&thread->ended, 1);
    while ((waiter = thrum__lot_first(bucket, &thread->ended)) != NULL)
        thrum__lot_grant(bucket, waiter, &granted);
    thrum__observers_wake(bucket, &thread->ended, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

void thrum__thread_ended(thrum_thread *thread) { wake(thread, true); }

void thrum__thread_exempt(thrum_thread *thread) {
    thrum__thread_cancelled(thread);
    thrum__registry_lock();
    thrum__store_relaxed(&thread->exempt, true);
    thrum__registry_unlock();
    wake(thread, false);
}

int thrum__thread_wait(thrum_thread *thread, int64_t deadline, bool interruptible,
                       bool exempt_too) {
    unsigned flags = THRUM__PARK_SPIN | (interruptible ? THRUM__PARK_INTERRUPTIBLE : 0);
    while (!has_ended(thread)) {
        thrum__waiter waiter;
        thrum__bucket *bucket = thrum__lot_lock(&thread->ended);
        if (has_ended(thread) || (exempt_too && thrum__load_relaxed(&thread->exempt))) {
            thrum__lot_unlock(bucket);
            break;
        }
        thrum__lot_enqueue(bucket, &waiter, &thread->ended, &thread_kind);
        int rc = thrum__lot_park(bucket, &waiter, deadline, flags);
        thrum__lot_done(&waiter);
        if (rc != 0)
            return rc;
    }
    return 0;
}

bool thrum__thread_reap(thrum_thread *thread, bool wait) {
    if (!thread->started_here || thread->generation != thrum__fork_generation())
        return false;
    if (wait)
        thrum_lock_acquire(&thread->reaping);
    else if (!thrum_lock_try_acquire(&thread->reaping))
        return false;
    if (!thread->reaped)
        thread->reaped = thread->own.ops->reap(&thread->own, wait);
    bool reaped = thread->reaped;
    thrum_lock_release(&thread->reaping);
    return reaped;
}

void thrum__thread_cancelled(thrum_thread *thread) {
    thread->result = NULL;
    if (thread->raised)
        return;
    thread->failure.code = -ECANCELED;
    thread->failure.message = thrum_strerror(-ECANCELED);
    thread->failure.thread = thrum_thread_name(thread);
}

void thrum__thread_unref(thrum_thread *thread) {
    /* acq_rel: pairs with thrum__thread_unref() */
    if (thrum__sub_acq_rel(&thread->refs, 1) != 1)
        return;
    for (thrum__name *name = thread->names, *older; name; name = older) {
        older = name->older;
        free(name);
    }
    free(thread);
}

/* The last that a thread does, on its own stack. */
static void end(void *arg) {
    thrum_thread *thread = arg;
    thrum__local_free(&thread->own);
    thrum__registry_lock();
    thrum__list_remove(&thread->own.listed);
    thread->strand = NULL;
    if (thrum__strand_main == &thread->own)
        thrum__store_relaxed(&thrum__strand_main, NULL);
    bool forgotten = thread->handles == 0;
    thread->reaped = forgotten;
    /* In the same hold as the unlisting: a fork must not see one without the other. */
    /* release: pairs with has_ended() */
    thrum__store_release(&thread->ended, 1);
    thrum__registry_unlock();
    if (forgotten)
        thread->own.ops->detach(&thread->own);
    thrum__strand_free_aliases(&thread->own);
    thrum__thread_ended(thread);
    thrum__exit_if_last();
    thrum__strand_switch(NULL);
    thrum__thread_unref(thread);
}

static void report(void *arg) {
    thrum_thread *thread = arg;
    if (!thread->raised)
        return;
    thread->result = NULL;
    thread->failure.thread = thrum_thread_name(thread);
    thrum__failure_report(&thread->failure);
    thrum__local_end(&thread->own); /* what the hook has set */
}

/* Destroys the thread's values, reports, whatever a destructor or the hook does, and ends. Requires
 * cancellation disabled, or under way. */
static void finish(thrum_thread *thread) {
    pthread_cleanup_push(end, thread);
    pthread_cleanup_push(report, thread);
    thrum__local_end(&thread->own);
    pthread_cleanup_pop(1);
    pthread_cleanup_pop(1);
}

/* pthread_exit or cancellation unwinds the thread. */
static void finish_early(void *arg) {
    thrum__thread_cancelled(arg);
    finish(arg);
}

static void run(thrum__strand *strand) {
    thrum_thread *thread = strand->thread;
    int cancel;
    thread->native_id = strand->native_id;
    strand->ops->set_name(strand, thrum_thread_name(thread));
    thrum__strand_list(strand);
    thrum_event_set(&thread->started);
    pthread_cleanup_push(finish_early, thread);
    thread->result = thread->fn(thread->arg);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_cleanup_pop(0);
    finish(thread);
}

static int check_opts(void *(*fn)(void *), const thrum_thread_opts *opts) {
    const char *bad = !fn ? "fn is NULL" : NULL;
    for (size_t i = 0; opts && i < sizeof opts->reserved / sizeof opts->reserved[0]; i++)
        if (opts->reserved[i])
            bad = "a reserved option is not zero";
    if (opts && opts->daemon < THRUM_NOT_DAEMON)
        bad = "daemon is neither 0, true nor THRUM_NOT_DAEMON";
    if (bad) {
        thrum__complain("thrum_thread_start: %s", bad);
        return -EINVAL;
    }
    return opts && opts->light ? -ENOTSUP : 0;
}

static bool daemon_of(const thrum__strand *creator, const thrum_thread_opts *opts) {
    if (opts && opts->daemon != 0)
        return opts->daemon > 0;
    const thrum_thread *record = thrum__thread_of(creator);
    return record && record->started_here && record->passes_daemon;
}

int thrum_thread_start(thrum_thread **out, void *(*fn)(void *), void *arg,
                       const thrum_thread_opts *opts) {
    int rc = check_opts(fn, opts);
    if (rc != 0)
        return rc;
    thrum__strand *self = thrum__strand_self();
    thrum_thread *thread = thrum__thread_new(opts ? opts->name : NULL, "Thread", &thread_counter);
    if (!thread)
        return -ENOMEM;
    thrum__exit_prepare();
    thrum__strand_init(&thread->own, self->ops);
    thread->own.entry = run;
    thread->own.thread = thread;
    thread->strand = &thread->own;
    thread->ident = thread->own.id;
    thread->daemon = thread->passes_daemon = daemon_of(self, opts);
    thread->started_here = true;
    thread->generation = thrum__fork_generation();
    thread->fn = fn;
    thread->arg = arg;
    thread->refs = 2;
    thread->handles = 1;
    rc = self->ops->start(&thread->own, opts ? opts->stack_size : 0);
    if (rc != 0) {
        thread->refs = 1;
        thrum__thread_unref(thread);
        return rc;
    }
    thrum_event_wait(&thread->started);
    self->ops->yield(); /* on one CPU the wake has interrupted the new thread before fn */
    if (out)
        *out = thread;
    else
        thrum_thread_free(thread);
    return 0;
}

/* Main is not waited for: joining a thread that is inside exit() it waits for the end. */
static bool is_main(const thrum__strand *self) {
    return self == thrum__load_relaxed(&thrum__strand_main);
}

static int join(thrum_thread *thread, int64_t deadline, bool interruptible, void **result,
                const char *caller) {
    const thrum__strand *self = thrum__strand_self();
    if (thread == NULL || thread == thrum__thread_of(self))
        thrum__panic("%s: %s \"%s\"", caller, thread ? "a thread joins itself:" : "thread is",
                     thread ? thrum_thread_name(thread) : "NULL");
    int rc = thrum__thread_wait(thread, deadline, interruptible, !is_main(self));
    if (rc != 0)
        return rc;
    if (has_ended(thread))
        (void)thrum__thread_reap(thread, deadline == INT64_MAX);
    if (result)
        *result = thread->result;
    return thread->failure.code;
}

int thrum_thread_join(thrum_thread *thread, void **result) {
    return join(thread, INT64_MAX, false, result, "thrum_thread_join");
}

int thrum_thread_join_until(thrum_thread *thread, thrum_deadline deadline, void **result) {
    return join(thread, deadline.ns, true, result, "thrum_thread_join_until");
}

const thrum_failure *thrum_thread_error(thrum_thread *thread) {
    int code = join(thread, INT64_MAX, false, NULL, "thrum_thread_error");
    return code != 0 ? &thread->failure : NULL;
}

void thrum_thread_free(thrum_thread *thread) {
    if (!thread)
        return;
    thrum__registry_lock();
    thread->handles--;
    bool detach = thread->handles == 0 && !thread->strand && thread->started_here &&
                  !thread->reaped && thread->generation == thrum__fork_generation();
    if (detach)
        thread->reaped = true;
    thrum__registry_unlock();
    if (detach)
        thread->own.ops->detach(&thread->own);
    thrum__thread_unref(thread);
}

bool thrum_thread_is_alive(const thrum_thread *thread) { return !has_ended(thread); }

static const thrum__wait_kind observed_kind = {"thread", NULL};

/* Returns whether a join by the current strand would not block. */
static bool ready(void *thread) {
    const thrum_thread *it = thread;
    return has_ended(it) ||
           (thrum__load_relaxed(&it->exempt) && !is_main(thrum__strand_peek()));
}

static const void *address(void *thread) { return &((thrum_thread *)thread)->ended; }

static const thrum__waitable_ops waitable_ops = {ready, address, ready, NULL, &observed_kind, NULL};

thrum_waitable thrum_thread_waitable(thrum_thread *thread) {
    return (thrum_waitable){&waitable_ops, thread};
}
