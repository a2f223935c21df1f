/* SPDX-License-Identifier: MIT */
/* Executors: Python's concurrent.futures.ThreadPoolExecutor. `break` and `continue` inside
 * thrum_with_executor() leave the block, not a loop round it. However the block is left, its end
 * waits for all that was submitted:
 *
 *     thrum_with_executor(pool, &(thrum_executor_opts){.max_workers = 3}) {
 *         thrum_submit(pool, &f, work, arg);
 *         ...
 *     }
 *
 * Tasks start in the order they were submitted, exactly so from outside on one worker; what a task
 * submits queues up behind what its worker has at hand. At most max_workers tasks run at once,
 * apart from those that come back from a wait for others, and those that THRUM_OVERFLOW_CALLER_RUNS
 * makes their submitters run. A task may submit others and wait for them, on any number of workers:
 * a worker that waits for a task of its own pool runs it if it has not started, else another worker
 * takes its place. No failure is lost (see thrum/future.h).
 *
 * A task whose thread ends in it fails with -ECANCELED; so does one that calls exit(), and the
 * tasks that wait for it go on: the program's end waits for all tasks of pools that are not
 * daemons, except for what the thread inside exit() executes.
 *
 * In the child of a fork the pools of the parent have no workers: submits fail with -EPIPE, and
 * what is not done counts as cancelled, but for the tasks in which the fork was. They go on to
 * their end. */
#ifndef THRUM_EXECUTOR_H
#define THRUM_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/future.h>
#include <thrum/time.h>

THRUM__BEGIN

/* A pool of workers. Owned by who made it, until thrum_executor_free(). */
typedef struct thrum_executor thrum_executor;

/* What a submit does when `queue_limit` tasks wait already. */
typedef enum thrum_overflow {
    THRUM_OVERFLOW_BLOCK,      /* waits for room */
    THRUM_OVERFLOW_REFUSE,     /* returns -EAGAIN */
    THRUM_OVERFLOW_CALLER_RUNS /* runs the task itself, at once: beside max_workers others, and, on
                                * a thread that is no worker, without a call of the initializer.
                                * Then it does so with up to 15 more (a 64th of the limit), as long
                                * as all workers are busy, before it looks for room; those who
                                * submit at the same moment may pass the limit by a task each */
} thrum_overflow;

/* Where tasks run other than on threads: typed tasks (thrum/task.h), bytes (thrum/bytes.h), maps
 * and streams; thrum_submit(), fork-joins and continuations on such an executor are refused with
 * -ENOTSUP. */
typedef struct thrum_backend thrum_backend;

/* Options of thrum_executor_new(); zero is the default of each. */
typedef struct thrum_executor_opts {
    int max_workers; /* up to 3500; default: the CPUs that this process may use, by affinity and
                      * cgroup quota; or what the environment variable THRUM_MAX_WORKERS says */
    const char *name_prefix; /* copied; workers are called "prefix_0", ...; default "Pool-1", ... */
    int (*initializer)(void *initarg); /* called by each worker before its first task; a negative
                                        * code, or thrum_raise(), breaks the pool: every pending
                                        * future gets it. What it calls counts as called by a
                                        * task */
    void *initarg;
    size_t queue_limit;      /* most tasks that wait to be started; 0: no limit */
    thrum_overflow overflow; /* with queue_limit */
    double idle_timeout; /* seconds after which an idle worker leaves; 0: 10 s; infinite: never */
    bool daemon;         /* the program's end does not wait for what was submitted */
    const thrum_backend *backend; /* where tasks run; NULL: on threads of this process */
    const void *backend_opts;     /* what the backend says; NULL: its defaults, and without one */
    void *reserved[3];            /* must be zero */
} thrum_executor_opts;

/* Makes a pool; workers start with the tasks. NULL with errno EINVAL (a bad option, named on
 * stderr), ENOTSUP or ENOMEM. Any thread. */
THRUM_API thrum_executor *thrum_executor_new(const thrum_executor_opts *opts);

/* Submits fn(arg). `*out` gets a future to be freed; with `out` NULL the task just runs, and its
 * failure goes to the excepthook. Returns 0, -ESHUTDOWN, -EPIPE (broken: its initializer failed; or
 * made before a fork), -EAGAIN (refused by the limit, no worker could be started and none runs, or
 * thousands of submitters run tasks), -EINVAL (fn is NULL) or -ENOMEM; then the task was not taken.
 * A task's own submit never waits for room: where it would, it runs the new task itself. Any
 * thread.
 *
 * When no worker can be had, the caller runs what is queued and cannot be refused any more (with
 * `out` NULL its own task too), as many as there are places for; in a pool with an initializer that
 * fails with -EAGAIN instead. */
THRUM_API int thrum_submit(thrum_executor *executor, thrum_future **out, void *(*fn)(void *arg),
                           void *arg);

/* Options of thrum_submit_with(); zero is the default of each. */
typedef struct thrum_task_opts {
    int priority; /* higher ones start first, 0 is that of thrum_submit(), less comes after all
                   * that */
    thrum_deadline deadline; /* by when the task must have started; zero or THRUM_NEVER: none */
    const char *name;        /* copied; in failures and thrum_dump() */
    double time_limit;       /* seconds that the task may run; 0: as its pool says. For processes
                              * only, see thrum/processes.h: a thread cannot be ended, -ENOTSUP */
    int retries;             /* how often it is tried again when its worker process died: it is
                              * idempotent; 0: as its pool says. Means nothing for threads */
    void *reserved[2];       /* must be zero */
} thrum_task_opts;

/* As thrum_submit(), with options. Priority: of what has not started the highest starts first,
 * among equals the first submitted; no task that runs is interrupted. So that none starves, of 61
 * tasks that a worker starts one is the oldest of those with a priority, and one comes from those
 * without. A full queue does not look at it. Deadline: a task that has not started by then fails
 * with -ETIMEDOUT, in time for who waits for it (the timers' thread completes it, and runs its
 * callbacks) and as loud as any failure; one that runs past it sees thrum_cancel_requested(). A
 * submit that waits for room does so until then (or returns -EINTR). Also -EINVAL for a bad option,
 * and -EAGAIN when there is no thread for timers. Any thread.
 *
 * On a pool of processes this call is refused; typed tasks and bytes take the same options there:
 * see thrum/processes.h. */
THRUM_API int thrum_submit_with(thrum_executor *executor, thrum_future **out,
                                void *(*fn)(void *arg), void *arg, const thrum_task_opts *opts);

/* Takes no more tasks from outside; tasks that run may submit until the pool is idle. With
 * `cancel_futures` cancels what has not started. With `wait` blocks until all has run and every
 * worker has left, and who hears of a missed deadline has heard. Returns 0, or -EDEADLK when a task
 * or the initializer of this pool waits for it, or a callback or the excepthook in the thread that
 * has run such a task, or failed it at its deadline: then the pool is marked only. A task of
 * another pool leaves its place there to others meanwhile. May be called again. Any thread. */
THRUM_API int thrum_executor_shutdown(thrum_executor *executor, bool wait, bool cancel_futures);

/* As thrum_executor_shutdown() with wait, until `deadline`: then -ETIMEDOUT (or -EINTR). */
THRUM_API int thrum_executor_shutdown_until(thrum_executor *executor, bool cancel_futures,
                                            thrum_deadline deadline) THRUM_NODISCARD;

/* Shuts the pool down, waits, and frees it. Futures outlive it. Does nothing for NULL. Who is told
 * -EDEADLK by thrum_executor_shutdown() may not call it: misuse. No other call may overlap. */
THRUM_API void thrum_executor_free(thrum_executor *executor);

/* What a pool is doing, for monitoring; each number by itself is right at some moment of the
 * call. */
typedef struct thrum_executor_stats {
    int workers;         /* that exist */
    int idle;            /* of these, without a task */
    size_t queued;       /* tasks not started */
    uint64_t submitted;  /* since the pool was made */
    uint64_t completed;  /* by whomever */
    uint64_t helped;     /* of these, by a thread that waited for the future */
    uint64_t caller_ran; /* of these, by the submitter, since the queue was full */
    uint64_t unread;     /* failures that were reported since nobody had read them */
    uint64_t reserved[8];
} thrum_executor_stats;

/* Fills `*stats`. Any thread. */
THRUM_API void thrum_executor_get_stats(thrum_executor *executor, thrum_executor_stats *stats);

/* Returns how many workers a pool has by default: see max_workers. Cannot fail; any thread. */
THRUM_API int thrum_default_workers(void);

THRUM__END

#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L

/* What thrum_with_executor() stands on: the end of the block. Reports the number of failures that
 * nobody has read, if there are any. */
THRUM_API void thrum__executor_leave(thrum_executor **executor);
THRUM_API thrum_executor *thrum__executor_enter(const thrum_executor_opts *opts, const char *file,
                                                int line);

/* Runs the block with a new pool `executor`, made with the options that follow (a pointer), and
 * shuts that down at its end. A pool that cannot be made is reported, with the place, and the block
 * is skipped. */
#define thrum_with_executor(executor, ...)                                                         \
    THRUM__WITH_EXECUTOR(executor, THRUM__EXECUTOR_PASTE(thrum__executor_, __COUNTER__),           \
                         __VA_ARGS__)
#define THRUM__EXECUTOR_PASTE2(a, b) a##b
#define THRUM__EXECUTOR_PASTE(a, b) THRUM__EXECUTOR_PASTE2(a, b)
#define THRUM__WITH_EXECUTOR(executor, own, ...)                                                   \
    for (thrum_executor * own __attribute__((cleanup(thrum__executor_leave))) =                    \
             thrum__executor_enter((__VA_ARGS__), __FILE__, __LINE__),                             \
                          *executor = own;                                                         \
         executor; executor = (thrum_executor *)0)

#endif

#endif
