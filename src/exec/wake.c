/* SPDX-License-Identifier: MIT */
/* Who is woken, who is started, who may run: the protocol of README.md, "Sleep and wake". */
#include <errno.h>

#include "base/panic.h"
#include "exec/pool.h"
#include "thread/thread.h"

const thrum__work_source *thrum__work_source_hook;

bool thrum__pool_plain_visible(const thrum_executor *pool) {
    if (thrum__injector_visible(&pool->injector))
        return true;
    int places = thrum__pool_places(pool);
    for (int i = 0; i < places; i++)
        if (thrum__deque_visible(&pool->workers[i]->deque))
            return true;
    return false;
}

bool thrum__pool_tasks_visible(const thrum_executor *pool) {
    return thrum__pool_plain_visible(pool) || thrum__ranks_visible(&pool->ranks);
}

bool thrum__pool_visible(const thrum_executor *pool) {
    return thrum__pool_tasks_visible(pool) ||
           (thrum__work_source_hook && thrum__work_source_hook->visible(pool));
}

/* Returns a place for a worker whose thread is to be started, NULL without memory or room. Under
 * the bucket lock. */
static thrum__worker *take_place(thrum_executor *pool, thrum__worker **spare) {
    thrum__worker *worker = NULL;
    for (int i = 0; i < pool->places && !worker; i++)
        if (!pool->workers[i]->alive)
            worker = pool->workers[i];
    if (!worker && *spare && pool->places < pool->max_workers + THRUM__POOL_SPARE) {
        worker = *spare;
        *spare = NULL;
        worker->pool = pool;
        worker->index = pool->places;
        worker->random = (uint32_t)pool->places * 2654435761U + 1;
        pool->workers[pool->places] = worker;
        /* release: pairs with thrum__pool_places() */
        thrum__store_release(&pool->places, pool->places + 1);
    }
    if (worker) {
        worker->alive = true;
        thrum__pool_count_worker(pool, 1);
    }
    return worker;
}

static void give_place_back(thrum_executor *pool, thrum__worker *worker, bool first) {
    thrum__bucket *bucket = thrum__lot_lock(pool);
    worker->alive = false;
    thrum__pool_count_worker(pool, -1);
    if (first)
        pool->starting--;
    else
        thrum__state_add(pool, -THRUM__POOL_SEARCHING);
    thrum__lot_unlock(bucket);
    thrum__pool_nudge(pool);
}

/* What the pool needs: NOTHING, a sleeper that was WOKEN (granted), or a worker to be STARTED: as
 * the FIRST that can run, or beside others; for that there may be NO_PLACE, or NEEDS_MEMORY that is
 * not at hand yet. */
enum { NOTHING, WOKEN, STARTED, FIRST, NO_PLACE, NEEDS_MEMORY };

/* Under the bucket lock. `failed`: no start beside others any more, only a wake. */
static int decide(thrum_executor *pool, bool first, bool failed, thrum__worker **worker,
                  thrum__worker **spare, thrum__link *granted, thrum__bucket *bucket) {
    uint64_t state = thrum__state_load(pool);
    int able = pool->n_workers - pool->starting -
               (int)THRUM__POOL_COUNT(state, THRUM__POOL_BLOCKED);
    if (THRUM__POOL_COUNT(state, THRUM__POOL_SEARCHING) > 0 || thrum__state_full(pool, state) ||
        !thrum__pool_visible(pool))
        return NOTHING;
    if (pool->sleepers) {
        *worker = pool->sleepers;
        pool->sleepers = (*worker)->sleeper;
        thrum__state_add(pool, THRUM__POOL_SEARCHING - THRUM__POOL_SLEEPING);
        thrum__lot_grant(bucket, &(*worker)->waiter, granted);
        return WOKEN;
    }
    if (pool->initializing > 0 && thrum__pool_queued(pool) <= (size_t)pool->initializing)
        return NOTHING;
    if (able >= pool->max_workers || (failed && able > 0))
        return NOTHING;
    if (able <= 0 && !first)
        return FIRST;
    *worker = take_place(pool, spare);
    if (!*worker && !*spare && pool->places < pool->max_workers + THRUM__POOL_SPARE)
        return NEEDS_MEMORY;
    if (!*worker)
        return able > 0 ? NOTHING : NO_PLACE;
    (*worker)->counted = able > 0;
    if (able > 0)
        thrum__state_add(pool, THRUM__POOL_SEARCHING);
    else
        pool->starting++;
    return STARTED;
}

/* Lets go of the thread that was in this place before, and of its stack, if it is gone by now. */
static void let_go(thrum__worker *worker) {
    thrum_thread *thread = worker->thread;
    if (!thread || thrum_thread_is_alive(thread) || !thrum__thread_reap(thread, false))
        return;
    worker->thread = NULL;
    thrum_thread_free(thread);
}

static int start(thrum_executor *pool, thrum__worker *worker) {
    bool first = !worker->counted;
    let_go(worker);
    int rc = thrum__worker_start(worker);
    if (rc != 0) {
        give_place_back(pool, worker, first);
    } else if (first) {
        thrum__bucket *bucket = thrum__lot_lock(pool);
        pool->starting--;
        thrum__lot_unlock(bucket);
        thrum__pool_nudge(pool);
    }
    return rc;
}

/* The lock `first` keeps those who would start the only worker one behind the other: a failure is
 * each one's own, and nobody relies on a start that has not succeeded. */
static int wake_slow(thrum_executor *pool) {
    thrum__worker *spare = NULL, *worker = NULL;
    thrum__strand_self();
    bool first = false, failed = false;
    int rc = 0;
    for (;;) {
        thrum__link granted = THRUM__LIST_INIT(granted);
        thrum__bucket *bucket = thrum__lot_lock(pool);
        int what = decide(pool, first, failed, &worker, &spare, &granted, bucket);
        thrum__lot_unlock(bucket);
        thrum__lot_unpark(&granted);
        if (what == FIRST) {
            thrum_lock_acquire(&pool->first);
            first = true;
            continue;
        }
        if (what == NEEDS_MEMORY) {
            spare = thrum__worker_new();
            if (spare)
                continue;
        }
        if (what == NO_PLACE || (what == NEEDS_MEMORY && thrum__pool_no_worker(pool)))
            rc = -EAGAIN;
        bool alone = what == STARTED && !worker->counted;
        if (what != STARTED || (rc = start(pool, worker)) == 0 || alone)
            break;
        rc = 0; /* others run; but they may have begun to wait or to sleep, relying on this start */
        failed = true;
    }
    if (first)
        thrum_lock_release(&pool->first);
    thrum__worker_free(spare);
    return rc != 0 ? -EAGAIN : 0;
}

int thrum__pool_notify(thrum_executor *pool) {
    uint64_t state = thrum__state_load(pool);
    if (THRUM__POOL_COUNT(state, THRUM__POOL_SEARCHING) > 0 || thrum__state_full(pool, state))
        return 0;
    return wake_slow(pool);
}

bool thrum__pool_no_worker(thrum_executor *pool) {
    thrum__bucket *bucket = thrum__lot_lock(pool);
    uint64_t state = thrum__state_load(pool);
    int able = pool->n_workers - pool->starting -
               (int)THRUM__POOL_COUNT(state, THRUM__POOL_BLOCKED);
    thrum__lot_unlock(bucket);
    return able <= 0;
}

/* Returns the worker whose slot the current strand has, NULL none. */
static thrum__worker *own_worker(const thrum__frame *frame) {
    thrum__worker *worker = frame && frame->executing ? frame->worker : NULL;
    return worker && !worker->initializes && !thrum__pool_gone(worker->pool) ? worker : NULL;
}

/* Leaves a slot, as `as`. Returns whether there is somebody who can run what is queued. */
static bool leave_slot(thrum_executor *pool, uint64_t as) {
    thrum__state_add(pool, as - THRUM__POOL_BUSY);
    return !thrum__pool_visible(pool) || thrum__pool_notify(pool) == 0;
}

/* Returns NULL, or the pool in which nobody can take the place of the current strand; then nothing
 * has changed. */
static thrum_executor *leave_slots(void) {
    const thrum__frame *top = thrum__frame_current();
    const thrum__worker *worker = own_worker(top);
    thrum_executor *stuck = NULL;
    for (const thrum__frame *frame = top; frame; frame = frame->outer)
        if (frame->slot && !thrum__pool_gone(frame->slot) &&
            !leave_slot(frame->slot, THRUM__POOL_PINNED))
            stuck = frame->slot;
    if (worker && !leave_slot(worker->pool, THRUM__POOL_BLOCKED))
        stuck = worker->pool;
    if (stuck)
        thrum__pool_unblock();
    return stuck;
}

bool thrum__pool_try_block(void) { return !leave_slots(); }

int thrum__pool_block(void) {
    const thrum_executor *stuck = leave_slots();
    if (!stuck)
        return 0;
    thrum__complain(
        "pool \"%s\": every one of its %d workers waits for a task, and no other can be "
        "started: this wait ends with -EAGAIN",
        stuck->name_prefix, thrum__load_relaxed(&stuck->n_workers));
    return -EAGAIN;
}

/* Into a slot that may be one too many: then the first who ends a task goes. */
static void come_back(thrum_executor *pool, uint64_t change) {
    uint64_t state = thrum__state_add(pool, change);
    if (THRUM__POOL_COUNT(state, THRUM__POOL_BUSY) > (unsigned)pool->max_workers)
        /* seq_cst: pairs with too_many() */
        thrum__xchg_seq_cst(&pool->excess, 1);
}

void thrum__pool_unblock(void) {
    const thrum__frame *top = thrum__frame_current();
    const thrum__worker *worker = own_worker(top);
    for (const thrum__frame *frame = top; frame; frame = frame->outer)
        if (frame->slot && !thrum__pool_gone(frame->slot))
            come_back(frame->slot, THRUM__POOL_BUSY - THRUM__POOL_PINNED);
    if (worker)
        come_back(worker->pool, THRUM__POOL_BUSY - THRUM__POOL_BLOCKED);
}
