/* SPDX-License-Identifier: MIT */
/* Waiting for any of several things at once. A waitable names something that can be ready; each
 * concept makes its own (thrum_event_waitable(), thrum_queue_get_waitable(), ...):
 *
 *     int which;
 *     thrum_waitable any[] = {thrum_queue_get_waitable(jobs), thrum_event_waitable(&stop)};
 *     if (thrum_wait_any(any, 2, thrum_in(1), &which) == 0 && which == 0)
 *         rc = thrum_queue_try_get(jobs, &job);
 *
 * Readiness is looked at and not consumed, as with poll(): another thread may be there first, so
 * use the try_ verb afterwards. */
#ifndef THRUM_WAIT_H
#define THRUM_WAIT_H

#include <stdbool.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

/* What a kind of waitable supplies; of nobody's program. */
typedef struct thrum__waitable_ops thrum__waitable_ops;

/* Something that can be ready. A plain value, to be copied at will; it lives no longer than its
 * object. */
typedef struct thrum_waitable {
    const thrum__waitable_ops *thrum__ops;
    void *thrum__object;
} thrum_waitable;

/* Blocks until one of waitables[0..n) is ready, or `deadline` has come. Returns 0 and the index of
 * the first that was found ready in `*which` (which may be NULL), -ETIMEDOUT, -EINTR in an
 * interruptible thread, -EINVAL (n <= 0), or, when it waits for a future in a worker, -EAGAIN as
 * thrum_future_result(), and when it waits for futures only -EDEADLK as that. The same object may
 * be named more than once. Allocates nothing for up to 16 waitables, else returns -ENOMEM when it
 * cannot. Every object must outlive the call. Any thread. */
THRUM_API int thrum_wait_any(const thrum_waitable *waitables, int n, thrum_deadline deadline,
                             int *which) THRUM_NODISCARD;

THRUM__END

#endif
