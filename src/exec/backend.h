/* SPDX-License-Identifier: MIT */
/* The seam between an executor and what runs its tasks elsewhere: processes, MPI ranks. A backend
 * is handed bytes: typed tasks, and items of a map, several at a time, or of a stream (items.h).
 * The argument of thrum_submit() means nothing elsewhere: that, fork-joins and continuations on
 * such an executor are refused with -ENOTSUP.
 *
 * The future of a task: PENDING -> RUNNING (thrum__remote_start()) -> claimed
 * (thrum__remote_take()) -> done; back from RUNNING to PENDING by thrum__remote_requeue(). A cancel
 * ends it in any state but claimed or done: from then on each of these calls fails, and the backend
 * drops the task.
 *
 * Options of a task (thrum_task_opts): its name is in failures by itself. The core sees to its
 * deadline: a task that is PENDING then fails, as by a cancel, and from then on start() and
 * requeue() fail; a backend that waits in submit() does so until then only. Its priority is the
 * backend's; who does not look at it starts tasks in the order of their submits. */
#ifndef THRUM_EXEC_BACKEND_H
#define THRUM_EXEC_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <thrum/error.h>
#include <thrum/executor.h>
#include <thrum/future.h>
#include <thrum/task.h>

#include "exec/items.h"
#include "exec/pack.h"
#include "shared/segment.h"

/* A task on its way. The backend holds a reference of `future` until it completes or drops it; that
 * keeps `args` and `result` where they are. */
/* The arguments of a type with thrum__pack_has() are followed by what was packed. */
typedef struct thrum__remote_task {
    thrum_future *future;
    const char *name;            /* lives as long as the future; NULL none */
    bool named;                  /* that is by its user: who runs the task is to be told */
    int priority;                /* of thrum_task_opts */
    int64_t deadline;            /* for a wait in submit(); INT64_MAX none */
    double time_limit;           /* of thrum_task_opts, as `retries`; 0: as the backend says */
    int retries;
    const thrum_task_type *type; /* NULL: items, of this function */
    int (*fn)(const void *item, void *result);
    const void *args;
    size_t args_size;
    void *result; /* written between thrum__remote_take() and thrum__remote_succeed() */
    size_t result_size;
} thrum__remote_task;

/* From so many bytes on memory that need not be copied is worth its making: what is smaller never
 * stands in it. */
enum { THRUM__REMOTE_LARGE = 1 << 18 };

struct thrum_backend {
    /* Makes `*state` for a new executor. Returns 0 or a negative errno; says itself on stderr which
     * option it cannot do. */
    int (*open)(thrum_executor *executor, const thrum_executor_opts *opts, void **state);
    /* Takes a task. Returns 0, -ESHUTDOWN after close, -ETIMEDOUT: there was no room until its
     * deadline, or why not; then it is as if never handed over. Any thread. */
    int (*submit)(void *state, const thrum__remote_task *task);
    /* A task that was RUNNING is cancelled. Under a lock of the core: must not block, nor call
     * back. */
    void (*cancelled)(void *state);
    /* No more tasks come; with `cancel` those not started are to be cancelled. Once all are done,
     * and nothing runs any more, the backend calls thrum__backend_rested() once. May come several
     * times. */
    void (*close)(void *state, bool cancel);
    /* After that call: frees the state. */
    void (*free)(void *state);
    /* Fills in all but `unread`. Any thread, before free. */
    void (*stats)(void *state, thrum_executor_stats *stats);
    /* Returns `size` bytes for arguments and result that need not be copied on their way, or NULL:
     * any other memory will do. release(*handle) gives them back: any thread, after free too. May
     * be NULL. */
    void *(*reserve)(void *state, size_t size, void **handle);
    void (*release)(void *handle);
    /* These three may be NULL: a thread that waits for a task looks after all of them for a moment,
     * so that a result that comes soon needs no wake. Returns a CPU on which a task may be running,
     * if the calling thread does so from now on; -1: somebody else does. */
    int (*attend)(void *state);
    /* Takes in what has come; runs no callbacks. Returns whether the caller may go on looking. */
    bool (*look)(void *state);
    /* The last of the caller's looks. */
    void (*leave)(void *state);
    /* The current thread, which serves (thrum__backend_serves()), has called exit() in a callback
     * and never comes back: another takes its place. */
    void (*desert)(void *state);
    /* A task that was PENDING has ended: cancelled, or by its deadline. What it took of a queue is
     * free from now on; that the task is to be dropped the backend finds out later. Any thread; may
     * block, but not wait for tasks. May be NULL. */
    void (*withdrawn)(void *state);
};

/* PENDING -> RUNNING, unless its deadline has come. */
bool thrum__remote_start(thrum_future *future);

/* RUNNING -> PENDING: it has not begun after all; unless its deadline has come. */
bool thrum__remote_requeue(thrum_future *future);

/* Returns whether a task that was PENDING has ended, or somebody ends it at this moment. */
bool thrum__remote_ended(const thrum_future *future);

/* PENDING or RUNNING -> claimed: the caller completes it. */
bool thrum__remote_take(thrum_future *future);

/* Completes a claimed task as thrum__remote_succeed(), unless it has callbacks. Returns whether it
 * did. */
bool thrum__remote_succeed_quietly(thrum_future *future);

/* Complete a claimed task, and drop the backend's reference. Callbacks run here, or as
 * thrum__backend_serves() says. The failure is copied, but for `file`, which lives for ever. */
void thrum__remote_succeed(thrum_future *future);
void thrum__remote_fail(thrum_future *future, const thrum_failure *failure);

/* Cancels a task that is PENDING, if it has not ended, and drops the backend's reference. Callbacks
 * run as above. Returns whether it did. */
bool thrum__remote_cancel(thrum_future *future);

/* Drops the backend's reference of a task that one of the calls above has failed for. Returns true
 * if the task had not ended: its deadline has come, and it fails by this call. Then callbacks run
 * as above; and what nobody has read may be reported, unless the task was cancelled. */
bool thrum__remote_drop(thrum_future *future);

/* Runs `run(arg)` as a task called `name`, which lives for ever, on the current thread, which
 * executes none: what a worker elsewhere does. `given`, if not NULL, is its name instead, and is
 * copied. Returns 0, or the code of its failure with that in `*failure`, whose message is written
 * to text[0 .. size). */
int thrum__remote_run(const char *name, const char *given, void (*run)(void *arg), void *arg,
                      thrum_failure *failure, char *text, size_t size);

/* Returns a copy of `text` that lives for ever, for the file of a failure; "?" of too many. NULL
 * stays NULL. */
const char *thrum__remote_text(const char *text);

/* Tells the excepthook of a failure. */
void thrum__remote_report(const thrum_failure *failure);

/* This process is called `name`, which lives for ever: failures say so on stderr. */
void thrum__remote_be(const char *name);
/* Between processes. Returns the number of CPUs that the calling thread may use. */
int thrum__remote_cpus(void);

/* Returns the CPU that the calling thread runs on. */
int thrum__remote_cpu(void);

/* Returns whether the current thread may look for something that another process does, which was on
 * `cpu`, instead of sleeping at once: a CPU is free, and the last looks were not in vain. Then
 * thrum__remote_looked() says whether it was found. If that CPU is this one, lets others run there
 * first. */
bool thrum__remote_may_look(int cpu);
void thrum__remote_looked(bool found);

/* The current thread has slept for so long for what it would have looked for: if that was short,
 * looks pay. */
void thrum__remote_slept(int64_t ns);

/* Looks for `ns` nanoseconds at most. Returns whether *word has left `value`. */
bool thrum__remote_look(const uint64_t *word, uint64_t value, int64_t ns);

/* Sleeps while *word == value, until woken or for no reason. In memory that processes share. */
void thrum__remote_sleep(uint32_t *word, uint32_t value);
void thrum__remote_wake(uint32_t *word);

/* The current thread is about to sleep, and does not any more: in the system, without the library's
 * help. */
void thrum__remote_asleep(void);
void thrum__remote_awake(void);

/* As all lines of the library on stderr. */
void thrum__remote_complain(const char *format, ...) THRUM_PRINTF(1, 2);

/* The current thread completes the tasks of `executor`; NULL: no more. What it waits for would
 * never come: such waits fail with -EDEADLK. What the program has to say about their end is put off
 * until thrum__backend_callbacks(): that may end the thread, or never come back from exit(), so it
 * is called where the thread is in the middle of nothing. */
void thrum__backend_serves(thrum_executor *executor);
void thrum__backend_callbacks(void);

/* The backend's last touch of an executor that was closed: who waits for its end goes on. */
void thrum__backend_rested(thrum_executor *executor);

#endif
