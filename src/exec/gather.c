/* SPDX-License-Identifier: MIT */
/* Waiting for several futures: each one gets a hook, which appends it to the list of what is done, in that order. */
#include <thrum/future.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/raw_lock.h"
#include "exec/await.h"
#include "exec/hook.h"
#include "exec/pool.h"

enum { ON_STACK = 16 };

typedef struct watch {
    thrum__hook hook;
    struct thrum_completed *gather;
    thrum_future *future; /* one reference; NULL: it stands earlier in the array */
    struct watch *after;  /* in the list of those that are done; under the lock of the gathering */
    bool fired;           /* under that lock */
} watch;

struct thrum_completed {
    thrum__raw_lock lock; /* inside a bucket lock */
    watch *first;         /* those that are done and have not been returned; under lock, and so are: */
    watch **last;
    int open;             /* not done */
    int failed;           /* failed or cancelled */
    bool waiting;
    int pending;          /* not returned; own */
    int n;
    thrum_wait_when when;
    thrum_deadline deadline;
    watch *watches;
};

const thrum__wait_kind thrum__gather_kind = {"futures", NULL};

static bool enough(const thrum_completed *it) {
    if (it->when == THRUM_FIRST_COMPLETED)
        return it->first != NULL;
    return it->open == 0 || (it->when == THRUM_FIRST_ERROR && it->failed > 0);
}

static bool is_enough(thrum_completed *it, bool *waiting) {
    thrum__raw_lock_acquire(&it->lock);
    bool yes = enough(it);
    if (waiting)
        it->waiting = *waiting && !yes;
    thrum__raw_lock_release(&it->lock);
    return yes;
}

static bool note(watch *one, uint32_t state) {
    thrum_completed *it = one->gather;
    thrum__raw_lock_acquire(&it->lock);
    one->fired = true;
    one->after = NULL;
    *it->last = one;
    it->last = &one->after;
    it->open--;
    it->failed += state != THRUM__TASK_OK;
    bool wake = it->waiting && enough(it);
    if (wake)
        it->waiting = false;
    thrum__raw_lock_release(&it->lock);
    return wake;
}

static const void *on_done(thrum__hook *hook, uint32_t state) {
    watch *one = THRUM__MEMBER(watch, hook, hook);
    const void *key = one->gather;
    return note(one, state) ? key : NULL;
}

static const thrum__hook_ops watch_ops = {.watch = on_done};

static void begin(thrum_completed *it, thrum_future *const *futures, int n) {
    it->last = &it->first;
    for (int i = 0; i < n; i++) {
        watch *one = &it->watches[i];
        *one = (watch){.hook = {.ops = &watch_ops}, .gather = it, .future = futures[i]};
    }
}

/* Futures that stand in the array more than once count once: the first of each stays. */
static int compare(const void *a, const void *b) {
    const watch *x = *(watch *const *)a, *y = *(watch *const *)b;
    if (x->future != y->future)
        return (uintptr_t)x->future < (uintptr_t)y->future ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void drop_doubles(thrum_completed *it, watch **order) {
    for (int i = 0; i < it->n; i++)
        order[i] = &it->watches[i];
    qsort(order, (size_t)it->n, sizeof *order, compare);
    thrum_future *before = NULL;
    for (int i = 0; i < it->n; i++) {
        thrum_future *future = order[i]->future;
        if (future == before)
            order[i]->future = NULL;
        before = future;
    }
}

static void add_hooks(thrum_completed *it) {
    thrum__strand_self();
    for (int i = 0; i < it->n; i++)
        it->open += it->watches[i].future != NULL;
    it->pending = it->open;
    for (int i = 0; i < it->n; i++) {
        watch *one = &it->watches[i];
        if (!one->future)
            continue;
        thrum_future_ref(one->future);
        if (!thrum_future_done(one->future) && thrum__hook_add(one->future, &one->hook))
            continue;
        (void)note(one, thrum__task_word(one->future) & THRUM__TASK_STATE);
    }
}

static void end(thrum_completed *it) {
    for (int i = 0; i < it->n; i++) {
        watch *one = &it->watches[i];
        if (!one->future)
            continue;
        (void)thrum__hook_remove(one->future, &one->hook);
        thrum_future_free(one->future);
    }
}

static int sleep(thrum_completed *it) {
    thrum__waiter waiter;
    bool waiting = true;
    thrum__bucket *bucket = thrum__lot_lock(it);
    if (is_enough(it, &waiting)) {
        thrum__lot_unlock(bucket);
        return 0;
    }
    thrum__lot_enqueue(bucket, &waiter, it, &thrum__gather_kind);
    int rc = thrum__lot_park(bucket, &waiter, it->deadline.ns,
                             THRUM__PARK_SPIN | THRUM__PARK_INTERRUPTIBLE);
    thrum__lot_done(&waiter);
    return rc;
}

static int wait(thrum_completed *it) {
    thrum__strand_self();
    if (is_enough(it, NULL))
        return 0;
    int rc = thrum__pool_block();
    if (rc != 0)
        return rc;
    while (rc == 0 && !is_enough(it, NULL))
        rc = sleep(it);
    thrum__pool_unblock();
    return is_enough(it, NULL) ? 0 : rc;
}

/* A task that waits for all of them waits for one after the other, which finds circles; before that a worker runs
 * what has not started. */
static int wait_for_each(thrum_future *const *futures, int n) {
    const thrum__worker *worker = thrum__worker_current();
    int rc = 0;
    for (int i = 0; i < n; i++)
        thrum_future_ref(futures[i]);
    (void)thrum__await_in_circle();
    for (int i = 0; rc == 0 && worker && i < n; i++)
        if (!thrum_future_done(futures[i]) && !(thrum__task_word(futures[i]) & THRUM__TASK_PROMISE) &&
            futures[i]->pool == worker->pool && thrum__await_help(futures[i]) && thrum__await_in_circle())
            rc = -EDEADLK;
    for (int i = 0; rc == 0 && i < n; i++)
        if (!thrum_future_done(futures[i]))
            rc = thrum__await(futures[i], INT64_MAX, true);
    for (int i = 0; i < n; i++)
        thrum_future_free(futures[i]);
    return rc;
}

int thrum_wait(thrum_future *const *futures, int n, thrum_wait_when when, thrum_deadline deadline) {
    watch on_stack[ON_STACK];
    thrum_completed it = {.n = n, .when = when, .deadline = deadline, .watches = on_stack};
    if (n < 0 || (unsigned)when > THRUM_FIRST_ERROR)
        return -EINVAL;
    if (n == 0)
        return 0;
    const thrum__frame *frame = thrum__frame_current();
    if (frame && frame->executing && when == THRUM_ALL_COMPLETED && deadline.ns == INT64_MAX)
        return wait_for_each(futures, n);
    if (n > ON_STACK) {
        it.watches = calloc((size_t)n, sizeof *it.watches);
        if (!it.watches)
            return -ENOMEM;
    }
    begin(&it, futures, n);
    add_hooks(&it);
    int rc = wait(&it);
    end(&it);
    if (it.watches != on_stack)
        free(it.watches);
    return rc;
}

thrum_completed *thrum_as_completed(thrum_future *const *futures, int n, thrum_deadline deadline) {
    if (n < 0) {
        errno = EINVAL;
        return NULL;
    }
    thrum_completed *it = calloc(1, sizeof *it);
    watch *watches = calloc((size_t)n + 1, sizeof *watches);
    watch **order = calloc((size_t)n + 1, sizeof(watch *));
    if (!it || !watches || !order) {
        free(it);
        free(watches);
        free(order);
        errno = ENOMEM;
        return NULL;
    }
    it->n = n;
    it->when = THRUM_FIRST_COMPLETED;
    it->deadline = deadline;
    it->watches = watches;
    begin(it, futures, n);
    drop_doubles(it, order);
    free(order);
    add_hooks(it);
    return it;
}

thrum_future *thrum_completed_next(thrum_completed *it) {
    if (it->pending == 0 || wait(it) != 0)
        return NULL;
    thrum__raw_lock_acquire(&it->lock);
    watch *one = it->first;
    it->first = one->after;
    if (!it->first)
        it->last = &it->first;
    thrum__raw_lock_release(&it->lock);
    it->pending--;
    return one->future;
}

int thrum_completed_pending(const thrum_completed *it) { return it->pending; }

void thrum_completed_free(thrum_completed *it) {
    if (!it)
        return;
    end(it);
    free(it->watches);
    free(it);
}
