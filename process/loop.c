/* SPDX-License-Identifier: MIT */
/* The thread of a pool of processes. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

/* After MANY answers at once the pool's thread looks again NAP_NS later; LOOK_NS: for a dead child,
 * without pidfd. */
enum { MANY = 16, NAP_NS = 100000, LOOK_NS = 10000000 };
/* What is later is never: seconds may have 32 bits. */
static const int64_t NEVER_NS = INT64_C(1000000000) * 1000000000;

void thrum__processes_count_waiting(thrum__processes *pool, int change) {
    if (change == 0)
        return;
    thrum_lock_acquire(&pool->lock);
    pool->waiting += (size_t)change;
    if (pool->queue_limit && change < 0)
        thrum_condition_notify(&pool->room, -change);
    thrum_lock_release(&pool->lock);
}

bool thrum__job_fail(thrum__processes *pool, thrum__job *job, const thrum_failure *failure) {
    if (!thrum__remote_take(job->task.future))
        return thrum__job_drop(pool, job);
    __atomic_add_fetch(&pool->completed, 1, __ATOMIC_RELAXED);
    thrum__remote_fail(job->task.future, failure);
    thrum__job_free(job);
    return true;
}

void thrum__job_done(thrum__processes *pool, thrum__job *job) {
    __atomic_add_fetch(&pool->completed, 1, __ATOMIC_RELAXED);
    thrum__remote_succeed(job->task.future);
    thrum__job_free(job);
}

static bool let_go(thrum__processes *pool, thrum__job *job, bool (*how)(thrum_future *)) {
    bool counted = job->counted;
    __atomic_add_fetch(&pool->completed, 1, __ATOMIC_RELAXED);
    counted = how(job->task.future) || counted;
    thrum__job_free(job);
    return counted;
}

bool thrum__job_cancel(thrum__processes *pool, thrum__job *job) {
    return let_go(pool, job, thrum__remote_cancel);
}

bool thrum__job_drop(thrum__processes *pool, thrum__job *job) {
    return let_go(pool, job, thrum__remote_drop);
}

void thrum__processes_break(thrum__processes *pool, int code, const char *text) {
    if (pool->broken.code != 0)
        return;
    snprintf(pool->broken_text, sizeof pool->broken_text, "%s", text);
    pool->broken = (thrum_failure){.code = code < 0 ? code : -EPIPE, .message = pool->broken_text};
    thrum__remote_complain("pool \"%s\" is broken: %s", pool->name, text);
    thrum_lock_acquire(&pool->lock);
    pool->refused = -EPIPE;
    thrum_condition_notify_all(&pool->room);
    thrum_lock_release(&pool->lock);
    thrum__processes_poke(pool); /* those that wait are to fail */
}

/* Takes what was submitted. Returns whether the pool was closed. */
static bool take_in(thrum__processes *pool) {
    thrum_lock_acquire(&pool->lock);
    thrum__queue_take_in(pool);
    bool closed = pool->closed, cancel = pool->cancel, littered = pool->littered;
    pool->cancel = pool->littered = false;
    if (littered)
        pool->withdrawn = 0;
    thrum_lock_release(&pool->lock);
    thrum__job *job;
    int n = littered ? thrum__queue_sweep(pool) : 0;
    while ((cancel || pool->broken.code) && (job = thrum__queue_any(pool)) != NULL)
        n += pool->broken.code ? thrum__job_fail(pool, job, &pool->broken)
                               : thrum__job_cancel(pool, job);
    thrum__processes_count_waiting(pool, -n);
    return closed;
}

static void put_back(thrum__processes *pool, thrum__job *job) {
    thrum__jobs one;
    thrum__jobs_init(&one);
    thrum__jobs_append(&one, job);
    thrum__queue_put_back(pool, &one);
}

/* A job could not be sent. Returns how many jobs leave the queue by that; `*again`: it is to be
 * sent later. */
static int not_sent(thrum__processes *pool, thrum__job *job, int rc, bool own, bool *again) {
    *again = !own || rc == -EAGAIN;
    if (!*again) {
        (void)thrum__job_fail(pool, job,
                              &(thrum_failure){.code = rc,
                                               .task = job->task.name,
                                               .message = "it could not be sent to a worker"});
        return 1;
    }
    job->counted = !thrum__remote_requeue(job->task.future);
    if (own && job->counted)
        return thrum__job_drop(pool, job);
    put_back(pool, job);
    pool->stuck = pool->stuck || job->counted || rc != -EAGAIN; /* its callbacks are not for here */
    return 0;
}

/* Gives `hand` its share of the queue. Returns how many jobs left that. */
static int give(thrum__processes *pool, thrum__hand *hand, unsigned most, bool own) {
    unsigned credit = thrum__hand_credit(pool, hand);
    int n = 0, rc;
    bool again = false;
    thrum__job *job;
    for (credit = credit < most ? credit : most;
         credit > 0 && !again && (job = thrum__queue_next(pool)) != NULL;) {
        if (!thrum__remote_start(job->task.future)) {
            if (own || thrum_future_cancelled(job->task.future)) {
                n += thrum__job_drop(pool, job);
                continue;
            }
            put_back(pool, job); /* a failure, which the pool's thread reports if nobody reads it */
            again = pool->stuck = true;
        } else if ((rc = thrum__hand_give(pool, hand, job)) == 0) {
            credit--;
            pool->turns++;
            n++;
        } else {
            n += not_sent(pool, job, rc, own, &again);
        }
    }
    if (n > 0)
        thrum__hand_send(pool, hand);
    if (pool->opts.max_tasks_per_child && hand->state == THRUM__HAND_READY &&
        hand->n_sent >= (uint64_t)pool->opts.max_tasks_per_child)
        thrum__hand_retire(hand);
    return n;
}

/* Returns whether no other worker can come that would be idle. */
static bool all_ready(const thrum__processes *pool) {
    for (int i = 0; i < pool->max_workers; i++)
        if (pool->hands[i].state != THRUM__HAND_READY)
            return false;
    return true;
}

void thrum__processes_dispatch(thrum__processes *pool, bool own) {
    int n = 0;
    for (int i = 0; i < pool->max_workers && thrum__queue_has(pool); i++)
        if (pool->hands[i].n_jobs == 0)
            n += give(pool, &pool->hands[i], 1, own);
    bool all = all_ready(pool);
    for (int i = 0; i < pool->max_workers && thrum__queue_has(pool); i++)
        if (all || thrum__hand_is_quick(&pool->hands[i]))
            n += give(pool, &pool->hands[i], UINT32_MAX, own);
    thrum__processes_count_waiting(pool, -n);
}

/* As many workers as there is work for. */
static void start_workers(thrum__processes *pool) {
    int starting = 0;
    for (int i = 0; i < pool->max_workers; i++)
        starting += pool->hands[i].state == THRUM__HAND_STARTING;
    int wanted = thrum__queue_count(pool, pool->max_workers);
    for (int i = 0; i < pool->max_workers && starting < wanted && !pool->broken.code; i++) {
        if (pool->hands[i].state != THRUM__HAND_NONE)
            continue;
        int rc = thrum__hand_start(pool, &pool->hands[i]);
        if (rc != 0 && pool->n_hands == 0)
            thrum__processes_break(pool, rc, "no worker process could be started");
        if (rc != 0)
            return;
        starting++;
    }
}

static void watch(thrum__processes *pool) {
    int64_t now = thrum__processes_now();
    for (int i = 0; i < pool->max_workers; i++)
        thrum__hand_watch(pool, &pool->hands[i], now);
}

int64_t thrum__processes_alarm(const thrum__processes *pool) {
    int64_t least = INT64_MAX;
    for (int i = 0; i < pool->max_workers; i++) {
        int64_t alarm = thrum__hand_alarm(pool, &pool->hands[i]);
        least = alarm < least ? alarm : least;
    }
    return least;
}

/* Returns for how many nanoseconds to sleep. */
static int64_t time_left(const thrum__processes *pool, int64_t alarm) {
    int64_t now = thrum__processes_now(), left = alarm > now ? alarm - now : 0;
    for (int i = 0; i < pool->max_workers; i++)
        /* Its end is seen by its descriptor, where the system has one. */
        if (pool->hands[i].state != THRUM__HAND_NONE &&
            (pool->hands[i].child.pidfd < 0 || pool->hands[i].eof))
            left = left < LOOK_NS ? left : LOOK_NS;
    return left;
}

static nfds_t fill_in(const thrum__processes *pool, struct pollfd *polled) {
    nfds_t n = 1, most = 1;
    polled[0] = (struct pollfd){pool->wake, POLLIN, 0};
    for (int i = 0; i < pool->max_workers; i++) {
        const thrum__hand *hand = &pool->hands[i];
        if (hand->state != THRUM__HAND_NONE)
            most = 3 + 2 * (nfds_t)i; /* the system refuses more than there may be descriptors */
        polled[n++] = (struct pollfd){hand->eof ? -1 : hand->socket, POLLIN, 0};
        polled[n++] = (struct pollfd){hand->child.pidfd, POLLIN, 0};
    }
    return most;
}

/* Without the pump. */
static void doze(thrum__processes *pool, struct pollfd *polled, nfds_t n, int64_t left) {
    uint64_t count;
    struct timespec time = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
    thrum__remote_asleep();
    if (ppoll(polled, n, left > NEVER_NS ? NULL : &time, NULL) <= 0)
        memset(polled, 0, (1 + 2 * (size_t)pool->max_workers) * sizeof *polled);
    thrum__remote_awake();
    if (polled[0].revents)
        (void)!read(pool->wake, &count, sizeof count);
}

/* Sleeps until there is something to do. Returns how many tasks were done meanwhile. After many
 * answers it sleeps for a moment only, and workers need not wake it: then there are many again. */
static int wait(thrum__processes *pool, struct pollfd *polled, int answers) {
    bool naps = answers >= MANY;
    int64_t alarm = thrum__processes_alarm(pool);
    int64_t left = naps ? NAP_NS : time_left(pool, alarm);
    nfds_t n = fill_in(pool, polled);
    if (thrum__pump_sleep(pool, alarm, naps)) {
        doze(pool, polled, n, left);
        thrum__pump_take(pool);
    } else {
        memset(polled, 0, (1 + 2 * (size_t)pool->max_workers) * sizeof *polled);
    }
    answers = 0;
    for (int i = 0; i < pool->max_workers; i++) {
        thrum__hand *hand = &pool->hands[i];
        if (polled[1 + 2 * i].revents)
            thrum__hand_hear(hand);
        if (hand->state != THRUM__HAND_NONE)
            (void)thrum__hand_receive(pool, hand, true, &answers);
        if (hand->state != THRUM__HAND_NONE)
            thrum__hand_send(pool, hand);
        if (polled[2 + 2 * i].revents || hand->eof || hand->child.pidfd < 0)
            thrum__hand_reap(pool, hand);
    }
    return answers;
}

/* Closed, and all is done: the workers are to end. Returns whether they have. */
static bool finish(thrum__processes *pool) {
    if (thrum__queue_has(pool))
        return false;
    for (int i = 0; i < pool->max_workers; i++) {
        thrum__hand *hand = &pool->hands[i];
        if (hand->state == THRUM__HAND_STARTING) {
            hand->ready = true;
            thrum__hand_kill(hand, THRUM__KILL_OTHER);
        }
        else if (hand->state == THRUM__HAND_READY && hand->n_jobs == 0)
            thrum__hand_retire(hand);
    }
    return pool->n_hands == 0;
}

typedef struct service {
    thrum__processes *pool;
    struct pollfd *polled;
} service;

/* Also the cleanup handler: a callback has ended the thread, which goes on until the pool ends,
 * since its end would be that of the workers. */
static void serve(void *arg) {
    service *it = arg;
    thrum__processes *pool = it->pool;
    pthread_cleanup_push(serve, it);
    for (int answers = 0;;) {
        bool closed = take_in(pool);
        watch(pool); /* first: it may take answers in */
        thrum__processes_dispatch(pool, true);
        start_workers(pool);
        thrum__backend_callbacks();
        if (closed && finish(pool))
            break;
        if (it->polled)
            answers = wait(pool, it->polled, answers);
    }
    pthread_cleanup_pop(0);
    thrum__pump_count(pool);
    free(it->polled);
    thrum__backend_serves(NULL);
    thrum__processes_own(NULL);
    thrum__backend_rested(pool->executor);
}

void *thrum__processes_main(void *arg) {
    thrum__processes *pool = arg;
    service it = {pool, malloc((1 + 2 * (size_t)pool->max_workers) * sizeof *it.polled)};
    thrum__processes_own(pool);
    thrum__backend_serves(pool->executor);
    if (!it.polled)
        thrum__processes_break(pool, -ENOMEM, "no memory");
    thrum__pump_take(pool);
    serve(&it);
    return NULL;
}
