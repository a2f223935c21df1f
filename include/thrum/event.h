/* SPDX-License-Identifier: MIT */
/* Event: a flag that threads can wait for, Python's threading.Event. Zero is a valid event that is
 * not set. Four bytes. What happened before a set is seen after the wait that it ended. An event
 * may be freed by the thread whose wait has returned, even while the setter is still returning. */
#ifndef THRUM_EVENT_H
#define THRUM_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>
#include <thrum/wait.h>

THRUM__BEGIN

/* The field is part of the ABI, for inline.h, and of nobody's program.
 *
 * word: 0 not set, nobody waits    cleared by clear
 *       1 set                      by set; from 2 only under the bucket lock
 *       2 not set, somebody waits  by a waiter, under the bucket lock */
typedef struct thrum_event {
    uint32_t thrum__word;
} thrum_event;

#define THRUM_EVENT_INIT {0}

/* Sets the flag: every wait ends, and later ones return at once. Never blocks or fails. Any
 * thread. */
THRUM_API void thrum_event_set(thrum_event *event);

/* Clears the flag: later waits block. Waits that a set has ended stay ended. Any thread. */
THRUM_API void thrum_event_clear(thrum_event *event);

/* Returns whether the flag is set. Any thread. */
THRUM_API bool thrum_event_is_set(const thrum_event *event);

/* Blocks until the flag is set. Never fails, never ends early. Any thread. */
THRUM_API void thrum_event_wait(thrum_event *event);

/* Blocks until the flag is set or `deadline` has come. Returns 0 when set, else -ETIMEDOUT, or
 * -EINTR in an interruptible thread. Any thread. */
THRUM_API int thrum_event_wait_until(thrum_event *event, thrum_deadline deadline) THRUM_NODISCARD;

/* Returns a waitable that is ready while the flag is set. Cannot fail; any thread. */
THRUM_API thrum_waitable thrum_event_waitable(thrum_event *event);

/* Forgets the waiters in a child process after fork(); the flag stays. Requires that no other
 * thread of the child uses it. */
THRUM_API void thrum_event_at_fork_reinit(thrum_event *event);

THRUM__END

#define THRUM__INLINE_EVENT
#include <thrum/inline.h>

#endif
