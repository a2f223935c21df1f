/* SPDX-License-Identifier: MIT */
/* Map: one function for every item of an array, on all workers; Python's Executor.map().
 *
 *     static int square(const void *item, void *result) {
 *         double x = *(const double *)item;
 *         *(double *)result = x * x;
 *         return 0;
 *     }
 *
 *     rc = thrum_map(executor, square, in, 1000, sizeof in[0], out, sizeof out[0], NULL);
 *
 * does what this does, in any order and several at a time:
 *
 *     for (size_t i = 0; i < 1000; i++)
 *         code[i] = square(&in[i], &out[i]); */
#ifndef THRUM_MAP_H
#define THRUM_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/executor.h>
#include <thrum/time.h>

THRUM__BEGIN

/* Options of thrum_map(); zero is the default of each. */
typedef struct thrum_map_opts {
    size_t chunk;            /* how many items in a row a worker takes; 0: many at first, then
                              * fewer */
    int *codes;              /* gets the code of every item; -ECANCELED for those that were not
                              * run */
    thrum_deadline deadline; /* starts no chunk after it, nor an item once that was noticed; zero or
                              * THRUM_NEVER: none */
    bool stop_on_error;      /* starts no item once one has failed */
    size_t *failed;          /* gets the index of the failed item whose code is returned; SIZE_MAX:
                              * no item has failed */
    void *reserved[3];       /* must be zero */
} thrum_map_opts;

/* Calls fn(item, result) once for each of the `n` items of `item_size` bytes, with `result` its
 * place among those of `result_size` bytes. Either size may be 0: then every call gets the same
 * address; and `results` NULL: then every call gets that. The caller works too, in the place of one
 * worker; idle workers of the pool help; who has begun an item runs it to its end. Blocks until
 * then. May be called by tasks of the same pool, which wait for nothing but their own items; an
 * item may not wait for the task that called (a circle that is not always found).
 *
 * An item fails by a negative code (a positive one counts as -EINVAL), by thrum_raise(), or with
 * -ECANCELED when its thread ends in it. Returns 0 if all items were run and none failed; else the
 * code of the failed one with the lowest index, having raised that thrum_raise() again in the
 * caller; else -ETIMEDOUT (the deadline came), or -ECANCELED (of the task that called; see
 * thrum_cancel_requested()). Or -EINVAL (fn or items NULL, sizes that overflow, reserved not zero),
 * -ESHUTDOWN or -EPIPE (broken, or made before a fork): then nothing was run.
 *
 * If the pool has an initializer, and the caller is none of its workers, the whole call runs as a
 * task of the pool. Then it may also return what thrum_submit() does (-EAGAIN, -ENOMEM), having run
 * nothing; the code of an initializer that failed; -ECANCELED of a shutdown that cancels; and
 * -EDEADLK or -EAGAIN when the caller must not wait for it (see thrum_future_result()): items that
 * had begun were run to their end then.
 *
 * On a pool with a backend (thrum/processes.h) `fn` is found again in the workers, so it must be a
 * function of the program or of a library that they load too; items are sent to them in chunks,
 * results come back, both without a copy where they stand in memory of thrum/shared.h. The caller
 * only cuts and waits; the zeroed `result` of an item is copied back if that has not failed. A
 * worker that dies fails the item that it had begun, and those before it in its chunk whose results
 * are lost, with -EPIPE; the other items are run. Also -ENOMEM, and what thrum_submit() returns if
 * the pool takes no more in the middle. pthread_exit() in an item is such a death. Done callbacks
 * of such a pool must not call it.
 *
 * fork() in an item: in the child the caller goes on alone with the items that nobody had taken,
 * and gets -ECANCELED if others had taken some that were not known to be done. A worker ends its
 * item there, and runs no more. Any thread. */
THRUM_API int thrum_map(thrum_executor *executor, int (*fn)(const void *item, void *result),
                        const void *items, size_t n, size_t item_size, void *results,
                        size_t result_size, const thrum_map_opts *opts);

THRUM__END

#endif
