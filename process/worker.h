/* SPDX-License-Identifier: MIT */
/* Both ends of a worker's start: what a pool tells it, and what both look at while it runs. */
#ifndef THRUM_PROCESS_WORKER_H
#define THRUM_PROCESS_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/processes.h>

#include "ring.h"

/* What a worker sends through its socket, a byte: the pool is to look into the ring. */
enum { THRUM__POKE = 1 };

/* The variable that makes a process a worker: "SOCKET,MEMORY,PLACE,PARENT,FLAGS,NAME", then
 * nobody's any more. A program that has more rights than who started it (set-user-ID) does not look
 * at it, and makes no pool. */
#define THRUM__WORKER_VARIABLE "THRUM__PROCESS_WORKER"

enum {
    THRUM__WORKER_COMMAND = 1, /* there may be other processes between it and the pool */
    THRUM__WORKER_OUTPUT = 2   /* its output is read line by line */
};

/* One place for each worker in the memory that they share with the pool, on pages of its own. What
 * the worker writes there is not trusted.
 *
 * started:   the id of the last task that it has begun   set by the worker
 *     bit 63   HELD: it begins no other                    set by the pool, which then kills it */
typedef struct thrum__place {
    uint64_t started;
    int segments; /* by the pool, before: the descriptor by which it is told of shared memory */
    uint64_t busy;    /* relaxed: for how many nanoseconds it had something to do; or, that being so
                       * now, the same less the time at which that began: thrum__busy_at() */
    uint32_t looks;   /* by the pool before the start: it may look for a task before it sleeps */
    int32_t cpu;      /* relaxed: where it was */
    int32_t sender;   /* relaxed, by the pool: where it was that sent it something */
    thrum__ring down; /* frames to the worker, */
    thrum__ring up;   /* and from it */
} thrum__place;

/* Returns nanoseconds of the system's monotonic clock (clock.c). */
int64_t thrum__processes_now(void);

/* Returns how many bytes one place takes. */
size_t thrum__place_size(void);

/* The worker has something to do from `now` on, or until. */
uint64_t thrum__busy_since(uint64_t busy, int64_t now);
uint64_t thrum__busy_until(uint64_t busy, int64_t now);
/* Returns the nanoseconds that `busy` says. */
uint64_t thrum__busy_at(uint64_t busy, int64_t now);

#define THRUM__PLACE_HELD (UINT64_C(1) << 63)

/* Returns why no pool may be made here, NULL if one may. */
const char *thrum__processes_refusal(void);

/* Calls fn(arg) in the main thread before main(). If that thread ends in it (pthread_exit()), so
 * does the process, with 0. */
void thrum__worker_guard(void (*fn)(void *), void *arg);

#endif
