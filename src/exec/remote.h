/* SPDX-License-Identifier: MIT */
/* Executors with a backend, as the other files of this floor see them. The state of such a pool is
 * REMOTE; it is PINNED from its making until its backend has come to rest. */
#ifndef THRUM_EXEC_REMOTE_H
#define THRUM_EXEC_REMOTE_H

#include <thrum/map.h>

#include "base/raw_lock.h"
#include "exec/backend.h"
#include "exec/task.h"

/* Makes the backend of a pool that is filled and in no list yet. Returns 0 or a negative errno. */
int thrum__remote_open(thrum_executor *pool, const thrum_executor_opts *opts);

/* What the block of a task with a backend begins with. */
typedef struct thrum__remote_block {
    thrum__named named;
    void (*release)(void *handle); /* NULL: nothing is to be given back */
    void *handle;
} thrum__remote_block;

/* Returns memory for arguments and result that is better than any other, and given back with
 * `block`; NULL: there is none. */
void *thrum__remote_reserve(const thrum_executor *pool, thrum__remote_block *block, size_t size);

/* Frees a block, and gives back what it has. */
void thrum__remote_block_free(void *block);

/* Submits a task whose arguments and result stand in `block` (or what that has reserved), which is
 * freed with the record, and when there is none. `fn` says whose block it is. */
int thrum__remote_submit(thrum_executor *pool, thrum_future **out, void *(*fn)(void *),
                         thrum__remote_block *block, thrum__remote_task task);

/* The same with the options of its user, which may be NULL. */
int thrum__remote_submit_with(thrum_executor *pool, thrum_future **out, void *(*fn)(void *),
                              thrum__remote_block *block, thrum__remote_task task,
                              const thrum_task_opts *opts);

/* Under this a task that is not done keeps its pool, and no deadline comes between the steps of a
 * change of its state. */
extern thrum__raw_lock thrum__remote_lock;

/* The timer of such a task, whose reference goes with this. */
void thrum__remote_deadline(thrum_future *task);

/* Submits fn for the one item that `head` describes, whose bytes stand at `item`. `name` lives
 * for ever; NULL none. `opts` may be NULL. */
int thrum__bytes_submit_remote(thrum_executor *pool, thrum_future **out,
                               int (*fn)(const void *item, void *result), const thrum__items *head,
                               const void *item, const char *name, const thrum_task_opts *opts);

/* Returns the answer of such a task, which is done and has not failed. */
thrum__answer *thrum__bytes_answer(thrum_future *future);

/* Returns why nothing may be submitted now, or 0. */
int thrum__remote_refusal(const thrum_executor *pool);

/* thrum_map() on such a pool; the arguments are in order. */
int thrum__map_remote(thrum_executor *pool, int (*fn)(const void *item, void *result),
                      const void *items, size_t n, size_t item_size, void *results,
                      size_t result_size, const thrum_map_opts *opts);

/* Frees the backend of a pool at rest. */
void thrum__remote_close(thrum_executor *pool);

/* Returns whether a record is of a task that a backend has: only these are both. */
static inline bool thrum__remote_is(const thrum_future *future) {
    const uint32_t both = THRUM__TASK_PROMISE | THRUM__TASK_OWNED;
    return (thrum__load_relaxed(&future->word) & both) == both;
}

/* As thrum_future_cancel(), for such a record. */
bool thrum__remote_cancel_any(thrum_future *future);

/* The same, unless it was sent. */
bool thrum__remote_cancel_waiting(thrum_future *future);

/* Who is about to wait for `future`, such a record: looks for a moment whether it becomes done.
 * Returns whether it is. */
bool thrum__remote_help(thrum_future *future);

/* Its pool is PINNED, for who has the future in hand. Returns its backend; NULL, nothing being
 * done, if that is done. */
const thrum_backend *thrum__remote_pin(thrum_future *future);

/* Returns whether the current thread is the one that completes the tasks of `pool`. */
bool thrum__remote_inside(const thrum_executor *pool);

/* The current thread is inside exit(). */
void thrum__remote_desert(void);

/* In the child of a fork. */
void thrum__remote_child_after_fork(void);
void thrum__remote_text_child_after_fork(void);

#endif
