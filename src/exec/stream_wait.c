/* SPDX-License-Identifier: MIT */
/* How the reader of a stream waits. One that is woken for each short item takes more time from the
 * workers than it gives them: so it waits for several, within limits, and runs only short ones. */
#include <errno.h>
#include <limits.h>

#include "base/fork.h"
#include "exec/await.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/stream.h"

/* PATIENCE_NS: how much later than it could a result may be read. SLEPT_NS: a wait that took less
 * is over before others get the CPU. SHARE: of the look-ahead, that may be ready and not be read.
 * What takes HELP_NS is not run by who reads; nor are the next HELPS_NOT; one in HELP_TIMED is
 * timed. */
enum { PATIENCE_NS = 250000, SLEPT_NS = 3000, SHARE = 2 };
enum { HELP_NS = 5000, HELPS_NOT = 64, HELP_TIMED = 32 };

/* Returns whether something is ready; if not, its end will wake the reader, or the end of the last
 * of the `n` that come next; 0: none does. */
static bool is_ready(thrum_stream *s, size_t n) {
    thrum__raw_lock_acquire(&s->lock);
    bool yes = s->first != NULL;
    s->awaited = yes ? 0 : n;
    thrum__raw_lock_release(&s->lock);
    return yes;
}

/* How many results a wait that has begun is for: 1, but for a reader outside of tasks. */
static size_t patience(const thrum_stream *s) {
    size_t n = s->patience < s->outstanding ? s->patience : s->outstanding;
    return thrum__frame_current() ? 1 : n;
}

static int64_t patience_ends(int64_t begin, int64_t deadline) {
    return deadline > begin + PATIENCE_NS ? begin + PATIENCE_NS : deadline;
}

/* A wait has ended that was to be for `n`; `in_vain`: so many did not come in time. */
static void learn(thrum_stream *s, size_t n, int64_t begin, bool in_vain) {
    int64_t took = thrum__strand_now() - begin;
    if (in_vain)
        s->patience = n / 2;
    else if (took < SLEPT_NS)
        s->patience = n > 1 ? n - 1 : 1;
    else if (took < PATIENCE_NS / 2 && n == s->patience && n <= s->n / SHARE / 2)
        s->patience = 2 * n;
}

/* Runs the first item if nobody has taken it, unless such items are long: meanwhile nobody would
 * take new ones. Returns whether it is worth looking again. */
static bool help_first(thrum_stream *s, thrum_future *future) {
    if (s->helps_not > 0) {
        s->helps_not--;
        return false;
    }
    bool timed = s->helped % HELP_TIMED == 0;
    int64_t begin = timed ? thrum__strand_now() : 0;
    if (!thrum__await_help(future))
        return false;
    s->helped++;
    if (timed && thrum__strand_now() - begin > HELP_NS) {
        s->helps_not = HELPS_NOT;
        s->helped = 0;
    }
    return true;
}

/* Waits for the item that comes `n`th, within the limits of patience. */
static int await_nth(thrum_stream *s, size_t n, int64_t until, bool interruptible) {
    const thrum__slot *one = s->first;
    for (size_t i = 1; i < n && one->after; i++)
        one = one->after;
    return thrum_future_done(one->future) ? 0
                                          : thrum__await_done(one->future, until, interruptible);
}

static int await_first(thrum_stream *s, int64_t deadline, bool interruptible) {
    thrum_future *future = s->first->future;
    if (thrum_future_done(future))
        return 0;
    if (thrum__frame_current() || s->remote)
        return thrum__await(future, deadline, interruptible);
    if (deadline == INT64_MAX && help_first(s, future) && thrum_future_done(future))
        return 0;
    int64_t begin = thrum__strand_now();
    size_t n = patience(s);
    int rc = n > 1 ? await_nth(s, n, patience_ends(begin, deadline), interruptible) : 0;
    bool in_vain = rc == -ETIMEDOUT;
    if ((rc == 0 || in_vain) && !thrum_future_done(future))
        rc = thrum__await_done(future, deadline, interruptible);
    learn(s, n, begin, in_vain);
    return thrum_future_done(future) ? 0 : rc;
}

/* Waits once until `n` are ready; woken for nothing too. */
static int sleep(thrum_stream *s, size_t n, int64_t deadline, bool interruptible,
                 const thrum__circle_wait *circle) {
    thrum__waiter waiter;
    thrum__bucket *bucket = thrum__lot_lock(s);
    if (thrum__load_relaxed(&circle->deadlock) || is_ready(s, n)) {
        thrum__lot_unlock(bucket);
        return 0;
    }
    thrum__lot_enqueue(bucket, &waiter, s, &thrum__gather_kind);
    int rc = thrum__lot_park(bucket, &waiter, deadline,
                             THRUM__PARK_SPIN | (interruptible ? THRUM__PARK_INTERRUPTIBLE : 0));
    thrum__lot_done(&waiter);
    return rc;
}

/* Runs an item that has not started, each in its turn. */
static int help(thrum_stream *s) {
    (void)thrum__await_in_circle();
    for (size_t i = 0; i < s->n && !is_ready(s, 0); i++) {
        const thrum__slot *one = thrum__stream_slot(s, s->hand++ % s->n);
        if (one->future && thrum__await_help(one->future) && thrum__await_in_circle())
            return -EDEADLK;
        thrum__stream_settle(s);
    }
    return 0;
}

static int sleep_patiently(thrum_stream *s, int64_t deadline, bool interruptible,
                           const thrum__circle_wait *circle) {
    int64_t begin = thrum__strand_now();
    size_t n = patience(s);
    int rc = n > 1 ? sleep(s, n, patience_ends(begin, deadline), interruptible, circle) : 0;
    bool in_vain = rc == -ETIMEDOUT;
    rc = in_vain ? 0 : rc;
    while (rc == 0 && !is_ready(s, 0) && !thrum__load_relaxed(&circle->deadlock))
        rc = sleep(s, 1, deadline, interruptible, circle);
    learn(s, n, begin, in_vain);
    return rc;
}

/* Sleeps until something is ready. */
static int sleep_for_any(thrum_stream *s, int64_t deadline, bool interruptible) {
    thrum__circle_wait circle = {.targets = &thrum__stream_slot(s, 0)->future,
                                 .stride = s->stride,
                                 .n = s->n < INT_MAX ? (int)s->n : INT_MAX,
                                 .key = s,
                                 .kind = &thrum__gather_kind};
    bool watched = thrum__circle_watches(deadline);
    (void)thrum__await_in_circle();
    if (watched && !thrum__circle_enter(&circle))
        return -EDEADLK;
    int rc = thrum__pool_block();
    if (rc == 0) {
        rc = sleep_patiently(s, deadline, interruptible, &circle);
        thrum__pool_unblock();
    }
    return watched && !thrum__circle_leave(&circle) ? -EDEADLK : rc;
}

static int await_any(thrum_stream *s, int64_t deadline, bool interruptible) {
    int rc = 0;
    if (deadline == INT64_MAX && thrum__pool_worker(s->pool))
        rc = help(s);
    if (rc == 0 && !is_ready(s, 0) &&
        (rc = sleep_for_any(s, deadline, interruptible)) == -EDEADLK)
        return rc;
    return is_ready(s, 0) ? 0 : rc;
}

int thrum__stream_await(thrum_stream *s, int64_t deadline, bool interruptible) {
    return s->opts.unordered ? await_any(s, deadline, interruptible)
                             : await_first(s, deadline, interruptible);
}
