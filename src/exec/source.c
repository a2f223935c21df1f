/* SPDX-License-Identifier: MIT */
#include "exec/source.h"

#include <stddef.h>

#include "base/atomic.h"
#include "base/cpu.h"
#include "base/fork.h"
#include "exec/pool.h"
#include "park/lot.h"

enum { AWAITED = 1, ONE = 2, LOOKS = 256 };

static const thrum__wait_kind source_kind = {"workers of a map or fork-join", NULL};

void thrum__source_open(thrum_executor *pool, thrum__source *source, uint32_t room) {
    thrum__sources *sources = &pool->sources;
    source->inside = 0;
    source->room = room;
    source->generation = thrum__fork_generation();
    thrum__raw_lock_acquire(&sources->lock);
    source->next = sources->first;
    thrum__store_relaxed(&sources->first, source);
    thrum__raw_lock_release(&sources->lock);
    if (room > 0)
        thrum__source_news(pool);
}

void thrum__source_news(thrum_executor *pool) {
    if (thrum__pool_gone(pool))
        return;
    /* seq_cst: pairs with none(): either that sees the work, or what follows who sleeps */
    thrum__add_seq_cst(&pool->sources.news, 1);
    (void)thrum__pool_notify(pool);
}

static bool empty(thrum__source *source) {
    /* acquire: pairs with thrum__source_leave() */
    return thrum__load_acquire(&source->inside) < ONE;
}

void thrum__source_close(thrum_executor *pool, thrum__source *source) {
    thrum__sources *sources = &pool->sources;
    if (source->generation != thrum__fork_generation())
        return;
    thrum__raw_lock_acquire(&sources->lock);
    for (thrum__source **at = &sources->first; *at; at = &(*at)->next) {
        if (*at == source) {
            thrum__store_relaxed(at, source->next);
            break;
        }
    }
    thrum__raw_lock_release(&sources->lock);
    const thrum__strand *self = thrum__strand_self(); /* met before the bucket is locked */
    if (self->ops == &thrum__strand_os && thrum__strand_may_spin(self)) {
        for (int i = 0; i < LOOKS && !empty(source); i++)
            thrum__pause();
    }
    while (!empty(source)) {
        thrum__waiter waiter;
        thrum__bucket *bucket = thrum__lot_lock(source);
        /* acq_rel: pairs with thrum__source_leave() */
        if (thrum__or_acq_rel(&source->inside, AWAITED) < ONE) {
            thrum__lot_unlock(bucket);
            return;
        }
        thrum__lot_enqueue(bucket, &waiter, source, &source_kind);
        (void)thrum__lot_park(bucket, &waiter, INT64_MAX, THRUM__PARK_SPIN);
        thrum__lot_done(&waiter);
    }
}

void thrum__source_leave(thrum__worker *thief) {
    thrum__source *source = thief->source;
    if (!source)
        return;
    thief->source = NULL;
    if (thrum__pool_gone(thief->pool))
        return;
    /* release: pairs with empty(), thrum__source_close() */
    uint32_t old = thrum__sub_release(&source->inside, ONE);
    /* *source may be gone from here */
    if (old == (ONE | AWAITED))
        thrum__lot_unpark_kind(source, &source_kind);
}

/* Also when pthread_exit() or a cancellation unwinds the worker. */
static void leave(thrum__worker **thief) { thrum__source_leave(*thief); }

/* Returns the first source that has work, and room for one more. Under the lock. */
static thrum__source *find(thrum__sources *sources) {
    for (thrum__source *source = sources->first; source; source = source->next) {
        if (thrum__load_relaxed(&source->inside) / ONE < source->room && source->ops->ready(source))
            return source;
    }
    return NULL;
}

/* Without a source there is nothing to lock for: who opens one then finds the sleeper. */
static bool none(const thrum__sources *sources) {
    /* seq_cst: pairs with thrum__source_news() */
    (void)thrum__load_seq_cst(&sources->news);
    return thrum__load_relaxed(&sources->first) == NULL;
}

static bool visible(const thrum_executor *executor) {
    thrum__sources *sources = &((thrum_executor *)(uintptr_t)executor)->sources;
    if (none(sources))
        return false;
    thrum__raw_lock_acquire(&sources->lock);
    bool found = find(sources) != NULL;
    thrum__raw_lock_release(&sources->lock);
    return found;
}

static bool run(thrum__worker *thief) {
    thrum_executor *pool = thief->pool;
    bool more = false;
    if (none(&pool->sources))
        return false;
    thrum__raw_lock_acquire(&pool->sources.lock);
    thrum__source *source = find(&pool->sources);
    if (source)
        more = thrum__add_relaxed(&source->inside, ONE) / ONE + 1 < source->room || source->next;
    thrum__raw_lock_release(&pool->sources.lock);
    if (!source)
        return false;
    __attribute__((cleanup(leave), unused)) thrum__worker *inside = thief;
    thief->source = source;
    if (more)
        (void)thrum__pool_notify(pool);
    source->ops->work(source);
    return true;
}

static const thrum__work_source work_source = {visible, run};

__attribute__((constructor)) static void set_work_source(void) {
    thrum__work_source_hook = &work_source;
}
