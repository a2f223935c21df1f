/* SPDX-License-Identifier: MIT */
/* What a worker does: run while it has a slot and finds work, look for more, sleep, leave. */
#include "exec/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thrum/thread.h>

#include "base/cpu.h"
#include "exec/options.h"
#include "exec/pool.h"
#include "thread/thread.h"

enum { BATCH_MAX = 32, INJECTOR_EVERY = 61, CACHE_LINE = 64 };
enum { LOOK_NS = 20000, LOOK_ANYWAY_NS = 2000, LOOK_PAUSES = 8, VAIN_MAX = 16 };

thrum__worker *thrum__worker_new(void) {
    char *memory = calloc(1, sizeof(thrum__worker) + CACHE_LINE);
    if (!memory)
        return NULL;
    thrum__worker *worker =
        (thrum__worker *)(void *)(memory + CACHE_LINE - (uintptr_t)memory % CACHE_LINE);
    worker->memory = memory;
    return worker;
}

void thrum__worker_free(thrum__worker *worker) {
    if (!worker)
        return;
    free(worker->memory);
}

/* Hands the first of a batch to the caller, the others to its own deque, from which all steal. */
static thrum_future *take_batch(thrum_executor *pool, thrum__worker *worker) {
    thrum__injector *injector = &pool->injector;
    if (!thrum__injector_visible(injector) || !thrum__injector_try_lock(injector))
        return NULL;
    thrum_future *first = thrum__injector_take(injector);
    size_t n = 0;
    intptr_t moved = 0;
    bool between = false;
    if (first && worker) {
        n = BATCH_MAX - 1;
        if (pool->max_workers > 1) {
            size_t queued = thrum__pool_queued(pool);
            size_t share = queued / (2 * (size_t)pool->max_workers);
            n = share < n ? share : n;
        }
        worker->ticks = 0;
    }
    while (n-- > 0) {
        thrum_future *task = thrum__injector_take(injector);
        if (!task)
            break;
        between = true;
        __builtin_prefetch(task->next);
        if (!thrum__deque_write(&worker->deque, moved, task)) {
            thrum__injector_put(injector, task);
            break;
        }
        moved++;
    }
    if (moved)
        thrum__deque_publish(&worker->deque, moved);
    thrum__injector_unlock(injector);
    /* Between two queues they were visible to nobody: who looked then may have gone to sleep. */
    if (between)
        (void)thrum__pool_notify(pool); /* this worker runs: it cannot fail */
    return first;
}

static thrum_future *steal(thrum_executor *pool, thrum__worker *worker) {
    int places = thrum__pool_places(pool);
    if (places == 0)
        return NULL;
    uint32_t begin = worker ? (worker->random = worker->random * 1664525U + 1013904223U) >> 8 : 0;
    for (int i = 0; i < places; i++) {
        thrum__worker *victim = pool->workers[(begin + (uint32_t)i) % (uint32_t)places];
        thrum_future *task = victim == worker ? NULL : thrum__deque_steal(&victim->deque);
        if (task)
            return task;
    }
    return NULL;
}

thrum_future *thrum__pool_take(thrum_executor *pool, thrum__worker *worker) {
    thrum_future *task = NULL;
    if (THRUM__UNLIKELY(thrum__load_relaxed(&pool->ranks.n) != 0) &&
        (task = thrum__ranked_take(pool, worker, true)) != NULL)
        return task;
    if (worker && ++worker->ticks % INJECTOR_EVERY == 0)
        task = take_batch(pool, NULL);
    if (!task && worker)
        task = thrum__deque_steal(&worker->deque);
    if (!task)
        task = take_batch(pool, worker);
    if (!task)
        task = steal(pool, worker);
    if (!task && THRUM__UNLIKELY(thrum__load_relaxed(&pool->ranks.n) != 0))
        task = thrum__ranked_take(pool, worker, false);
    return task;
}

static void execute(thrum__worker *worker, thrum_future *task) {
    if (!thrum__pool_claim(task)) {
        thrum__task_unref(task);
        return;
    }
    thrum__store_relaxed(&worker->claimed, worker->claimed + 1);
    thrum__task_run(task, worker, NULL, THRUM__TASK_REF);
}

static bool too_many(thrum_executor *pool) {
    /* seq_cst: pairs with come_back(), which has changed the state before */
    thrum__xchg_seq_cst(&pool->excess, 0);
    uint64_t state = thrum__state_load(pool);
    if (THRUM__POOL_COUNT(state, THRUM__POOL_BUSY) <= (unsigned)pool->max_workers)
        return false;
    thrum__store_relaxed(&pool->excess, 1); /* for the others */
    return true;
}

/* Who submits may change the state for each task that it runs itself: so that is not looked at. */
static bool may_go_on(thrum_executor *pool) {
    return !(THRUM__UNLIKELY(thrum__load_relaxed(&pool->excess)) && too_many(pool)) &&
           !thrum__pool_gone(pool);
}

/* Requires a slot, still SEARCHING: those who submitted meanwhile rely on this worker. Having found
 * something it wakes the next, if there is more. Returns false, nothing changed, if there was
 * nothing; else true, without work, the slot its own and SEARCHING no more. */
static bool work(thrum__worker *worker) {
    thrum_executor *pool = worker->pool;
    const thrum__work_source *source = thrum__work_source_hook;
    thrum_future *task = thrum__pool_take(pool, worker);
    if (!task && !(source && source->visible(pool)))
        return false;
    thrum__state_add(pool, -THRUM__POOL_SEARCHING);
    /* A source wakes others itself, once this worker is inside. */
    if (task ? thrum__pool_visible(pool) : thrum__pool_tasks_visible(pool))
        (void)thrum__pool_notify(pool); /* this worker runs: it cannot fail */
    do {
        if (task)
            execute(worker, task);
        else if (!source || !source->run(worker))
            break;
        task = may_go_on(pool) ? thrum__pool_take(pool, worker) : NULL;
    } while (task || (source && may_go_on(pool)));
    return true;
}

/* Looks for work, for a while: true, with a slot. */
static bool look(thrum__worker *worker, uint32_t *vain) {
    thrum_executor *pool = worker->pool;
    thrum__strand *self = thrum__strand_self();
    uint32_t looks = thrum__cpu_pauses(LOOK_NS) / LOOK_PAUSES;
    uint32_t anyway = thrum__cpu_pauses(LOOK_ANYWAY_NS) / LOOK_PAUSES;
    for (bool yielded = self->ops != &thrum__strand_os;;) {
        uint64_t state = thrum__state_load(pool);
        if (thrum__pool_visible(pool)) {
            if (++*vain > VAIN_MAX)
                self->ops->yield();
            return thrum__state_take_slot(pool, THRUM__POOL_BUSY, 0);
        }
        if (state & THRUM__POOL_LEAVING)
            return false;
        if (THRUM__POOL_COUNT(state, THRUM__POOL_SEARCHING) > 1 || yielded)
            return false;
        if (looks == 0 || (anyway == 0 && !thrum__strand_may_spin(self))) {
            self->ops->yield(); /* whoever has work may be waiting for this CPU */
            yielded = true;
            continue;
        }
        looks--;
        anyway -= anyway > 0;
        for (int i = 0; i < LOOK_PAUSES; i++)
            thrum__pause();
    }
}

typedef struct sleep {
    thrum__worker *worker;
    thrum__bucket *bucket;
} sleep;

/* Every worker is idle, and the pool is closed. Under the bucket lock; wakes all. */
static bool all_may_leave(thrum_executor *pool, uint64_t state, thrum__bucket *bucket,
                          thrum__link *granted) {
    const uint64_t active = (THRUM__POOL_SLEEPING - 1);
    if (!(state & THRUM__POOL_CLOSED) || (state & active) || pool->starting)
        return false;
    state = thrum__state_add(pool, THRUM__POOL_LEAVING);
    if ((state & active) || thrum__pool_visible(pool)) {
        thrum__state_add(pool, -THRUM__POOL_LEAVING);
        return false;
    }
    while (pool->sleepers) {
        thrum__worker *worker = pool->sleepers;
        pool->sleepers = worker->sleeper;
        thrum__state_add(pool, THRUM__POOL_SEARCHING - THRUM__POOL_SLEEPING);
        thrum__lot_grant(bucket, &worker->waiter, granted);
    }
    return true;
}

/* The idle time is over. */
static bool leave_queue(thrum__bucket *bucket, thrum__waiter *waiter, thrum__link *granted) {
    thrum__worker *worker = THRUM__MEMBER(thrum__worker, waiter, waiter);
    thrum_executor *pool = worker->pool;
    thrum__worker **at = &pool->sleepers;
    (void)granted;
    while (*at != worker)
        at = &(*at)->sleeper;
    *at = worker->sleeper;
    thrum__state_add(pool, THRUM__POOL_SEARCHING - THRUM__POOL_SLEEPING);
    thrum__lot_dequeue(bucket, waiter);
    return true;
}

static int64_t idle_deadline(const thrum_executor *pool, const thrum__strand *self) {
    int64_t now = pool->idle_ns == INT64_MAX ? 0 : self->ops->now();
    return pool->idle_ns >= INT64_MAX - now ? INT64_MAX : now + pool->idle_ns;
}

static const thrum__wait_kind idle_kind = {"work", NULL};

/* Returns whether the worker stays, SEARCHING. */
static bool sleep_until_work(thrum__worker *worker) {
    thrum_executor *pool = worker->pool;
    thrum__strand *self = thrum__strand_self();
    thrum__link granted = THRUM__LIST_INIT(granted);
    int64_t deadline = idle_deadline(pool, self);
    thrum__bucket *bucket = thrum__lot_lock(pool);
    uint64_t state = thrum__state_add(pool, THRUM__POOL_SLEEPING - THRUM__POOL_SEARCHING);
    bool leaving = (state & THRUM__POOL_LEAVING) || all_may_leave(pool, state, bucket, &granted);
    if (leaving || (!thrum__state_full(pool, state) && thrum__pool_visible(pool))) {
        thrum__state_add(pool, THRUM__POOL_SEARCHING - THRUM__POOL_SLEEPING);
        thrum__lot_unlock(bucket);
        thrum__lot_unpark(&granted);
        return !leaving;
    }
    worker->sleeper = pool->sleepers;
    pool->sleepers = worker;
    thrum__lot_enqueue(bucket, &worker->waiter, pool, &idle_kind);
    int rc = thrum__lot_park_leaving(bucket, &worker->waiter, deadline, 0, leave_queue);
    thrum__lot_done(&worker->waiter);
    return rc == 0;
}

static void left(void *arg) {
    thrum__worker *worker = arg;
    thrum_executor *pool = worker->pool;
    if (thrum__pool_gone(pool))
        return;
    if (worker->before)
        (void)thrum_thread_join(worker->before, NULL); /* by now nobody relies on this worker */
    thrum_thread_free(worker->before);
    worker->before = NULL;
    thrum_thread *thread = thrum__thread_ref_current();
    thrum__bucket *bucket = thrum__lot_lock(pool);
    worker->thread = thread;
    worker->alive = false;
    thrum__state_add(pool, -THRUM__POOL_PINNED);
    thrum__lot_unlock(bucket);
    thrum__pool_nudge(pool);
}

/* The last that a worker does. Requires SEARCHING. What it trusts to is looked for once more, for
 * those who relied on its looking. */
static void leave(thrum__worker *worker, bool initialized) {
    thrum_executor *pool = worker->pool;
    thrum__bucket *bucket = thrum__lot_lock(pool);
    thrum__pool_count_worker(pool, -1);
    /* It stands as PINNED while it looks, so that the pool stays. */
    thrum__state_add(pool, THRUM__POOL_PINNED - THRUM__POOL_SEARCHING);
    thrum__lot_unlock(bucket);
    pthread_cleanup_push(left, worker);
    thrum__pool_look(pool, initialized);
    pthread_cleanup_pop(1);
}

/* pthread_exit() or a cancellation in a task: the worker has a slot. */
static void died(void *arg) {
    thrum__worker *worker = arg;
    thrum__strand_self()->frame = NULL;
    if (thrum__pool_gone(worker->pool))
        return;
    thrum__state_add(worker->pool, THRUM__POOL_SEARCHING - THRUM__POOL_BUSY);
    leave(worker, true);
}

static void run(thrum__worker *worker) {
    thrum_executor *pool = worker->pool;
    uint32_t vain = 0;
    for (;;) {
        if (look(worker, &vain)) {
            bool worked;
            pthread_cleanup_push(died, worker);
            worked = work(worker);
            pthread_cleanup_pop(0);
            if (thrum__pool_gone(pool))
                return;
            thrum__state_add(pool, (worked ? THRUM__POOL_SEARCHING : 0) - THRUM__POOL_BUSY);
            vain = worked ? 0 : vain;
            continue;
        }
        vain = 0;
        if (!sleep_until_work(worker))
            return;
    }
}

/* Nobody relies on a worker that initialises: it looks for work afterwards. */
static void begin_initializer(thrum__worker *worker) {
    thrum_executor *pool = worker->pool;
    thrum__bucket *bucket = thrum__lot_lock(pool);
    pool->initializing++;
    worker->initializes = true;
    thrum__state_add(pool, THRUM__POOL_PINNED - THRUM__POOL_SEARCHING);
    thrum__lot_unlock(bucket);
    if (thrum__pool_visible(pool))
        (void)thrum__pool_notify(pool); /* this worker counts: it cannot fail */
}

static void end_initializer(thrum__worker *worker) {
    thrum_executor *pool = worker->pool;
    thrum__bucket *bucket = thrum__lot_lock(pool);
    pool->initializing--;
    worker->initializes = false;
    thrum__state_add(pool, THRUM__POOL_SEARCHING - THRUM__POOL_PINNED);
    thrum__lot_unlock(bucket);
}

/* pthread_exit() or a cancellation in the initializer. */
static void died_early(void *arg) {
    thrum__worker *worker = arg;
    thrum__strand_self()->frame = NULL;
    if (thrum__pool_gone(worker->pool))
        return;
    end_initializer(worker);
    leave(worker, false);
}

static bool initialize(thrum__worker *worker) {
    bool ready;
    begin_initializer(worker);
    pthread_cleanup_push(died_early, worker);
    ready = thrum__worker_initialize(worker);
    pthread_cleanup_pop(0);
    if (thrum__pool_gone(worker->pool))
        return false;
    end_initializer(worker);
    return ready;
}

void *thrum__worker_main(void *arg) {
    thrum__worker *worker = arg;
    thrum__strand *self = thrum__strand_self();
    thrum__frame frame;
    frame.outer = NULL;
    frame.task = NULL;
    frame.worker = worker;
    frame.slot = NULL;
    frame.tally = NULL;
    frame.executing = frame.deadlock = frame.raised = false;
    if (!worker->counted)
        thrum__state_add(worker->pool, THRUM__POOL_SEARCHING);
    self->frame = &frame;
    bool initialized = !worker->pool->initializer || initialize(worker);
    if (initialized)
        run(worker);
    self->frame = NULL;
    if (!thrum__pool_gone(worker->pool))
        leave(worker, initialized);
    return NULL;
}

int thrum__worker_start(thrum__worker *worker) {
    thrum_executor *pool = worker->pool;
    size_t size = strlen(pool->name_prefix) + sizeof "_2147483647";
    char *name = malloc(size);
    if (!name)
        return -ENOMEM;
    snprintf(name, size, "%s_%d", pool->name_prefix, worker->index);
    thrum_thread *before = worker->before = worker->thread;
    worker->thread = NULL;
    int rc = thrum_thread_start(NULL, thrum__worker_main, worker,
                                &(thrum_thread_opts){.name = name, .daemon = true});
    free(name);
    if (rc != 0) {
        worker->before = NULL;
        worker->thread = before;
    }
    return rc;
}
