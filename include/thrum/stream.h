/* SPDX-License-Identifier: MIT */
/* Streams: one function for every item of a generator, on all workers, with a bounded look-ahead;
 * Python's Executor.map(buffersize=n), and Pool.imap_unordered().
 *
 *     static int next_line(void *file, void *line) {
 *         return fgets(line, 100, file) ? 0 : THRUM_STREAM_END;
 *     }
 *
 *     thrum_stream *rows = thrum_stream_new(executor, next_line, file, parse, 100, sizeof row, 0);
 *     while ((rc = thrum_stream_next(rows, &row)) == 0)
 *         use(&row);
 *     thrum_stream_free(rows);
 *
 * The generator runs in the thread that reads, as it makes the stream and in thrum_stream_next(),
 * never twice at once; so a slow one holds back results that are ready, and one that fails ends the
 * stream behind the results of the items before. A stream may be the generator of another.
 *
 * On a pool of processes (thrum/processes.h) each item and its result are copied, and the function
 * must be one of the program, or of a library that the workers load too.
 *
 * No failure is lost: what nobody has read when the stream is freed is reported by the
 * excepthook. */
#ifndef THRUM_STREAM_H
#define THRUM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/error.h>
#include <thrum/executor.h>
#include <thrum/time.h>

THRUM__BEGIN

/* A stream. Owned by who made it, and used by one thread at a time, until thrum_stream_free(). */
typedef struct thrum_stream thrum_stream;

/* What a generator returns when there are no more items, and thrum_stream_next() after the last. */
enum { THRUM_STREAM_END = 1 };

/* Options of thrum_stream_new(); zero is the default of each. */
typedef struct thrum_stream_opts {
    size_t buffersize;  /* most items that were taken from the generator and whose results were not
                         * read; 0: twice as many as the pool may have workers */
    bool unordered;     /* results as they become ready; else in the order of the items */
    bool stop_on_error; /* once an item has failed takes no more from the generator, and starts none
                         * behind it (unordered: none at all); its code is the last that is read.
                         * The death of a worker stops the others when it is read */
    void *reserved[4];  /* must be zero */
} thrum_stream_opts;

/* Makes a stream of what fn(item, result) gives for each item of next(arg, item), of `item_size`
 * and `result_size` bytes; either may be 0. Fills the look-ahead: next() is called by this, and so
 * are workers started. Each item is a task of the pool; it fails by a negative code (a positive one
 * counts as -EINVAL) or by thrum_raise(). All memory for items and results is taken here, aligned
 * as malloc() does. The pool must outlive the stream, but for thrum_stream_free(). NULL with errno
 * EINVAL (fn or next NULL, sizes that overflow, reserved not zero; named on stderr), ENOMEM,
 * ESHUTDOWN, EPIPE or EDEADLK (in a done callback of a pool of processes, which the stream would be
 * on; also of thrum_stream_next()). Any thread, tasks of the pool too. */
THRUM_API thrum_stream *thrum_stream_new(thrum_executor *executor,
                                         int (*next)(void *arg, void *item), void *arg,
                                         int (*fn)(const void *item, void *result),
                                         size_t item_size, size_t result_size,
                                         const thrum_stream_opts *opts);

/* Takes items from the generator until the look-ahead is full, then blocks until a result can be
 * read. Returns 0 and the result in `*result` (which may be NULL), THRUM_STREAM_END when there are
 * no more, or the code of the item, with `*result` untouched; -ECANCELED for one that
 * thrum_executor_shutdown() has cancelled, or that was not done before a fork, in the child. Then
 * goes on with the next one. The generator's own code, or -ESHUTDOWN or -EPIPE of a pool that takes
 * no more, comes once, behind all results, and THRUM_STREAM_END after it. The wait itself fails
 * with -EDEADLK or -EAGAIN as thrum_future_result(), and with -EAGAIN or -ENOMEM when nothing runs
 * and the next item can neither be submitted nor be run by the caller: then nothing is lost, and it
 * may be called again. thrum_stream_error() tells an item's code from others. A worker that reads,
 * and now and then another thread, runs items meanwhile. Where short items would wake another
 * thread again and again, it waits until several are ready: half of the look-ahead at most, and not
 * 0.25 ms longer than for the one. */
THRUM_API int thrum_stream_next(thrum_stream *stream, void *result);

/* As thrum_stream_next(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible thread).
 * Generators, and a submit to a pool with a `queue_limit`, are waited for without limit. */
THRUM_API int thrum_stream_next_until(thrum_stream *stream, void *result,
                                      thrum_deadline deadline) THRUM_NODISCARD;

/* Returns the index, from 0, of the item whose result or failure was read last. Never blocks. */
THRUM_API uint64_t thrum_stream_index(const thrum_stream *stream);

/* Returns the failure of the item that thrum_stream_next() read just now, NULL if that gave none.
 * It lives until the next call of this stream. Never blocks. */
THRUM_API const thrum_failure *thrum_stream_error(const thrum_stream *stream);

/* Ends the stream: cancels what has not started, waits for what runs (where
 * thrum_cancel_requested() is true; in a process it is not), and reports failures that were not
 * read. Does nothing for NULL. Misuse in one of its own items, and, while an item runs, in a done
 * callback of its pool of processes. */
THRUM_API void thrum_stream_free(thrum_stream *stream);

THRUM__END

#endif
