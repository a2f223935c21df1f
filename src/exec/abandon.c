/* SPDX-License-Identifier: MIT */
/* What is queued in a pool is cancelled, or fails. */
#include <pthread.h>

#include "exec/options.h"
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

static void abandon(thrum_executor *pool, thrum_future *task, const thrum_failure *failure) {
    uint32_t word;
    if (!failure && (word = thrum__task_finish(task, THRUM__TASK_CANCELLED, 0)) != 0) {
        thrum__pool_cancelled(pool, task);
        thrum__task_unref(task);
        if (word & THRUM__TASK_HOOKS)
            thrum__hooks_run(task);
    } else if (failure && thrum__task_claim(task, THRUM__TASK_RUNNING)) {
        thrum__pool_cancelled(pool, task);
        thrum__task_fail(task, failure, NULL, THRUM__TASK_REF);
    } else {
        thrum__task_unref(task);
    }
}

typedef struct abandoned {
    thrum_executor *pool;
    thrum_future *first; /* of those that are left */
    const thrum_failure *failure;
} abandoned;

/* Also the cleanup handler: a callback has ended the thread, the others are completed all the
 * same. */
static void abandon_all(void *arg) {
    abandoned *it = arg;
    pthread_cleanup_push(abandon_all, it);
    for (thrum_future *task; (task = it->first) != NULL;) {
        it->first = task->next;
        abandon(it->pool, task, it->failure);
    }
    pthread_cleanup_pop(0);
    (void)thrum__then_abandon(it->pool, it->failure);
}

/* Callbacks run when nothing is held. A pool is not freed before each task that it took is counted
 * as cancelled. */
void thrum__pool_abandon(thrum_executor *pool, const thrum_failure *failure) {
    abandoned it = {pool, take_all(pool), failure};
    abandon_all(&it);
}
