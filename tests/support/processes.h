/* SPDX-License-Identifier: MIT */
/* Processes in the place of threads: what a spec of shared memory needs. */
#ifndef THRUM_TESTS_PROCESSES_H
#define THRUM_TESTS_PROCESSES_H

#include <sys/types.h>

#include "spec.h"

typedef struct spec_processes {
    pid_t pids[SPEC_TEAM_MAX];
    int n;
} spec_processes;

/* Ends the running test as skipped on the test strand: processes cannot be simulated. */
void spec_needs_processes(void);

/* Returns `size` bytes, zeroed, which the children of this process will share, until it ends. */
void *spec_shared_memory(size_t size);

/* Forks `n` processes that run fn(arg) and exit with 0; a failed assertion in one fails its join.
 * None outlives its parent. The calling process must have one thread only. */
void spec_processes_start(spec_processes *team, int n, void *(*fn)(void *), void *arg);

/* Waits until all of `team` have ended, each with 0. */
void spec_processes_join(spec_processes *team);

/* Kills the last of `team` where it is, and waits until it is gone. */
void spec_processes_kill(spec_processes *team);

/* In a process that is to be interrupted: waits that return int may end with -EINTR from here
 * on. */
void spec_expect_signals(void);

/* Sends signals to the only one of `team`, which has called spec_expect_signals(), until it has
 * ended, with 0. */
void spec_processes_interrupt(spec_processes *team);

/* Yields until `n` of `team` sleep in the kernel. They may wake for a look at any time. */
void spec_until_asleep(const spec_processes *team, int n);

/* Yields until the main thread of the only one of `team` has ended: a zombie, while others run. */
void spec_until_main_thread_ended(const spec_processes *team);

#endif
