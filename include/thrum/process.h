/* SPDX-License-Identifier: MIT */
/* Processes: Python's multiprocessing.Process. A typed task (thrum/task.h) runs in a process of its
 * own, which is the same program, started anew: its constructors run, then, instead of main(), the
 * task.
 *
 *     #include <thrum/process.h>
 *     THRUM_TASK(void, produce, (thrum_shared_queue *, queue), (int, n)) { ... }
 *
 *     rc = produce_start_process(&p, &c->queue, 30, &(thrum_process_opts){.name = "producer"});
 *     rc = thrum_process_join(p);
 *     rc = thrum_process_exit_code(p, &code);
 *     thrum_process_free(p);
 *
 * Arguments are copied byte by byte. One that is a pointer is packed by the task (thrum/pack.h), or
 * must be NULL or point into shared memory (thrum/shared.h, with a name or without): the process
 * has the same memory mapped, perhaps at another address, and gets a pointer to the same place in
 * it. Pointers inside of structs are copied as they are, and mean nothing there. The result of the
 * task is dropped.
 *
 * The process exits with 0 when the task returns, with n after exit(n), with 1 when the task fails
 * (thrum_raise()): that is told on its stderr, or its excepthook, as a thread's failure. It has
 * /dev/null as stdin, all signals as at a program's start, the descriptors of the program that are
 * not close-on-exec, and the environment of the moment at which it is started, which no thread may
 * change meanwhile. At the program's end (exit(), a return from main()) processes that are daemons
 * get SIGTERM, and SIGKILL 5 s later; then the program waits for all its processes (after 5 s a
 * line on stderr says for whom; THRUM_EXIT_NOTICE=0 silences it). Daemons are killed too when the
 * program ends by any other means, others live on then.
 *
 * One thread of the library, "thrum-process", starts the processes and sees them end. A program
 * that waits for its children itself, by waitpid(-1), or ignores SIGCHLD, takes the exit code away:
 * see thrum_process_exit_code(). This header is not part of thrum.h: it is included by a file of
 * the program itself, not of a shared library. */
#ifndef THRUM_PROCESS_H
#define THRUM_PROCESS_H

#include <stdbool.h>
#include <thrum/config.h>
#include <thrum/processes.h>
#include <thrum/task.h>
#include <thrum/time.h>
#include <thrum/wait.h>

THRUM__BEGIN

/* Options of name_start_process(); zero is the default of each. Its type and thrum_process, a
 * handle on a process, are declared by thrum/task.h. A handle is owned by who started the process,
 * until thrum_process_free(). */
struct thrum_process_opts {
    const char *name;  /* copied; default "Process-1", ...; in that one "Process-1:1" */
    bool daemon;       /* ends with the program, and may not start processes itself; a pool of them
                        * (thrum/processes.h), whose workers end with it, it may have */
    void *reserved[6]; /* must be zero */
};

/* int name_start_process(thrum_process **out, ..., const thrum_process_opts *opts), made by
 * THRUM_TASK: starts a process, and returns when it exists. `*out` gets a handle to be freed; with
 * `out` NULL the process just runs. Returns 0; -EFAULT (a pointer that is neither packed nor into
 * shared memory), -EINVAL (reserved not zero; or pack() does not do the same twice), -ENOTSUP (no
 * file of the program includes this header) or -EPERM (this process is a daemon), named on stderr;
 * -EEXIST (several tasks are called so), -ESHUTDOWN (the program ends), a code of pack(), -ENOMEM,
 * -EAGAIN, -EMFILE, or what else the system said (-ENOENT without /proc). That the program
 * lacks the task until it has loaded a library is seen by the process, which exits with 1. Any
 * thread. */

/* Blocks until `process` has ended; any number of threads may join, any number of times. Returns 0,
 * or -ECHILD: it is not a child of this process, which may be the child of a fork. Any thread. */
THRUM_API int thrum_process_join(thrum_process *process);

/* As thrum_process_join(), until `deadline`: then -ETIMEDOUT, or -EINTR in an interruptible
 * thread. */
THRUM_API int thrum_process_join_until(thrum_process *process,
                                       thrum_deadline deadline) THRUM_NODISCARD;

/* Puts the exit code into `*code`: what it gave to exit(), or -n when signal n ended it. Returns 0;
 * -EAGAIN: it has not ended; -ECHILD: it has, but somebody else was told how, or as
 * thrum_process_join(). Any thread. */
THRUM_API int thrum_process_exit_code(const thrum_process *process, int *code);

/* Returns whether the process has not ended yet. In the child of a fork: false for its parent's
 * children. Any thread. */
THRUM_API bool thrum_process_is_alive(const thrum_process *process);

/* Send SIGTERM, SIGKILL. Return 0, which one that has ended gets too; -EPERM (it has other rights
 * by now), or -ECHILD as thrum_process_join(). Any thread. */
THRUM_API int thrum_process_terminate(thrum_process *process);
THRUM_API int thrum_process_kill(thrum_process *process);

/* Returns the name; it lives as long as the handle. Any thread. */
THRUM_API const char *thrum_process_name(const thrum_process *process);

/* Returns the process id, which another process may have once this one has ended. Any thread. */
THRUM_API int thrum_process_pid(const thrum_process *process);

/* Returns whether the process ends with the program. Any thread. */
THRUM_API bool thrum_process_is_daemon(const thrum_process *process);

/* Returns a waitable that is ready when the process has ended; in the child of a fork at once, for
 * its parent's children. Cannot fail; any thread. */
THRUM_API thrum_waitable thrum_process_waitable(thrum_process *process);

/* Drops the handle; a running process goes on, and is waited for at the program's end. Does nothing
 * for NULL. No other call with the same handle may overlap. */
THRUM_API void thrum_process_free(thrum_process *process);

/* Drops the handle of a process that has ended. Returns 0, or -EBUSY: it has not, and the handle
 * stays. The same. */
THRUM_API int thrum_process_close(thrum_process *process);

/* Puts handles on at most `n` living children into `out`, each to be freed; returns how many
 * children are alive, which may be more than `n`. Any thread. */
THRUM_API int thrum_process_enumerate(thrum_process **out, int n);

/* Returns the calling process ("MainProcess" if nobody started it so), not to be freed. Of what is
 * above name, pid, is_daemon and is_alive may be asked. Cannot fail; any thread. */
THRUM_API thrum_process *thrum_process_current(void);

/* Returns the process that started this one, not to be freed; NULL in "MainProcess". As
 * thrum_process_current(). */
THRUM_API thrum_process *thrum_process_parent(void);

THRUM__END

#endif
