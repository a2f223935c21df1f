/* SPDX-License-Identifier: MIT */
/* What becomes of queued tasks when no worker can be had: who finds that out runs them, in a slot
 * of the pool, or fails them where only a worker that was initialised may run them. */
#include <errno.h>
#include <pthread.h>

#include "exec/part.h"
#include "exec/pool.h"

static void leave_alias(void *self) { thrum__strand_alias_leave(self); }

/* Runs a task in the slot that is taken. */
static void run(thrum_executor *pool, thrum_future *task) {
    if (!thrum__pool_claim(task)) {
        thrum__task_unref(task);
        return;
    }
    /* release: pairs with thrum__pool_queued() */
    thrum__add_release(&pool->helped, 1);
    thrum__task_run(task, thrum__worker_current(), &pool->completed, THRUM__TASK_REF);
}

/* pthread_exit() or a cancellation unwinds a task. */
static void ended_early(void *arg) {
    thrum_executor *pool = arg;
    thrum__state_add(pool, THRUM__POOL_PINNED - THRUM__POOL_BUSY);
    thrum__pool_look(pool, true);
}

/* Runs what is queued, one after the other, in the slot that is taken. */
static void run_all(thrum_executor *pool) {
    thrum_future *task;
    thrum__part held; /* not filled: most of it is for failures */
    thrum__held_begin(&held, pool);
    pthread_cleanup_push(thrum__held_end, &held);
    while (!thrum__pool_gone(pool) && (task = thrum__pool_take(pool, NULL)) != NULL) {
        if (thrum__strand_alias_enter(thrum__strand_self())) {
            pthread_cleanup_push(leave_alias, thrum__strand_self());
            run(pool, task);
            pthread_cleanup_pop(1);
        } else {
            run(pool, task);
        }
    }
    pthread_cleanup_pop(1);
}

/* The same; PINNED again afterwards. */
static void run_all_and_pin(thrum_executor *pool) {
    pthread_cleanup_push(ended_early, pool);
    run_all(pool);
    pthread_cleanup_pop(0);
    thrum__state_add(pool, THRUM__POOL_PINNED - THRUM__POOL_BUSY);
}

void thrum__pinned_end(void *it) { thrum__part_end(&((thrum__pinned *)it)->part); }

void thrum__pinned_let_go(void *it) {
    thrum__pinned_end(it);
    thrum__pool_unpin(((thrum__pinned *)it)->pool);
}

static void desert(thrum__part *part) {
    thrum__pinned_let_go(THRUM__MEMBER(thrum__pinned, part, part));
}

void thrum__pinned_begin(thrum__pinned *it, thrum_executor *pool) {
    static thrum__whole nothing; /* read-only */
    thrum__part_begin(&it->part, &nothing);
    it->part.desert = desert;
    it->pool = pool;
}

bool thrum__pinned_here(const thrum_executor *pool) {
    for (thrum__frame *frame = thrum__frame_current(); frame; frame = frame->outer) {
        if (frame->executing != THRUM__PART)
            continue;
        thrum__part *part = THRUM__MEMBER(thrum__part, frame, frame);
        if (part->desert == desert && THRUM__MEMBER(thrum__pinned, part, part)->pool == pool)
            return true;
    }
    return false;
}

void thrum__held_end(void *part) { thrum__part_end(part); }

void thrum__held_begin(thrum__part *part, thrum_executor *pool) {
    static thrum__whole nothing; /* read-only */
    thrum__part_begin(part, &nothing);
    part->frame.slot = pool;
}

/* The strand is PINNED. Callbacks may end the thread, or the program. */
static void fail_all(thrum_executor *pool) {
    static const thrum_failure alone = {
        .code = -EAGAIN,
        .message =
            "no worker could be started, and nobody else may run the tasks of a pool with an "
            "initializer"};
    bool broken = (thrum__state_load(pool) & THRUM__POOL_BROKEN) && pool->broken;
    thrum__pinned it; /* not filled: most of it is for failures */
    thrum__pinned_begin(&it, pool);
    pthread_cleanup_push(thrum__pinned_end, &it);
    thrum__pool_abandon(pool, broken ? thrum__cold_failure(pool->broken) : &alone);
    pthread_cleanup_pop(1);
}

void thrum__pool_look(thrum_executor *pool, bool initialized) {
    bool may_run = initialized || !pool->initializer;
    while (!thrum__pool_gone(pool) && thrum__pool_visible(pool) && thrum__pool_notify(pool) != 0) {
        if (!thrum__pool_tasks_visible(pool))
            return; /* who opened a source works there itself */
        if (!may_run)
            fail_all(pool);
        else if (thrum__state_take_slot(pool, THRUM__POOL_BUSY - THRUM__POOL_PINNED, 0))
            run_all_and_pin(pool);
        thrum__strand_self()->ops->yield(); /* a task may be about to be linked, or taken by
                                             * another */
    }
}

static void look_pinned(thrum_executor *pool) {
    pthread_cleanup_push(thrum__pool_unpin, pool);
    thrum__pool_look(pool, false);
    pthread_cleanup_pop(1);
}

void thrum__pool_drain(thrum_executor *pool) {
    thrum__state_add(pool, THRUM__POOL_PINNED);
    look_pinned(pool);
}

/* Only who makes room for another has to look for whom that helps.
 * A pool whose last holder of a slot lets go may be gone at once: so it stands as PINNED while it
 * looks. */
void thrum__pool_release_slot(thrum_executor *pool) {
    if (thrum__pool_gone(pool))
        return;
    uint64_t state = thrum__load_relaxed(&pool->state);
    while (!(state & THRUM__POOL_CLOSED) &&
           THRUM__POOL_COUNT(state, THRUM__POOL_BUSY) != (unsigned)pool->max_workers)
        /* release: pairs with thrum__state_take_slot() */
        if (thrum__cas_release(&pool->state, &state, state - THRUM__POOL_BUSY))
            return;
    thrum__state_add(pool, THRUM__POOL_PINNED - THRUM__POOL_BUSY);
    look_pinned(pool);
}
