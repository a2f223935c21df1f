/* SPDX-License-Identifier: MIT */
/* The jobs of a pool that no worker has: those without a priority in a list, those with one in a
 * heap. By who holds the pump, but for the intake. */
#include "pool.h"

static thrum__job *job_of(thrum__rank *rank) {
    return rank ? (thrum__job *)((char *)rank - offsetof(thrum__job, rank)) : NULL;
}

void thrum__queue_submit(thrum__processes *pool, thrum__job *job) {
    thrum__jobs_append(job->rank.priority ? &pool->ranked_intake : &pool->intake, job);
    __atomic_store_n(&pool->fresh, true, __ATOMIC_RELAXED);
}

void thrum__queue_take_in(thrum__processes *pool) {
    thrum__job *job;
    if (pool->intake.first) {
        *pool->queue.end = pool->intake.first;
        pool->queue.end = pool->intake.end;
        thrum__jobs_init(&pool->intake);
    }
    while ((job = thrum__jobs_take(&pool->ranked_intake)) != NULL)
        thrum__ranks_put(&pool->ranks, &job->rank);
    __atomic_store_n(&pool->fresh, false, __ATOMIC_RELAXED);
}

thrum__job *thrum__queue_next(thrum__processes *pool) {
    uint32_t turn = (pool->turns + 1) % THRUM__RANKS_FAIR_EVERY;
    thrum__job *job = NULL;
    if (!thrum__ranks_visible(&pool->ranks))
        return thrum__jobs_take(&pool->queue);
    if (turn == 0)
        job = job_of(thrum__ranks_take_oldest(&pool->ranks));
    else if (turn != THRUM__RANKS_FAIR_EVERY / 2)
        job = job_of(thrum__ranks_take(&pool->ranks, 0));
    if (!job)
        job = thrum__jobs_take(&pool->queue);
    return job ? job : job_of(thrum__ranks_take(&pool->ranks, INT64_MIN));
}

thrum__job *thrum__queue_any(thrum__processes *pool) {
    thrum__job *job = thrum__jobs_take(&pool->queue);
    return job ? job : job_of(thrum__ranks_take(&pool->ranks, INT64_MIN));
}

/* The last of them first: each counts as the oldest. */
void thrum__queue_put_back(thrum__processes *pool, thrum__jobs *jobs) {
    thrum__jobs plain;
    thrum__job *job, *ranked = NULL;
    thrum__jobs_init(&plain);
    while ((job = thrum__jobs_take(jobs)) != NULL) {
        if (job->rank.priority) {
            job->next = ranked;
            ranked = job;
        } else {
            thrum__jobs_append(&plain, job);
        }
    }
    for (; ranked; ranked = job) {
        job = ranked->next;
        thrum__ranks_put_back(&pool->ranks, &ranked->rank);
    }
    if (!plain.first)
        return;
    *plain.end = pool->queue.first;
    if (!pool->queue.first)
        pool->queue.end = plain.end;
    pool->queue.first = plain.first;
}

int thrum__queue_sweep(thrum__processes *pool) {
    thrum__jobs left;
    thrum__job *job;
    int n = 0;
    thrum__jobs_init(&left);
    while ((job = thrum__jobs_take(&pool->queue)) != NULL) {
        if (thrum__remote_ended(job->task.future))
            n += thrum__job_drop(pool, job);
        else
            thrum__jobs_append(&left, job);
    }
    if (left.first)
        pool->queue = left;
    for (thrum__rank *rank = pool->ranks.oldest, *newer; rank; rank = newer) {
        newer = rank->newer;
        job = job_of(rank);
        if (thrum__remote_ended(job->task.future) &&
            thrum__ranks_take_this(&pool->ranks, rank, true))
            n += thrum__job_drop(pool, job);
    }
    return n;
}

int thrum__queue_count(const thrum__processes *pool, int most) {
    int n = 0;
    for (const thrum__job *job = pool->queue.first; job && n < most; job = job->next)
        n++;
    for (const thrum__rank *rank = pool->ranks.oldest; rank && n < most; rank = rank->newer)
        n++;
    return n;
}
