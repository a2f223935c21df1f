/* SPDX-License-Identifier: MIT */
/* Futures: the result of something that is still going on, Python's concurrent.futures.Future.
 *
 *     thrum_future *f;
 *     rc = thrum_submit(executor, &f, load, path);
 *     rc = thrum_future_result(f, &document);        blocks; the task's code if it failed
 *     thrum_future_free(f);
 *
 * A failure that nobody has read when its future dies is reported by the excepthook: no error is
 * lost. It counts as read when thrum_future_result(), _result_until(), _error() or _error_until()
 * gave it to somebody, or a callback got the future.
 *
 * A handle that is being waited with, or stands in an array that is, must stay until the wait
 * returns. A callback may free the last handle of its own future. */
#ifndef THRUM_FUTURE_H
#define THRUM_FUTURE_H

#include <stdbool.h>
#include <thrum/config.h>
#include <thrum/error.h>
#include <thrum/time.h>
#include <thrum/wait.h>

THRUM__BEGIN

/* A handle on a future, one reference; several may exist. Outlives its executor. */
typedef struct thrum_future thrum_future;

struct thrum_executor; /* thrum/executor.h */

/* Makes a future that the caller completes with thrum_future_set_result() or
 * thrum_future_set_error(): a promise. Pending, with one reference. NULL with errno ENOMEM. Any
 * thread. */
THRUM_API thrum_future *thrum_future_new(void);

/* Blocks until the future is done. Returns 0 and the result in `*result` (which may be NULL); or
 * the code of its failure, -ECANCELED if it was cancelled, with `*result` untouched. A worker that
 * waits for a task of its own pool runs it if it has not started; another thread does if the task
 * is the next to start, a slot of the pool is free and it has no initializer. -EDEADLK: tasks wait
 * for each other in a circle in which the caller's stands (a line on stderr names their threads);
 * all these waits end so; -EAGAIN: too many workers of this pool wait already, and no other can be
 * started. thrum_future_error() tells a failure of the wait from the task's own. Any thread. */
THRUM_API int thrum_future_result(thrum_future *future, void **result);

/* As thrum_future_result(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread), with `*result` untouched. Does not run the task itself, except with THRUM_NEVER in a
 * thread that is not interruptible. A circle is looked for with THRUM_NEVER only. Any thread. */
THRUM_API int thrum_future_result_until(thrum_future *future, thrum_deadline deadline,
                                        void **result) THRUM_NODISCARD;

/* Blocks until the future is done. Returns its failure (code -ECANCELED if it was cancelled), or
 * NULL when it has none. The failure lives as long as the handle. A wait that cannot end gives a
 * failure with code -EDEADLK or -EAGAIN, which lives for ever and is no failure of the future
 * (thrum_future_done() may be false then). Any thread. */
THRUM_API const thrum_failure *thrum_future_error(thrum_future *future);

/* As thrum_future_error(), until `deadline`: the failure or NULL in `*failure`, and 0; else
 * -ETIMEDOUT, -EINTR, -EDEADLK or -EAGAIN of the wait, with `*failure` untouched. `failure` may be
 * NULL. Any thread. */
THRUM_API int thrum_future_error_until(thrum_future *future, thrum_deadline deadline,
                                       const thrum_failure **failure) THRUM_NODISCARD;

/* Return whether the future has a result, a failure or was cancelled; whether its task runs;
 * whether it was cancelled. Never block. Any thread. */
THRUM_API bool thrum_future_done(const thrum_future *future);
THRUM_API bool thrum_future_running(const thrum_future *future);
THRUM_API bool thrum_future_cancelled(const thrum_future *future);

/* Cancels what has not started: true, also if it was cancelled before. What runs goes on, but its
 * task sees thrum_cancel_requested(): false. False too when it is done. Callbacks run in the
 * caller. Any thread. */
THRUM_API bool thrum_future_cancel(thrum_future *future);

/* Returns whether somebody tried to cancel the task that calls this, or its deadline has come.
 * Cheap; false outside of tasks. A continuation is a task; a done callback is not. Any thread. */
THRUM_API bool thrum_cancel_requested(void);

/* Calls fn(future, arg) once when the future is done, in the thread that completes it; at once, in
 * this one, if it is done already. Callbacks run in the order they were added. `future` is borrowed
 * during the call, and its failure counts as read. A failure of fn (thrum_raise()) goes to the
 * excepthook. One that ends its thread (pthread_exit()) does not keep the others from being called.
 * Of a promise that is freed before it is completed no callback is called. Returns 0, -EINVAL (fn
 * is NULL; named on stderr) or -ENOMEM. Any thread. */
THRUM_API int thrum_future_add_done_callback(thrum_future *future,
                                             void (*fn)(thrum_future *future, void *arg),
                                             void *arg);

/* Continues a future: once it has a result, fn(future, arg) runs as a task of `executor`, or, with
 * NULL, in the thread that completes `future` (in this one if it is done already); `*out` gets a
 * future of what fn returns or raises, to be freed. fn gets `future` borrowed, done, with a result.
 * When `future` fails or is cancelled, fn is not called and `*out` fails with the same failure, or
 * is cancelled. That failure counts once: read through either future it is read, and if nobody
 * reads it it is reported when the last future that has it dies. With `out` NULL fn just runs.
 *
 * Cancelling `*out` keeps fn from being called, and leaves `future` alone. -EDEADLK as for
 * thrum_future_result() also when a task waits for what follows itself. `*out` fails with
 * -ESHUTDOWN when the pool is closed or freed before `future` is done (tasks of the pool itself may
 * continue until it is idle), with the failure of its initializer when that breaks the pool, with
 * -EPIPE when `future` was a promise that was given up. A continuation never waits for room
 * (queue_limit): without room, and when no worker can be had, it runs in the thread that completes
 * `future`. A chain may be of any length: it does not grow the stack. Returns 0, -EINVAL (fn is
 * NULL), -ENOMEM, or -ESHUTDOWN, -EPIPE as thrum_submit(); afterwards nothing needs memory but a
 * failure's message. Any thread. */
THRUM_API int thrum_future_then(thrum_future *future, thrum_future **out,
                                struct thrum_executor *executor,
                                void *(*fn)(thrum_future *future, void *arg), void *arg);

/* As thrum_future_then(), but fn is called whatever became of `future`: what it returns or raises
 * is all that `*out` tells. A failure of `future` counts as read. */
THRUM_API int thrum_future_then_always(thrum_future *future, thrum_future **out,
                                       struct thrum_executor *executor,
                                       void *(*fn)(thrum_future *future, void *arg), void *arg);

/* Options of thrum_future_then_with(); zero is the default of each. */
typedef struct thrum_then_opts {
    bool always;             /* as thrum_future_then_always() */
    int priority;            /* of the task in its executor, as for thrum_submit_with() */
    thrum_deadline deadline; /* by when fn must have been called; zero or THRUM_NEVER: none */
    const char *name;        /* copied; in failures and, of a task of an executor, thrum_dump() */
    void *reserved[4];       /* must be zero */
} thrum_then_opts;

/* As thrum_future_then(), with options. If fn has not been called by the deadline, be it that
 * `future` is not done or that the task is queued, `*out` fails with -ETIMEDOUT, as a task of
 * thrum_submit_with() does, and `future` goes on. Also -EINVAL for a bad option (a priority without
 * an executor is one), and -EAGAIN when there is no thread for timers. Any thread. */
THRUM_API int thrum_future_then_with(thrum_future *future, thrum_future **out,
                                     struct thrum_executor *executor,
                                     void *(*fn)(thrum_future *future, void *arg), void *arg,
                                     const thrum_then_opts *opts);

/* The promise side. Marks the future as running: 0; -ECANCELED if it was cancelled; -EBUSY if it
 * runs or is done. Any thread. */
THRUM_API int thrum_future_set_running(thrum_future *future);

/* Completes the future with a result. Returns 0, -ECANCELED if it was cancelled, -EBUSY if it is
 * done. Any thread. */
THRUM_API int thrum_future_set_result(thrum_future *future, void *result);

/* Completes the future with a failure: `code` is a negative errno (anything else counts as
 * -EINVAL), then a printf format; the place of the call is kept. Returns as
 * thrum_future_set_result(). Any thread. */
#define thrum_future_set_error(...) thrum_future_set_error_at(__FILE__, __LINE__, __VA_ARGS__)

/* thrum_future_set_error() with the place given by the caller; `file` must outlive the failure. */
THRUM_API int thrum_future_set_error_at(const char *file, int line, thrum_future *future, int code,
                                        const char *format, ...) THRUM_PRINTF(5, 6);

/* Returns another handle on the future, the same pointer, to be freed once more. Cannot fail; too
 * many (some 500,000) are misuse. Any thread. */
THRUM_API thrum_future *thrum_future_ref(thrum_future *future);

/* Drops the handle; the task goes on. With the last one a failure that nobody has read is reported,
 * and a promise that was not completed is given up. Does nothing for NULL. Any thread. */
THRUM_API void thrum_future_free(thrum_future *future);

/* Returns a waitable that is ready when the future is done; it lives as long as the handle. Any
 * thread. */
THRUM_API thrum_waitable thrum_future_waitable(thrum_future *future);

/* When thrum_wait() returns. FIRST_ERROR: at the first failure or cancellation, or when all are
 * done. */
typedef enum thrum_wait_when {
    THRUM_ALL_COMPLETED,
    THRUM_FIRST_COMPLETED,
    THRUM_FIRST_ERROR
} thrum_wait_when;

/* Blocks until as many of futures[0..n) are done as `when` says, or `deadline` has come. Returns 0,
 * -ETIMEDOUT, -EINTR in an interruptible thread, -EINVAL (n < 0, or `when` is none of these),
 * -EAGAIN as thrum_future_result(), without a deadline -EDEADLK as that, when none of them can end
 * the wait; and not for THRUM_ALL_COMPLETED -ENOMEM, for more than 16. thrum_future_done() tells
 * which. A failure does not count as read. A future may stand in the array twice. A worker runs
 * what has not started itself only when it waits for all, without a deadline; other threads never
 * do. Any thread. */
THRUM_API int thrum_wait(thrum_future *const *futures, int n, thrum_wait_when when,
                         thrum_deadline deadline) THRUM_NODISCARD;

/* The futures of an array in the order in which they are completed:
 *
 *     thrum_completed *it = thrum_as_completed(futures, n, thrum_in(5));
 *     while ((f = thrum_completed_next(it)) != NULL) ...
 *     if (thrum_completed_pending(it) > 0) ...        the time was up
 *     thrum_completed_free(it);
 */
typedef struct thrum_completed thrum_completed;

/* Begins such an iteration, with one deadline for all of it. What is done already comes first, in
 * the order of the array. A future that stands twice in it comes once. The iteration has handles of
 * its own, until it is freed. NULL with errno ENOMEM or EINVAL (n < 0). Any thread; each iteration
 * is used by one at a time. */
THRUM_API thrum_completed *thrum_as_completed(thrum_future *const *futures, int n,
                                              thrum_deadline deadline);

/* Blocks until the next future is done and returns it (borrowed until thrum_completed_free()); NULL
 * when there is none left, or with errno ETIMEDOUT when the deadline has come, EINTR, EDEADLK or
 * EAGAIN as for thrum_wait(). It may be called again. Who has the iteration. */
THRUM_API thrum_future *thrum_completed_next(thrum_completed *it);

/* Returns how many futures have not been returned yet. Never blocks. Who has the iteration. */
THRUM_API int thrum_completed_pending(const thrum_completed *it);

/* Ends the iteration, whatever is pending. Does nothing for NULL. Who has the iteration. */
THRUM_API void thrum_completed_free(thrum_completed *it);

THRUM__END

#endif
