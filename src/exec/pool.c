/* SPDX-License-Identifier: MIT */
/* Making, asking and freeing a pool. */
#include "exec/pool.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thrum/executor.h>

#include "base/fork.h"
#include "base/panic.h"
#include "base/quota.h"
#include "exec/part.h"
#include "exec/remote.h"
#include "exec/then.h"
#include "thread/thread.h"

static const double IDLE_SECONDS = 10.0;

thrum__raw_lock thrum__pools_lock;
thrum__link thrum__pools = THRUM__LIST_INIT(thrum__pools);
static thrum__link spare = THRUM__LIST_INIT(spare); /* memory of pools that were freed; under
                                                     * pools_lock */
static uint32_t pool_counter;                       /* relaxed: for the names "Pool-N" */

int thrum_default_workers(void) { return thrum__quota_workers(); }

static int check_opts(const thrum_executor_opts *opts) {
    static const thrum_executor_opts none;
    const char *bad = NULL;
    if (memcmp(opts->reserved, none.reserved, sizeof none.reserved) != 0)
        bad = "a reserved option is not zero";
    if (opts->max_workers < 0 || opts->max_workers > THRUM__POOL_WORKERS_MAX)
        bad = "max_workers is negative or above 3500";
    if ((unsigned)opts->overflow > THRUM_OVERFLOW_CALLER_RUNS)
        bad = "overflow is none of THRUM_OVERFLOW_...";
    if (isnan(opts->idle_timeout) || opts->idle_timeout < 0)
        bad = "idle_timeout is negative or not a number";
    if (opts->backend_opts && !opts->backend)
        bad = "backend_opts without a backend";
    if (bad)
        thrum__complain("thrum_executor_new: %s", bad);
    return bad ? EINVAL : 0;
}

static thrum_executor *new_memory(void) {
    thrum_executor *pool = NULL;
    thrum__raw_lock_acquire(&thrum__pools_lock);
    if (!thrum__list_empty(&spare)) {
        pool = THRUM__MEMBER(thrum_executor, listed, spare.next);
        thrum__list_remove(&pool->listed);
    }
    thrum__raw_lock_release(&thrum__pools_lock);
    if (pool)
        return pool;
    const size_t line = _Alignof(thrum_executor);
    char *memory = calloc(1, sizeof *pool + line);
    if (!memory)
        return NULL;
    memory += line - (uintptr_t)memory % line;
    pool = (thrum_executor *)(void *)memory;
    thrum__list_init(&pool->listed);
    return pool;
}

static void free_memory(thrum_executor *pool) {
    free(pool->workers);
    free(pool->name_prefix);
    free(pool->broken);
    pool->workers = NULL;
    pool->name_prefix = NULL;
    pool->broken = NULL;
    thrum__raw_lock_acquire(&thrum__pools_lock);
    thrum__list_remove(&pool->listed);
    thrum__list_insert(&spare, &pool->listed);
    thrum__raw_lock_release(&thrum__pools_lock);
}

static char *prefix_of(const char *name) {
    char text[32];
    if (!name) {
        snprintf(text, sizeof text, "Pool-%u",
                 (unsigned)(thrum__add_relaxed(&pool_counter, 1) + 1));
        name = text;
    }
    size_t size = strlen(name) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, name, size) : NULL;
}

static int64_t idle_ns(double seconds) {
    seconds = seconds == 0 ? IDLE_SECONDS : seconds;
    return seconds < 9e9 ? (int64_t)(seconds * 1e9) : INT64_MAX;
}

static void fill(thrum_executor *pool, const thrum_executor_opts *opts) {
    int limit = opts->queue_limit > INT_MAX ? 0 : (int)opts->queue_limit;
    bool runs = opts->overflow == THRUM_OVERFLOW_CALLER_RUNS;
    pool->limited = limit != 0;
    pool->room_max = runs ? 0 : limit;
    pool->credit = (thrum__credit){.limit = runs ? (uint32_t)limit : 0};
    pool->excess = 0;
    pool->room = (thrum_semaphore)THRUM_SEMAPHORE_INIT(pool->room_max);
    pool->overflow = opts->overflow;
    pool->daemon = opts->daemon;
    pool->fork_generation = thrum__fork_generation();
    pool->idle_ns = idle_ns(opts->idle_timeout);
    thrum__store_relaxed(&pool->initializer, opts->initializer);
    pool->initarg = opts->initarg;
    pool->backend = NULL;
    pool->places = pool->starting = pool->initializing = 0;
    thrum__store_relaxed(&pool->n_workers, 0);
    pool->first = (thrum_lock)THRUM_LOCK_INIT;
    pool->cancelled = pool->helped = pool->caller_ran = pool->completed = 0;
    pool->caller = 0;
    pool->caller_ran_itself = 0;
    thrum__store_relaxed(&pool->generation, pool->generation + 1);
    thrum__store_relaxed(&pool->unread, (uint64_t)pool->generation << 32);
    for (int i = 0; i < THRUM__POOL_SHARDS; i++)
        thrum__store_relaxed(&pool->shards[i].submitted, 0);
    thrum__injector_init(&pool->injector);
    thrum__list_init(&pool->thens);
    /* release: pairs with thrum__state_load(): a late helper of the pool before may look */
    thrum__store_release(&pool->state, 0);
}

thrum_executor *thrum_executor_new(const thrum_executor_opts *opts) {
    static const thrum_executor_opts defaults;
    opts = opts ? opts : &defaults;
    int error = check_opts(opts);
    if (error) {
        errno = error;
        return NULL;
    }
    thrum_executor *pool = new_memory();
    if (pool) {
        int max = opts->max_workers ? opts->max_workers : thrum_default_workers();
        thrum__store_relaxed(&pool->max_workers, max);
        pool->workers = calloc((size_t)max + THRUM__POOL_SPARE, sizeof *pool->workers);
        pool->name_prefix = prefix_of(opts->name_prefix);
        if (!pool->workers || !pool->name_prefix) {
            free_memory(pool);
            pool = NULL;
        }
    }
    if (!pool) {
        errno = ENOMEM;
        return NULL;
    }
    fill(pool, opts);
    error = opts->backend ? -thrum__remote_open(pool, opts) : 0;
    if (error) {
        free_memory(pool);
        errno = error;
        return NULL;
    }
    thrum__pools_prepare();
    thrum__raw_lock_acquire(&thrum__pools_lock);
    thrum__list_insert(&thrum__pools, &pool->listed);
    thrum__raw_lock_release(&thrum__pools_lock);
    return pool;
}

static void drop_queue(thrum_executor *pool) {
    thrum_future *task;
    while ((task = thrum__pool_take(pool, NULL)) != NULL)
        thrum__task_unref(task);
}

/* Nobody is left who could use the pool. */
static void free_sealed(thrum_executor *pool) {
    while (thrum__pool_queued(pool) != 0)
        thrum__strand_self()->ops->yield(); /* somebody counts what it has cancelled */
    drop_queue(pool);
    for (int i = 0; i < pool->places; i++)
        thrum__worker_free(pool->workers[i]);
    pool->places = 0;
    if (pool->backend)
        thrum__remote_close(pool);
    free_memory(pool);
}

/* Also the cleanup handler: a callback has ended the thread. */
static void free_closed(void *arg) {
    thrum_executor *pool = arg;
    thrum__link calls = THRUM__LIST_INIT(calls);
    pthread_cleanup_push(free_closed, pool);
    do {
        thrum__hooks_call(&calls);
        (void)thrum__pool_wait(pool, INT64_MAX, false);
    } while (thrum__then_abandon(pool, &thrum__then_shut_down, &calls) || !thrum__pool_seal(pool));
    pthread_cleanup_pop(0);
    free_sealed(pool);
}

void thrum_executor_free(thrum_executor *pool) {
    if (!pool)
        return;
    if (thrum__pool_inside(pool) || thrum__pinned_here(pool))
        thrum__panic("thrum_executor_free: a task of pool \"%s\" frees it", pool->name_prefix);
    if (!thrum__pool_gone(pool)) {
        thrum__pool_close(pool, false);
        free_closed(pool);
        return;
    }
    /* After a fork what the workers were in the middle of stays as it is. */
    thrum__raw_lock_acquire(&thrum__pools_lock);
    thrum__list_remove(&pool->listed);
    thrum__raw_lock_release(&thrum__pools_lock);
}

/* What was submitted is read last: it counts at least what was seen started. */
size_t thrum__pool_queued(const thrum_executor *pool) {
    /* acquire: pairs with thrum__pool_cancelled(), help_first(), run(), submit_late() */
    uint64_t started = thrum__load_acquire(&pool->cancelled) + thrum__load_acquire(&pool->helped);
    uint64_t submitted = 0;
    int places = thrum__pool_places(pool);
    for (int i = 0; i < places; i++)
        started += thrum__load_relaxed(&pool->workers[i]->claimed);
    for (int i = 0; i < places; i++)
        submitted += thrum__load_relaxed(&pool->workers[i]->submitted);
    for (int i = 0; i < THRUM__POOL_SHARDS; i++)
        submitted += thrum__load_relaxed(&pool->shards[i].submitted);
    return submitted > started ? (size_t)(submitted - started) : 0;
}

void thrum__pool_count_unread(thrum_executor *pool, uint32_t generation) {
    uint64_t unread = thrum__load_relaxed(&pool->unread);
    while (unread >> 32 == generation && !thrum__cas_relaxed(&pool->unread, &unread, unread + 1))
        continue;
}

void thrum_executor_get_stats(thrum_executor *pool, thrum_executor_stats *stats) {
    uint64_t state = thrum__load_relaxed(&pool->state);
    *stats = (thrum_executor_stats){.queued = thrum__pool_queued(pool),
                                    .completed = thrum__load_relaxed(&pool->completed),
                                    .helped = thrum__load_relaxed(&pool->helped),
                                    .caller_ran = thrum__load_relaxed(&pool->caller_ran) +
                                                  thrum__load_relaxed(&pool->caller_ran_itself),
                                    .unread = thrum__load_relaxed(&pool->unread) & UINT32_MAX,
                                    .workers = thrum__load_relaxed(&pool->n_workers)};
    if (pool->backend) {
        pool->backend->stats(pool->remote, stats);
        return;
    }
    stats->submitted = stats->caller_ran;
    stats->completed += stats->caller_ran;
    stats->idle = (int)(THRUM__POOL_COUNT(state, THRUM__POOL_SLEEPING) +
                        THRUM__POOL_COUNT(state, THRUM__POOL_SEARCHING));
    for (int i = 0; i < THRUM__POOL_SHARDS; i++)
        stats->submitted += thrum__load_relaxed(&pool->shards[i].submitted);
    int places = thrum__pool_places(pool);
    for (int i = 0; i < places; i++) {
        const thrum__worker *worker = pool->workers[i];
        stats->submitted += thrum__load_relaxed(&worker->submitted);
        stats->completed += thrum__load_relaxed(&worker->completed);
        stats->helped += thrum__load_relaxed(&worker->helped);
    }
}
