/* SPDX-License-Identifier: MIT */
/* Bytes: a plain function with an argument and a result that are copied, so that it runs on threads
 * and in processes alike. The function is one that thrum_map() takes too:
 *
 *     static int invert(const void *matrix, void *inverse);
 *
 *     rc = thrum_submit_bytes(executor, &f, invert, &m, sizeof m, sizeof m, NULL);
 *     rc = thrum_bytes_result(f, &inverse);
 *
 * A function whose parameters have types is better off as a task of thrum/task.h. */
#ifndef THRUM_BYTES_H
#define THRUM_BYTES_H

#include <stddef.h>
#include <thrum/config.h>
#include <thrum/executor.h>
#include <thrum/future.h>
#include <thrum/time.h>

THRUM__BEGIN

/* As thrum_submit_with(), for fn(argument, result): `argument` is a copy of the `arg_size` bytes at
 * `arg`, made by this call, `result` zeroed memory of `result_size` bytes; both are aligned as
 * malloc() does it, belong to the task, and die with its last handle; either size may be 0. The
 * task fails by a negative code (a positive one counts as -EINVAL) or by thrum_raise(). `opts` may
 * be NULL. Also -EINVAL for sizes that overflow.
 *
 * On a pool of processes (thrum/processes.h) `fn` must be a function of the program, or of a
 * library that the workers load too: it is found by the build of that and its place in it; a worker
 * that has not loaded that build fails the task with -ENOENT. From 256 KiB on there is one copy
 * only, into memory that both sides map. */
THRUM_API int thrum_submit_bytes(thrum_executor *executor, thrum_future **out,
                                 int (*fn)(const void *arg, void *result), const void *arg,
                                 size_t arg_size, size_t result_size, const thrum_task_opts *opts);

/* As thrum_future_result(), for the future of such a task: `*result` gets the address of the
 * result, which lives until the last handle is freed. Also -EINVAL, with a line on stderr, for any
 * other future. */
THRUM_API int thrum_bytes_result(thrum_future *future, const void **result);

/* The same until `deadline`: then -ETIMEDOUT (or -EINTR). */
THRUM_API int thrum_bytes_result_until(thrum_future *future, thrum_deadline deadline,
                                       const void **result) THRUM_NODISCARD;

THRUM__END

#endif
