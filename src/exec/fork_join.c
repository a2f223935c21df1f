/* SPDX-License-Identifier: MIT */
#include "exec/fork_join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "exec/part.h"
#include "exec/pool.h"

/* Forkers that nobody uses: as many as once took part at the same time. */
static thrum__raw_lock cache_lock;
static thrum__forker *cache; /* under cache_lock */

static void lock_cache(void) { thrum__raw_lock_acquire(&cache_lock); }

static void unlock_cache(void) { thrum__raw_lock_release(&cache_lock); }

static const thrum__fork_hooks fork_hooks = {lock_cache, unlock_cache, unlock_cache};

static thrum__forker *get_forker(thrum__fork_join *join) {
    thrum__fork_register(THRUM__FORK_FORKERS, &fork_hooks);
    lock_cache();
    thrum__forker *forker = cache;
    if (forker)
        cache = forker->next_idle;
    unlock_cache();
    if (!forker)
        forker = thrum__forker_new();
    if (forker) {
        forker->join = join;
        forker->busy = true;
    }
    return forker;
}

static void put_forker(thrum__forker *forker) {
    if (forker->broken) {
        thrum__forker_free(forker);
        return;
    }
    thrum__forker_reset(forker);
    lock_cache();
    forker->next_idle = cache;
    cache = forker;
    unlock_cache();
}

static uint32_t count(thrum__fork_join *join) {
    /* acquire: pairs with add() */
    return thrum__load_acquire(&join->n);
}

static void add(thrum__fork_join *join, thrum__forker *forker) {
    join->forkers[join->n] = forker;
    /* release: pairs with count() */
    thrum__store_release(&join->n, join->n + 1);
}

/* Returns a forker of `join` for the calling worker, NULL without memory. */
static thrum__forker *enter(thrum__fork_join *join) {
    thrum__forker *found = NULL;
    thrum__raw_lock_acquire(&join->lock);
    for (uint32_t i = 1; i < join->n && !found; i++) {
        if (!join->forkers[i]->busy)
            found = join->forkers[i];
    }
    if (found)
        found->busy = true;
    thrum__raw_lock_release(&join->lock);
    if (found || !(found = get_forker(join)))
        return found;
    thrum__raw_lock_acquire(&join->lock);
    add(join, found);
    thrum__raw_lock_release(&join->lock);
    return found;
}

/* A forker whose worker was ended in a call stays in its place, so there is room for one worker
 * less. */
static void leave(thrum__forker **self) {
    thrum__forker *forker = *self;
    if (!forker)
        return;
    thrum__fork_join *join = forker->join;
    if (thrum__fork_join_left_alone(join))
        return;
    if (forker->broken) {
        thrum__raw_lock_acquire(&join->pool->sources.lock);
        join->source.room--;
        thrum__raw_lock_release(&join->pool->sources.lock);
    }
    thrum__raw_lock_acquire(&join->lock);
    forker->busy = forker->broken;
    thrum__raw_lock_release(&join->lock);
}

static bool ready(thrum__source *source) {
    thrum__fork_join *join = THRUM__MEMBER(thrum__fork_join, source, source);
    uint32_t n = count(join);
    bool found = false;
    for (uint32_t i = 0; i < n && !found; i++)
        found = thrum__forker_ready(join->forkers[i]);
    return found;
}

/* Who takes part. */
typedef struct member {
    thrum__part part;
    thrum__forker *self;
} member;

/* The strand is inside exit(). What the caller executes ends only after the others are out. */
static void desert(thrum__part *part) {
    thrum__forker *self = THRUM__MEMBER(member, part, part)->self;
    thrum__fork_join *join = self->join;
    thrum__forker_desert(self);
    thrum__part_end(part);
    if (self == join->forkers[0])
        thrum__source_close(join->pool, &join->source);
    else
        leave(&self);
}

static void begin(member *one, thrum__forker *self) {
    thrum__part_begin(&one->part, self->join->whole);
    one->part.desert = desert;
    one->self = self;
}

static void end(member *one) { thrum__part_end(&one->part); }

/* Takes from one after the other, until nobody has anything. */
static void work(thrum__source *source) {
    thrum__fork_join *join = THRUM__MEMBER(thrum__fork_join, source, source);
    __attribute__((cleanup(leave))) thrum__forker *self = enter(join);
    if (!self)
        return;
    __attribute__((cleanup(end))) member one;
    begin(&one, self);
    for (uint32_t i = 0, in_vain = 0; in_vain < count(join); i++) {
        thrum__forker *victim = join->forkers[i % count(join)];
        bool found = victim != self && thrum__forker_steal(self, victim);
        if (thrum__fork_join_left_alone(join))
            break; /* *whole is on the stack of a thread that is not here */
        in_vain = found ? 0 : in_vain + 1;
        if (found)
            thrum__part_failed(&one.part, 0);
    }
}

static const thrum__source_ops source_ops = {ready, work};

/* Opens a fork-join with the calling strand as its first forker. */
static int open_join(thrum_executor *pool, thrum__whole *whole, thrum__fork_join **out) {
    size_t most = (size_t)pool->max_workers;
    thrum__fork_join *join = calloc(1, sizeof *join + most * sizeof join->forkers[0]);
    thrum__forker *self = join ? get_forker(join) : NULL;
    if (!self) {
        free(join);
        return -ENOMEM;
    }
    join->source.ops = &source_ops;
    join->pool = pool;
    join->whole = whole;
    thrum__whole_init(whole);
    add(join, self);
    *out = join;
    return 0;
}

typedef struct rooted {
    thrum_executor *pool;
    thrum__call *root;
} rooted;

static void close_join(thrum__fork_join **open) {
    thrum__fork_join *join = *open;
    thrum__forker *first = join->forkers[0];
    thrum__forker_check_ended(first, first->frames);
    thrum__source_close(join->pool, &join->source);
    /* In the child of a fork the others may be in the middle of something for ever. */
    for (uint32_t i = 0; i < (thrum__fork_join_left_alone(join) ? 1 : join->n); i++)
        put_forker(join->forkers[i]);
    free(join);
}

/* Runs it with the current strand as the first who takes part. */
static int run_here(thrum_executor *pool, thrum__call *root) {
    thrum__fork_join *join;
    thrum__whole whole = {.failure.code = 0};
    int rc = open_join(pool, &whole, &join);
    if (rc != 0)
        return rc;
    {
        __attribute__((cleanup(close_join), unused)) thrum__fork_join *open = join;
        __attribute__((cleanup(end))) member one;
        begin(&one, join->forkers[0]);
        thrum__source_open(pool, &join->source, (uint32_t)pool->max_workers - 1);
        thrum__forker_run(join->forkers[0], root);
        thrum__part_failed(&one.part, 0);
    }
    return thrum__whole_raise(&whole);
}

/* The task of the caller: on a worker, or on a submitter that found no room. */
static int run_submitted(void *arg) {
    const rooted *it = arg;
    thrum__call root = *it->root; /* in the child of a fork *it is not there */
    unsigned generation = thrum__fork_generation();
    int rc = run_here(it->pool, &root);
    if (generation == thrum__fork_generation())
        it->root->data = root.data;
    return rc;
}

int thrum__fork_join_run(thrum_executor *pool, thrum__call *root) {
    int rc = thrum__part_allowed(pool);
    if (rc != 0)
        return rc;
    return thrum__part_here(pool) ? run_here(pool, root)
                                  : thrum__part_submit(pool, run_submitted, &(rooted){pool, root});
}

int thrum_fork_join(thrum_executor *executor, void *(*fn)(thrum_worker *w, void *arg), void *arg,
                    void **result) {
    if (!fn)
        return -EINVAL;
    thrum__call root = {.run = thrum__call_run};
    *(thrum__call_args *)(void *)&root.data = (thrum__call_args){fn, arg};
    int rc = thrum__fork_join_run(executor, &root);
    if (rc == 0 && result)
        *result = root.data.pointer;
    return rc;
}

void thrum__call_run(thrum_worker *w, thrum__call *call) {
    thrum__call_args args = *(thrum__call_args *)(void *)&call->data;
    call->data.pointer = args.fn(w, args.arg);
}
