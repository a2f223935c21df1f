/* SPDX-License-Identifier: MIT */
#include "exec/await.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/panic.h"
#include "exec/pool.h"
#include "exec/remote.h"

static uint32_t runner_of(const void *task) {
    return thrum__load_relaxed(&((const thrum_future *)task)->runner);
}

const thrum__wait_kind thrum__future_kind = {"future", runner_of};

bool thrum__task_flag_waiters(thrum_future *task) {
    uint32_t word = thrum__task_word(task);
    while (!(word & (THRUM__TASK_DONE | THRUM__TASK_WAITERS)) &&
           !thrum__cas_relaxed(&task->word, &word, word | THRUM__TASK_WAITERS))
        continue;
    return !(thrum__task_word(task) & THRUM__TASK_DONE);
}

/* Waits once; woken for nothing too. */
static int sleep(thrum_future *task, int64_t deadline, bool interruptible,
                 const thrum__circle_wait *circle) {
    thrum__waiter waiter;
    thrum__bucket *bucket = thrum__lot_lock(task);
    if (thrum__load_relaxed(&circle->deadlock) || !thrum__task_flag_waiters(task)) {
        thrum__lot_unlock(bucket);
        return 0;
    }
    thrum__lot_enqueue(bucket, &waiter, task, &thrum__future_kind);
    int rc = thrum__lot_park(bucket, &waiter, deadline,
                             THRUM__PARK_SPIN | (interruptible ? THRUM__PARK_INTERRUPTIBLE : 0));
    thrum__lot_done(&waiter);
    return rc;
}

int thrum__await_done(thrum_future *task, int64_t deadline, bool interruptible) {
    thrum__circle_wait circle = {
        .targets = &task, .n = 1, .key = task, .kind = &thrum__future_kind};
    bool watched = thrum__circle_watches(deadline);
    if (deadline == INT64_MAX && thrum__remote_is(task) && thrum__remote_inside(task->pool)) {
        thrum__complain("a done callback waits for a task of its own pool of processes: -EDEADLK");
        return -EDEADLK;
    }
    if (watched && !thrum__circle_enter(&circle))
        return -EDEADLK;
    int rc = thrum__pool_block();
    if (rc == 0) {
        while (rc == 0 && !thrum__task_done(task) && !thrum__load_relaxed(&circle.deadlock))
            rc = sleep(task, deadline, interruptible, &circle);
        thrum__pool_unblock();
    }
    if (watched && !thrum__circle_leave(&circle))
        rc = -EDEADLK;
    return rc != 0 && rc != -EDEADLK && thrum__task_done(task) ? 0 : rc;
}

static void leave_alias(void *self) { thrum__strand_alias_leave(self); }

/* Runs a task that the worker `worker` has claimed, in the middle of another one. */
static void run_inside(thrum_future *task, thrum__worker *worker, uint32_t drop) {
    pthread_cleanup_push(leave_alias, thrum__strand_self());
    thrum__task_run(task, worker, NULL, drop);
    pthread_cleanup_pop(1);
}

static bool help_as_worker(thrum_future *task, thrum__worker *worker) {
    uint32_t drop = 0;
    if (!thrum__strand_alias_enter(thrum__strand_self()))
        return false;
    if (!thrum__pool_claim(task)) {
        thrum__strand_alias_leave(thrum__strand_self());
        return true;
    }
    if (thrum__deque_pop_this(&worker->deque, task))
        drop = THRUM__TASK_REF;
    thrum__store_relaxed(&worker->claimed, worker->claimed + 1);
    thrum__store_relaxed(&worker->helped, worker->helped + 1);
    run_inside(task, worker, drop);
    return true;
}

bool thrum__await_help(thrum_future *task) {
    const thrum__strand *self = thrum__strand_self();
    thrum__worker *worker = thrum__worker_current();
    uint32_t word = thrum__task_word(task);
    if ((word & THRUM__TASK_PROMISE) || (word & THRUM__TASK_STATE) != THRUM__TASK_PENDING ||
        self->interruptible)
        return false;
    if (!worker || worker->pool != task->pool)
        return thrum__pool_help(task);
    return !worker->initializes && help_as_worker(task, worker);
}

bool thrum__await_in_circle(void) {
    thrum__frame *frame = thrum__frame_current();
    if (!frame || !frame->deadlock)
        return false;
    frame->deadlock = false;
    return true;
}

static int await_remote(thrum_future *task, int64_t deadline, bool interruptible) {
    if (thrum__remote_help(task))
        return 0;
    int64_t start = thrum__clock_now();
    int rc = thrum__await_done(task, deadline, interruptible);
    thrum__remote_slept(thrum__clock_now() - start);
    return rc;
}

int thrum__await(thrum_future *task, int64_t deadline, bool interruptible) {
    (void)thrum__await_in_circle();
    if (deadline == INT64_MAX && thrum__await_help(task)) {
        if (thrum__await_in_circle())
            return -EDEADLK;
        if (thrum__task_done(task))
            return 0;
    }
    if (thrum__remote_is(task))
        return await_remote(task, deadline, interruptible);
    return thrum__await_done(task, deadline, interruptible);
}
