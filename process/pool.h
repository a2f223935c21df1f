/* SPDX-License-Identifier: MIT */
/* A pool of processes. Its own thread does everything but take tasks in: it starts workers, sends,
 * receives, and sees them die. README.md beside this file has the states. */
#ifndef THRUM_PROCESS_POOL_H
#define THRUM_PROCESS_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/condition.h>
#include <thrum/lock.h>
#include <thrum/processes.h>
#include <thrum/thread.h>

#include "exec/backend.h"
#include "exec/ranks.h"
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
    bool taken; /* its result was taken, but for its callbacks */
    const thrum__items_progress *progress; /* of a part of a map; else NULL */
    uint64_t begun; /* items of that, when it was last looked at */
    double time_limit; /* 0 none */
    int retries;
    bool counted; /* among `waiting`, though its task ended after it had been sent */
    thrum__rank rank; /* with a priority: in the queue */
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
    THRUM__KILL_LATE,     /* it was not up in time */
    THRUM__KILL_OTHER     /* nobody waits for it */
} thrum__kill;

/* A worker, as its pool sees it. All of it by who holds the pump. */
typedef struct thrum__hand {
    thrum__hand_state state;
    thrum__kill killed;
    thrum__child child;
    int socket;
    bool hello, ready; /* hello: it is up. ready: it was, or it does not matter that it was not */
    bool eof;          /* of the socket */
    bool distrusted;   /* what it says is not believed any more */
    bool awaits;       /* the pool's thread sleeps, and is to be told of an answer */
    thrum__jobs jobs; /* sent, not answered; the first is the one that it runs */
    unsigned n_jobs;
    uint64_t n_sent;  /* since it was started */
    uint64_t aim;     /* killed: because of that job */
    int64_t deaf;     /* eof: when that was seen first */
    int64_t since;    /* when it could begin the first; until it is up: when a part of its time to
                       * start was counted last */
    int64_t started_at;
    int late_parts;   /* of its time to start, that have passed */
    int64_t moved;    /* when it was seen to have begun another item of that */
    int64_t mean;     /* nanoseconds that a task takes, about */
    uint64_t busy;    /* nanoseconds that it had worked at `since`, as it says itself */
    thrum__ring_end down, up;
    thrum__buffer in, out;
    thrum__told told; /* which shared memory it knows */
    int place;
    int process; /* its process id, for messages */
} thrum__hand;

/* The time that a worker has to start is counted in so many parts, each when it is seen to have
 * passed: however long this process is stopped, or the machine asleep, that is one of them. */
enum { THRUM__START_PARTS = 8 };

/* What the pool's thread does while it does not hold the pump. */
typedef enum thrum__pool_thread {
    THRUM__POOL_AWAKE,  /* is about to take the pump: sees all that there is */
    THRUM__POOL_NAPS,   /* will look in a moment by itself */
    THRUM__POOL_SLEEPS  /* must be woken, by a byte on a socket or by thrum__processes_poke() */
} thrum__pool_thread;

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
    char **environment; /* as it was when the pool was made: the program may change its own at any
                         * time */
    thrum__table table; /* read-only */
    thrum_thread *thread;
    uint8_t *places;  /* shared with the workers: thrum__place_of() */
    int64_t idle_ns;  /* after which a worker without tasks leaves; INT64_MAX never */
    int64_t start_ns; /* a part of the time to start: THRUM__START_PARTS; INT64_MAX: no limit */
    int looking;      /* workers that may look before they sleep: the first of them */
    int memory, wake; /* descriptors: of that; an event that the thread waits for */

    thrum_lock lock;
    thrum_condition room;
    thrum__jobs intake, ranked_intake; /* under lock; ranked: with a priority */
    size_t waiting;             /* under lock: jobs that were not sent, and whose tasks have not
                                 * ended */
    size_t withdrawn;           /* under lock: tasks that have ended so, since the last sweep */
    bool littered;              /* under lock: a sweep is worth while */
    uint64_t submitted;         /* under lock */
    thrum__pool_thread state;      /* under lock */
    bool pumped;                   /* under lock: somebody holds the pump */
    bool wanted;                   /* under lock, read relaxed: the pool's thread waits for it */
    thrum_condition pump;
    int64_t alarm;                 /* under lock: when the pool's thread looks at the latest */
    bool closed, cancel;           /* under lock */
    bool fresh;                    /* relaxed: there may be something in the intake */
    int refused;                   /* under lock: why nothing is taken any more, 0 */
    uint64_t completed;         /* relaxed */
    uint32_t n_workers, n_idle; /* relaxed */
    /* By who holds the pump. */
    thrum__jobs queue;   /* without a priority */
    thrum__ranks ranks;  /* with one */
    uint32_t turns;      /* jobs that were sent */
    uint64_t next_id;
    int bad_starts;  /* one after the other */
    int late_starts; /* the same, of workers that were not up in time; several at once are one */
    int64_t late_at; /* when that was counted last */
    int shielded; /* from thrum__pump_attend() on: as of thrum__processes_shield() */
    bool stuck; /* a frame has come that only the pool's thread may take, or a task cannot be
                 * sent */
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

static inline thrum__place *thrum__place_of(const thrum__processes *pool, int place) {
    return (thrum__place *)(void *)(pool->places + (size_t)place * thrum__place_size());
}

/* Under the lock. A new job. */
void thrum__queue_submit(thrum__processes *pool, thrum__job *job);

/* Under the lock. Moves what was submitted into the queue. */
void thrum__queue_take_in(thrum__processes *pool);

/* Under the lock. Returns whether there is something to be moved. */
static inline bool thrum__queue_has_new(const thrum__processes *pool) {
    return pool->intake.first || pool->ranked_intake.first;
}

/* Returns whether a job waits. */
static inline bool thrum__queue_has(const thrum__processes *pool) {
    return pool->queue.first || thrum__ranks_visible(&pool->ranks);
}

/* Returns how many jobs wait, `most` at most. */
int thrum__queue_count(const thrum__processes *pool, int most);

/* Takes the job that is to be sent next, which `turns` then counts; or any. NULL: none waits. */
thrum__job *thrum__queue_next(thrum__processes *pool);
thrum__job *thrum__queue_any(thrum__processes *pool);

/* Puts back jobs that were taken, each before all that wait and have its priority; empties
 * `jobs`. */
void thrum__queue_put_back(thrum__processes *pool, thrum__jobs *jobs);

/* The pool's thread. Drops the jobs whose tasks have ended. Returns how many of them were counted
 * as waiting. */
int thrum__queue_sweep(thrum__processes *pool);

/* Lets the pool's thread look. Any thread. */
void thrum__processes_poke(thrum__processes *pool);

/* The current thread is not cancelled (pthread_cancel()) until thrum__processes_unshield() with
 * what this returns. */
int thrum__processes_shield(void);
void thrum__processes_unshield(int before);

/* Says that the current thread is that of `pool`: it never waits for room. */
void thrum__processes_own(const thrum__processes *pool);
bool thrum__processes_is_own(const thrum__processes *pool);

/* The pump: what moves tasks to workers and results back. The pool's thread holds it while it is
 * awake; while it sleeps who submits or waits may (pump.c). */

/* Takes the pump for the pool's thread: waits for it. */
void thrum__pump_take(thrum__processes *pool);

/* The pool's thread lets go, about to sleep until `alarm`; for a moment only if it `naps`. Returns
 * false, nothing being done, if there is something new. */
bool thrum__pump_sleep(thrum__processes *pool, int64_t alarm, bool naps);

/* The pool's thread lets go for ever, and another is about to take the pump. */
void thrum__pump_drop(thrum__processes *pool);

/* Under the lock. Takes the pump, if it is free and the pool takes tasks. */
bool thrum__pump_try(thrum__processes *pool);

/* Who has tried with success, not being the pool's thread: gives workers what waits, and lets
 * go. */
void thrum__pump_submitted(thrum__processes *pool);

/* Counts the workers, for statistics. */
void thrum__pump_count(thrum__processes *pool);

/* As in exec/backend.h. */
int thrum__pump_attend(void *pool);
bool thrum__pump_look(void *pool);
void thrum__pump_leave(void *pool);

/* Gives workers what waits: idle ones first, one job each; then the others get more. `own`: the
 * caller is the pool's thread. */
void thrum__processes_dispatch(thrum__processes *pool, bool own);

/* Returns when the pool's thread must look again, INT64_MAX: when something happens. */
int64_t thrum__processes_alarm(const thrum__processes *pool);

/* The pool's thread. */
void *thrum__processes_main(void *pool);

/* No task can be run any more: all fail with `code` and the text. */
void thrum__processes_break(thrum__processes *pool, int code, const char *text);

/* One job less waits: there may be room. */
void thrum__processes_count_waiting(thrum__processes *pool, int change);

/* Fills the call of `task`, if it needs one. `again`: it may be tried again, with arguments that
 * the first try has not written to. Returns 0 with `*call` to be freed, or NULL; a negative errno:
 * it cannot be sent. */
int thrum__job_call(const thrum__remote_task *task, bool again, thrum__errand **call);

void thrum__job_free(thrum__job *job);

/* Complete a job, and free it: one that is `taken`; others; drop: its task has ended, or its
 * deadline has come. They return whether it was counted as waiting, if it comes from the queue: the
 * others were counted out by withdrawn(). */
void thrum__job_done(thrum__processes *pool, thrum__job *job);
bool thrum__job_fail(thrum__processes *pool, thrum__job *job, const thrum_failure *failure);
bool thrum__job_cancel(thrum__processes *pool, thrum__job *job);
bool thrum__job_drop(thrum__processes *pool, thrum__job *job);

/* Starts a process for `hand`. Returns 0 or a negative errno. */
int thrum__hand_start(thrum__processes *pool, thrum__hand *hand);

/* Returns whether its tasks are known to be so short that one behind another does not wait long. */
bool thrum__hand_is_quick(const thrum__hand *hand);

/* Returns how many more jobs `hand` may get now. */
unsigned thrum__hand_credit(const thrum__processes *pool, const thrum__hand *hand);

/* Appends a job that is RUNNING to what is sent. Returns 0; -EAGAIN: not before it has done what it
 * has; or another negative errno. */
int thrum__hand_give(thrum__processes *pool, thrum__hand *hand, thrum__job *job);

/* Sends what can be sent now. */
void thrum__hand_send(thrum__processes *pool, thrum__hand *hand);

/* Takes what has come, and adds to *answers how many tasks were done. Not `own`: only results
 * without callbacks. Returns false if something else has come. */
bool thrum__hand_receive(thrum__processes *pool, thrum__hand *hand, bool own, int *answers);

/* Takes the bytes from its socket, by which it wakes the pool. */
void thrum__hand_hear(thrum__hand *hand);

/* Ends the process at once, for a reason. */
void thrum__hand_kill(thrum__hand *hand, thrum__kill why);

/* No more tasks: it ends when it has done what it has. */
void thrum__hand_retire(thrum__hand *hand);

/* Looks whether the process has ended, and what becomes of its jobs. */
void thrum__hand_reap(thrum__processes *pool, thrum__hand *hand);

/* Kills a worker whose first task was cancelled, or has taken too long, or that cannot be reached,
 * or is not up in time; lets one go that was idle for long. */
void thrum__hand_watch(thrum__processes *pool, thrum__hand *hand, int64_t now);

/* Returns when that must be looked at, INT64_MAX: not for now. */
int64_t thrum__hand_alarm(const thrum__processes *pool, const thrum__hand *hand);

#endif
