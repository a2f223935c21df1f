/* SPDX-License-Identifier: MIT */
/* Threads: Python's threading.Thread.
 *
 *     thrum_thread *t;
 *     int rc = thrum_thread_start(&t, work, arg, &(thrum_thread_opts){.name = "io"});
 *     ...
 *     thrum_thread_join(t, NULL);
 *     thrum_thread_free(t);
 *
 * The program does not end before its regular threads have: an exit handler waits for them (after
 * 5 s a line on stderr says for whom; THRUM_EXIT_NOTICE=0 silences it). Daemon threads are not
 * waited for and end with the program, where they are. abort, _exit and quick_exit do not wait.
 * Handlers that atexit() got after the first start run before that wait, others after it. */
#ifndef THRUM_THREAD_H
#define THRUM_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>
#include <thrum/error.h>
#include <thrum/time.h>
#include <thrum/wait.h>

THRUM__BEGIN

/* A handle on a thread. Owned by who started it, until thrum_thread_free(). */
typedef struct thrum_thread thrum_thread;

/* For `daemon`: a regular thread, whatever its creator is. */
#define THRUM_NOT_DAEMON (-1)

/* Options of thrum_thread_start(); zero is the default of each. */
typedef struct thrum_thread_opts {
    const char *name;  /* copied; default "Thread-1", "Thread-2", ...; the OS shows 15 bytes */
    int daemon;        /* 0: as the creator (regular, if that is a foreign thread); true;
                        * THRUM_NOT_DAEMON */
    bool light;        /* a light thread: not built yet, -ENOTSUP */
    size_t stack_size; /* bytes; 0: the system's default; less than the minimum is raised to it */
    void *reserved[4]; /* must be zero */
} thrum_thread_opts;

/* Starts a thread that runs fn(arg), and returns when it runs (ident, native id and OS name are
 * set). `*out` gets a handle to be freed; with `out` NULL the thread just runs. Returns 0, -EINVAL
 * (fn is NULL, reserved not zero; named on stderr), -ENOTSUP, -ENOMEM or -EAGAIN (the system has no
 * thread to give). Any thread. */
THRUM_API int thrum_thread_start(thrum_thread **out, void *(*fn)(void *), void *arg,
                                 const thrum_thread_opts *opts);

/* Blocks until `thread` has ended; any number of threads may join, any number of times. Returns 0
 * and what fn returned in `*result` (which may be NULL), or the thread's failure code
 * (thrum_raise(), -ECANCELED after pthread_exit, cancellation or in a forked child), with
 * `*result` NULL. A thread that has called exit() never ends; but for main, which waits with it for
 * the end of the program, who joins it gets -ECANCELED. Joining oneself is misuse: a line on
 * stderr, and the program ends. */
THRUM_API int thrum_thread_join(thrum_thread *thread, void **result);

/* As thrum_thread_join(), until `deadline`: then -ETIMEDOUT (or -EINTR in an interruptible
 * thread), and `*result` is untouched. A thread may itself fail with these codes:
 * thrum_thread_is_alive() tells the difference. */
THRUM_API int thrum_thread_join_until(thrum_thread *thread, thrum_deadline deadline, void **result)
    THRUM_NODISCARD;

/* Blocks until `thread` has ended. Returns its failure, or NULL when it had none. The failure lives
 * as long as the handle. */
THRUM_API const thrum_failure *thrum_thread_error(thrum_thread *thread);

/* Returns a waitable that is ready when the thread can be joined without blocking. Cannot fail; any
 * thread. */
THRUM_API thrum_waitable thrum_thread_waitable(thrum_thread *thread);

/* Drops the handle; a running thread goes on. Does nothing for NULL. No other call with the same
 * handle may overlap. */
THRUM_API void thrum_thread_free(thrum_thread *thread);

/* Returns the name, whole. The string lives as long as the handle; a later
 * thrum_thread_set_name() does not change it. Any thread. */
THRUM_API const char *thrum_thread_name(const thrum_thread *thread);

/* Renames `thread`, for the OS too (its first 15 bytes, cut between UTF-8 characters; a thread that
 * has ended and the main thread keep their OS name). Returns 0, -EINVAL (NULL) or -ENOMEM. Any
 * thread. */
THRUM_API int thrum_thread_set_name(thrum_thread *thread, const char *name);

/* Returns the ident: not 0, not used by another thread that is alive. Any thread. */
THRUM_API uint32_t thrum_thread_ident(const thrum_thread *thread);

/* Returns the number by which the OS knows the thread (gettid on Linux). Any thread. */
THRUM_API int64_t thrum_thread_native_id(const thrum_thread *thread);

/* Returns whether the thread has not ended yet. Any thread. */
THRUM_API bool thrum_thread_is_alive(const thrum_thread *thread);

/* Returns whether the program's end does not wait for the thread (foreign threads: true). */
THRUM_API bool thrum_thread_is_daemon(const thrum_thread *thread);

/* Returns the calling thread; not to be freed, valid while it runs. A thread that thrum did not
 * start gets a record ("Dummy-1", ...) that ends with it. NULL with errno ENOMEM if there is no
 * memory for that record. */
THRUM_API thrum_thread *thrum_thread_current(void);

/* Returns the thread that runs main(); not to be freed. NULL with errno ENOMEM as above. Any
 * thread. */
THRUM_API thrum_thread *thrum_thread_main(void);

/* Returns how many threads known to thrum are alive, the main thread included. Any thread. */
THRUM_API int thrum_thread_active_count(void);

/* Puts handles on at most `n` living threads into `out`, each to be freed; returns how many threads
 * are alive, which may be more than `n`. Any thread. */
THRUM_API int thrum_thread_enumerate(thrum_thread **out, int n);

/* Sets who is told of failures that nobody would see otherwise: a thread's when it ends, those of
 * the main thread and of foreign ones at once. NULL restores the default, a line on stderr. `hook`
 * runs in the failing thread and gets `arg`. It should return: pthread_exit() there, in a thread
 * that pthread_exit() is ending already, aborts where clang has compiled the library. Any
 * thread. */
THRUM_API void thrum_set_excepthook(void (*hook)(const thrum_failure *failure, void *arg),
                                    void *arg);

THRUM__END

#endif
