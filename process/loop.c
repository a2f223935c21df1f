/* SPDX-License-Identifier: MIT */
/* The thread of a pool of processes. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

int64_t thrum__processes_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void thrum__jobs_prepend(thrum__jobs *jobs, thrum__jobs *front) {
    if (!front->first)
        return;
    *front->end = jobs->first;
    if (!jobs->first)
        jobs->end = front->end;
    jobs->first = front->first;
    thrum__jobs_init(front);
}

void thrum__processes_count_waiting(thrum__processes *pool, int change) {
    if (change == 0)
        return;
    thrum_lock_acquire(&pool->lock);
    pool->waiting += (size_t)change;
    if (pool->queue_limit && change < 0)
        thrum_condition_notify(&pool->room, -change);
    thrum_lock_release(&pool->lock);
}

void thrum__job_fail(thrum__processes *pool, thrum__job *job, const thrum_failure *failure) {
    if (thrum__remote_take(job->task.future)) {
        __atomic_add_fetch(&pool->completed, 1, __ATOMIC_RELAXED);
        thrum__remote_fail(job->task.future, failure);
        thrum__job_free(job);
    } else {
        thrum__job_drop(pool, job);
    }
}

void thrum__job_drop(thrum__processes *pool, thrum__job *job) {
    __atomic_add_fetch(&pool->completed, 1, __ATOMIC_RELAXED);
    thrum__remote_cancel(job->task.future);
    thrum__job_free(job);
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
}

/* Takes what was submitted. Returns whether the pool was closed. */
static bool take_in(thrum__processes *pool) {
    thrum_lock_acquire(&pool->lock);
    if (pool->intake.first) {
        *pool->queue.end = pool->intake.first;
        pool->queue.end = pool->intake.end;
        thrum__jobs_init(&pool->intake);
    }
    bool closed = pool->closed, cancel = pool->cancel;
    pool->sleeping = pool->cancel = false;
    thrum_lock_release(&pool->lock);
    thrum__job *job;
    int n = 0;
    while ((cancel || pool->broken.code) && (job = thrum__jobs_take(&pool->queue)) != NULL) {
        if (pool->broken.code)
            thrum__job_fail(pool, job, &pool->broken);
        else
            thrum__job_drop(pool, job);
        n--;
    }
    thrum__processes_count_waiting(pool, n);
    return closed;
}

/* Returns false if it was cancelled meanwhile. */
static bool put_back(thrum__processes *pool, thrum__job *job) {
    thrum__jobs one;
    if (!thrum__remote_requeue(job->task.future))
        return false;
    thrum__jobs_init(&one);
    thrum__jobs_append(&one, job);
    thrum__jobs_prepend(&pool->queue, &one);
    return true;
}

/* Gives `hand` its share of the queue. */
static int give(thrum__processes *pool, thrum__hand *hand, unsigned most) {
    unsigned credit = thrum__hand_credit(pool, hand);
    int n = 0, rc;
    thrum__job *job;
    for (credit = credit < most ? credit : most; credit > 0 && pool->queue.first; credit--) {
        job = thrum__jobs_take(&pool->queue);
        if (!thrum__remote_start(job->task.future))
            thrum__job_drop(pool, job);
        else if ((rc = thrum__hand_give(pool, hand, job)) == -EAGAIN && put_back(pool, job))
            break;
        else if (rc != 0)
            thrum__job_fail(pool, job, &(thrum_failure){.code = rc, .task = job->task.name,
                                                        .message = "it could not be sent to a worker"});
        n++;
    }
    if (n > 0)
        thrum__hand_send(hand);
    if (pool->opts.max_tasks_per_child && hand->state == THRUM__HAND_READY &&
        hand->n_sent >= (uint64_t)pool->opts.max_tasks_per_child)
        thrum__hand_retire(hand);
    return n;
}

/* Idle workers first, one job each; then the others get more. */
static void dispatch(thrum__processes *pool) {
    int n = 0;
    for (int i = 0; i < pool->max_workers && pool->queue.first; i++)
        if (pool->hands[i].n_jobs == 0)
            n += give(pool, &pool->hands[i], 1);
    for (int i = 0; i < pool->max_workers && pool->queue.first; i++)
        n += give(pool, &pool->hands[i], UINT32_MAX);
    thrum__processes_count_waiting(pool, -n);
}

/* As many workers as there is work for. */
static void start_workers(thrum__processes *pool) {
    int idle = 0, starting = 0;
    for (int i = 0; i < pool->max_workers; i++) {
        idle += pool->hands[i].state == THRUM__HAND_READY && pool->hands[i].n_jobs == 0;
        starting += pool->hands[i].state == THRUM__HAND_STARTING;
    }
    __atomic_store_n(&pool->n_workers, (uint32_t)pool->n_hands, __ATOMIC_RELAXED);
    __atomic_store_n(&pool->n_idle, (uint32_t)idle, __ATOMIC_RELAXED);
    int wanted = 0;
    for (thrum__job *job = pool->queue.first; job && wanted < pool->max_workers; job = job->next)
        wanted++;
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

/* Returns when to look again, in milliseconds; -1: when something happens. */
static int watch(thrum__processes *pool) {
    int64_t now = thrum__processes_now(), least = INT64_MAX;
    for (int i = 0; i < pool->max_workers; i++) {
        thrum__hand *hand = &pool->hands[i];
        thrum__hand_watch(pool, hand, now);
        double limit = hand->n_jobs > 0 ? pool->opts.time_limit
                       : hand->state == THRUM__HAND_RETIRING ? 5 : 0;
        if (hand->state != THRUM__HAND_NONE && limit > 0 && limit < 1e9) {
            int64_t left = hand->since + (int64_t)(limit * 1e9) - now;
            least = left < least ? left : least;
        }
        /* Its end is seen by its descriptor, where the system has one. */
        if (hand->state != THRUM__HAND_NONE && (hand->child.pidfd < 0 || hand->eof) && least > 10000000)
            least = 10000000;
    }
    return least == INT64_MAX ? -1 : least < 0 ? 1 : (int)(least / 1000000 > 60000 ? 60000 : least / 1000000 + 1);
}

/* Returns the time-out for who sleeps now: 0 if there is something new. */
static int fall_asleep(thrum__processes *pool, int timeout) {
    thrum_lock_acquire(&pool->lock);
    pool->sleeping = !pool->intake.first;
    if (pool->intake.first || pool->cancel)
        timeout = 0;
    thrum_lock_release(&pool->lock);
    return timeout;
}

static void wait(thrum__processes *pool, struct pollfd *polled, int timeout) {
    nfds_t n = 1, most = 1;
    polled[0] = (struct pollfd){pool->wake, POLLIN, 0};
    for (int i = 0; i < pool->max_workers; i++) {
        const thrum__hand *hand = &pool->hands[i];
        if (hand->state != THRUM__HAND_NONE)
            most = 3 + 2 * (nfds_t)i; /* the system refuses more than there may be descriptors */
        short events = POLLIN;
        if (thrum__buffer_size(&hand->out) > 0)
            events |= POLLOUT;
        polled[n++] = (struct pollfd){hand->eof ? -1 : hand->socket, events, 0};
        polled[n++] = (struct pollfd){hand->child.pidfd, POLLIN, 0};
    }
    uint64_t count;
    if (poll(polled, most, fall_asleep(pool, timeout)) <= 0)
        memset(polled, 0, n * sizeof *polled);
    if (polled[0].revents)
        (void)!read(pool->wake, &count, sizeof count);
    for (int i = 0; i < pool->max_workers; i++) {
        thrum__hand *hand = &pool->hands[i];
        if (polled[1 + 2 * i].revents & POLLOUT)
            thrum__hand_send(hand);
        if (polled[1 + 2 * i].revents & (POLLIN | POLLHUP | POLLERR))
            thrum__hand_receive(pool, hand);
        if (polled[2 + 2 * i].revents || hand->eof || hand->child.pidfd < 0)
            thrum__hand_reap(pool, hand);
    }
}

/* Closed, and all is done: the workers are to end. Returns whether they have. */
static bool finish(thrum__processes *pool) {
    if (pool->queue.first)
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

void *thrum__processes_main(void *arg) {
    thrum__processes *pool = arg;
    thrum__processes_own(pool);
    struct pollfd *polled = malloc((1 + 2 * (size_t)pool->max_workers) * sizeof *polled);
    if (!polled)
        thrum__processes_break(pool, -ENOMEM, "no memory");
    for (;;) {
        bool closed = take_in(pool);
        dispatch(pool);
        start_workers(pool);
        int timeout = watch(pool);
        if (closed && finish(pool))
            break;
        if (polled)
            wait(pool, polled, timeout);
    }
    free(polled);
    thrum__backend_rested(pool->executor);
    return NULL;
}
