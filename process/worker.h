/* SPDX-License-Identifier: MIT */
/* Both ends of a worker's start: what a pool tells it, and what both look at while it runs. */
#ifndef THRUM_PROCESS_WORKER_H
#define THRUM_PROCESS_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/processes.h>

/* The variable that makes a process a worker: "SOCKET,MEMORY,PLACE,PARENT,FLAGS,NAME", then nobody's any more. A program that
 * has more rights than who started it (set-user-ID) does not look at it, and makes no pool. */
#define THRUM__WORKER_VARIABLE "THRUM__PROCESS_WORKER"

enum {
    THRUM__WORKER_COMMAND = 1, /* there may be other processes between it and the pool */
    THRUM__WORKER_OUTPUT = 2   /* its output is read line by line */
};

/* One place for each worker in the memory that they share with the pool.
 *
 * started:   the id of the last task that it has begun   set by the worker
 *     bit 63   HELD: it begins no other                    set by the pool, which then kills it */
typedef struct thrum__place {
    uint64_t started;
    int segments; /* by the pool, before: the descriptor by which it is told of shared memory */
} __attribute__((aligned(64))) thrum__place;

#define THRUM__PLACE_HELD (UINT64_C(1) << 63)

/* Returns why no pool may be made here, NULL if one may. */
const char *thrum__processes_refusal(void);

/* Calls fn(arg) in the main thread before main(). If that thread ends in it (pthread_exit()), so does the process, with 0. */
void thrum__worker_guard(void (*fn)(void *), void *arg);

#endif
