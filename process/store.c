/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <thrum/lock.h>
#include <thrum/shared.h>
#include <unistd.h>

/* MOST: segments in use at a time, since each has a descriptor; SMALL ones are needed in any case.
 * KEEP: bytes that wait to be used again. */
enum { MOST = 128, SMALL = 1 << 18, LEAST = 1 << 12 };
static const size_t KEEP = (size_t)256 << 20;

typedef struct segment {
    struct segment *next; /* under lock, while it is free */
    thrum_shared *shared;
    size_t size;
    int process; /* whose lock this is */
} segment;

static thrum_lock lock;
static segment *unused;       /* under lock: what was used last comes first */
static size_t unused_size;    /* under lock */
static int n_used, n_pools;   /* under lock */

static void end(segment *it) {
    thrum_shared_close(it->shared);
    free(it);
}

/* Takes out what is more than `most` bytes: what has waited longest. Under the lock. Returns it. */
static segment *surplus(size_t most) {
    segment **at = &unused;
    size_t sum = 0;
    while (*at && sum + (*at)->size <= most) {
        sum += (*at)->size;
        at = &(*at)->next;
    }
    segment *rest = *at;
    *at = NULL;
    unused_size = sum;
    return rest;
}

static void end_all(segment *first) {
    while (first) {
        segment *next = first->next;
        end(first);
        first = next;
    }
}

static void before_fork(void) { thrum_lock_acquire(&lock); }

static void after_fork(void) { thrum_lock_release(&lock); }

/* Nothing is used twice: the parent goes on writing to what is free here. */
static void in_child(void) {
    segment *rest = surplus(0);
    lock = (thrum_lock)THRUM_LOCK_INIT;
    n_used = n_pools = 0;
    end_all(rest);
}

/* After the library's own, as in watch_linux.c. */
static void register_forks(void) { pthread_atfork(before_fork, after_fork, in_child); }

void thrum__store_open(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_forks);
    thrum_lock_acquire(&lock);
    n_pools++;
    thrum_lock_release(&lock);
}

void thrum__store_close(void) {
    thrum_lock_acquire(&lock);
    segment *rest = --n_pools == 0 ? surplus(0) : NULL;
    thrum_lock_release(&lock);
    end_all(rest);
}

/* Takes a free one that is large enough, and not much too large. Under the lock. */
static segment *fitting(size_t size) {
    segment **best = NULL;
    for (segment **at = &unused; *at; at = &(*at)->next)
        if ((*at)->size >= size && (*at)->size / 2 <= size &&
            (!best || (*at)->size < (*best)->size))
            best = at;
    segment *found = best ? *best : NULL;
    if (found) {
        *best = found->next;
        unused_size -= found->size;
    }
    return found;
}

/* Sizes in steps of an eighth, so that like ones find each other. */
static size_t rounded(size_t size) {
    size_t step = LEAST;
    while (step < size / 8)
        step *= 2;
    return (size + step - 1) / step * step;
}

static segment *make(size_t size) {
    segment *it = malloc(sizeof *it);
    if (!it)
        return NULL;
    *it = (segment){.size = rounded(size), .process = (int)getpid()};
    if (thrum_shared_create(&it->shared, NULL, it->size, NULL) == 0)
        return it;
    free(it);
    return NULL;
}

void *thrum__store_take(size_t size, void **handle) {
    if (size > PTRDIFF_MAX / 2)
        return NULL;
    thrum_lock_acquire(&lock);
    bool many = n_used >= MOST && size >= SMALL;
    segment *it = many ? NULL : fitting(size);
    n_used += !many;
    thrum_lock_release(&lock);
    if (many)
        return NULL;
    if (!it && !(it = make(size))) {
        thrum_lock_acquire(&lock);
        n_used--;
        thrum_lock_release(&lock);
        return NULL;
    }
    *handle = it;
    return thrum_shared_memory(it->shared);
}

void thrum__store_give(void *handle) {
    segment *it = handle;
    if (it->process != (int)getpid()) {
        end(it); /* in the child of a fork, where nobody releases a lock that was held */
        return;
    }
    thrum_lock_acquire(&lock);
    n_used--;
    it->next = unused;
    unused = it;
    unused_size += it->size;
    segment *rest = n_pools == 0 ? surplus(0) : unused_size > KEEP ? surplus(KEEP) : NULL;
    thrum_lock_release(&lock);
    end_all(rest);
}
