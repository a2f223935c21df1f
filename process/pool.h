/* SPDX-License-Identifier: MIT */
/* A pool of processes. Its own thread does everything but take tasks in: it starts workers, sends, receives, and sees
 * them die. README.md beside this file has the states. */
#ifndef THRUM_PROCESS_POOL_H
#define THRUM_PROCESS_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/condition.h>
#include <thrum/lock.h>
#include <thrum/processes.h>
#include <thrum/thread.h>

#include "exec/backend.h"
#include "output.h"
#include "segments.h"
#include "spawn.h"
#include "table.h"
#include "worker.h"

typedef struct thrum__job {
    struct thrum__job *next;
    thrum__remote_task task;
    uint64_t id; /* of this attempt */
    uint32_t index;
    int tries;
    int deaths; /* of workers that it was the first for, and that had not begun it */
    thrum__errand *call; /* NULL: the bytes of a typed task, and nothing more */
} thrum__job;

typedef struct thrum__jobs {
    thrum__job *first, **end;
} thrum__jobs;

typedef enum thrum__hand_state {
    THRUM__HAND_NONE,     /* no process */
    THRUM__HAND_STARTING, /* started, has not said that it is ready */
    THRUM__HAND_READY,
    THRUM__HAND_RETIRING, /* gets no more tasks; ends when it has done those it has */
    THRUM__HAND_KILLED    /* about to be seen dead */
} thrum__hand_state;

typedef enum thrum__kill {
    THRUM__KILL_NONE,
    THRUM__KILL_CANCEL, /* its task was cancelled */
    THRUM__KILL_LIMIT,  /* its task took too long */
    THRUM__KILL_NONSENSE, /* it sent no frame, or what was not asked for */
    THRUM__KILL_DEAF,     /* it cannot be reached any more */
    THRUM__KILL_OTHER     /* nobody waits for it */
} thrum__kill;

/* A worker, as its pool sees it. All of it by the pool's thread only. */
typedef struct thrum__hand {
    thrum__hand_state state;
    thrum__kill killed;
    thrum__child child;
    int socket;
    bool hello, ready, eof; /* ready: it was, or it does not matter that it was not */
    thrum__jobs jobs; /* sent, not answered; the first is the one that it runs */
    unsigned n_jobs;
    uint64_t n_sent;  /* since it was started */
    uint64_t aim;     /* killed: because of that job */
    int64_t deaf;     /* eof: when that was seen first */
    int64_t since;    /* when it could begin the first */
    int64_t mean;     /* nanoseconds that a task takes, about */
    thrum__buffer in, out;
    thrum__told told; /* which shared memory it knows */
    int place;
    int process; /* its process id, for messages */
} thrum__hand;

typedef struct thrum__processes {
    thrum_executor *executor;
    char *name;
    int max_workers, n_hands; /* n_hands: with a process */
    size_t queue_limit;
    thrum_overflow overflow;
    thrum_processes_opts opts;
    thrum__address initializer;
    void *initarg;
    char **command; /* NULL: this program */
    char *path;     /* of that */
    thrum__output *output; /* NULL: workers write where the program does */
    char **environment; /* as it was when the pool was made: the program may change its own at any time */
    thrum__table table; /* read-only */
    thrum_thread *thread;
    thrum__place *places; /* shared with the workers */
    int memory, wake;     /* descriptors: of that; an event that the thread waits for */

    thrum_lock lock;
    thrum_condition room;
    thrum__jobs intake;         /* under lock */
    size_t waiting;             /* under lock: jobs that were not sent */
    uint64_t submitted;         /* under lock */
    bool sleeping, closed, cancel; /* under lock */
    int refused;                   /* under lock: why nothing is taken any more, 0 */
    uint64_t completed;         /* relaxed */
    uint32_t n_workers, n_idle; /* relaxed */
    uint32_t look;              /* relaxed: a running task was cancelled */

    /* The thread's own. */
    thrum__jobs queue;
    uint64_t next_id;
    int bad_starts; /* one after the other */
    bool ending;
    thrum_failure broken; /* code 0: it is not */
    char broken_text[400];
    thrum__hand *hands; /* max_workers */
} thrum__processes;

static inline void thrum__jobs_init(thrum__jobs *jobs) {
    jobs->first = NULL;
    jobs->end = &jobs->first;
}

static inline void thrum__jobs_append(thrum__jobs *jobs, thrum__job *job) {
    job->next = NULL;
    *jobs->end = job;
    jobs->end = &job->next;
}

static inline thrum__job *thrum__jobs_take(thrum__jobs *jobs) {
    thrum__job *job = jobs->first;
    if (job && !(jobs->first = job->next))
        jobs->end = &jobs->first;
    return job;
}

/* Puts `front` before all in `jobs`; empties it. */
void thrum__jobs_prepend(thrum__jobs *jobs, thrum__jobs *front);

int64_t thrum__processes_now(void);

/* Lets the pool's thread look. Any thread. */
void thrum__processes_poke(thrum__processes *pool);

/* Says that the current thread is that of `pool`: it never waits for room. */
void thrum__processes_own(const thrum__processes *pool);

/* The pool's thread. */
void *thrum__processes_main(void *pool);

/* No task can be run any more: all fail with `code` and the text. */
void thrum__processes_break(thrum__processes *pool, int code, const char *text);

/* One job less waits: there may be room. */
void thrum__processes_count_waiting(thrum__processes *pool, int change);

/* Fills the call of `task`, if it needs one. Returns 0 with `*call` to be freed, or NULL; a negative errno: it cannot be
 * sent. */
int thrum__job_call(const thrum__remote_task *task, thrum__errand **call);

void thrum__job_free(thrum__job *job);

/* Complete a job, and free it. */
void thrum__job_fail(thrum__processes *pool, thrum__job *job, const thrum_failure *failure);
void thrum__job_drop(thrum__processes *pool, thrum__job *job);

/* Starts a process for `hand`. Returns 0 or a negative errno. */
int thrum__hand_start(thrum__processes *pool, thrum__hand *hand);

/* Returns how many more jobs `hand` may get now. */
unsigned thrum__hand_credit(const thrum__processes *pool, const thrum__hand *hand);

/* Appends a job that is RUNNING to what is sent. Returns 0; -EAGAIN: not before it has done what it has; or another
 * negative errno. */
int thrum__hand_give(thrum__processes *pool, thrum__hand *hand, thrum__job *job);

/* Sends what can be sent now. */
void thrum__hand_send(thrum__hand *hand);

/* Takes what has come. */
void thrum__hand_receive(thrum__processes *pool, thrum__hand *hand);

/* Ends the process at once, for a reason. */
void thrum__hand_kill(thrum__hand *hand, thrum__kill why);

/* No more tasks: it ends when it has done what it has. */
void thrum__hand_retire(thrum__hand *hand);

/* Looks whether the process has ended, and what becomes of its jobs. */
void thrum__hand_reap(thrum__processes *pool, thrum__hand *hand);

/* Kills a worker whose first task was cancelled, or has taken too long, or that cannot be reached. */
void thrum__hand_watch(thrum__processes *pool, thrum__hand *hand, int64_t now);

#endif
