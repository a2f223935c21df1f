/* SPDX-License-Identifier: MIT */
/* Who moves tasks to workers and results back. README.md has the protocol. */
#include <limits.h>

#include "pool.h"

/* Under the lock. */
static void wake(thrum__processes *pool) {
    if (pool->state != THRUM__POOL_SLEEPS)
        return;
    pool->state = THRUM__POOL_AWAKE;
    thrum__processes_poke(pool);
}

/* Lets the workers that have something to say wake the pool's thread. Returns false if one has said
 * it already. */
static bool await(thrum__processes *pool) {
    for (int i = 0; i < pool->max_workers; i++) {
        thrum__hand *hand = &pool->hands[i];
        bool talks = hand->n_jobs > 0 || hand->state == THRUM__HAND_STARTING ||
                     hand->state == THRUM__HAND_RETIRING;
        if (!talks || hand->awaits || hand->distrusted)
            continue;
        if (!thrum__ring_await(&hand->up))
            return false;
        hand->awaits = true;
    }
    return true;
}

/* The opposite: the caller looks itself. */
static void attend(thrum__processes *pool) {
    for (int i = 0; i < pool->max_workers; i++) {
        thrum__hand *hand = &pool->hands[i];
        if (hand->awaits)
            thrum__ring_attend(&hand->up);
        hand->awaits = false;
    }
}

void thrum__pump_count(thrum__processes *pool) {
    uint32_t idle = 0;
    for (int i = 0; i < pool->max_workers; i++)
        idle += pool->hands[i].state == THRUM__HAND_READY && pool->hands[i].n_jobs == 0;
    __atomic_store_n(&pool->n_workers, (uint32_t)pool->n_hands, __ATOMIC_RELAXED);
    __atomic_store_n(&pool->n_idle, idle, __ATOMIC_RELAXED);
}

void thrum__pump_take(thrum__processes *pool) {
    thrum_lock_acquire(&pool->lock);
    pool->state = THRUM__POOL_AWAKE;
    while (pool->pumped) {
        __atomic_store_n(&pool->wanted, true, __ATOMIC_RELAXED);
        thrum_condition_wait(&pool->pump, &pool->lock);
    }
    __atomic_store_n(&pool->wanted, false, __ATOMIC_RELAXED);
    pool->pumped = true;
    thrum_lock_release(&pool->lock);
    attend(pool);
}

void thrum__pump_drop(thrum__processes *pool) {
    thrum_lock_acquire(&pool->lock);
    pool->pumped = false;
    if (pool->wanted)
        thrum_condition_notify_all(&pool->pump);
    thrum_lock_release(&pool->lock);
}

bool thrum__pump_sleep(thrum__processes *pool, int64_t alarm, bool naps) {
    thrum__pump_count(pool);
    if (!naps && !await(pool)) {
        attend(pool);
        return false;
    }
    thrum_lock_acquire(&pool->lock);
    bool sleeps = !thrum__queue_has_new(pool) && !pool->cancel;
    if (sleeps) {
        pool->state = naps ? THRUM__POOL_NAPS : THRUM__POOL_SLEEPS;
        pool->alarm = alarm;
        pool->pumped = false;
    }
    thrum_lock_release(&pool->lock);
    if (!sleeps)
        attend(pool);
    return sleeps;
}

bool thrum__pump_try(thrum__processes *pool) {
    bool free = !pool->pumped && !pool->wanted;
    pool->pumped = pool->pumped || free;
    return free;
}

static void feed(thrum__processes *pool) {
    thrum_lock_acquire(&pool->lock);
    thrum__queue_take_in(pool);
    thrum_lock_release(&pool->lock);
    thrum__processes_dispatch(pool, false);
}

/* Returns whether there is something for the pool's thread only: a frame, a task that could not be
 * sent, or a worker to be killed, since the task that has become its first was cancelled before. */
static bool is_stuck(thrum__processes *pool) {
    bool stuck = pool->stuck;
    pool->stuck = false;
    for (int i = 0; i < pool->max_workers && !stuck; i++) {
        const thrum__hand *hand = &pool->hands[i];
        stuck = hand->jobs.first && hand->state != THRUM__HAND_KILLED &&
                thrum_future_cancelled(hand->jobs.first->task.future);
    }
    return stuck;
}

/* Lets go of the pump. */
static void leave(thrum__processes *pool) {
    thrum__pump_count(pool);
    thrum_lock_acquire(&pool->lock);
    if (thrum__queue_has_new(pool)) {
        thrum__queue_take_in(pool);
        thrum_lock_release(&pool->lock);
        thrum__processes_dispatch(pool, false);
        thrum_lock_acquire(&pool->lock);
    }
    if (is_stuck(pool) || thrum__queue_has_new(pool) || pool->closed ||
        (thrum__queue_has(pool) && pool->n_hands < pool->max_workers) ||
        thrum__processes_alarm(pool) < pool->alarm ||
        (pool->state == THRUM__POOL_SLEEPS && !await(pool)))
        wake(pool);
    pool->pumped = false;
    if (pool->wanted)
        thrum_condition_notify_all(&pool->pump);
    thrum_lock_release(&pool->lock); /* the pool may be gone from here */
}

void thrum__pump_submitted(thrum__processes *pool) {
    feed(pool);
    leave(pool);
}

/* Returns the CPU on which a worker that has a task was last. */
static int worker_cpu(const thrum__processes *pool) {
    for (int i = 0; i < pool->max_workers; i++)
        if (pool->hands[i].n_jobs > 0) {
            int cpu = __atomic_load_n(&thrum__place_of(pool, i)->cpu, __ATOMIC_RELAXED);
            return cpu >= 0 ? cpu : INT_MAX;
        }
    return INT_MAX;
}

int thrum__pump_attend(void *state) {
    thrum__processes *pool = state;
    if (thrum__processes_is_own(pool))
        return -1;
    thrum_lock_acquire(&pool->lock);
    bool pumps = thrum__pump_try(pool);
    thrum_lock_release(&pool->lock);
    if (!pumps)
        return -1;
    pool->shielded = thrum__processes_shield();
    attend(pool);
    return worker_cpu(pool);
}

bool thrum__pump_look(void *state) {
    thrum__processes *pool = state;
    int answers = 0;
    for (int i = 0; i < pool->max_workers; i++) {
        thrum__hand *hand = &pool->hands[i];
        if (hand->n_jobs > 0 && thrum__ring_ready(&hand->up) &&
            !thrum__hand_receive(pool, hand, false, &answers))
            pool->stuck = true;
    }
    if (__atomic_load_n(&pool->fresh, __ATOMIC_RELAXED))
        feed(pool);
    else if (answers > 0 && thrum__queue_has(pool))
        thrum__processes_dispatch(pool, false);
    return !pool->stuck && !__atomic_load_n(&pool->wanted, __ATOMIC_RELAXED);
}

void thrum__pump_leave(void *state) {
    thrum__processes *pool = state;
    int before = pool->shielded;
    leave(pool);
    thrum__processes_unshield(before);
}
