/* SPDX-License-Identifier: MIT */
/* Where the records of tasks come from. Each OS thread has two batches at hand; whole batches go to
 * the depot and come from it, so that records made by one thread and freed by another cost one lock
 * per batch. Chunks are never given back: memory is bounded by the most records there ever were at
 * once. */
#include <pthread.h>
#include <stdlib.h>

#include "base/fork.h"
#include "base/raw_lock.h"
#include "exec/task.h"

enum { BATCH = 64, BATCHES = 16, CACHE_LINE = 64 };

typedef struct chunk {
    struct chunk *older;
} chunk;

/* Free records hang by `next`; batches, in the depot, by the `value` of their first record. */
typedef struct cache {
    thrum_future *free;
    int n;
    thrum_future *spare; /* NULL, or a whole batch */
    bool entered;        /* it will be emptied when the thread ends */
    bool direct;         /* the thread ends, or its end would go unnoticed: nothing is kept here */
} cache;

static __thread cache own;
static thrum__raw_lock lock;
static thrum_future *depot; /* under lock */
static chunk *chunks;       /* under lock */
static pthread_key_t key;
static bool key_made; /* read-only after make_key() */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void give(thrum_future *batch) {
    if (!batch)
        return;
    thrum__raw_lock_acquire(&lock);
    batch->value = depot;
    depot = batch;
    thrum__raw_lock_release(&lock);
}

static thrum_future *take(void) {
    thrum__raw_lock_acquire(&lock);
    thrum_future *batch = depot;
    if (batch)
        depot = batch->value;
    thrum__raw_lock_release(&lock);
    return batch;
}

static thrum_future *link_batch(thrum_future *first) {
    for (int i = 0; i < BATCH - 1; i++)
        first[i].next = &first[i + 1];
    first[BATCH - 1].next = NULL;
    return first;
}

/* Returns a batch of a new chunk; the others go to the depot. */
static thrum_future *grow(void) {
    size_t size = (size_t)BATCHES * BATCH * sizeof(thrum_future);
    chunk *made = malloc(sizeof *made + CACHE_LINE + size);
    if (!made)
        return NULL;
    uintptr_t start = ((uintptr_t)(made + 1) + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1);
    thrum_future *tasks = (thrum_future *)start;
    thrum__raw_lock_acquire(&lock);
    made->older = chunks;
    chunks = made;
    thrum__raw_lock_release(&lock);
    for (int i = 1; i < BATCHES; i++)
        give(link_batch(tasks + i * BATCH));
    return link_batch(tasks);
}

static void empty(void *arg) {
    cache *it = arg;
    thrum_future *free = it->free, *spare = it->spare;
    *it = (cache){.direct = true};
    give(free);
    give(spare);
}

static void make_key(void) { key_made = pthread_key_create(&key, empty) == 0; }

static void enter(cache *it) {
    it->entered = true;
    pthread_once(&once, make_key);
    it->direct = !key_made || pthread_setspecific(key, it) != 0;
}

static __attribute__((noinline)) bool refill(cache *it) {
    if (!it->entered && !it->direct)
        enter(it);
    it->free = it->spare;
    it->spare = NULL;
    if (!it->free)
        it->free = take();
    if (!it->free)
        it->free = grow();
    it->n = BATCH; /* or less, after a thread's end: then the next batch is a short one */
    return it->free != NULL;
}

static __attribute__((noinline)) void spill(cache *it) {
    if (!it->entered && !it->direct)
        enter(it);
    if (!it->direct && !it->spare) {
        it->spare = it->free;
    } else if (!it->direct) {
        give(it->spare);
        it->spare = it->free;
    } else {
        give(it->free);
    }
    it->free = NULL;
    it->n = 0;
}

__attribute__((noinline)) thrum_future *thrum__task_new(uint32_t word) {
    cache *it = &own;
    if (THRUM__UNLIKELY(!it->free) && !refill(it))
        return NULL;
    thrum_future *task = it->free;
    it->free = task->next;
    it->n--;
    if (THRUM__UNLIKELY(it->direct))
        spill(it);
    __builtin_prefetch(it->free, 1);
    *task = (thrum_future){.word = word};
    return task;
}

__attribute__((noinline)) void thrum__task_recycle(thrum_future *task) {
    cache *it = &own;
    task->next = it->free;
    it->free = task;
    it->n++;
    if (THRUM__UNLIKELY(it->n >= BATCH || it->direct || !it->entered))
        spill(it);
}

static void prepare_fork(void) { thrum__raw_lock_acquire(&lock); }

static void after_fork(void) { thrum__raw_lock_release(&lock); }

static const thrum__fork_hooks fork_hooks = {prepare_fork, after_fork, after_fork};

__attribute__((constructor)) static void register_fork(void) {
    thrum__fork_register(THRUM__FORK_SLAB, &fork_hooks);
}
