/* SPDX-License-Identifier: MIT */
/* A pool is what an executor shares with its workers, and outlives it. A task is its future. The
 * queue links futures by `next` and owns a reference to each; it may hold some that were
 * cancelled or run by who waits for them.
 *
 * future's state   its `pool`
 * PENDING          the pool in whose queue it stands, or thrum_py_lost after a fork
 * RUNNING          the worker that runs it, with TAG set
 * else             not looked at; NULL or the pool, if it still stands in the queue  */
#ifndef THRUM_PYTHON_EXECUTOR_H
#define THRUM_PYTHON_EXECUTOR_H

#include "future.h"

/* What submit() does when queue_limit tasks wait. */
enum overflow { OVERFLOW_BLOCK, OVERFLOW_REFUSE, OVERFLOW_CALLER_RUNS };

/* How many workers more than max_workers there may be, each in the place of one that waits. */
#define MOST_BLOCKED 256

/* A thread inside threading.Thread.start(). On its stack; under the guard. */
struct starter {
    struct starter *next;
    unsigned long ident;
};

/* The counts are under the guard. A worker stands in one of starting, idle (length + pending),
 * busy, blocked. */
typedef struct pool {
    PyObject_HEAD
    toolbox *state;
    future *first, *last;
    Py_ssize_t queued;
    Py_ssize_t ready; /* a token of the idle: a task that may be started now */
    Py_ssize_t room;  /* a token of the submitters: a place in a queue with a limit */
    Py_ssize_t ended; /* a token of the enders: 1 when it is over and no worker is left */
    waitlist idle, submitters, enders;
    Py_ssize_t max_workers;
    Py_ssize_t queue_limit; /* 0: none */
    Py_ssize_t workers;     /* all there are */
    struct starter *starters;
    Py_ssize_t starting;    /* threads that have not come to their first task */
    Py_ssize_t busy;        /* in a task */
    Py_ssize_t blocked;     /* in a task that waits for another one of this pool; peeked at */
    Py_ssize_t named;       /* how many were ever started */
    unsigned generation;    /* of the process to which the workers belong */
    enum overflow overflow;
    bool context; /* a task runs in a copy of its submitter's context */
    bool shut;    /* shutdown() was called */
    bool over;    /* nothing will be submitted any more: workers leave when the queue is empty */
    PyObject *threads; /* a set */
    PyObject *prefix, *initializer, *initargs;
    PyObject *create_context, *resolve_task; /* of prepare_context() of a subclass, or NULL */
    PyObject *broken_type;  /* what is raised then; NULL: BrokenThreadPool */
    PyObject *broken;       /* why it cannot be used any more: a str, or NULL */
    PyObject *broken_error; /* the exception of the initializer */
    PyObject *shutdown_lock; /* made when looked at */
} pool;

/* A task that a worker runs. On its stack. */
struct frame {
    future *task;
    struct frame *around; /* the task that waits for this one, which runs in the place of waiting */
};

/* A thread that works. Never freed, but used again: who waits may look at one whose thread has
 * ended. */
struct worker {
    pool *pool;
    struct waiter *waiter; /* for when it is idle */
    struct worker *next_free;
    PyObject *context; /* what prepare_context() of a subclass makes, or NULL */
    unsigned generation;
    struct frame *running; /* the innermost; of a worker that waits, others read it */
    int depth;    /* how many tasks it runs in the place of waiting for them */
    bool blocked; /* its pool counts it as blocked */
    /* what it waits for without a time limit; under the lock of the circles */
    future *const *awaited;
    Py_ssize_t n_awaited; /* 0: nothing */
    bool all;             /* all of them, else any */
    unsigned long seen;   /* by the walk of this number */
};

typedef struct executor {
    PyObject_HEAD
    pool *pool;
    PyObject *dict;
    PyObject *weakrefs;
} executor;

/* In a future's `pool`: it is a worker. A program can make a future RUNNING by hand. */
#define TAG ((uintptr_t)1)

/* Others look at the owner without a guard, and then at the worker that it is. */
#ifdef Py_GIL_DISABLED
#define OWNER_LOAD __ATOMIC_ACQUIRE
#define OWNER_STORE __ATOMIC_RELEASE
#else
#define OWNER_LOAD __ATOMIC_RELAXED
#define OWNER_STORE __ATOMIC_RELAXED
#endif

/* acquire: pairs with set_owner() */
static inline void *owner_of(const future *task) {
    return __atomic_load_n(&task->pool, OWNER_LOAD);
}

/* release: pairs with owner_of() */
static inline void set_owner(future *task, void *owner) {
    __atomic_store_n(&task->pool, owner, OWNER_STORE);
}

static inline struct worker *runner_of(const future *task) {
    uintptr_t word = (uintptr_t)owner_of(task);
    return state_of(task) == FUTURE_RUNNING && (word & TAG) ? (struct worker *)(word - TAG) : NULL;
}

/* The task stands in no queue any more; who runs it stays. */
static inline void disown(future *task, const pool *self, void *owner) {
    if (owner_of(task) == self)
        set_owner(task, owner);
}

/* The worker that the calling thread is, or NULL. */
extern _Thread_local struct worker *thrum_py_worker;

/* Stands in a future for a pool of the parent process. */
extern uintptr_t thrum_py_lost;

/* All of these require the GIL, or an attached thread; those of a pool are under its guard
 * unless they say otherwise. */

/* What a submit has to say to a pool that takes nothing more: 0, or -1 with an exception. */
int pool_refuses(pool *self);

/* After a fork: in the child the pool has no workers and an empty queue. */
void pool_check_fork(pool *self);

/* Submits fn(*args), where the last of `args` are the values of `kwnames`; steals `args`. Not
 * under the guard. */
future *pool_submit(pool *self, PyObject *fn, PyObject *args, PyObject *kwnames);

/* Computes `ready` and `room`. */
void pool_recount(pool *self);

/* Computes `ended`, and tells those who wait for that. */
void pool_recount_end(pool *self);

/* Sees to it that a worker comes for what is ready: wakes one, or starts one. 0, or with an
 * exception: no thread could be started, or one was and a signal handler raised meanwhile. */
enum { NO_WORKER = -1, RAISED = -2 };
int pool_wake(pool *self);

/* The workers leave as soon as the queue is empty. */
void pool_end(pool *self);

/* Takes all tasks out of the queue and cancels them, or makes them fail because the pool is
 * broken. Not under the guard. */
void pool_cancel_queued(pool *self);
void pool_fail_queued(pool *self);

/* Forgets the tasks in the queue: whoever waits for one finds out that it will not come. */
void pool_lose_queued(pool *self);

/* Waits until the pool has ended, or `deadline`: WOKEN, TIMED_OUT, or FAILED with an exception. */
outcome pool_wait_ended(pool *self, thrum_deadline deadline);

/* BrokenThreadPool with its cause, raised. */
void raise_broken(pool *self);

/* A new pool with its defaults, and its type. */
pool *pool_new(toolbox *state);
int add_pool(PyObject *module, toolbox *state);

/* The loop of a worker: what threading.Thread calls. */
PyObject *thrum_py_work(PyObject *pool, PyObject *unused);

/* Runs a task which has been started, in the thread of `me`, or in one that is no worker: NULL.
 * Not under a guard. */
void run_task(pool *self, struct worker *me, future *task);

/* Makes workers help, and be replaced, while they wait for futures. */
void worker_hooks(void);

/* One worker more or less in the process: a child may wait for what those of its parent had. */
void workers_counted(int more);

/* Whether submit() of `self` is ours, with nothing in its place. */
bool executor_is_plain(executor *self);

/* Submits fn(*args) to a plain executor; steals `args`. */
PyObject *executor_submit_args(executor *self, PyObject *fn, PyObject *args);

/* What map() and imap_unordered() return, for the tuples of `args`, an iterator. buffersize 0:
 * no limit. */
PyObject *make_results(executor *to, PyObject *fn, PyObject *args, Py_ssize_t buffersize,
                       thrum_deadline deadline);
PyObject *make_unordered(executor *to, PyObject *fn, PyObject *args, Py_ssize_t buffersize);
int add_results(PyObject *module, toolbox *state);
int add_unordered(PyObject *module, toolbox *state);

/* What the attribute _work_queue shows: a new reference. Its pool. */
PyObject *pool_queue_view(pool *self);
pool *pool_of_view(PyObject *view);
int add_queue_view(PyObject *module, toolbox *state);

/* tp_init, and the attributes of an executor that programs read although they are private. */
int thrum_py_executor_init(PyObject *self, PyObject *args, PyObject *kwargs);
extern PyGetSetDef thrum_py_executor_properties[];

#endif
