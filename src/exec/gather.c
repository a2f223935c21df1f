/* SPDX-License-Identifier: MIT */
/* Waiting for several futures: each one gets a hook, which appends it to the list of what is done,
 * in that order. */
#include <thrum/future.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/fork.h"
#include "base/raw_lock.h"
#include "exec/await.h"
#include "exec/hook.h"
#include "exec/pool.h"

enum { ON_STACK = 16, SLEEPS_MAX = 16 };

typedef struct watch {
    thrum__hook hook;
    struct thrum_completed *gather;
    thrum_future *future; /* one reference; NULL: it stands earlier in the array */
    thrum_future *awaited; /* the same, until it was returned; own */
    struct watch *after;  /* in the list of those that are done; under the lock of the gathering */
    bool fired;           /* under that lock */
} watch;

struct thrum_completed {
    thrum__raw_lock lock; /* inside a bucket lock */
    watch *first;         /* those that are done and not returned yet; under lock, and so are: */
    watch **last;
    int open;             /* not done */
    int failed;           /* failed or cancelled */
    bool waiting;
    bool each;            /* any that is done wakes; read-only */
    int pending;          /* not returned; own */
    int n;
    unsigned generation;  /* of forks; own */
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

/* Returns how many are not done, 0 if that is enough. */
static int still_open(thrum_completed *it) {
    thrum__raw_lock_acquire(&it->lock);
    int open = enough(it) ? 0 : it->open;
    thrum__raw_lock_release(&it->lock);
    return open;
}

/* Returns whether it is still to be waited for, and nothing is new; then it will be woken. */
static bool begin_sleep(thrum_completed *it, int open) {
    thrum__raw_lock_acquire(&it->lock);
    it->waiting = !enough(it) && !(it->each && it->open != open);
    bool waiting = it->waiting;
    thrum__raw_lock_release(&it->lock);
    return waiting;
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
    bool wake = it->waiting && (it->each || enough(it));
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
    it->generation = thrum__fork_generation();
    for (int i = 0; i < n; i++) {
        watch *one = &it->watches[i];
        *one = (watch){.hook = {.ops = &watch_ops}, .gather = it, .future = futures[i],
                       .awaited = futures[i]};
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
            order[i]->future = order[i]->awaited = NULL;
        before = future;
    }
}

/* Notes it when it is done, or now. */
static void add_hook(watch *one) {
    if (!thrum_future_done(one->future) && thrum__hook_add(one->future, &one->hook))
        return;
    (void)note(one, thrum__task_word(one->future) & THRUM__TASK_STATE);
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
        add_hook(one);
    }
}

/* In the child of a fork the others are not here: each future is asked again, and what was not done
 * is cancelled by that. Who held the lock was in the middle of a change. */
static void settle_after_fork(thrum_completed *it) {
    if (THRUM__LIKELY(it->generation == thrum__fork_generation()))
        return;
    it->generation = thrum__fork_generation();
    bool torn = thrum__load_relaxed(&it->lock.word) != 0;
    it->lock = (thrum__raw_lock){0};
    if (torn) {
        it->first = NULL;
        it->last = &it->first;
    }
    it->open = 0;
    for (int i = 0; i < it->n; i++) {
        watch *one = &it->watches[i];
        one->fired = one->fired && !torn;
        it->open += one->awaited && !one->fired;
    }
    for (int i = 0; i < 2 * it->n; i++) { /* first those that are done already */
        watch *one = &it->watches[i % it->n];
        if (!one->awaited || one->fired || (i < it->n && !thrum__task_done(one->future)))
            continue;
        (void)thrum__hook_remove(one->future, &one->hook);
        add_hook(one);
    }
}

static void end(thrum_completed *it) {
    thrum__raw_lock_acquire(&it->lock);
    bool all_fired = it->open == 0;
    thrum__raw_lock_release(&it->lock);
    for (int i = 0; i < it->n; i++) {
        watch *one = &it->watches[i];
        if (!one->future)
            continue;
        if (!all_fired)
            (void)thrum__hook_remove(one->future, &one->hook);
        thrum_future_free(one->future);
    }
}

/* Waits once; woken for nothing too. `open`: how many were not done when the circle was looked
 * for. */
static int sleep(thrum_completed *it, const thrum__circle_wait *circle, int open) {
    thrum__waiter waiter;
    thrum__bucket *bucket = thrum__lot_lock(it);
    if (thrum__load_relaxed(&circle->deadlock) || !begin_sleep(it, open)) {
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
    thrum__circle_wait circle = {.targets = &it->watches[0].awaited,
                                 .stride = sizeof *it->watches,
                                 .n = it->n,
                                 .goes_on = it->when != THRUM_FIRST_COMPLETED,
                                 .key = it,
                                 .kind = &thrum__gather_kind};
    thrum__strand_self();
    int open = still_open(it);
    if (open == 0)
        return 0;
    (void)thrum__await_in_circle();
    bool watched = thrum__circle_watches(it->deadline.ns);
    if (watched && !thrum__circle_enter(&circle))
        return -EDEADLK;
    int rc = thrum__pool_block();
    if (rc == 0) {
        while (rc == 0 && !thrum__load_relaxed(&circle.deadlock)) {
            rc = sleep(it, &circle, open);
            if ((open = still_open(it)) == 0)
                break;
            if (rc == 0 && it->each)
                thrum__circle_again(&circle);
        }
        thrum__pool_unblock();
    }
    if (watched && !thrum__circle_leave(&circle))
        return -EDEADLK;
    return still_open(it) == 0 ? 0 : rc;
}

static bool of_pool(const thrum_future *future, const thrum_executor *pool) {
    return !(thrum__task_word(future) & THRUM__TASK_PROMISE) && future->pool == pool;
}

/* A worker runs what has not started, in its order. Returns whether that closed a circle. */
static bool help(thrum_future *const *futures, int n) {
    const thrum__worker *worker = thrum__worker_current();
    if (!worker)
        return false;
    for (int i = 0; i < n; i++)
        if (!thrum_future_done(futures[i]) && of_pool(futures[i], worker->pool) &&
            thrum__await_help(futures[i]) && thrum__await_in_circle())
            return true;
    return false;
}

/* One after the other, which finds circles, and from the last: what was submitted last is done last
 * as a rule, and all others by then. Stops after `sleeps` sleeps; `*n` is how many are left. */
static int wait_for_each(thrum_future *const *futures, int *n, int sleeps,
                         thrum_deadline deadline) {
    int rc = 0;
    for (; rc == 0 && *n > 0; --*n) {
        thrum_future *future = futures[*n - 1];
        if (thrum_future_done(future))
            continue;
        if (sleeps-- == 0)
            break;
        rc = thrum__await_done(future, deadline.ns, true);
        if (rc != 0)
            break;
    }
    return rc;
}

static int wait_for_all(thrum_future *const *futures, int *n, thrum_deadline deadline) {
    bool watched = thrum__circle_watches(deadline.ns);
    (void)thrum__await_in_circle();
    if (watched && help(futures, *n))
        return -EDEADLK;
    return wait_for_each(futures, n, watched ? INT_MAX : SLEEPS_MAX, deadline);
}

/* Returns whether what is done already is enough. */
static bool enough_done(thrum_future *const *futures, int n, thrum_wait_when when) {
    int done = 0;
    for (int i = 0; i < n; i++) {
        if (!thrum_future_done(futures[i]))
            continue;
        if (when == THRUM_FIRST_COMPLETED || thrum__task_failure(futures[i]))
            return true;
        done++;
    }
    return done == n;
}

int thrum_wait(thrum_future *const *futures, int n, thrum_wait_when when, thrum_deadline deadline) {
    watch on_stack[ON_STACK];
    if (n < 0 || (unsigned)when > THRUM_FIRST_ERROR)
        return -EINVAL;
    int rc = when == THRUM_ALL_COMPLETED ? wait_for_all(futures, &n, deadline) : 0;
    if (rc != 0 || n == 0 || (when != THRUM_ALL_COMPLETED && enough_done(futures, n, when)))
        return rc;
    thrum_completed it = {.n = n, .when = when, .deadline = deadline, .watches = on_stack};
    if (n > ON_STACK) {
        it.watches = calloc((size_t)n, sizeof *it.watches);
        if (!it.watches)
            return when == THRUM_ALL_COMPLETED ? wait_for_each(futures, &n, INT_MAX, deadline)
                                               : -ENOMEM;
    }
    it.each = when == THRUM_FIRST_ERROR && thrum__circle_watches(deadline.ns);
    begin(&it, futures, n);
    add_hooks(&it);
    rc = wait(&it);
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
    settle_after_fork(it);
    if (it->pending == 0)
        return NULL;
    int rc = wait(it);
    if (rc != 0) {
        errno = -rc;
        return NULL;
    }
    thrum__raw_lock_acquire(&it->lock);
    watch *one = it->first;
    it->first = one->after;
    if (!it->first)
        it->last = &it->first;
    thrum__raw_lock_release(&it->lock);
    it->pending--;
    one->awaited = NULL;
    return one->future;
}

int thrum_completed_pending(const thrum_completed *it) { return it->pending; }

void thrum_completed_free(thrum_completed *it) {
    if (!it)
        return;
    settle_after_fork(it);
    end(it);
    free(it->watches);
    free(it);
}
