/* SPDX-License-Identifier: MIT */
/* The record of a thread: what a thrum_thread * points at. */
#ifndef THRUM_THREAD_THREAD_H
#define THRUM_THREAD_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/event.h>
#include <thrum/lock.h>
#include <thrum/thread.h>

#include "base/atomic.h"
#include "park/strand.h"

enum { THRUM__MESSAGE_SIZE = 256 };

typedef struct thrum__name {
    struct thrum__name *older; /* read-only; names live as long as the record */
    char text[];
} thrum__name;

struct thrum_thread {
    thrum__strand own;     /* of a thread that was started; an adopted one's stands elsewhere */
    thrum__strand *strand; /* NULL once it has ended; under the registry lock */
    uint32_t refs;         /* the handles, and one while it runs */
    int handles;           /* under the registry lock */
    uint32_t ident;        /* read-only */
    int64_t native_id;     /* read-only once started */
    bool daemon;           /* read-only */
    bool passes_daemon;    /* own: what threads that it starts are by default */
    bool started_here;     /* read-only: by thrum_thread_start() */
    bool exempt;           /* inside exit(), will never end; under the registry lock */
    uint32_t ended;        /* 0, then 1 for ever: the address that joiners wait at */
    thrum_event started;
    unsigned generation; /* read-only: thrum__fork_generation() at its start */
    thrum_lock reaping;  /* held while reaping */
    bool reaped; /* its stack is gone or left alone; under reaping, or without handles the registry
                  * lock */
    thrum__name *names; /* the newest first */
    void *(*fn)(void *);
    void *arg;
    void *result;          /* these: by itself, until ended */
    bool raised;           /* failure is from thrum_raise() */
    thrum_failure failure; /* code 0: none */
    char message[THRUM__MESSAGE_SIZE];
};

/* Returns the record of `strand`, made if need be, NULL without memory. Requires the registry
 * lock. */
thrum_thread *thrum__thread_record(thrum__strand *strand);

/* Returns a record with the name `name` (NULL: "kind-N" of the counter) and `refs` = 1, or NULL. */
thrum_thread *thrum__thread_new(const char *name, const char *kind, uint32_t *counter);

/* Returns a handle on the current thread, which thrum started; to be freed. */
thrum_thread *thrum__thread_ref_current(void);

/* Drops one reference. */
void thrum__thread_unref(thrum_thread *thread);

/* Publishes that `thread` has ended, with its joiners woken. */
void thrum__thread_ended(thrum_thread *thread);

/* The current thread, `thread`, is inside exit(): its end does not wait for it, and it counts as
 * having failed with -ECANCELED for who joins it, but for main. */
void thrum__thread_exempt(thrum_thread *thread);

/* Blocks until `thread` has ended: 0, -ETIMEDOUT or -EINTR. With `exempt_too`, also until it is
 * exempt. */
int thrum__thread_wait(thrum_thread *thread, int64_t deadline, bool interruptible, bool exempt_too);

/* Waits (if `wait`; else tries) until the stack of the ended `thread` is gone. Returns whether it
 * is; false too where that cannot be known, or another thread waits for it. */
bool thrum__thread_reap(thrum_thread *thread, bool wait);

/* Fills the failure of a thread that ended otherwise than by returning: -ECANCELED. */
void thrum__thread_cancelled(thrum_thread *thread);

/* Returns the record of `strand` if it has one, without a lock. */
static inline thrum_thread *thrum__thread_of(const thrum__strand *strand) {
    /* acquire: pairs with bind() */
    return thrum__load_acquire(&strand->thread);
}

/* Fills `failure` (whose message goes into the `size` bytes at `message`) and returns the code. */
int thrum__failure_fill(thrum_failure *failure, char *message, size_t size, const char *file,
                        int line, int code, const char *format, __builtin_va_list args);

/* Tells the excepthook of what the calling thread has raised, as a failure of `task`, and takes it
 * back: the thread goes on. */
void thrum__failure_flush(const char *task);

/* Set by floor 4: records a failure of the task that the current strand runs, and what was recorded
 * in `*code`. Returns false outside of tasks. */
extern bool (*thrum__raise_in_task)(const char *file, int line, int *code, const char *format,
                                    __builtin_va_list args);

/* Tells the excepthook. */
void thrum__failure_report(const thrum_failure *failure);

/* Set before there are other threads: the name of this process, for failures on stderr; NULL:
 * none. */
extern const char *thrum__failure_process;

/* What else the end of the program waits for, set by floor 4. */
typedef struct thrum__exit_more {
    /* Waits for something until `deadline`: -EAGAIN, look again; 0, there is nothing; or
     * -ETIMEDOUT. */
    int (*finish)(int64_t deadline);
    /* Appends what is waited for to `names`, of which `used` bytes of `size` are in use. Returns
     * how many are then. */
    size_t (*names)(char *names, size_t size, size_t used);
    /* The current strand is inside exit() and will not come back to what it was doing. */
    void (*desert)(void);
} thrum__exit_more;
extern const thrum__exit_more *thrum__exit_more_hooks;

/* Prepares the end of the program: called at each start. */
void thrum__exit_prepare(void);

/* Called when a regular thread or main has ended: ends the program when main has left by
 * pthread_exit and only daemon threads would keep it alive. */
void thrum__exit_if_last(void);

/* In the child of a fork: forget what other threads were in the middle of. */
void thrum__failure_child_after_fork(void);
void thrum__exit_child_after_fork(void);

#endif
