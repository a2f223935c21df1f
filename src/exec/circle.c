/* SPDX-License-Identifier: MIT */
/* Tasks that wait for each other in a circle. Each strand that executes a task and blocks without a
 * deadline stands in a table by its id; the walk goes from a task that runs to its strand, and to
 * all that this waits for. Who comes last closes the circle and finds it. */
#include <stdio.h>
#include <string.h>

#include "base/panic.h"
#include "base/raw_lock.h"
#include "exec/await.h"
#include "exec/then.h"
#include "sync/wait.h"
#include "thread/thread.h"

enum { TABLE = 64, LINE_SIZE = 512 };

static thrum__raw_lock lock;
static thrum__link table[TABLE]; /* under lock; zero until the first use */
static uint32_t walks;           /* under lock */

static thrum__link *chain(uint32_t id) {
    thrum__link *link = &table[id % TABLE];
    if (!link->next)
        thrum__list_init(link);
    return link;
}

static thrum__circle_wait *wait_of(uint32_t id) {
    thrum__link *head = chain(id);
    THRUM__EACH(link, head) {
        thrum__circle_wait *wait = THRUM__MEMBER(thrum__circle_wait, listed, link);
        if (wait->strand->id == id)
            return wait;
    }
    return NULL;
}

static thrum_future *target(const thrum__circle_wait *wait, int i) {
    return *(thrum_future *const *)(const void *)((const char *)wait->targets +
                                                  (size_t)i * wait->stride);
}

/* The first that has to be done before `task` starts, or `task`. */
static const thrum_future *root(const thrum_future *task) {
    for (const thrum_future *before; (before = thrum__then_source(task)) != NULL;)
        task = before;
    return task;
}

/* The wait that `task` depends on, NULL if it is not known to depend on any. `*runs`: the task in
 * between. */
static thrum__circle_wait *next_wait(const thrum_future *task, const thrum_future **runs) {
    const thrum_future *first = root(task);
    uint32_t state = thrum__load_relaxed(&first->word) & THRUM__TASK_STATE;
    uint32_t runner = thrum__load_relaxed(&first->runner);
    if (first != task && root(task) != first)
        return NULL; /* it goes on meanwhile */
    *runs = first;
    bool runs_now = state == THRUM__TASK_RUNNING || state == THRUM__TASK_SETTING;
    return runs_now && runner ? wait_of(runner) : NULL;
}

/* Of two tasks that `strand` executes inside each other, the outer one. NULL: none yet. */
static const thrum_future *outer(const thrum__strand *strand, const thrum_future *a,
                                 const thrum_future *b) {
    const thrum_future *found = b;
    for (const thrum__frame *frame = strand->frame; frame; frame = frame->outer)
        if (frame->task && (frame->task == a || frame->task == b))
            found = frame->task;
    return found;
}

/* Whoever waits for one of several stands in a circle only if all do that it could be woken by,
 * directly or through others: from `first` nothing is reached that may go on. Returns whether that
 * is so; then what was reached hangs by `next`. */
static bool closed(thrum__circle_wait *first) {
    thrum__circle_wait *last = first;
    first->walk = ++walks;
    first->next = NULL;
    first->until = NULL;
    for (thrum__circle_wait *wait = first; wait; wait = wait->next) {
        bool any = false;
        for (int i = 0; i < wait->n; i++) {
            const thrum_future *task = target(wait, i), *runs;
            bool done = task && thrum__task_done(task);
            if (!task || (done && wait->goes_on && !thrum__task_failure(task)))
                continue;
            thrum__circle_wait *next = done ? NULL : next_wait(task, &runs);
            if (!next || thrum__load_relaxed(&next->deadlock))
                return false;
            any = true;
            if (next->walk != walks) {
                next->walk = walks;
                next->until = NULL;
                next->next = NULL;
                last = last->next = next;
            }
            next->until = outer(next->strand, next->until, runs);
        }
        if (!any)
            return false;
    }
    return true;
}

static void add_name(char *line, const thrum__strand *strand, bool last) {
    size_t used = strlen(line);
    const thrum_thread *thread = thrum__thread_of(strand);
    snprintf(line + used, LINE_SIZE - used, "%s\"%s\"%s", used ? " waits for one of " : "",
             thread ? thrum_thread_name(thread) : "?", last ? " waits for the first" : "");
}

/* Ends every wait that closed() has found; what is to be unparked goes to `granted`. */
static void break_circle(thrum__circle_wait *first, char *line, thrum__link *granted) {
    for (thrum__circle_wait *wait = first; wait; wait = wait->next) {
        thrum__waiter *waiter;
        add_name(line, wait->strand, !wait->next);
        thrum__store_relaxed(&wait->deadlock, 1);
        thrum__bucket *bucket = thrum__lot_lock(wait->key);
        while (wait->kind && (waiter = thrum__lot_first(bucket, wait->key)) != NULL)
            thrum__lot_grant(bucket, waiter, granted);
        if (!wait->kind)
            thrum__observers_wake(bucket, wait->key, granted);
        thrum__lot_unlock(bucket);
    }
}

/* The waits below the one that was ended, in the tasks that this strand runs inside each other,
 * stand in the circle too: those that began after the task `until`. */
static void mark_frames(const thrum_future *until) {
    for (thrum__frame *frame = thrum__frame_current(); frame && frame->task != until;
         frame = frame->outer)
        if (frame->outer)
            frame->outer->deadlock = true;
}

bool thrum__circle_watches(int64_t deadline) {
    const thrum__frame *frame = thrum__frame_current();
    return frame && frame->executing && deadline == INT64_MAX;
}

static void complain(const char *line) {
    thrum__complain("tasks wait for each other in a circle: a task of %s: -EDEADLK", line);
}

bool thrum__circle_enter(thrum__circle_wait *wait) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    char line[LINE_SIZE] = "";
    wait->strand = thrum__strand_self();
    wait->walk = 0;
    wait->deadlock = 0;
    thrum__raw_lock_acquire(&lock);
    thrum__list_insert(chain(wait->strand->id), &wait->listed);
    bool found = closed(wait);
    if (found) {
        break_circle(wait, line, &granted);
        thrum__list_remove(&wait->listed);
    }
    thrum__raw_lock_release(&lock);
    thrum__lot_unpark(&granted);
    if (!found)
        return true;
    mark_frames(wait->until);
    complain(line);
    return false;
}

void thrum__circle_again(thrum__circle_wait *wait) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    char line[LINE_SIZE] = "";
    thrum__raw_lock_acquire(&lock);
    bool found = !thrum__load_relaxed(&wait->deadlock) && closed(wait);
    if (found)
        break_circle(wait, line, &granted);
    thrum__raw_lock_release(&lock);
    thrum__lot_unpark(&granted);
    if (found)
        complain(line);
}

bool thrum__circle_leave(thrum__circle_wait *wait) {
    thrum__raw_lock_acquire(&lock);
    thrum__list_remove(&wait->listed);
    bool deadlock = thrum__load_relaxed(&wait->deadlock) != 0;
    thrum__raw_lock_release(&lock);
    if (deadlock)
        mark_frames(wait->until);
    return !deadlock;
}

void thrum__circle_child_after_fork(void) {
    lock = (thrum__raw_lock){0};
    memset(table, 0, sizeof table);
}
