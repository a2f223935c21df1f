/* SPDX-License-Identifier: MIT */
/* Time limits and sleep. A time limit is an absolute point on the monotonic clock, so that a
 * wait which has to start over does not wait longer (the argument of nsync's public/nsync_cv.h):
 *
 *     if (thrum_event_wait_until(&ready, thrum_in(0.5)) == -ETIMEDOUT) ...
 *
 * A change of the wall clock moves nothing here. */
#ifndef THRUM_TIME_H
#define THRUM_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>

THRUM__BEGIN

/* Absolute nanoseconds of the monotonic clock. A struct, so that a bare number does not compile. */
typedef struct thrum_deadline {
    int64_t ns;
} thrum_deadline;

#ifdef __cplusplus
#define THRUM_NEVER (thrum_deadline{INT64_MAX})
#else
/* The deadline that does not come. */
#define THRUM_NEVER ((thrum_deadline){INT64_MAX})
#endif

/* Returns the moment `seconds` from now: Python's `timeout=seconds`. NaN, zero and negative
 * numbers mean now; infinity and more than 292 years mean THRUM_NEVER. Cannot fail; any thread. */
THRUM_API thrum_deadline thrum_in(double seconds);

/* Returns this moment. Cannot fail; any thread. */
THRUM_API thrum_deadline thrum_now(void);

/* Blocks the calling thread for at least `seconds`; NaN, zero and less return at once. Returns 0,
 * or -EINTR in an interruptible thread after a signal handler ran. Any thread. */
THRUM_API int thrum_sleep(double seconds);

/* As thrum_sleep(), until `deadline`. */
THRUM_API int thrum_sleep_until(thrum_deadline deadline);

/* Says whether waits of the calling thread that return `int` may end with -EINTR after a signal
 * handler ran (off in a new thread). Waits that return void never do. A handler that runs just
 * before the wait begins does not end it: let the handler also set what is waited for. Returns
 * the setting before. Cannot fail; any thread, for itself. */
THRUM_API bool thrum_interruptible(bool on);

THRUM__END

#endif
