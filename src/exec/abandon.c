/* SPDX-License-Identifier: MIT */
/* What is queued in a pool is cancelled, or fails. */
#include <pthread.h>

#include "exec/hook.h"
#include "exec/options.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/then.h"

/* Whoever holds `taking` or links a record is about to go on. */
static void lock_taking(thrum__injector *injector) {
    while (!thrum__injector_try_lock(injector))
        thrum__strand_self()->ops->yield();
}

/* Returns what is queued, linked by `next`. Under `taking` no batch is on its way from one queue to
 * another; but for what workers hold in hand, about to be run, every task that was published is
 * here. */
static thrum_future *take_all(thrum_executor *pool) {
    thrum_future *all = NULL, **end = &all, *task;
    lock_taking(&pool->injector);
    while (thrum__injector_visible(&pool->injector)) {
        if ((task = thrum__injector_take(&pool->injector)) != NULL) {
            *end = task;
            end = &task->next;
        } else {
            thrum__strand_self()->ops->yield();
        }
    }
    while ((task = thrum__ranked_take(pool, NULL, false)) != NULL) {
        *end = task;
        end = &task->next;
    }
    int places = thrum__pool_places(pool);
    for (int i = 0; i < places; i++) {
        while ((task = thrum__deque_steal(&pool->workers[i]->deque)) != NULL) {
            *end = task;
            end = &task->next;
        }
    }
    thrum__injector_unlock(&pool->injector);
    *end = NULL;
    return all;
}

/* Completes `task`, unless somebody has claimed it; a reference of it stays. What is to be called
 * then goes to `calls`. */
static void complete(thrum_executor *pool, thrum_future *task, const thrum_failure *failure,
                     thrum__link *calls) {
    thrum__link more = THRUM__LIST_INIT(more);
    uint32_t word = 0;
    if (!failure) {
        word = thrum__task_finish(task, THRUM__TASK_CANCELLED, 0);
        if (word)
            thrum__pool_cancelled(pool, task);
    } else if (thrum__task_claim(task, THRUM__TASK_RUNNING)) {
        thrum__pool_cancelled(pool, task);
        thrum__task_set_failure(task, failure, NULL);
        word = thrum__task_finish(task, THRUM__TASK_FAILED, 0);
    }
    if (word & THRUM__TASK_HOOKS)
        thrum__hooks_take(task, &more);
    thrum__hooks_pass(&more, calls); /* those behind it get the same failure */
}

/* What was taken from a pool and is done. A part of its own: exit() in the excepthook does not keep
 * continuations from their end, and callbacks from being called. */
typedef struct abandoned {
    thrum__part part;
    thrum_executor *pool;
    const thrum_failure *failure;
    thrum_future *first; /* of those that a reference is left of */
    thrum__link calls;
} abandoned;

/* Also the cleanup handler: the excepthook has ended the thread. */
static void let_go(void *arg) {
    abandoned *it = arg;
    pthread_cleanup_push(let_go, it);
    (void)thrum__then_abandon(it->pool, it->failure, &it->calls);
    for (thrum_future *task; (task = it->first) != NULL;) {
        it->first = task->next;
        thrum__task_unref(task);
    }
    pthread_cleanup_pop(0);
    thrum__part_end(&it->part);
    thrum__hooks_call(&it->calls);
}

static void desert(thrum__part *part) { let_go(THRUM__MEMBER(abandoned, part, part)); }

/* All is done before the first callback: one may wait for another of these tasks, or never come
 * back. A pool is not freed before each task that it took is counted as cancelled. */
void thrum__pool_abandon(thrum_executor *pool, const thrum_failure *failure) {
    static thrum__whole nothing; /* read-only */
    abandoned it; /* not filled: most of it is for failures */
    it.pool = pool;
    it.failure = failure;
    it.first = take_all(pool);
    thrum__list_init(&it.calls);
    for (thrum_future *task = it.first; task; task = task->next)
        complete(pool, task, failure, &it.calls);
    thrum__part_begin(&it.part, &nothing);
    it.part.desert = desert;
    let_go(&it);
}
