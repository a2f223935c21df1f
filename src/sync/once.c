/* SPDX-License-Identifier: MIT */
#include <thrum/once.h>

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "park/lot.h"

#define AWAITED UINT32_C(0x80000000)

enum { NEW = 0 };
static const uint32_t DONE = AWAITED;

/* What enter() found. */
enum { RUN = 1, WAS_DONE = 0 };

typedef struct once_waiter {
    thrum__waiter waiter;
    bool runs; /* the one before has failed, it is this one's turn; set before its token */
} once_waiter;

/* The time that a thread spends in fn. */
typedef struct turn {
    thrum_once *once;
    bool success;
} turn;

static uint32_t runner(const void *object) {
    const thrum_once *once = object;
    return thrum__load_relaxed(&once->thrum__word) & ~AWAITED;
}

static const thrum__wait_kind once_kind = {"once", runner};

bool thrum_once_done(const thrum_once *once) {
    /* acquire: pairs with leave() */
    return thrum__load_acquire(&once->thrum__word) == DONE;
}

/* Waits for the thread that is at it. Returns RUN when it is the caller's turn, WAS_DONE, or
 * -EAGAIN when the word has changed before the wait began. */
static int wait_for_turn(thrum_once *once) {
    once_waiter waiter = {.runs = false};
    thrum__bucket *bucket = thrum__lot_lock(once);
    uint32_t word = thrum__load_relaxed(&once->thrum__word);
    if (word == NEW || word == DONE ||
        (!(word & AWAITED) && !thrum__cas_relaxed(&once->thrum__word, &word, word | AWAITED))) {
        thrum__lot_unlock(bucket);
        return -EAGAIN;
    }
    thrum__lot_enqueue(bucket, &waiter.waiter, once, &once_kind);
    thrum__lot_park(bucket, &waiter.waiter, INT64_MAX, THRUM__PARK_SPIN);
    thrum__lot_done(&waiter.waiter);
    return waiter.runs ? RUN : WAS_DONE;
}

static int enter(thrum_once *once) {
    uint32_t id = thrum__strand_self()->id;
    for (;;) {
        uint32_t word = NEW;
        /* acquire: pairs with leave() */
        if (thrum__cas_acquire(&once->thrum__word, &word, id))
            return RUN;
        if ((word & ~AWAITED) == id)
            return -EDEADLK;
        if (thrum_once_done(once))
            return WAS_DONE;
        int rc = wait_for_turn(once);
        if (rc != -EAGAIN)
            return rc;
    }
}

/* Ends the turn, also when the thread is unwound. A failure hands it to the first that waits. The
 * word changes and the waiters leave in one hold of the bucket lock: *once may be gone after it. */
static void leave(void *arg) {
    const turn *mine = arg;
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum_once *once = mine->once;
    uint32_t word = thrum__strand_self()->id;
    uint32_t after = mine->success ? DONE : NEW;
    /* release: pairs with thrum_once_done(), enter() */
    if (thrum__cas_release(&once->thrum__word, &word, after))
        return;
    thrum__bucket *bucket = thrum__lot_lock(once);
    thrum__waiter *first = thrum__lot_first(bucket, once);
    if (first && !mine->success) {
        after = first->strand->id | (thrum__lot_others(first) ? AWAITED : 0);
        THRUM__MEMBER(once_waiter, waiter, first)->runs = true;
        thrum__lot_grant(bucket, first, &granted);
    }
    /* release: pairs with thrum_once_done(), enter() */
    thrum__store_release(&once->thrum__word, after);
    while (mine->success && (first = thrum__lot_first(bucket, once)) != NULL)
        thrum__lot_grant(bucket, first, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
}

int thrum_once_call(thrum_once *once, int (*fn)(void *), void *arg) {
    if (THRUM__LIKELY(thrum_once_done(once)))
        return 0;
    if (!fn) {
        thrum__complain("thrum_once_call: fn is NULL");
        return -EINVAL;
    }
    int rc = enter(once);
    if (rc != RUN)
        return rc;
    turn mine = {once, false};
    pthread_cleanup_push(leave, &mine);
    rc = fn(arg);
    mine.success = rc >= 0;
    pthread_cleanup_pop(1);
    return rc < 0 ? rc : 0;
}

void thrum_once_at_fork_reinit(thrum_once *once) {
    uint32_t word = thrum__load_relaxed(&once->thrum__word);
    if (word == DONE)
        return;
    uint32_t id = thrum__strand_self()->id;
    thrum__store_relaxed(&once->thrum__word, (word & ~AWAITED) == id ? id : NEW);
}
