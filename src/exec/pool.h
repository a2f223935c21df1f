/* SPDX-License-Identifier: MIT */
/* A pool: what a thrum_executor * points at. Its memory is reused for later pools and never given
 * back, so that who comes late with a future in hand reads a pool, if not its own. README.md beside
 * this file has states, protocol and the lost-wake-up argument. */
#ifndef THRUM_EXEC_POOL_H
#define THRUM_EXEC_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/executor.h>
#include <thrum/lock.h>
#include <thrum/semaphore.h>

#include "base/fork.h"
#include "base/list.h"
#include "base/raw_lock.h"
#include "exec/credit.h"
#include "exec/injector.h"
#include "exec/ranks.h"
#include "exec/source.h"
#include "exec/worker.h"

/* How many workers a pool may have beyond max_workers, while others wait for futures; counters of
 * submits. */
enum { THRUM__POOL_SPARE = 256, THRUM__POOL_SHARDS = 4, THRUM__POOL_WORKERS_MAX = 3500 };

/* How many threads, beside max_workers, may run tasks of a pool, or wait in them, before no other
 * comes in that is no worker: a count of the state has 12 bits, in which the workers and those in
 * their places have to have room, and 128 who look at this at the same moment. */
enum { THRUM__POOL_CROWD = 4095 - THRUM__POOL_SPARE - 128 };

/* state of a pool: who does what, and flags. Changed by read-modify-writes only.
 *   bits 0-11   BUSY       slots in use: workers with a task, threads that help; at most
 *                          max_workers, but for
 *                          those that come back from a wait
 *   bits 12-23  BLOCKED    workers that wait for a future and have left their slot
 *   bits 24-35  PINNED     others who still need the pool: threads that help and wait, having left
 *                          their slot;
 *                          who has just left a slot and looks whether that matters to somebody;
 *                          the timers' thread while it submits;
 *                          workers in the initializer
 *   bits 36-47  SEARCHING  workers that look for work, are being woken or started (while others
 *                          run)
 *   bits 48-59  SLEEPING   workers in the idle list; under the bucket lock of the pool
 *   CLOSED      shut down: no tasks from outside
 *   BROKEN      the initializer failed: no tasks at all
 *   LEAVING     closed and idle: every worker leaves
 *   REMOTE      has a backend: typed tasks only */
#define THRUM__POOL_BUSY (UINT64_C(1) << 0)
#define THRUM__POOL_BLOCKED (UINT64_C(1) << 12)
#define THRUM__POOL_PINNED (UINT64_C(1) << 24)
#define THRUM__POOL_SEARCHING (UINT64_C(1) << 36)
#define THRUM__POOL_SLEEPING (UINT64_C(1) << 48)
#define THRUM__POOL_CLOSED (UINT64_C(1) << 60)
#define THRUM__POOL_BROKEN (UINT64_C(1) << 61)
#define THRUM__POOL_LEAVING (UINT64_C(1) << 62)
#define THRUM__POOL_REMOTE (UINT64_C(1) << 63)
#define THRUM__POOL_COUNT(state, unit) ((unsigned)((state) / (unit)) & 0xfff)

typedef struct thrum__shard {
    uint64_t submitted; /* relaxed */
} __attribute__((aligned(64))) thrum__shard;

struct thrum_executor {
    uint64_t state __attribute__((aligned(64)));
    int max_workers __attribute__((aligned(64))); /* from here to `workers` read-only */
    int room_max;                                 /* queue_limit, if `room` counts it, else 0 */
    thrum_overflow overflow;
    bool daemon;
    bool limited; /* there is a queue_limit */
    unsigned fork_generation;
    uint32_t generation; /* of this memory: counts the pools in it */
    int64_t idle_ns;     /* INT64_MAX never */
    int (*initializer)(void *);
    void *initarg;
    const thrum_backend *backend; /* NULL: none */
    void *remote;                 /* its state */
    char *name_prefix;
    thrum__worker **workers; /* max_workers + THRUM__POOL_SPARE places, NULL at first; a worker
                              * stays until the pool is freed. Set under the bucket lock */
    int places __attribute__((aligned(64))); /* workers[0 .. places) are not NULL; set under the
                                              * bucket lock */
    int n_workers;           /* alive; set under the bucket lock */
    int starting;            /* of n_workers: started while no other could run, not known to run
                              * yet; bucket lock */
    int initializing;        /* of n_workers: inside the initializer, PINNED; under the bucket
                              * lock */
    thrum__worker *sleepers; /* the last to sleep first, NULL between two pools; under the bucket
                              * lock */
    thrum_lock first;        /* held while the only worker that could run is being started */
    uint32_t excess;         /* relaxed: BUSY may be above max_workers because somebody has come
                              * back from a wait */
    thrum__cold *broken;     /* the initializer's failure; read-only once BROKEN */
    thrum__link listed;      /* among the living; under pools_lock */
    uint64_t cancelled __attribute__((aligned(64))); /* tasks that were cancelled or taken back,
                                                      * counted by who did that, as its last touch
                                                      * of the pool but for a slot; so is the
                                                      * next */
    uint64_t helped;         /* run by outside threads that waited for them */
    uint64_t caller_ran;     /* relaxed: never queued, not counted elsewhere, but for
                              * `caller_ran_itself` */
    uint64_t completed;      /* relaxed: by others than workers */
    uint64_t unread;         /* relaxed: generation << 32 | count */
    uint32_t caller __attribute__((aligned(64))); /* relaxed: the strand whose the next one is, 0
                                                   * nobody's yet */
    uint64_t caller_ran_itself;                   /* relaxed */
    thrum_semaphore room __attribute__((aligned(64))); /* with `room_max`: tasks that may still be
                                                        * queued */
    thrum__credit credit;   /* with a queue_limit where submitters run what finds no room */
    thrum__injector injector;
    thrum__link thens;      /* continuations that wait for other futures; under the bucket lock of
                             * this */
    thrum__ranks ranks;     /* tasks with a priority; empty when the pool is freed */
    thrum__sources sources; /* what idle workers help with: maps, fork-joins */
    thrum__shard shards[THRUM__POOL_SHARDS];
};

/* The state, after what the caller has published with a seq_cst read-modify-write. */
static inline uint64_t thrum__state_load(const thrum_executor *pool) {
    /* seq_cst: pairs with thrum__state_add(), thrum__state_take_slot(), mark(), fill() */
    return thrum__load_seq_cst(&pool->state);
}

/* Adds `change` and returns the new state. What is looked for afterwards with seq_cst loads is not
 * missed. */
static inline uint64_t thrum__state_add(thrum_executor *pool, uint64_t change) {
    /* seq_cst: pairs with thrum__state_load(), thrum__state_take_slot(), thrum__state_add(); and
     * what follows pairs with thrum__injector_put(), thrum__deque_publish(),
     * enter() */
    return thrum__add_seq_cst(&pool->state, change) + change;
}

/* Adds `change`, which holds a slot, if one is free and none of the flags `unless` is set. */
static inline bool thrum__state_take_slot(thrum_executor *pool, uint64_t change, uint64_t unless) {
    uint64_t state = thrum__load_relaxed(&pool->state);
    while (!(state & unless) && THRUM__POOL_COUNT(state, THRUM__POOL_BUSY) <
                                    (unsigned)thrum__load_relaxed(&pool->max_workers))
        /* seq_cst: pairs with thrum__state_add(), thrum__state_load(), thrum__pool_release_slot(),
         * thrum__pool_seal() */
        if (thrum__cas_seq_cst(&pool->state, &state, state + change))
            return true;
    return false;
}

static inline bool thrum__state_full(const thrum_executor *pool, uint64_t state) {
    return THRUM__POOL_COUNT(state, THRUM__POOL_BUSY) >= (unsigned)pool->max_workers;
}

static inline bool thrum__state_crowded(const thrum_executor *pool, uint64_t state) {
    return THRUM__POOL_COUNT(state, THRUM__POOL_BUSY) +
               THRUM__POOL_COUNT(state, THRUM__POOL_BLOCKED) +
               THRUM__POOL_COUNT(state, THRUM__POOL_PINNED) >
           (unsigned)(THRUM__POOL_CROWD - pool->max_workers);
}

/* Makes the record of a task of `pool`; NULL without memory. */
static inline thrum_future *thrum__pool_task_new(thrum_executor *pool, uint32_t word,
                                                 void *(*fn)(void *), void *arg) {
    thrum_future *task = thrum__task_new(word);
    if (task) {
        task->generation = pool->generation;
        task->fn = fn;
        task->value = arg;
        task->pool = pool;
    }
    return task;
}

/* Changes how many workers are alive. Under the bucket lock. */
static inline void thrum__pool_count_worker(thrum_executor *pool, int change) {
    /* release: pairs with thrum__pool_at_rest(): that sees what the state said before */
    thrum__store_release(&pool->n_workers, pool->n_workers + change);
}

/* Returns whether the pool is of a parent process: its workers are not here. */
static inline bool thrum__pool_gone(const thrum_executor *pool) {
    return pool->fork_generation != thrum__fork_generation();
}

/* workers[0 .. this) may be looked at. */
static inline int thrum__pool_places(const thrum_executor *pool) {
    /* acquire: pairs with take_place() */
    return thrum__load_acquire(&pool->places);
}

/* Returns whether there is work that nobody has taken; seq_cst, for who has announced something. */
bool thrum__pool_visible(const thrum_executor *pool);

/* The same, of tasks only; and of tasks without a priority. */
bool thrum__pool_tasks_visible(const thrum_executor *pool);
bool thrum__pool_plain_visible(const thrum_executor *pool);

/* Says that work was published for the pool: wakes or starts one worker if none looks for work.
 * Must follow the publication, which is a seq_cst read-modify-write. Returns 0, or -EAGAIN when no
 * worker can be started and none runs; then who published takes it back, and calls
 * thrum__pool_drain(). */
int thrum__pool_notify(thrum_executor *pool);

/* Requires that the strand is PINNED. Looks for work that relied on the current strand, and for who
 * can run it. When no worker can be had, the strand runs what is queued itself, in a slot; or fails
 * it, if there is an initializer and that has not been called here (`initialized`). */
void thrum__pool_look(thrum_executor *pool, bool initialized);

/* The same, for who is neither a worker nor PINNED. */
void thrum__pool_drain(thrum_executor *pool);

/* Gives a slot back, and lets others know who wait for that. */
void thrum__pool_release_slot(thrum_executor *pool);

/* The pool is closed: lets an idle worker find out whether all may leave, and waiters look. */
void thrum__pool_nudge(thrum_executor *pool);

/* PENDING -> RUNNING, for a task of whatever pool, to which the caller has a reference; its room is
 * free then. Returns false if another has it, or its deadline has come: then it has failed. */
bool thrum__pool_claim(thrum_future *task);

/* A task of `pool`, to which the caller has a reference, was cancelled or taken back. */
void thrum__pool_cancelled(thrum_executor *pool, thrum_future *task);

/* The room that `task` took is free. */
void thrum__pool_room_back(const thrum_future *task);

/* Runs `task` here and now if it is the next to be started and a slot is free. Outside threads. */
bool thrum__pool_help(thrum_future *task);

/* The current strand, which executes a task as a worker, begins to wait for something: its slot is
 * free, another worker may take its place. Returns 0 or -EAGAIN (too many wait; reported). Does
 * nothing, 0, on other strands. */
int thrum__pool_block(void);
void thrum__pool_unblock(void);

/* The same, for a wait that must not fail: returns false, the slot being kept, when no other can be
 * had. */
bool thrum__pool_try_block(void);

/* Takes all that is queued, but for what workers are about to run, and completes it: with
 * `failure`, or as cancelled (NULL). */
void thrum__pool_abandon(thrum_executor *pool, const thrum_failure *failure);

/* Returns the worker threads' numbers summed up: tasks that were submitted and have not been
 * started. */
size_t thrum__pool_queued(const thrum_executor *pool);

/* Returns whether the current strand executes a task of `pool`, which may be gone, or what follows
 * that in its slot: does not look into it. */
bool thrum__pool_inside(const thrum_executor *pool);

/* Returns the next task for the current strand; `worker` NULL: not one of the pool. NULL: none. */
thrum_future *thrum__pool_take(thrum_executor *pool, thrum__worker *worker);

/* Returns whether every worker that there is waits for a future. */
bool thrum__pool_no_worker(thrum_executor *pool);

/* The pool goes on without `worker`, whose strand, the current one, never comes back: it is inside
 * exit(). One in the initializer leaves a broken pool. */
void thrum__pool_desert(thrum__worker *worker);

/* Closes the pool. */
void thrum__pool_close(thrum_executor *pool, bool cancel);

/* Waits until a closed pool is idle and every worker has left. A worker of another pool leaves its
 * slot meanwhile. */
int thrum__pool_wait(thrum_executor *pool, int64_t deadline, bool interruptible);

/* PINNED, unless the pool of that generation has been freed. Returns whether it is. */
bool thrum__pool_pin(const thrum_executor *pool, uint32_t generation);

/* Lets go of a pool that the caller has PINNED, which may be freed then; NULL: none. Also a cleanup
 * handler. */
void thrum__pool_unpin(void *pool);

/* Requires that the caller has PINNED the pool, and lets go of it. Closes it and waits as
 * thrum__pool_wait() does; its owner may free it meanwhile. For the end of the program. */
int thrum__pool_finish(thrum_executor *pool, int64_t deadline);

/* LEAVING, unless somebody has come in: from then on nobody does, who comes late with a future in
 * hand neither; and the pool is not among the living any more. */
bool thrum__pool_seal(thrum_executor *pool);

/* Returns whether no worker is left, and nobody runs a task of the pool. */
bool thrum__pool_at_rest(const thrum_executor *pool);

/* Called at each pool that is made: for the end of the program, and forks. */
void thrum__pools_prepare(void);

/* The living pools of this process. */
extern thrum__raw_lock thrum__pools_lock;
extern thrum__link thrum__pools;

/* Counts a failure that was reported as unread, if `pool` is still the one of that generation. */
void thrum__pool_count_unread(thrum_executor *pool, uint32_t generation);

/* Submits as thrum_submit() does, with flags for the word of the record: THRUM__TASK_NAMED;
 * THRUM__TASK_OWNED, which means that `arg` is freed with the record, and when there is none; fn
 * must return it. `options`, NULL for none, is freed likewise, but not called `over` when there is
 * no record. */
int thrum__submit(thrum_executor *executor, thrum_future **out, void *(*fn)(void *arg), void *arg,
                  uint32_t flags, thrum__options *options);

/* The same with the options of its user, which may be NULL. */
int thrum__submit_with(thrum_executor *executor, thrum_future **out, void *(*fn)(void *arg),
                       void *arg, uint32_t flags, const thrum_task_opts *opts);

/* As thrum__submit(), but runs the task in the current strand. Returns when it is done. */
int thrum__submit_here(thrum_executor *pool, thrum_future **out, void *(*fn)(void *arg), void *arg,
                       uint32_t flags, thrum__options *options);

/* Returns why a submit from the current strand is refused at this moment: -ESHUTDOWN, -EPIPE or
 * -ENOTSUP (it has a backend); 0: it is not. */
int thrum__pool_refusal(const thrum_executor *pool);

/* Says on stderr that a pool with a backend takes other things than `call`. Returns -ENOTSUP. */
int thrum__pool_not_taken(const char *call);

/* Queues `task`, a promise in SETTING, which is a PENDING task of `pool` from then on; not beyond
 * the call: the caller gets a reference of it then. The pool must stay meanwhile: BUSY or PINNED.
 * `continues`: it follows what the pool has run, which a closed pool takes from other threads too
 * until its workers leave. Returns 0, or -EAGAIN when it is queued and no worker can be had; else
 * nothing has changed: 1, there is no room, -ESHUTDOWN or -EPIPE. Never blocks. */
int thrum__submit_late(thrum_executor *pool, thrum_future *task, bool continues);

/* Returns whether the current strand is a worker of `pool` (in whatever task). */
static inline thrum__worker *thrum__pool_worker(const thrum_executor *pool) {
    thrum__worker *worker = thrum__worker_current();
    return worker && worker->pool == pool ? worker : NULL;
}

#endif
