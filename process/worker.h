/* SPDX-License-Identifier: MIT */
/* Both ends of a worker's start: what a pool tells it, and what both look at while it runs. */
#ifndef THRUM_PROCESS_WORKER_H
#define THRUM_PROCESS_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/processes.h>

/* The variable that makes a process a worker: "SOCKET,MEMORY,PLACE,PARENT,NAME", then nobody's any more. */
#define THRUM__WORKER_VARIABLE "THRUM__PROCESS_WORKER"

/* One place for each worker in the memory that they share with the pool. */
typedef struct thrum__place {
    uint64_t started; /* release: the id of the last task that it has begun */
} __attribute__((aligned(64))) thrum__place;

/* Returns whether a pool may be made: a file of the program includes thrum/processes.h. */
bool thrum__processes_entered(void);

/* Returns where `function` lies in the program, the same in every process of it; 0: it is not of the program. */
uint64_t thrum__function_place(int (*function)(void *));

/* The opposite. */
int (*thrum__function_at(uint64_t place))(void *);

#endif
