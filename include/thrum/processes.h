/* SPDX-License-Identifier: MIT */
/* A pool whose workers are processes: Python's concurrent.futures.ProcessPoolExecutor. For
 * isolation, and for code that is not safe in threads. The program changes one option, not its
 * calls:
 *
 *     #include <thrum/processes.h>
 *     THRUM_TASK(double, area, (double, w), (double, h)) { return w * h; }
 *
 *     ex = thrum_executor_new(&(thrum_executor_opts){.backend = thrum_processes,
 *                                                    .max_workers = 4});
 *     rc = area_submit(ex, &future, 2.0, 3.5);
 *     rc = area_result(future, &value);
 *
 * Typed tasks (thrum/task.h), thrum_submit_bytes(), thrum_map() and thrum_stream_new(): arguments
 * and results are copied byte by byte. A parameter that is a pointer is packed by the task
 * (thrum/pack.h), or must be NULL or point into memory of thrum/shared.h (else -EFAULT), which is
 * not copied: the worker maps it, and gets its own pointer to the same place. It must stay open
 * until the task is done. Pointers inside of structs, and results that are pointers, mean nothing
 * to the other side. From 256 KiB on arguments and result are copied once, into shared memory that
 * is used again: up to 256 MiB of it are kept until the last pool is freed.
 *
 * A worker is the same program, started anew: its constructors run, then, instead
 * of main(), the worker. So globals are as at the program's start, and descriptors of the program
 * that are not close-on-exec are open there too. This header is not part of thrum.h: it is included
 * by a file of the program itself, not of a shared library. A daemon of thrum/process.h may make a
 * pool, unlike in Python, since its workers end with it.
 *
 * Tasks run in the order they were submitted, several of them on their way to a worker
 * at a time: thrum_future_running() is true from when it was sent.
 *
 * The options of a task (thrum_task_opts) mean what they mean on threads, with "sent to a worker"
 * for "started". Priority: of what was not sent the highest is sent first, among equals the first
 * submitted; of 61 tasks that the pool sends one is the oldest with a priority, and one comes from
 * those without. None passes those that are on their way. Deadline: a task that was not sent by
 * then fails with -ETIMEDOUT; so does one that was sent, and is put back later than that, since its
 * worker has died. One that runs past its deadline is not told: `time_limit` is for that. Name: in
 * the worker too. `time_limit` and `retries`: for this task in place of those of the pool.
 *
 * A task whose worker dies fails with -EPIPE, saying how
 * the worker died; those behind it run on another worker. thrum_future_cancel() cancels a running
 * task too: its worker is killed and replaced. The workers end with the process that made them,
 * however that ends. Done callbacks run in the pool's own thread (of a deadline that has come in
 * the timers'): there a wait for one of its tasks, a map on it and thrum_executor_shutdown() that
 * waits are refused with -EDEADLK, and thrum_executor_free() panics. */
#ifndef THRUM_PROCESSES_H
#define THRUM_PROCESSES_H

#include <stddef.h>
#include <thrum/config.h>
#include <thrum/executor.h>
#include <thrum/task.h>

THRUM__BEGIN

/* Returns what stands for `backend` in thrum_executor_opts, written `thrum_processes`; lives for
 * ever. Of the other options `max_workers`, `name_prefix`, `queue_limit` with `overflow` (not
 * THRUM_OVERFLOW_CALLER_RUNS: -ENOTSUP), `idle_timeout` and `daemon` mean what they mean for
 * threads. `initializer` is called in each worker; it must be a function of the program, or of a
 * library that the workers load too, and gets a copy of the `initarg_size` bytes at `initarg`.
 * Cannot fail; any thread. */
THRUM_API const thrum_backend *thrum_processes_backend(void);
#define thrum_processes (thrum_processes_backend())

/* For `backend_opts`; zero is the default of each. */
typedef struct thrum_processes_opts {
    size_t initarg_size;     /* bytes at initarg; 0: the initializer gets NULL */
    int max_tasks_per_child; /* after so many tasks a worker is replaced; 0: never */
    double time_limit;       /* seconds that a task may run, from when its worker could begin it:
                              * then the worker is killed, and the task fails with -ETIMEDOUT; 0:
                              * none. Of a map: that an item may run, and up to twice that */
    int retries;             /* how often a task whose worker died is tried again: tasks are
                              * idempotent */
    const char *const *command; /* what starts a worker, ends with NULL: a wrapper around this
                              * program (nice, taskset, valgrind, timeout), or another program that
                              * has the same tasks, which is seen to; found by PATH, and copied. It
                              * hands descriptors and environment on, and is the leader of a process
                              * group, which is killed as a whole. NULL: this program itself */
    long output;             /* 1: what a worker writes to stdout and stderr comes out there line by
                              * line, with its name in front ("Processes-1_0: "), and its stdout is
                              * line-buffered; all of it before thrum_executor_free() returns. Lines
                              * over 8 KiB come in parts. 0: it is left alone */
    double start_limit;      /* seconds that a worker may take from its start until it is up: the
                              * program's constructors are done in it, its initializer, which may
                              * take as long as it likes, is about to run. Then it is killed, which
                              * is told on stderr, and another is started; at the third time, one
                              * after the other, the pool is broken; as long as another worker is
                              * up, tasks wait. A time in which this process was stopped counts as
                              * an eighth of it at most. 0: 60 s; infinite: none (a `command` that
                              * is a debugger) */
    void *reserved[3];       /* must be zero */
} thrum_processes_opts;

/* What this header stands on: notes the program's constructors; in a worker runs those that are
 * left, and does not return. */
typedef void thrum__constructor(int argc, char **argv, char **environment);
THRUM_API void thrum__processes_enter(thrum__constructor *self, thrum__constructor *const *first,
                                      thrum__constructor *const *end, int argc, char **argv,
                                      char **environment);

extern thrum__constructor *const __init_array_start[] __attribute__((weak, visibility("hidden")));
extern thrum__constructor *const __init_array_end[] __attribute__((weak, visibility("hidden")));

__attribute__((constructor, used)) static void thrum__processes_here(int argc, char **argv,
                                                                     char **environment) {
    thrum__processes_enter(thrum__processes_here, __init_array_start, __init_array_end, argc, argv,
                           environment);
}

static void thrum__processes_again(int argc, char **argv, char **environment) {
    thrum__processes_enter(thrum__processes_again, __init_array_start, __init_array_end, argc,
                           argv, environment);
}

/* Link-time optimisation makes one function of all constructors: this one is found in any case. */
__attribute__((section(".init_array"), used)) static thrum__constructor *thrum__processes_entry =
    thrum__processes_again;

THRUM__END

#endif
