/* SPDX-License-Identifier: MIT */
/* Pools at the end of the program, and in the child of a fork. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fork.h"
#include "exec/await.h"
#include "exec/options.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "thread/thread.h"

/* Returns a regular pool of this process that has not come to rest, PINNED, NULL if there is
 * none. */
static thrum_executor *restless(void) {
    thrum_executor *found = NULL;
    thrum__raw_lock_acquire(&thrum__pools_lock);
    THRUM__EACH(link, &thrum__pools) {
        thrum_executor *pool = THRUM__MEMBER(thrum_executor, listed, link);
        if (!pool->daemon && pool->fork_generation == thrum__fork_generation() &&
            !thrum__pool_at_rest(pool)) {
            thrum__state_add(pool, THRUM__POOL_PINNED);
            found = pool;
            break;
        }
    }
    thrum__raw_lock_release(&thrum__pools_lock);
    return found;
}

/* Called again and again by the exit handler. */
static int finish(int64_t deadline) {
    thrum_executor *pool = restless();
    if (!pool)
        return 0;
    int rc = thrum__pool_finish(pool, deadline);
    return rc == 0 ? -EAGAIN : rc;
}

static size_t add_names(char *names, size_t size, size_t used) {
    thrum__raw_lock_acquire(&thrum__pools_lock);
    THRUM__EACH(link, &thrum__pools) {
        const thrum_executor *pool = THRUM__MEMBER(thrum_executor, listed, link);
        if (pool->daemon || used >= size - 1 || thrum__pool_gone(pool) || thrum__pool_at_rest(pool))
            continue;
        int n = snprintf(names + used, size - used, "%spool \"%s\"", used ? ", " : "",
                         pool->name_prefix);
        used += n > 0 ? (size_t)n : 0;
    }
    thrum__raw_lock_release(&thrum__pools_lock);
    return used;
}

/* Returns what `frame` is the frame of, NULL if that is a task. */
static thrum__part *part_of(thrum__frame *frame) {
    return frame->executing == THRUM__PART ? THRUM__MEMBER(thrum__part, frame, frame) : NULL;
}

/* The strand is inside exit(), and never comes back to what it executes: all of that ends here, so
 * that who waits for it goes on, and the pools go on without this strand. */
static void desert(void) {
    thrum__strand *self = thrum__strand_self();
    for (thrum__frame *frame; (frame = self->frame) != NULL;) {
        thrum__part *part = part_of(frame);
        if (part && part->desert)
            part->desert(part);
        else if (!part && frame->task)
            thrum__task_desert(frame);
        self->frame = frame->outer;
        if (frame->worker && !frame->outer)
            thrum__source_leave(frame->worker);
        if (frame->worker && !frame->outer)
            thrum__pool_desert(frame->worker);
        else if (frame->slot)
            thrum__pool_release_slot(frame->slot);
    }
    thrum__remote_desert();
}

static const thrum__exit_more more_hooks = {finish, add_names, desert};

static void prepare_fork(void) { thrum__raw_lock_acquire(&thrum__pools_lock); }

static void parent_after_fork(void) { thrum__raw_lock_release(&thrum__pools_lock); }

/* The tasks that the forking strand executes go on in the child. */
static void child_after_fork(void) {
    thrum__pools_lock = (thrum__raw_lock){0};
    thrum__cold_child_after_fork();
    thrum__circle_child_after_fork();
    thrum__remote_child_after_fork();
    for (const thrum__frame *frame = thrum__frame_current(); frame; frame = frame->outer)
        if (frame->task)
            thrum__store_relaxed(&frame->task->word, frame->task->word | THRUM__TASK_SURVIVES);
}

static const thrum__fork_hooks fork_hooks = {prepare_fork, parent_after_fork, child_after_fork};

void thrum__pools_prepare(void) {
    /* release: pairs with more() */
    thrum__store_release(&thrum__exit_more_hooks, &more_hooks);
    /* release: pairs with thrum__timer_pools() */
    thrum__store_release(&thrum__timer_pool_hooks, &thrum__options_timer_pool);
    thrum__fork_register(THRUM__FORK_EXEC, &fork_hooks);
    thrum__exit_prepare();
}
