/* SPDX-License-Identifier: MIT */
/* A worker of a pool: its deque, and the loop that it runs. */
#ifndef THRUM_EXEC_WORKER_H
#define THRUM_EXEC_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/thread.h>

#include "exec/deque.h"
#include "exec/task.h"
#include "park/lot.h"

typedef struct thrum__worker {
    thrum__deque deque;
    thrum_executor *pool;    /* read-only */
    int index;               /* in pool->workers; read-only */
    uint32_t ticks;          /* own: tasks since the injector was looked at */
    uint32_t turns;          /* own: takes while there were tasks with a priority */
    uint32_t random;         /* own: where it begins to steal */
    uint64_t submitted;      /* relaxed, own */
    uint64_t claimed;        /* relaxed, own: tasks that it started */
    uint64_t completed;      /* relaxed, own */
    uint64_t helped;         /* relaxed, own: of these, while it waited for them */
    thrum_thread *thread;    /* that has left, NULL none; under the bucket lock of the pool */
    thrum_thread *before;    /* own: the one before in this place, that may be ending still */
    void *memory;            /* what free() takes; read-only */
    bool counted;            /* SEARCHING by who starts it; read-only once it runs */
    bool initializes;        /* own: it is inside the initializer */
    struct thrum__source *source; /* own: where it helps, NULL nowhere */
    bool alive;              /* a thread runs it, or is being started; under the bucket lock */
    thrum__waiter waiter;    /* while it sleeps; under the bucket lock */
    struct thrum__worker *sleeper; /* the next of the idle ones; under the bucket lock */
} thrum__worker;

/* Returns the worker whose stack this is, NULL on other threads; of whatever pool. */
static inline thrum__worker *thrum__worker_current(void) {
    const thrum__frame *frame = thrum__frame_current();
    return frame ? frame->worker : NULL;
}

/* Work of another kind than tasks, which idle workers look for too: source.c. */
typedef struct thrum__work_source {
    /* Returns whether a thief of `pool` would find something. Called after the sleeper has
     * announced itself with a seq_cst read-modify-write: loads must be seq_cst, and who publishes
     * must then call thrum__pool_notify(). Must not block. */
    bool (*visible)(const thrum_executor *pool);
    /* Takes one piece of work and runs it to its end on `thief`. Returns false if it found none. */
    bool (*run)(thrum__worker *thief);
} thrum__work_source;

/* NULL: none. Set by a constructor. */
extern const thrum__work_source *thrum__work_source_hook;

/* Returns a new one, zero, or NULL; and frees it. */
thrum__worker *thrum__worker_new(void);
void thrum__worker_free(thrum__worker *worker);

/* Starts the thread of a worker in whose place none is alive. 0, -EAGAIN or -ENOMEM. */
int thrum__worker_start(thrum__worker *worker);

/* Calls the initializer of the pool. Returns false, the pool being broken, if that failed. */
bool thrum__worker_initialize(thrum__worker *worker);

/* The thread of a worker: thrum_thread_start(thrum__worker_main, worker). */
void *thrum__worker_main(void *worker);

#endif
