/* SPDX-License-Identifier: MIT */
/* SharedEvent: a flag that processes can wait for, Python's multiprocessing.Event. It stands in
 * memory that they share (shared.h); zero is a valid event that is not set. One word, changed at
 * once: whoever is killed in a call leaves it as before or as after. What happened before a set is
 * seen after the wait that it ended. */
#ifndef THRUM_SHARED_EVENT_H
#define THRUM_SHARED_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/time.h>

THRUM__BEGIN

/* The field is of nobody's program.
 *
 * word: bit 0      set              by set, cleared by clear
 *       bit 1      somebody waits   by a waiter, cleared by set, which wakes all
 *       bits 2-31  number of sets: a wait ends with the next one, even if that is cleared at
 * once */
typedef struct thrum_shared_event {
    uint32_t thrum__word;
} thrum_shared_event;

#define THRUM_SHARED_EVENT_INIT {0}

/* Sets the flag: every wait ends, and later ones return at once. Never blocks or fails. Any
 * thread. */
THRUM_API void thrum_shared_event_set(thrum_shared_event *event);

/* Clears the flag: later waits block. Waits that a set has ended stay ended. Any thread. */
THRUM_API void thrum_shared_event_clear(thrum_shared_event *event);

/* Returns whether the flag is set. Any thread. */
THRUM_API bool thrum_shared_event_is_set(const thrum_shared_event *event);

/* Blocks until the flag is set. Never fails, never ends early. Any thread. */
THRUM_API void thrum_shared_event_wait(thrum_shared_event *event);

/* Blocks until the flag is set or `deadline` has come. Returns 0 when set, else -ETIMEDOUT, or
 * -EINTR in an interruptible thread. Any thread. */
THRUM_API int thrum_shared_event_wait_until(thrum_shared_event *event,
                                            thrum_deadline deadline) THRUM_NODISCARD;

THRUM__END

#endif
