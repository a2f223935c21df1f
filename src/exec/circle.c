/* SPDX-License-Identifier: MIT */
/* Tasks that wait for each other in a circle. Each strand that executes a task and blocks without a deadline
 * stands in a table by its id; the walk goes from a task that runs to its strand, and to what that waits for.
 * Who comes last closes the circle and finds it. */
#include <stdio.h>
#include <string.h>

#include "base/panic.h"
#include "base/raw_lock.h"
#include "exec/await.h"
#include "thread/thread.h"

enum { TABLE = 64, LINE_SIZE = 512 };

static thrum__raw_lock lock;
static thrum__link table[TABLE]; /* under lock; zero until the first use */

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

/* The wait that `task` depends on, NULL if it is not known to depend on any. */
static thrum__circle_wait *next_wait(const thrum_future *task) {
    uint32_t state = thrum__load_relaxed(&task->word) & THRUM__TASK_STATE;
    uint32_t runner = thrum__load_relaxed(&task->runner);
    return state == THRUM__TASK_RUNNING && runner ? wait_of(runner) : NULL;
}

static void add_name(char *line, const thrum__strand *strand, bool last) {
    size_t used = strlen(line);
    const thrum_thread *thread = thrum__thread_of(strand);
    snprintf(line + used, LINE_SIZE - used, "%s\"%s\"%s", used ? " waits for one of " : "",
             thread ? thrum_thread_name(thread) : "?", last ? " waits for the first" : "");
}

/* Ends every wait of the circle that begins with `first`; what is to be unparked goes to `granted`. */
static void break_circle(thrum__circle_wait *first, char *line, thrum__link *granted) {
    thrum__circle_wait *wait = first;
    do {
        thrum__circle_wait *next = next_wait(wait->target);
        thrum__waiter *waiter;
        next->until = wait->target;
        add_name(line, wait->strand, next == first);
        thrum__store_relaxed(&wait->deadlock, 1);
        thrum__bucket *bucket = thrum__lot_lock(wait->target);
        while ((waiter = thrum__lot_first(bucket, wait->target)) != NULL)
            thrum__lot_grant(bucket, waiter, granted);
        thrum__lot_unlock(bucket);
        wait = next;
    } while (wait != first);
}

/* The waits below the one that was ended, in the tasks that this strand runs inside each other, stand in
 * the circle too: those that began after the task `until`. */
static void mark_frames(const thrum_future *until) {
    for (thrum__frame *frame = thrum__frame_current(); frame && frame->task != until;
         frame = frame->outer)
        if (frame->outer)
            frame->outer->deadlock = true;
}

bool thrum__circle_enter(thrum__circle_wait *wait, thrum_future *task) {
    thrum__link granted = THRUM__LIST_INIT(granted);
    char line[LINE_SIZE] = "";
    wait->strand = thrum__strand_self();
    wait->target = task;
    wait->until = NULL;
    thrum__raw_lock_acquire(&lock);
    thrum__list_insert(chain(wait->strand->id), &wait->listed);
    const thrum__circle_wait *at = next_wait(task);
    while (at && at != wait && !thrum__load_relaxed(&at->deadlock))
        at = next_wait(at->target);
    if (at == wait) {
        break_circle(wait, line, &granted);
        thrum__list_remove(&wait->listed);
    }
    thrum__raw_lock_release(&lock);
    thrum__lot_unpark(&granted);
    if (at != wait)
        return true;
    mark_frames(wait->until);
    thrum__complain("tasks wait for each other in a circle: a task of %s: -EDEADLK", line);
    return false;
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
