/* SPDX-License-Identifier: MIT */
/* The end of a worker, and what becomes of its jobs. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"

/* So many workers, one after the other, that end before they are ready, or before they begin a job:
 * it is not by chance. */
enum { BAD_STARTS = 20 };
enum { LATE_STARTS = 3 }; /* the same, that are not up in time */

static const int64_t GRACE_NS = INT64_C(5000000000); /* for a worker that ends by itself */
static const int64_t DEAF_NS = 100000000;            /* for one that has closed its socket to be
                                                      * seen dead */

/* Returns whether the worker has begun `job`. */
static bool begun(const thrum__processes *pool, const thrum__hand *hand, const thrum__job *job) {
    /* acquire: pairs with begin() */
    uint64_t started = __atomic_load_n(&thrum__place_of(pool, hand->place)->started,
                                       __ATOMIC_ACQUIRE);
    return (started & ~THRUM__PLACE_HELD) >= job->id;
}

static const char *how_it_ended(const thrum__hand *hand, int status, char *text, size_t size) {
    if (hand->killed == THRUM__KILL_NONSENSE)
        return "sent what is no frame, and was killed";
    if (hand->killed == THRUM__KILL_DEAF && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return "has closed its socket, and was killed";
    thrum__spawn_end_text(status, text, size);
    return text;
}

/* Counted first: whoever ends a task that is PENDING counts it out. */
static void requeue(thrum__processes *pool, thrum__job *job, thrum__jobs *again) {
    thrum__processes_count_waiting(pool, 1);
    if (thrum__remote_requeue(job->task.future)) {
        thrum__jobs_append(again, job);
        return;
    }
    thrum__job_drop(pool, job);
    thrum__processes_count_waiting(pool, -1);
}

/* The first job of a worker that has ended, which it had begun, or was given too much time for. */
static void end_first(thrum__processes *pool, thrum__hand *hand, thrum__job *job, int status,
                      thrum__jobs *again) {
    char text[256], end[128];
    bool limit = hand->killed == THRUM__KILL_LIMIT && hand->aim == job->id;
    thrum_failure failure = {.code = -EPIPE, .message = text, .task = job->task.name};
    if (!limit && job->tries < job->retries) {
        job->tries++;
        requeue(pool, job, again);
        return;
    }
    snprintf(text, sizeof text, "worker %.60s_%d (process %d) %s", pool->name, hand->place,
             hand->process, how_it_ended(hand, status, end, sizeof end));
    if (limit) {
        failure.code = -ETIMEDOUT;
        snprintf(text, sizeof text,
                 "it ran longer than %g s: worker %.60s_%d (process %d) was killed",
                 job->time_limit, pool->name, hand->place, hand->process);
    }
    snprintf(end, sizeof end, "%.60s_%d", pool->name, hand->place);
    failure.thread = end;
    thrum__job_fail(pool, job, &failure);
}

/* Returns whether the first job is to blame, or has to be taken for it. */
static bool is_its_own(const thrum__processes *pool, const thrum__hand *hand, thrum__job *job) {
    bool kept_from_it = hand->ready && hand->killed != THRUM__KILL_CANCEL;
    return (hand->killed == THRUM__KILL_LIMIT && hand->aim == job->id) || begun(pool, hand, job) ||
           (kept_from_it && ++job->deaths >= BAD_STARTS);
}

static void end_jobs(thrum__processes *pool, thrum__hand *hand, int status) {
    thrum__jobs again;
    thrum__job *job;
    bool first = true;
    thrum__jobs_init(&again);
    for (; (job = thrum__jobs_take(&hand->jobs)) != NULL; first = false) {
        if (job->taken)
            thrum__job_done(pool, job);
        else if (thrum_future_cancelled(job->task.future))
            thrum__job_drop(pool, job);
        else if (first && is_its_own(pool, hand, job))
            end_first(pool, hand, job, status, &again);
        else
            requeue(pool, job, &again);
    }
    thrum__queue_put_back(pool, &again);
}

static void count_start(thrum__processes *pool, const thrum__hand *hand, int status) {
    char text[256], end[128];
    if (hand->ready || hand->killed == THRUM__KILL_LATE || ++pool->bad_starts < BAD_STARTS)
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
    int answers = 0;
    (void)thrum__hand_receive(pool, hand, true, &answers); /* what it has sent before */
    count_start(pool, hand, status);
    end_jobs(pool, hand, status);
    close(hand->socket);
    thrum__told_close(&hand->told);
    thrum__buffer_free(&hand->in);
    thrum__buffer_free(&hand->out);
    *hand = (thrum__hand){.place = hand->place, .socket = -1, .child = {.pid = -1, .pidfd = -1}};
    pool->n_hands--;
}

/* From when on the limit counts. */
static int64_t limit_since(const thrum__hand *hand) {
    return hand->moved > hand->since ? hand->moved : hand->since;
}

/* Returns whether the first job, or the item of it that runs, has had its time. */
static bool too_long(thrum__hand *hand, thrum__job *job, int64_t now) {
    if (job->time_limit <= 0 || (double)(now - limit_since(hand)) * 1e-9 <= job->time_limit)
        return false;
    uint64_t begun = job->progress ? __atomic_load_n(&job->progress->begun, __ATOMIC_RELAXED) : 0;
    if (begun <= 1 || begun == job->begun)
        return true;
    job->begun = begun;
    hand->moved = now;
    return false;
}

/* Keeps the worker from beginning any job after `job`. Returns false if it has done that. */
static bool hold(const thrum__processes *pool, const thrum__hand *hand, const thrum__job *job) {
    uint64_t *word = &thrum__place_of(pool, hand->place)->started;
    /* acquire: pairs with begin(): the answer before is there */
    uint64_t started = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    while (started <= job->id)
        /* acquire: pairs with begin() */
        if (__atomic_compare_exchange_n(word, &started, started | THRUM__PLACE_HELD, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
            return true;
    return false;
}

/* Returns whether there is another first job, since the worker has done this one meanwhile: its
 * answer is there. */
static bool kill_first(thrum__processes *pool, thrum__hand *hand, const thrum__job *job,
                       thrum__kill why) {
    uint64_t id = job->id;
    if (hold(pool, hand, job)) {
        hand->aim = id;
        thrum__hand_kill(hand, why);
        return false;
    }
    int answers = 0;
    (void)thrum__hand_receive(pool, hand, true, &answers);
    if (hand->jobs.first && hand->jobs.first->id == id)
        thrum__hand_kill(hand, THRUM__KILL_NONSENSE);
    return true;
}

/* Whoever ends closes its socket first, so that it is given a moment. */
static void watch_deaf(thrum__hand *hand, int64_t now) {
    if (hand->deaf == 0)
        hand->deaf = now;
    if (now - hand->deaf > DEAF_NS)
        thrum__hand_kill(hand, THRUM__KILL_DEAF);
}

/* Returns whether some worker is up. */
static bool any_is_up(const thrum__processes *pool) {
    bool any = false;
    for (int i = 0; i < pool->max_workers; i++)
        any = any || pool->hands[i].state == THRUM__HAND_READY ||
              pool->hands[i].state == THRUM__HAND_RETIRING ||
              (pool->hands[i].state == THRUM__HAND_STARTING && pool->hands[i].hello);
    return any;
}

/* One that was started before the last of these was counted says nothing new: a machine that was
 * too slow for one was too slow for all. */
static void end_late(thrum__processes *pool, thrum__hand *hand, int64_t now) {
    char text[256];
    thrum__hand_kill(hand, THRUM__KILL_LATE);
    snprintf(text, sizeof text, "worker %.60s_%d (process %d) was not up within its start_limit of "
                                "%g s, and was killed",
             pool->name, hand->place, hand->process, pool->opts.start_limit);
    if (!any_is_up(pool) && hand->started_at >= pool->late_at) {
        pool->late_at = now;
        pool->late_starts++;
    }
    if (pool->late_starts >= LATE_STARTS)
        thrum__processes_break(pool, -EPIPE, text);
    else
        thrum__remote_complain("pool \"%s\": %s", pool->name, text);
}

static void watch_start(thrum__processes *pool, thrum__hand *hand, int64_t now) {
    if (now - hand->since < pool->start_ns)
        return;
    hand->since = now;
    if (++hand->late_parts >= THRUM__START_PARTS)
        end_late(pool, hand, now);
}

void thrum__hand_watch(thrum__processes *pool, thrum__hand *hand, int64_t now) {
    bool again = true;
    if (hand->eof && hand->state != THRUM__HAND_KILLED &&
        (hand->state != THRUM__HAND_RETIRING || hand->n_jobs > 0))
        watch_deaf(hand, now);
    if (hand->state == THRUM__HAND_STARTING && !hand->hello)
        watch_start(pool, hand, now);
    while (again && (hand->state == THRUM__HAND_READY || hand->state == THRUM__HAND_RETIRING)) {
        thrum__job *job = hand->jobs.first;
        again = false;
        if (job && thrum_future_cancelled(job->task.future))
            again = kill_first(pool, hand, job, THRUM__KILL_CANCEL);
        else if (job && too_long(hand, job, now))
            again = kill_first(pool, hand, job, THRUM__KILL_LIMIT);
        else if (!job && hand->state == THRUM__HAND_RETIRING && now - hand->since > GRACE_NS)
            thrum__hand_kill(hand, THRUM__KILL_OTHER);
        else if (!job && hand->state == THRUM__HAND_READY && !thrum__queue_has(pool) &&
                 now - hand->since >= pool->idle_ns)
            thrum__hand_retire(hand);
    }
}

int64_t thrum__hand_alarm(const thrum__processes *pool, const thrum__hand *hand) {
    bool starts = hand->state == THRUM__HAND_STARTING && !hand->hello;
    int64_t after = starts ? pool->start_ns : INT64_MAX;
    if (!starts && hand->state != THRUM__HAND_READY && hand->state != THRUM__HAND_RETIRING)
        return INT64_MAX;
    double limit = hand->n_jobs > 0 ? hand->jobs.first->time_limit : 0;
    if (limit > 0 && limit < 1e9)
        after = (int64_t)(limit * 1e9) + 1;
    else if (hand->n_jobs == 0 && !starts)
        after = hand->state == THRUM__HAND_READY ? pool->idle_ns : GRACE_NS + 1;
    int64_t since = hand->n_jobs > 0 ? limit_since(hand) : hand->since;
    return after > INT64_MAX - since ? INT64_MAX : since + after;
}
