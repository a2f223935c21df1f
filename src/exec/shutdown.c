/* SPDX-License-Identifier: MIT */
/* Closing a pool, waiting for its end, and what an initializer that fails does to it. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <thrum/executor.h>

#include "base/fork.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "thread/thread.h"

static const thrum__wait_kind pool_kind = {"pool", NULL};

static bool active(uint64_t state) { return (state & (THRUM__POOL_SLEEPING - 1)) != 0; }

/* *pool may be another one already, whose waiters and sleepers then look for nothing. */
void thrum__pool_nudge(thrum_executor *pool) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    if (!(thrum__state_load(pool) & THRUM__POOL_CLOSED))
        return;
    thrum__bucket *bucket = thrum__lot_lock(pool);
    if (pool->sleepers && !active(thrum__state_load(pool))) {
        thrum__worker *worker = pool->sleepers;
        pool->sleepers = worker->sleeper;
        thrum__state_add(pool, THRUM__POOL_SEARCHING - THRUM__POOL_SLEEPING);
        thrum__lot_grant(bucket, &worker->waiter, &granted);
    }
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
    thrum__lot_unpark_all(&pool->n_workers);
}

/* Sets a flag; returns whether it was not set before. */
static bool mark(thrum_executor *pool, uint64_t flag) {
    uint64_t state = thrum__load_relaxed(&pool->state);
    while (!(state & flag))
        /* seq_cst: pairs with thrum__state_load(): who submits later sees it */
        if (thrum__cas_seq_cst(&pool->state, &state, state | flag))
            return true;
    return false;
}

void thrum__pool_close(thrum_executor *pool, bool cancel) {
    thrum__strand_self();
    bool first = mark(pool, THRUM__POOL_CLOSED);
    if (cancel)
        thrum__pool_abandon(pool, NULL);
    if (pool->backend)
        pool->backend->close(pool->remote, cancel);
    if (first && pool->room_max)
        thrum_semaphore_release(&pool->room, 1); /* handed on by each submitter that waits */
    thrum__pool_nudge(pool);
}

bool thrum__pool_at_rest(const thrum_executor *pool) {
    /* acquire: pairs with thrum__pool_count_worker() */
    return thrum__load_acquire(&pool->n_workers) == 0 && !active(thrum__state_load(pool));
}

static bool rests(const thrum_executor *pool, uint32_t generation) {
    return thrum__pool_at_rest(pool) || thrum__load_relaxed(&pool->generation) != generation;
}

/* The threads of workers that have left: they are ending. */
static void reap(thrum_executor *pool) {
    for (int i = 0; i < thrum__pool_places(pool); i++) {
        thrum__bucket *bucket = thrum__lot_lock(pool);
        thrum_thread *thread = pool->workers[i]->alive ? NULL : pool->workers[i]->thread;
        if (thread)
            pool->workers[i]->thread = NULL;
        thrum__lot_unlock(bucket);
        if (thread)
            (void)thrum_thread_join(thread, NULL);
        thrum_thread_free(thread);
    }
}

/* Waits until the pool is at rest, or gone and its memory another's. */
static int wait_for_rest(thrum_executor *pool, uint32_t generation, int64_t deadline,
                         bool interruptible) {
    const void *key = &pool->n_workers;
    unsigned flags = THRUM__PARK_SPIN | (interruptible ? THRUM__PARK_INTERRUPTIBLE : 0);
    int rc = 0;
    thrum__strand_self();
    bool blocked = !rests(pool, generation) && thrum__pool_try_block();
    while (rc == 0 && !rests(pool, generation)) {
        thrum__waiter waiter;
        thrum__bucket *bucket = thrum__lot_lock(key);
        if (rests(pool, generation)) {
            thrum__lot_unlock(bucket);
            break;
        }
        thrum__lot_enqueue(bucket, &waiter, key, &pool_kind);
        rc = thrum__lot_park(bucket, &waiter, deadline, flags);
        thrum__lot_done(&waiter);
    }
    if (blocked)
        thrum__pool_unblock();
    return rc;
}

int thrum__pool_wait(thrum_executor *pool, int64_t deadline, bool interruptible) {
    int rc = wait_for_rest(pool, thrum__load_relaxed(&pool->generation), deadline, interruptible);
    if (rc == 0)
        reap(pool);
    return rc;
}

void thrum__pool_unpin(void *arg) {
    thrum_executor *pool = arg;
    if (pool && !thrum__pool_gone(pool) &&
        (thrum__state_add(pool, -THRUM__POOL_PINNED) & THRUM__POOL_CLOSED))
        thrum__pool_nudge(pool);
}

bool thrum__pool_pin(const thrum_executor *pool, uint32_t generation) {
    bool found = false;
    thrum__raw_lock_acquire(&thrum__pools_lock);
    THRUM__EACH(link, &thrum__pools) {
        thrum_executor *one = THRUM__MEMBER(thrum_executor, listed, link);
        found = one == pool && one->generation == generation;
        if (found) {
            thrum__state_add(one, THRUM__POOL_PINNED);
            break;
        }
    }
    thrum__raw_lock_release(&thrum__pools_lock);
    return found;
}

int thrum__pool_finish(thrum_executor *pool, int64_t deadline) {
    uint32_t generation = pool->generation;
    thrum__pool_close(pool, false);
    thrum__pool_unpin(pool);
    int rc = wait_for_rest(pool, generation, deadline, false);
    if (rc == 0 && thrum__pool_pin(pool, generation)) {
        reap(pool);
        thrum__pool_unpin(pool);
    }
    return rc;
}

bool thrum__pool_seal(thrum_executor *pool) {
    bool sealed = false;
    thrum__raw_lock_acquire(&thrum__pools_lock);
    uint64_t state = thrum__load_relaxed(&pool->state);
    while (!sealed && !active(state))
        /* seq_cst: pairs with thrum__state_take_slot() */
        sealed = thrum__cas_seq_cst(&pool->state, &state, state | THRUM__POOL_LEAVING);
    if (sealed)
        thrum__list_remove(&pool->listed);
    thrum__raw_lock_release(&thrum__pools_lock);
    return sealed;
}

static int shut_down(thrum_executor *pool, bool cancel, int64_t deadline, bool interruptible) {
    if (thrum__pool_gone(pool))
        return 0;
    thrum__pool_close(pool, cancel);
    if (deadline == INT64_MIN)
        return 0;
    if (thrum__pool_inside(pool) || thrum__pinned_here(pool))
        return -EDEADLK;
    return thrum__pool_wait(pool, deadline, interruptible);
}

int thrum_executor_shutdown(thrum_executor *executor, bool wait, bool cancel_futures) {
    return shut_down(executor, cancel_futures, wait ? INT64_MAX : INT64_MIN, false);
}

int thrum_executor_shutdown_until(thrum_executor *executor, bool cancel_futures,
                                  thrum_deadline deadline) {
    int64_t ns = deadline.ns == INT64_MIN ? INT64_MIN + 1 : deadline.ns;
    return shut_down(executor, cancel_futures, ns, true);
}

/* The first failure of an initializer is the pool's. */
static void break_pool(thrum_executor *pool, const thrum_failure *failure) {
    static const thrum_failure bare = {.code = -ENOMEM, .message = "the initializer failed"};
    thrum__cold *cold = thrum__cold_new(failure, NULL);
    thrum__bucket *bucket = thrum__lot_lock(pool);
    bool first = !pool->broken && !(thrum__load_relaxed(&pool->state) & THRUM__POOL_BROKEN);
    if (first)
        pool->broken = cold;
    thrum__lot_unlock(bucket);
    if (!first)
        free(cold);
    if (mark(pool, THRUM__POOL_BROKEN) && pool->room_max)
        thrum_semaphore_release(&pool->room, 1);
    thrum__pool_abandon(pool, pool->broken ? thrum__cold_failure(pool->broken) : &bare);
}

void thrum__pool_desert(thrum__worker *worker) {
    static const thrum_failure failure = {
        .code = -ECANCELED, .message = "exit() was called in the initializer of the pool"};
    thrum_executor *pool = worker->pool;
    bool initializes = worker->initializes;
    if (thrum__pool_gone(pool))
        return;
    if (initializes)
        break_pool(pool, &failure);
    thrum__bucket *bucket = thrum__lot_lock(pool);
    thrum__pool_count_worker(pool, -1);
    if (initializes)
        pool->initializing--;
    else
        thrum__state_add(pool, THRUM__POOL_PINNED - THRUM__POOL_BUSY);
    thrum__lot_unlock(bucket);
    thrum__pool_look(pool, !initializes);
    thrum__pool_unpin(pool);
}

static void fail_initializer(thrum__frame *frame, int code, const char *message) {
    thrum_executor *pool = frame->outer->worker->pool;
    if (!frame->raised)
        frame->failure = (thrum_failure){.code = code, .message = message};
    frame->failure.thread = thrum_thread_name(thrum_thread_current());
    thrum__failure_report(&frame->failure);
    break_pool(pool, &frame->failure);
}

/* pthread_exit() or a cancellation unwinds the initializer. */
static void ended_early(void *arg) {
    thrum__frame *frame = arg;
    thrum__strand_self()->frame = frame->outer;
    if (!thrum__pool_gone(frame->outer->worker->pool))
        fail_initializer(frame, -ECANCELED, "its thread ended in the middle of the initializer");
}

static int call_initializer(thrum__frame *frame, thrum__worker *worker) {
    thrum__strand *self = thrum__strand_self();
    frame->outer = self->frame;
    frame->task = NULL;
    frame->worker = NULL;
    frame->slot = NULL;
    frame->name = NULL;
    frame->raised = frame->deadlock = false;
    frame->executing = true;
    self->frame = frame;
    int rc;
    pthread_cleanup_push(ended_early, frame);
    rc = worker->pool->initializer(worker->pool->initarg);
    pthread_cleanup_pop(0);
    self->frame = frame->outer;
    return rc;
}

bool thrum__worker_initialize(thrum__worker *worker) {
    thrum__frame frame;
    int rc = call_initializer(&frame, worker);
    if (rc >= 0 && !frame.raised)
        return true;
    fail_initializer(&frame, rc, "the initializer of the pool failed");
    return false;
}
