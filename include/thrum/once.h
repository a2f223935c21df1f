/* SPDX-License-Identifier: MIT */
/* Once: something that is done one time, whoever comes first. Zero is a valid once. Four bytes:
 *
 *     static thrum_once table_once;
 *     int rc = thrum_once_call(&table_once, make_table, NULL);
 */
#ifndef THRUM_ONCE_H
#define THRUM_ONCE_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>

THRUM__BEGIN

/* The field is of nobody's program.
 *
 * word: 0           not done          put back by a call that failed
 *       id          strand id is at it set by the first caller
 *       id | bit 31 and others wait    set by a waiter, under the bucket lock
 *       bit 31      done              final */
typedef struct thrum_once {
    uint32_t thrum__word;
} thrum_once;

#define THRUM_ONCE_INIT {0}

/* Calls fn(arg) unless that has been done with success, and blocks while another thread is at it.
 * Returns 0 when it is done: what fn did is seen. When fn returns a negative errno this call
 * returns that code, nothing counts as done, and the next caller (one of those that wait, if any)
 * calls its own fn. So it goes when the thread ends within fn (pthread_exit, cancellation). Returns
 * -EDEADLK when called from within its own fn, and -EINVAL (named on stderr) when it is not done
 * and fn is NULL. Any thread. */
THRUM_API int thrum_once_call(thrum_once *once, int (*fn)(void *arg), void *arg);

/* Returns whether it is done; if so, what fn did is seen. Cannot fail; any thread. */
THRUM_API bool thrum_once_done(const thrum_once *once);

/* In a child process after fork(): what another thread was at counts as not done. Requires that no
 * other thread of the child uses it. */
THRUM_API void thrum_once_at_fork_reinit(thrum_once *once);

THRUM__END

#endif
