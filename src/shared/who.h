/* SPDX-License-Identifier: MIT */
/* Who holds what in shared memory: a process, or a thread, named so that any other process of the
 * same pid namespace can tell whether it has died. */
#ifndef THRUM_SHARED_WHO_H
#define THRUM_SHARED_WHO_H

#include <stdbool.h>
#include <stdint.h>

#include <thrum/config.h>

#include "base/atomic.h"

/* A name:
 *   bits 0-29   its pid or tid, not 0; the kernel's are below 2^22
 *   bits 30-31  0, for the flags of words that hold a name
 *   bits 32-63  when it started, in clock ticks since boot, cut; 0 not known (no /proc) */
typedef uint64_t thrum__who;

#define THRUM__WHO_ID UINT64_C(0x3fffffff)
#define THRUM__WHO_FLAGS UINT64_C(0xc0000000)
#define THRUM__WHO_IS_THREAD UINT64_C(0x40000000) /* for dumps: a thread's, not a process's */

extern thrum__who thrum__who_this_process; /* 0 not known yet; relaxed; reset in a fork's child */
extern __thread thrum__who thrum__who_this_thread __attribute__((tls_model("initial-exec")));

/* Find the names of the calling process and thread out. */
thrum__who thrum__who_find_process(void);
thrum__who thrum__who_find_thread(void);

/* Return the name of the calling process, of the calling thread. */
static inline thrum__who thrum__who_process(void) {
    thrum__who who = thrum__load_relaxed(&thrum__who_this_process);
    return THRUM__LIKELY(who != 0) ? who : thrum__who_find_process();
}

static inline thrum__who thrum__who_thread(void) {
    return THRUM__LIKELY(thrum__who_this_thread != 0) ? thrum__who_this_thread
                                                      : thrum__who_find_thread();
}

/* Returns whether the process (or, if `thread`, the thread) `who` runs no more: it will not execute
 * another instruction. False where that cannot be told. A few system calls. */
bool thrum__who_is_dead(thrum__who who, bool thread);

#endif
