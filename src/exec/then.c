/* SPDX-License-Identifier: MIT */
/* Continuations. Three may want to end the waiting of one: who completes the future before it, who
 * cancels it, who frees its pool. The claim of its record decides, and the references say when the
 * rest can go. */
#include "exec/then.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fork.h"
#include "base/panic.h"
#include "exec/options.h"
#include "exec/pool.h"
#include "park/lot.h"

void thrum__then_drop(thrum__then *it, uint32_t refs) {
    /* acq_rel: pairs with thrum__then_drop() */
    if (thrum__sub_acq_rel(&it->refs, refs) != refs)
        return;
    thrum_future *out = it->owns ? it->out : NULL;
    free(it);
    if (out)
        thrum__task_unref(out);
}

bool thrum__then_unlist(thrum__then *it, bool pin) {
    if (!it->pool || it->fork_generation != thrum__fork_generation())
        return false;
    thrum__bucket *bucket = thrum__lot_lock(&it->pool->thens);
    bool listed = !thrum__list_empty(&it->listed);
    thrum__list_remove(&it->listed);
    if (listed && pin)
        thrum__state_add(it->pool, THRUM__POOL_PINNED);
    thrum__lot_unlock(bucket);
    return listed;
}

/* What the caller has claimed waits no more. */
static void leave(thrum_future *task) {
    thrum__then *it = task->value;
    task->value = NULL;
    uint32_t held = 1;
    held += thrum__hook_remove(it->source, &it->call.hook);
    held += thrum__then_unlist(it, false);
    thrum__then_drop(it, held);
}

void thrum__then_cancelled(thrum_future *task) {
    thrum__options_disarm(task);
    leave(task);
}

void thrum__then_expire(thrum_future *task) {
    leave(task);
    thrum__task_fail(task, &thrum__options_expired, NULL, THRUM__TASK_REF);
}

/* Takes the first out of the list; its reference is the caller's. NULL: none. */
static thrum__then *unlist_first(thrum_executor *pool) {
    thrum__bucket *bucket = thrum__lot_lock(&pool->thens);
    thrum__link *first = thrum__list_empty(&pool->thens) ? NULL : pool->thens.next;
    if (first)
        thrum__list_remove(first);
    thrum__lot_unlock(bucket);
    return first ? THRUM__MEMBER(thrum__then, listed, first) : NULL;
}

/* As thrum_future_cancel() does, of one that waits. */
static void cancel_one(thrum_future *out, thrum__link *more) {
    uint32_t word = thrum__task_finish(out, THRUM__TASK_CANCELLED, 0);
    if (word)
        thrum__then_cancelled(out);
    if (word & THRUM__TASK_HOOKS)
        thrum__hooks_take(out, more);
}

bool thrum__then_abandon(thrum_executor *pool, const thrum_failure *failure, thrum__link *calls) {
    thrum__link more = THRUM__LIST_INIT(more);
    bool any = false;
    for (thrum__then *it; (it = unlist_first(pool)) != NULL; any = true) {
        uint32_t held = 1;
        if (!failure) {
            cancel_one(it->out, &more);
        } else if (thrum__task_claim(it->out, THRUM__TASK_SETTING)) {
            held += 1 + thrum__hook_remove(it->source, &it->call.hook);
            thrum__then_fail(it->out, failure, NULL, &more);
        }
        thrum__then_drop(it, held);
        thrum__hooks_pass(&more, calls); /* those behind it get the same failure */
    }
    return any;
}

void thrum__then_died(thrum_future *task) {
    thrum__then *it = task->value;
    thrum__task_unref(it->source);
    thrum__then_drop(it, it->held);
}

static bool waits(const thrum_future *task) {
    const uint32_t mask = THRUM__TASK_STATE | THRUM__TASK_PROMISE;
    return (thrum__task_word(task) & mask) == (THRUM__TASK_PENDING | THRUM__TASK_PROMISE) &&
           task->fn == thrum__then_run;
}

thrum_future *thrum__then_source(const thrum_future *task) {
    return waits(task) ? thrum__load_relaxed(&task->next) : NULL;
}

static bool timed(const thrum_then_opts *opts) {
    return opts->deadline.ns != 0 && opts->deadline.ns != INT64_MAX;
}

/* Returns a record with `refs` references, NULL without memory. */
static thrum_future *new_record(uint32_t refs, const thrum_then_opts *opts) {
    bool with = timed(opts) || opts->priority != 0 || opts->name;
    const thrum_task_opts of_task = {
        .priority = opts->priority, .deadline = opts->deadline, .name = opts->name};
    thrum__options *options = with ? thrum__options_new(&of_task) : NULL;
    thrum_future *out = NULL;
    if (!with || options)
        out = thrum__task_new(THRUM__TASK_REF * refs | THRUM__TASK_PROMISE);
    if (out && with) {
        out->options = options;
        options->task = out;
        out->word |= THRUM__TASK_OPTIONS;
    } else if (!out) {
        free(options);
    }
    return out;
}

/* Makes one that waits for `source`. Returns 0, -ENOMEM or -EAGAIN (no timer). */
static int new_then(thrum__then **made, thrum_future *source, thrum_executor *pool, bool handle,
                    const thrum_then_opts *opts) {
    thrum__then *it = malloc(sizeof *it);
    thrum_future *out = it ? new_record(1 + handle + timed(opts), opts) : NULL;
    if (!out) {
        free(it);
        return -ENOMEM;
    }
    *it = (thrum__then){.call.hook = {.ops = &thrum__then_hook_ops},
                 .source = source,
                 .out = out,
                 .pool = pool,
                 .fork_generation = thrum__fork_generation(),
                 .always = opts->always,
                 .refs = pool ? 3 : 2,
                 .owns = true};
    thrum__list_init(&it->listed);
    out->generation = it->fork_generation;
    out->fn = thrum__then_run;
    out->value = it;
    out->next = source;
    *made = it;
    int rc = timed(opts) ? thrum__options_arm(out) : 0;
    if (rc != 0) {
        thrum__options_free(out->options);
        thrum__task_recycle(out);
        free(it);
    }
    return rc;
}

static void enlist(thrum__then *it) {
    thrum__bucket *bucket = thrum__lot_lock(&it->pool->thens);
    thrum__list_insert(&it->pool->thens, &it->listed);
    thrum__lot_unlock(bucket);
}

static int check(const thrum_executor *pool, const void *fn, const thrum_then_opts *opts) {
    const char *bad = !fn ? "fn is NULL" : NULL;
    if (opts->priority != 0 && !pool)
        bad = "a priority, but no executor";
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++)
        if (opts->reserved[i])
            bad = "a reserved option is not zero";
    if (bad)
        thrum__complain("thrum_future_then: %s", bad);
    return bad ? -EINVAL : 0;
}

static int add(thrum_future *future, thrum_future **out, thrum_executor *pool,
               void *(*fn)(thrum_future *, void *), void *arg, const thrum_then_opts *opts) {
    thrum__then *it;
    int rc = check(pool, (const void *)(uintptr_t)fn, opts);
    if (rc == 0 && pool)
        rc = thrum__pool_refusal(pool);
    if (rc == -ENOTSUP)
        return thrum__pool_not_taken("thrum_future_then");
    if (rc == 0)
        rc = new_then(&it, future, pool, out != NULL, opts);
    if (rc != 0)
        return rc;
    it->fn = fn;
    it->arg = arg;
    thrum__strand_self(); /* met before a bucket is locked */
    if (out)
        *out = it->out;
    if (pool)
        enlist(it);
    if (!thrum__task_done(future))
        thrum__task_settle(future);
    if (thrum__hook_add(future, &it->call.hook))
        return 0;
    thrum__link list = THRUM__LIST_INIT(list);
    it->call.task = thrum_future_ref(future);
    it->call.hook.last = true;
    thrum__list_insert(&list, &it->call.hook.listed);
    thrum__hooks_call(&list);
    return 0;
}

int thrum_future_then(thrum_future *future, thrum_future **out, thrum_executor *executor,
                      void *(*fn)(thrum_future *future, void *arg), void *arg) {
    static const thrum_then_opts none;
    return add(future, out, executor, fn, arg, &none);
}

int thrum_future_then_always(thrum_future *future, thrum_future **out, thrum_executor *executor,
                             void *(*fn)(thrum_future *future, void *arg), void *arg) {
    return add(future, out, executor, fn, arg, &(thrum_then_opts){.always = true});
}

int thrum_future_then_with(thrum_future *future, thrum_future **out, thrum_executor *executor,
                           void *(*fn)(thrum_future *future, void *arg), void *arg,
                           const thrum_then_opts *opts) {
    static const thrum_then_opts none;
    return add(future, out, executor, fn, arg, opts ? opts : &none);
}
