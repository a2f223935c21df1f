/* SPDX-License-Identifier: MIT */
/* Tasks with options: priority, deadline, name. And calls of timers, which are such tasks. */
#include "exec/options.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "exec/then.h"
#include "thread/thread.h"

enum { FAIR_EVERY = THRUM__RANKS_FAIR_EVERY, NAME_SIZE = 64 };

thrum__options *thrum__options_new(const thrum_task_opts *opts) {
    static const thrum_task_opts none;
    opts = opts ? opts : &none;
    size_t size = opts->name ? strlen(opts->name) + 1 : 0;
    thrum__options *options = malloc(sizeof *options + size);
    if (!options)
        return NULL;
    *options = (thrum__options){.deadline = opts->deadline.ns ? opts->deadline.ns : INT64_MAX,
                                .rank = {.priority = opts->priority}};
    if (size)
        options->name = memcpy(options->text, opts->name, size);
    return options;
}

void thrum__options_add(thrum_future *task, thrum__options *options) {
    task->options = options;
    options->task = task;
    task->word |= THRUM__TASK_OPTIONS;
}

void thrum__options_free(thrum__options *options) {
    if (options->timer)
        thrum__timer_release(options->timer);
    if (options->over)
        options->over(options->arg);
    free(options);
}

bool thrum__options_late(const thrum__options *options) {
    return options->deadline != INT64_MAX && thrum__strand_now() >= options->deadline;
}

void thrum__options_disarm(thrum_future *task) {
    bool with = (thrum__load_relaxed(&task->word) & THRUM__TASK_OPTIONS) != 0;
    thrum_timer *timer = with ? task->options->timer : NULL;
    if (timer && thrum_timer_cancel(timer))
        thrum__task_unref(task);
    else if (timer)
        thrum__timer_await_call(timer);
}

void thrum__options_leave(thrum_future *task) {
    thrum__options *options = task->options;
    thrum__options_disarm(task);
    if (options->rank.priority != 0 &&
        thrum__ranks_take_this(&task->pool->ranks, &options->rank, true))
        thrum__task_unref(task);
}

const thrum_failure thrum__options_expired = {
    .code = -ETIMEDOUT, .message = "the task had not started by its deadline"};

void thrum__options_expire(thrum_future *task, uint32_t drop) {
    char thread[NAME_SIZE];
    snprintf(thread, sizeof thread, "%s", task->pool->name_prefix);
    thrum__pool_cancelled(task->pool, task);
    thrum__task_fail(task, &thrum__options_expired, thread, drop);
}

/* A shutdown waits until all that hear of it have, as it does for those of a task that has run. So
 * the pool is PINNED before the claim: what is PENDING keeps it. */
static void expire_pinned(thrum_future *task) {
    thrum__pinned pinned; /* not filled: most of it is for failures */
    if (!thrum__pool_pin(task->pool, task->generation)) {
        thrum__task_unref(task);
        return;
    }
    thrum__pinned_begin(&pinned, task->pool);
    pthread_cleanup_push(thrum__pinned_let_go, &pinned);
    if (thrum__task_claim(task, THRUM__TASK_RUNNING))
        thrum__options_expire(task, THRUM__TASK_REF);
    else
        thrum__task_unref(task);
    pthread_cleanup_pop(1);
}

/* As thrum__task_claim(), of a continuation that waits. */
static bool claim_waiting(thrum_future *task) {
    const uint32_t mask = THRUM__TASK_STATE | THRUM__TASK_PROMISE;
    uint32_t word = thrum__load_relaxed(&task->word);
    while ((word & mask) == (THRUM__TASK_PENDING | THRUM__TASK_PROMISE))
        /* relaxed: what made it was there before its timer */
        if (thrum__cas_relaxed(&task->word, &word, word + THRUM__TASK_RUNNING))
            return true;
    return false;
}

/* The timer of a task: its deadline has come. */
static void deadline_came(void *arg) {
    thrum_future *task = arg;
    if (thrum__remote_is(task))
        thrum__remote_deadline(task);
    else if (claim_waiting(task))
        thrum__then_expire(task);
    else if (!(thrum__task_word(task) & THRUM__TASK_PROMISE))
        expire_pinned(task);
    else
        thrum__task_unref(task);
}

int thrum__options_arm(thrum_future *task) {
    static const thrum_timer_opts opts = {.name = "deadline", .daemon = true};
    thrum__options *options = task->options;
    if (options->deadline == INT64_MAX)
        return 0;
    return thrum__timer_start_at(&options->timer, options->deadline, deadline_came, task, &opts);
}

bool thrum__options_claimed(thrum_future *task) {
    if (thrum__options_late(task->options)) {
        thrum__options_expire(task, 0);
        return false;
    }
    thrum__options_leave(task);
    thrum__pool_room_back(task);
    return true;
}

static thrum_future *task_of(thrum__rank *rank) {
    return rank ? THRUM__MEMBER(thrum__options, rank, rank)->task : NULL;
}

/* The deadline may have come before the task stood in the queue. */
void thrum__ranked_put(thrum_executor *pool, thrum_future *task) {
    thrum__options *options = task->options;
    if (!options->timer) {
        thrum__ranks_put(&pool->ranks, &options->rank);
        return;
    }
    thrum__add_relaxed(&task->word, THRUM__TASK_REF);
    thrum__ranks_put(&pool->ranks, &options->rank);
    bool pending = (thrum__load_relaxed(&task->word) & THRUM__TASK_STATE) == THRUM__TASK_PENDING;
    if (!pending && thrum__ranks_take_this(&pool->ranks, &options->rank, true))
        thrum__task_unref(task);
    thrum__task_unref(task);
}

/* Of 61 tasks that a worker starts one is the oldest of those with a priority, one comes from those
 * without. */
thrum_future *thrum__ranked_take(thrum_executor *pool, thrum__worker *worker, bool first) {
    if (!first)
        return worker && thrum__pool_plain_visible(pool)
                   ? NULL /* on their way to another worker's queue */
                   : task_of(thrum__ranks_take(&pool->ranks, INT64_MIN));
    uint32_t turn = worker ? ++worker->turns % FAIR_EVERY : 1;
    if (turn == 0)
        return task_of(thrum__ranks_take_oldest(&pool->ranks));
    return turn == FAIR_EVERY / 2 ? NULL : task_of(thrum__ranks_take(&pool->ranks, 0));
}

bool thrum__ranked_forbids(thrum_executor *pool, thrum_future *task, bool *taken) {
    bool with = (thrum__load_relaxed(&task->word) & THRUM__TASK_OPTIONS) != 0;
    thrum__rank *rank = with && task->options->rank.priority != 0 ? &task->options->rank : NULL;
    *taken = false;
    if (!rank)
        return thrum__ranks_above(&pool->ranks, 0);
    *taken = (rank->priority > 0 || !thrum__pool_plain_visible(pool)) &&
             thrum__ranks_take_this(&pool->ranks, rank, false);
    return !*taken;
}

int thrum__options_check(const thrum_task_opts *opts, bool remote) {
    const char *bad = NULL;
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++)
        if (opts->reserved[i])
            bad = "a reserved option is not zero";
    if (isnan(opts->time_limit) || opts->time_limit < 0)
        bad = "time_limit is negative or not a number";
    if (opts->retries < 0)
        bad = "retries is negative";
    int rc = bad ? -EINVAL : 0;
    if (rc == 0 && opts->time_limit > 0 && !remote) {
        bad = "time_limit: a thread cannot be ended, only a process";
        rc = -ENOTSUP;
    }
    if (bad)
        thrum__complain("thrum_submit_with: %s", bad);
    return rc;
}

int thrum__submit_with(thrum_executor *pool, thrum_future **out, void *(*fn)(void *), void *arg,
                       uint32_t flags, const thrum_task_opts *opts) {
    thrum__options *options = NULL;
    int rc = opts ? thrum__options_check(opts, false) : 0;
    if (rc == 0 && opts && !(options = thrum__options_new(opts)))
        rc = -ENOMEM;
    if (rc == 0)
        return thrum__submit(pool, out, fn, arg, flags, options);
    if (flags & THRUM__TASK_OWNED)
        free(arg);
    return rc;
}

int thrum_submit_with(thrum_executor *executor, thrum_future **out, void *(*fn)(void *), void *arg,
                      const thrum_task_opts *opts) {
    if (!fn) {
        thrum__complain("thrum_submit_with: fn is NULL");
        return -EINVAL;
    }
    return thrum__submit_with(executor, out, fn, arg, 0, opts);
}

static uint32_t generation(const thrum_executor *pool) {
    return thrum__load_relaxed(&pool->generation);
}

static void *run_timer(void *timer) {
    thrum__timer_run(timer);
    return NULL;
}

static void timer_ran(void *timer) { thrum__timer_ran(timer); }

/* The call may be over, and its user about to free the pool, before the submit is; or run here, and
 * end the program. */
static int submit_timer(thrum_executor *pool, thrum_timer *timer, const char *name) {
    thrum__options *options = thrum__options_new(&(thrum_task_opts){.name = name});
    thrum__pinned pinned; /* not filled: most of it is for failures */
    int rc;
    if (!options)
        return -ENOMEM;
    options->beyond_limit = true;
    options->over = timer_ran;
    options->arg = timer;
    thrum__state_add(pool, THRUM__POOL_PINNED);
    thrum__pinned_begin(&pinned, pool);
    pthread_cleanup_push(thrum__pinned_let_go, &pinned);
    rc = thrum__submit(pool, NULL, run_timer, timer, 0, options);
    pthread_cleanup_pop(1);
    return rc;
}

const thrum__timer_pool thrum__options_timer_pool = {generation, submit_timer};
