/* SPDX-License-Identifier: MIT */
/* The end of a worker, and what becomes of its jobs. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool.h"

/* So many workers, one after the other, that end before they are ready: it is not by chance. */
enum { BAD_STARTS = 20 };

static const int64_t GRACE_NS = INT64_C(5000000000); /* for a worker that ends by itself */

/* Returns whether the worker has begun `job`. */
static bool begun(const thrum__processes *pool, const thrum__hand *hand, const thrum__job *job) {
    /* acquire: pairs with do_task() */
    return __atomic_load_n(&pool->places[hand->place].started, __ATOMIC_ACQUIRE) >= job->id;
}

/* The first job of a worker that has ended, which it had begun, or was given too much time for. */
static void end_first(thrum__processes *pool, thrum__hand *hand, thrum__job *job, int status,
                      thrum__jobs *again) {
    char text[256], end[128];
    thrum_failure failure = {.code = -EPIPE, .message = text, .task = job->task.type->name};
    if (hand->killed != THRUM__KILL_LIMIT && job->tries < pool->opts.retries &&
        thrum__remote_requeue(job->task.future)) {
        job->tries++;
        thrum__jobs_append(again, job);
        return;
    }
    thrum__spawn_end_text(status, end, sizeof end);
    snprintf(text, sizeof text, "worker %.60s_%d (process %d) %s", pool->name, hand->place,
             hand->process, end);
    if (hand->killed == THRUM__KILL_LIMIT) {
        failure.code = -ETIMEDOUT;
        snprintf(text, sizeof text, "it ran longer than %g s: worker %.60s_%d (process %d) was killed",
                 pool->opts.time_limit, pool->name, hand->place, hand->process);
    }
    snprintf(end, sizeof end, "%.60s_%d", pool->name, hand->place);
    failure.thread = end;
    thrum__job_fail(pool, job, &failure);
}

static void end_jobs(thrum__processes *pool, thrum__hand *hand, int status) {
    thrum__jobs again;
    thrum__job *job;
    bool first = true;
    thrum__jobs_init(&again);
    for (; (job = thrum__jobs_take(&hand->jobs)) != NULL; first = false) {
        if (thrum_future_cancelled(job->task.future))
            thrum__job_drop(pool, job);
        else if (first && (hand->killed == THRUM__KILL_LIMIT || begun(pool, hand, job)))
            end_first(pool, hand, job, status, &again);
        else if (thrum__remote_requeue(job->task.future))
            thrum__jobs_append(&again, job);
        else
            thrum__job_drop(pool, job);
    }
    int n = 0;
    for (job = again.first; job; job = job->next)
        n++;
    thrum__processes_count_waiting(pool, n);
    thrum__jobs_prepend(&pool->queue, &again);
}

static void count_start(thrum__processes *pool, const thrum__hand *hand, int status) {
    char text[256], end[128];
    if (hand->ready || ++pool->bad_starts < BAD_STARTS)
        return;
    thrum__spawn_end_text(status, end, sizeof end);
    snprintf(text, sizeof text, "workers end before they are ready: the last (process %d) %s",
             hand->process, end);
    thrum__processes_break(pool, -EPIPE, text);
}

void thrum__hand_reap(thrum__processes *pool, thrum__hand *hand) {
    int status;
    if (hand->state == THRUM__HAND_NONE || !thrum__spawn_reap(&hand->child, false, &status))
        return;
    thrum__hand_receive(pool, hand); /* what it has sent before */
    count_start(pool, hand, status);
    end_jobs(pool, hand, status);
    close(hand->socket);
    thrum__buffer_free(&hand->in);
    thrum__buffer_free(&hand->out);
    *hand = (thrum__hand){.place = hand->place, .socket = -1, .child = {-1, -1}};
    pool->n_hands--;
}

static bool too_long(const thrum__processes *pool, const thrum__hand *hand, int64_t now) {
    return pool->opts.time_limit > 0 && (double)(now - hand->since) * 1e-9 > pool->opts.time_limit;
}

void thrum__hand_watch(thrum__processes *pool, thrum__hand *hand, int64_t now) {
    thrum__job *job = hand->jobs.first;
    if (hand->state != THRUM__HAND_READY && hand->state != THRUM__HAND_RETIRING)
        return;
    if (job && thrum_future_cancelled(job->task.future))
        thrum__hand_kill(hand, THRUM__KILL_CANCEL);
    else if (job && too_long(pool, hand, now))
        thrum__hand_kill(hand, THRUM__KILL_LIMIT);
    else if (!job && hand->state == THRUM__HAND_RETIRING && now - hand->since > GRACE_NS)
        thrum__hand_kill(hand, THRUM__KILL_OTHER);
}
