/* SPDX-License-Identifier: MIT */
/* Executors with a backend, as the other files of this floor see them. The state of such a pool is REMOTE;
 * it is PINNED from its making until its backend has come to rest. */
#ifndef THRUM_EXEC_REMOTE_H
#define THRUM_EXEC_REMOTE_H

#include "exec/backend.h"
#include "exec/task.h"

/* Makes the backend of a pool that is filled and in no list yet. Returns 0 or a negative errno. */
int thrum__remote_open(thrum_executor *pool, const thrum_executor_opts *opts);

/* Submits a typed task whose arguments and result stand in `block`, which is freed with the record, and when
 * there is none. `fn` says whose block it is. */
int thrum__remote_submit(thrum_executor *pool, thrum_future **out, void *(*fn)(void *), void *block,
                         thrum__remote_task task);

/* Frees the backend of a pool at rest. */
void thrum__remote_close(thrum_executor *pool);

/* Returns whether a record is of a task that a backend has: only these are both. */
static inline bool thrum__remote_is(const thrum_future *future) {
    const uint32_t both = THRUM__TASK_PROMISE | THRUM__TASK_OWNED;
    return (thrum__load_relaxed(&future->word) & both) == both;
}

/* As thrum_future_cancel(), for such a record. */
bool thrum__remote_cancel_any(thrum_future *future);

/* Who is about to wait for `future`, such a record: looks for a moment whether it becomes done. Returns whether it is. */
bool thrum__remote_help(thrum_future *future);

/* Lets a pool stay, for who has a future of it in hand. Returns its backend; NULL, nothing being done, if that is done. */
const thrum_backend *thrum__remote_pin(thrum_future *future);
void thrum__remote_unpin(thrum_executor *pool);

/* In the child of a fork. */
void thrum__remote_child_after_fork(void);

#endif
