/* SPDX-License-Identifier: MIT */
/* A pool: what a thrum_executor * points at. Its memory is reused for later pools and never given back, so that who
 * comes late with a future in hand reads a pool, if not its own. README.md beside this file has states,
 * protocol and the lost-wake-up argument. */
#ifndef THRUM_EXEC_POOL_H
#define THRUM_EXEC_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/executor.h>
#include <thrum/lock.h>
#include <thrum/semaphore.h>

#include "base/list.h"
#include "exec/injector.h"
#include "exec/worker.h"

/* How many workers a pool may have beyond max_workers, while others wait for futures; counters of submits. */
enum { THRUM__POOL_SPARE = 256, THRUM__POOL_SHARDS = 4, THRUM__POOL_WORKERS_MAX = 16384 };

/* state of a pool: who does what, and flags. Changed by read-modify-writes only.
 *   bits 0-14   BUSY       slots in use: workers with a task, threads that help; at most max_workers, but for
 *                          those that come back from a wait
 *   bits 15-29  BLOCKED    workers that wait for a future and have left their slot
 *   bits 30-44  SEARCHING  workers that look for work, are being woken or started (while others run)
 *   bits 45-59  SLEEPING   workers in the idle list; under the bucket lock of the pool
 *   CLOSED      shut down: no tasks from outside
 *   BROKEN      the initializer failed: no tasks at all
 *   LEAVING     closed and idle: every worker leaves */
#define THRUM__POOL_BUSY (UINT64_C(1) << 0)
#define THRUM__POOL_BLOCKED (UINT64_C(1) << 15)
#define THRUM__POOL_SEARCHING (UINT64_C(1) << 30)
#define THRUM__POOL_SLEEPING (UINT64_C(1) << 45)
#define THRUM__POOL_CLOSED (UINT64_C(1) << 60)
#define THRUM__POOL_BROKEN (UINT64_C(1) << 61)
#define THRUM__POOL_LEAVING (UINT64_C(1) << 62)
#define THRUM__POOL_COUNT(state, unit) ((unsigned)((state) / (unit)) & 0x7fff)

typedef struct thrum__shard {
    uint64_t submitted; /* relaxed */
} __attribute__((aligned(64))) thrum__shard;

struct thrum_executor {
    uint64_t state __attribute__((aligned(64)));
    int max_workers;       /* read-only from here */
    int room_max;          /* queue_limit, 0 none */
    thrum_overflow overflow;
    bool daemon;
    unsigned fork_generation;
    uint32_t generation;   /* of this memory: counts the pools in it */
    int64_t idle_ns;       /* INT64_MAX never */
    int (*initializer)(void *);
    void *initarg;
    char *name_prefix;
    thrum__worker **workers; /* max_workers + THRUM__POOL_SPARE places, NULL at first; a worker stays until
                              * the pool is freed. Set under the bucket lock (release) */
    int places;            /* workers[0 .. places) are not NULL; relaxed, under the bucket lock */
    int n_workers;         /* alive; under the bucket lock */
    thrum__worker *sleepers; /* the last to sleep first; under the bucket lock */
    thrum_lock first;      /* held while the only unblocked worker is being started */
    thrum_semaphore room;  /* with a queue_limit: tasks that may still be queued */
    uint64_t claimed;      /* relaxed: started or cancelled by others than workers */
    uint64_t helped;       /* relaxed: of these, by outside threads that waited */
    uint64_t caller_ran;   /* relaxed */
    uint64_t completed;    /* relaxed: by others than workers */
    uint64_t unread;       /* relaxed: generation << 32 | count */
    thrum__cold *broken;   /* the initializer's failure; read-only once BROKEN */
    thrum__link listed;    /* among the living; under pools_lock */
    thrum__injector injector;
    thrum__shard shards[THRUM__POOL_SHARDS];
};

/* Says that work was published for the pool: wakes or starts one worker if none looks for work. Must follow the
 * publication, which is a seq_cst read-modify-write. Returns 0, or -EAGAIN when no worker can be started and none
 * runs; then who published takes it back. */
int thrum__pool_notify(thrum_executor *pool);

/* The current strand, which executes a task as a worker, begins to wait for something: its slot is free, another
 * worker may take its place. Returns 0 or -EAGAIN (too many wait; reported). Does nothing, 0, on other strands. */
int thrum__pool_block(void);
void thrum__pool_unblock(void);

/* Submits as thrum_submit() does, with flags for the word of the record (THRUM__TASK_NAMED). */
int thrum__submit(thrum_executor *executor, thrum_future **out, void *(*fn)(void *arg), void *arg,
                  uint32_t flags);

/* Returns whether the current strand is a worker of `pool` (in whatever task). */
static inline thrum__worker *thrum__pool_worker(const thrum_executor *pool) {
    thrum__worker *worker = thrum__worker_current();
    return worker && worker->pool == pool ? worker : NULL;
}

#endif
