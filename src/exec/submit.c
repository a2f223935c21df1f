/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/fork.h"
#include "base/panic.h"
#include "exec/options.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"

bool thrum__pool_inside(const thrum_executor *pool) {
    for (const thrum__frame *frame = thrum__frame_current(); frame; frame = frame->outer)
        if (frame->slot == pool || (frame->task && frame->task->pool == pool) ||
            (frame->worker && frame->worker->pool == pool))
            return true;
    return thrum__remote_inside(pool);
}

static bool gone(const thrum_executor *pool) {
    static uint32_t said; /* relaxed */
    if (THRUM__LIKELY(!thrum__pool_gone(pool)))
        return false;
    if (thrum__load_relaxed(&said) != thrum__fork_generation()) {
        thrum__store_relaxed(&said, thrum__fork_generation());
        thrum__complain("thrum_submit: pool \"%s\" was made before the fork, its workers are gone",
                        pool->name_prefix);
    }
    return true;
}

static int refusal(const thrum_executor *pool, uint64_t state) {
    if (state & THRUM__POOL_REMOTE)
        return -ENOTSUP;
    if (state & THRUM__POOL_BROKEN)
        return -EPIPE;
    return state & THRUM__POOL_CLOSED && !thrum__pool_inside(pool) ? -ESHUTDOWN : 0;
}

static void add_options(thrum_future *task, thrum__options *options) {
    if (THRUM__UNLIKELY(options != NULL))
        thrum__options_add(task, options);
}

static void count_submit(thrum_executor *pool) {
    uint32_t id = thrum__strand_self()->id;
    thrum__add_relaxed(&pool->shards[id % THRUM__POOL_SHARDS].submitted, 1);
}

static void leave_alias(void *self) { thrum__strand_alias_leave(self); }

static void release(void *pool) { thrum__pool_release_slot(pool); }

/* Runs a claimed task under an id of its own. */
static void run_here(thrum_future *task, uint64_t *tally, uint32_t drop) {
    pthread_cleanup_push(leave_alias, thrum__strand_self());
    thrum__task_run(task, thrum__worker_current(), tally, drop);
    pthread_cleanup_pop(1);
}

/* The first strand that runs a task as its submitter has a counter to itself. */
static void run_alone(thrum_executor *pool, thrum_future *task) {
    uint32_t id = thrum__strand_self()->id, caller = thrum__load_relaxed(&pool->caller);
    const uint32_t drop = THRUM__TASK_REF | THRUM__TASK_ALONE;
    if (caller == id || (caller == 0 && thrum__cas_relaxed(&pool->caller, &caller, id)))
        run_here(task, &pool->caller_ran_itself, drop | THRUM__TASK_OWN_TALLY);
    else
        run_here(task, &pool->caller_ran, drop);
}

/* The task was not made: what it would have owned goes. */
static int not_made(int rc, uint32_t flags, void *arg, thrum__options *options) {
    if (flags & THRUM__TASK_OWNED)
        free(arg);
    free(options);
    return rc == -ENOTSUP ? thrum__pool_not_taken("thrum_submit") : rc;
}

/* The pool is PINNED: this task is beside max_workers others, and takes no slot from them. */
static void run_beside(thrum_executor *pool, thrum_future *task) {
    thrum__pinned pinned; /* not filled: most of it is for failures */
    thrum__pinned_begin(&pinned, pool);
    pthread_cleanup_push(thrum__pinned_let_go, &pinned);
    run_alone(pool, task);
    pthread_cleanup_pop(1);
}

int thrum__submit_here(thrum_executor *pool, thrum_future **out, void *(*fn)(void *), void *arg,
                       uint32_t flags, thrum__options *options) {
    uint32_t refs = THRUM__TASK_REF * (out ? 2 : 1);
    if (!thrum__strand_alias_enter(thrum__strand_self()))
        return not_made(-ENOMEM, flags, arg, options);
    thrum_executor *pinned = thrum__pool_worker(pool) ? NULL : pool;
    uint64_t state = thrum__state_add(pool, pinned ? THRUM__POOL_PINNED : 0);
    int rc = refusal(pool, state);
    thrum_future *task = NULL;
    if (rc == 0 && pinned && thrum__state_crowded(pool, state))
        rc = -EAGAIN;
    if (rc == 0 &&
        !(task = thrum__pool_task_new(pool, refs | flags | THRUM__TASK_RUNNING, fn, arg)))
        rc = -ENOMEM;
    if (rc != 0) {
        thrum__pool_unpin(pinned);
        thrum__strand_alias_leave(thrum__strand_self());
        return not_made(rc, flags, arg, options);
    }
    add_options(task, options);
    if (pinned)
        run_beside(pool, task);
    else
        run_alone(pool, task);
    if (out)
        *out = task;
    return 0;
}

/* Its deadline has passed: the task fails without having been queued. */
static int never_start(thrum_executor *pool, thrum_future **out, void *(*fn)(void *), void *arg,
                       uint32_t flags, thrum__options *options) {
    uint32_t refs = THRUM__TASK_REF * (out ? 2 : 1);
    thrum_future *task = thrum__pool_task_new(pool, refs | flags | THRUM__TASK_RUNNING, fn, arg);
    if (!task)
        return not_made(-ENOMEM, flags, arg, options);
    options->beyond_limit = true;
    add_options(task, options);
    count_submit(pool);
    thrum__options_expire(task, THRUM__TASK_REF);
    if (out)
        *out = task;
    return 0;
}

enum { ROOM, NO_ROOM };

static bool try_room(thrum_executor *pool) {
    return pool->room_max ? thrum_semaphore_try_acquire(&pool->room) : thrum__credit_take(pool);
}

/* Takes a place in a queue that has a limit. Returns ROOM, NO_ROOM (run it), or why not. */
static int take_room(thrum_executor *pool, const thrum__options *options) {
    if ((options && options->beyond_limit) || try_room(pool))
        return ROOM;
    if (pool->overflow == THRUM_OVERFLOW_REFUSE)
        return -EAGAIN;
    if (pool->overflow == THRUM_OVERFLOW_CALLER_RUNS || thrum__pool_inside(pool))
        return NO_ROOM;
    int rc = thrum__pool_block();
    if (rc != 0)
        return rc;
    if (options && options->deadline != INT64_MAX)
        rc = thrum_semaphore_acquire_until(&pool->room, (thrum_deadline){options->deadline});
    else
        thrum_semaphore_acquire(&pool->room);
    thrum__pool_unblock();
    if (rc != 0)
        return rc;
    rc = refusal(pool, thrum__state_load(pool));
    if (rc != 0)
        thrum_semaphore_release(&pool->room, 1);
    return rc;
}

static void give_room_back(thrum_executor *pool) {
    if (pool->room_max)
        thrum_semaphore_release(&pool->room, 1);
    else if (pool->limited)
        thrum__credit_back(pool);
}

/* The pool was closed or broken meanwhile, or no worker can be had. Returns whether the task will
 * not run. */
static bool take_back(thrum_executor *pool, thrum_future *task) {
    if (!thrum__task_complete(task, THRUM__TASK_CANCELLED, 0))
        return false;
    thrum__pool_cancelled(pool, task);
    thrum__task_unref(task);
    return true;
}

static void put(thrum_executor *pool, thrum_future *task, thrum__options *options) {
    thrum__worker *worker = thrum__pool_worker(pool);
    if (worker)
        thrum__store_relaxed(&worker->submitted, worker->submitted + 1);
    else
        count_submit(pool);
    if (THRUM__UNLIKELY(options && options->rank.priority != 0))
        thrum__ranked_put(pool, task);
    else if (!worker || !thrum__deque_push(&worker->deque, task))
        thrum__injector_put(&pool->injector, task);
}

/* Returns a task that takes the place of its caller's `options`, NULL without memory or a timer:
 * then *rc says so. */
static thrum_future *make(thrum_executor *pool, uint32_t word, void *(*fn)(void *), void *arg,
                          thrum__options *options, int *rc) {
    bool timed = options && options->deadline != INT64_MAX;
    thrum_future *task = thrum__pool_task_new(pool, word + (timed ? THRUM__TASK_REF : 0), fn, arg);
    *rc = -ENOMEM;
    if (!task)
        return NULL;
    add_options(task, options);
    if (!timed || (*rc = thrum__options_arm(task)) == 0)
        return task;
    thrum__task_recycle(task);
    return NULL;
}

int thrum__submit(thrum_executor *pool, thrum_future **out, void *(*fn)(void *), void *arg,
                  uint32_t flags, thrum__options *options) {
    const uint64_t special = THRUM__POOL_CLOSED | THRUM__POOL_BROKEN | THRUM__POOL_REMOTE;
    int rc;
    if (THRUM__UNLIKELY(gone(pool)))
        return not_made(-EPIPE, flags, arg, options);
    uint64_t state = thrum__load_relaxed(&pool->state);
    if (THRUM__UNLIKELY(state & special) && (rc = refusal(pool, state)) != 0)
        return not_made(rc, flags, arg, options);
    if (THRUM__UNLIKELY(options && thrum__options_late(options)))
        return never_start(pool, out, fn, arg, flags, options);
    if (pool->limited && (rc = take_room(pool, options)) != ROOM)
        return rc == NO_ROOM      ? thrum__submit_here(pool, out, fn, arg, flags, options)
               : rc == -ETIMEDOUT ? never_start(pool, out, fn, arg, flags, options)
                                  : not_made(rc, flags, arg, options);
    thrum_future *task = make(pool, THRUM__TASK_REF * (out ? 2 : 1) | flags, fn, arg, options, &rc);
    if (!task) {
        if (!(options && options->beyond_limit))
            give_room_back(pool);
        return not_made(rc, flags, arg, options);
    }
    put(pool, task, options); /* without `out` *task may be gone from here */
    rc = thrum__pool_notify(pool);
    state = thrum__state_load(pool);
    if (THRUM__UNLIKELY(rc == 0 && state & special))
        rc = refusal(pool, state);
    if (THRUM__UNLIKELY(rc != 0)) {
        bool taken_back = out && take_back(pool, task);
        if (state & THRUM__POOL_BROKEN)
            thrum__pool_abandon(pool, thrum__cold_failure(pool->broken));
        else if (rc == -EAGAIN)
            thrum__pool_drain(pool);
        if (taken_back)
            return rc;
    }
    if (out)
        *out = task;
    return 0;
}

int thrum_submit(thrum_executor *executor, thrum_future **out, void *(*fn)(void *), void *arg) {
    if (!fn) {
        thrum__complain("thrum_submit: fn is NULL");
        return -EINVAL;
    }
    return thrum__submit(executor, out, fn, arg, 0, NULL);
}

bool thrum__pool_claim(thrum_future *task) {
    if (!thrum__task_claim(task, THRUM__TASK_RUNNING))
        return false;
    if (THRUM__UNLIKELY(thrum__load_relaxed(&task->word) & THRUM__TASK_OPTIONS))
        return thrum__options_claimed(task);
    if (task->pool->room_max)
        thrum_semaphore_release(&task->pool->room, 1);
    return true;
}

void thrum__pool_room_back(const thrum_future *task) {
    bool with = (thrum__load_relaxed(&task->word) & THRUM__TASK_OPTIONS) != 0;
    if (task->pool->room_max && !(with && task->options->beyond_limit))
        thrum_semaphore_release(&task->pool->room, 1);
}

void thrum__pool_cancelled(thrum_executor *pool, thrum_future *task) {
    if (thrum__load_relaxed(&task->word) & THRUM__TASK_OPTIONS)
        thrum__options_leave(task);
    thrum__pool_room_back(task);
    /* release: pairs with thrum__pool_queued() */
    thrum__add_release(&pool->cancelled, 1); /* *pool may be another from here */
}

static bool is_first(thrum_executor *pool, thrum_future *task) {
    bool taken_ranked = false;
    if (THRUM__UNLIKELY(thrum__load_relaxed(&pool->ranks.n) != 0) &&
        (thrum__ranked_forbids(pool, task, &taken_ranked) || taken_ranked))
        return taken_ranked;
    if (!thrum__injector_try_lock(&pool->injector))
        return false;
    bool taken = thrum__injector_first(&pool->injector) == task &&
                 thrum__injector_take(&pool->injector) == task;
    thrum__injector_unlock(&pool->injector);
    return taken;
}

/* Runs `task` if it is the first, or finds that it is late: callbacks are called in either case. */
static bool help_first(thrum_executor *pool, thrum_future *task) {
    bool taken = is_first(pool, task);
    if (taken && thrum__pool_claim(task)) {
        /* release: pairs with thrum__pool_queued() */
        thrum__add_release(&pool->helped, 1);
        thrum__task_run(task, thrum__worker_current(), &pool->completed, THRUM__TASK_REF);
    } else if (taken) {
        thrum__task_unref(task);
    }
    return taken;
}

/* Requires a slot, and gives it back. */
static bool help_in_slot(thrum_executor *pool, thrum_future *task) {
    volatile bool taken = false; /* set under cleanup handlers, which may be setjmp() */
    thrum__part held; /* not filled: most of it is for failures */
    pthread_cleanup_push(release, pool);
    thrum__held_begin(&held, pool);
    pthread_cleanup_push(thrum__held_end, &held);
    if (thrum__strand_alias_enter(thrum__strand_self())) {
        pthread_cleanup_push(leave_alias, thrum__strand_self());
        taken = help_first(pool, task);
        pthread_cleanup_pop(1);
    }
    pthread_cleanup_pop(1);
    pthread_cleanup_pop(1);
    return taken;
}

bool thrum__pool_help(thrum_future *task) {
    thrum_executor *pool = task->pool;
    return !thrum__load_relaxed(&pool->initializer) &&
           !thrum__state_crowded(pool, thrum__load_relaxed(&pool->state)) &&
           thrum__state_take_slot(pool, THRUM__POOL_BUSY, THRUM__POOL_LEAVING) &&
           help_in_slot(pool, task);
}

int thrum__pool_refusal(const thrum_executor *pool) {
    return gone(pool) ? -EPIPE : refusal(pool, thrum__state_load(pool));
}

int thrum__submit_late(thrum_executor *pool, thrum_future *task, bool continues) {
    uint64_t state = thrum__state_load(pool);
    int rc = refusal(pool, state);
    if (rc != 0 && !(rc == -ESHUTDOWN && continues && !(state & THRUM__POOL_LEAVING)))
        return rc;
    if (pool->limited && !try_room(pool))
        return NO_ROOM;
    const uint32_t change = THRUM__TASK_REF - THRUM__TASK_SETTING - THRUM__TASK_PROMISE;
    uint32_t word = thrum__load_relaxed(&task->word);
    thrum__options *options = word & THRUM__TASK_OPTIONS ? task->options : NULL;
    task->generation = pool->generation;
    task->pool = pool;
    /* release: pairs with thrum__task_word(): who sees no PROMISE sees the pool */
    while (!thrum__cas_release(&task->word, &word, word + change))
        continue;
    put(pool, task, options);
    return thrum__pool_notify(pool);
}
