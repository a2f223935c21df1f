/* SPDX-License-Identifier: MIT */
/* One process for one task. README.md beside this file says who does what. */
#ifndef THRUM_PROCESS_PROCESS_H
#define THRUM_PROCESS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/event.h>
#include <thrum/lock.h>
#include <thrum/process.h>

#include "buffer.h"
#include "spawn.h"

/* The variable that makes a process one of these: the descriptor of its parcel; then nobody's any
 * more. */
#define THRUM__PROCESS_VARIABLE "THRUM__PROCESS_TASK"

enum { THRUM__SEGMENTS_MAX = 8 }; /* as many as a task has parameters */

/* How a process is started; stands on the stack of who starts it, until that has happened. */
typedef struct thrum__launch {
    int keep[THRUM__SEGMENTS_MAX + 1]; /* segments of shared memory, then the parcel */
    int n_keep;
} thrum__launch;

typedef enum thrum__process_kind {
    THRUM__PROCESS_CHILD,
    THRUM__PROCESS_SELF,
    THRUM__PROCESS_PARENT
} thrum__process_kind;

struct thrum_process {
    struct thrum_process *next; /* under the list's lock */
    thrum__process_kind kind;   /* read-only, as all up to `launch` */
    unsigned generation;        /* of a child: thrum__process_generation() where it was started */
    bool daemon;
    const char *name;
    const thrum__launch *launch; /* until started */
    uint32_t refs;               /* the handles, and one of the list: under its lock */
    bool blind;                  /* no descriptor says that it has ended: the thread's own */
    thrum__child child;          /* under the list's lock */
    int pid;                     /* read-only from `started` on, as the next */
    int rc;                      /* of its start */
    int status;                  /* from `ended` on: as of thrum__spawn_reap() */
    thrum_event started, ended;
};

/* What a process is told at its start. */
typedef struct thrum__parcel {
    int parent; /* process id */
    bool daemon;
    const char *name, *identity, *parent_name, *task;
    uint64_t hash; /* of the task */
    void *args;    /* found, as the next: aligned for all, with what was packed behind them */
    size_t args_size;
    void *bytes; /* found: what arguments and texts are part of, to be freed */
} thrum__parcel;

/* Puts what a process is told into a new descriptor, and that and some for the segments which its
 * arguments point into into `launch`, to be closed. Returns 0, -EFAULT (named on stderr), -EEXIST,
 * -ENOENT, -ENOMEM, what pack() said or what the system said. */
int thrum__parcel_pack(thrum__launch *launch, const thrum__parcel *parcel,
                       const thrum_task_type *type, const void *args);

void thrum__launch_close(const thrum__launch *launch);

/* The opposite, in the process, where the segments stay open; closes the descriptors. Returns 0 or
 * a negative errno, with nothing to be freed. */
int thrum__parcel_unpack(thrum__parcel *parcel, int fd);

/* Finds the task of a parcel. Returns NULL, having said why on stderr. */
const thrum_task_type *thrum__parcel_task(const thrum__parcel *parcel);

/* At the program's start. Returns whether this process is to run one task: thrum__process_run()
 * then. */
bool thrum__process_arrive(void);
void thrum__process_run(void) __attribute__((noreturn));

/* What the process is: its name, "1:2" of "Process-1:2", whether it is a daemon. */
thrum_process *thrum__process_self(void);
const char *thrum__process_identity(void);

/* Returns how many forks lie between the program's start and this process. */
unsigned thrum__process_generation(void);

/* Starts `process`, of which the list gets a reference more. Returns 0 or a negative errno. */
int thrum__process_launch(thrum_process *process);

/* Sends a signal, unless it has ended. Returns 0 or a negative errno. */
int thrum__process_signal(thrum_process *process, int signal);

/* Drops a reference. */
void thrum__process_unref(thrum_process *process);

/* The program's end: no process starts any more, and all have ended. */
void thrum__process_end(void);

#endif
