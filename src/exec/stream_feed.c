/* SPDX-License-Identifier: MIT */
/* From the generator to the queue, and the task of an item. */
#include <errno.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/list.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/stream.h"

/* The task of an item. */
static void *run_item(void *arg) {
    thrum__slot *self = arg;
    const thrum_stream *s = self->stream;
    self->skipped = !thrum__items_streamed(s->fn, self->item, self->result, self->index,
                                           s->opts.stop_on_error ? s->failed : NULL,
                                           s->opts.unordered);
    return NULL;
}

/* Returns whether the reader is to be woken; *one may be gone then. After a fork the reader finds
 * it itself. */
static bool note_ready(thrum__slot *one) {
    thrum_stream *s = one->stream;
    if (s->generation != thrum__fork_generation())
        return false;
    thrum__raw_lock_acquire(&s->lock);
    bool wake = s->awaited > 0 && --s->awaited == 0;
    thrum__stream_append(s, one);
    thrum__raw_lock_release(&s->lock);
    return wake;
}

static const void *on_done(thrum__hook *hook, uint32_t state) {
    thrum__slot *one = THRUM__MEMBER(thrum__slot, hook, hook);
    const void *key = one->stream;
    (void)state;
    return note_ready(one) ? key : NULL;
}

const thrum__hook_ops thrum__stream_hook_ops = {.watch = on_done};

static int submit(thrum_stream *s, thrum__slot *one) {
    if (s->remote)
        return thrum__stream_submit_remote(s, one);
    int rc = thrum__submit(s->pool, &one->future, run_item, one, THRUM__TASK_NAMED, NULL);
    if (rc == -EAGAIN && s->outstanding == 0 && thrum__part_here(s->pool))
        rc = thrum__submit_here(s->pool, &one->future, run_item, one, THRUM__TASK_NAMED, NULL);
    return rc;
}

/* Makes the held item a task. Returns 0 or why that cannot be. */
static int submit_held(thrum_stream *s) {
    thrum__slot *one = s->held;
    one->skipped = false;
    int rc = submit(s, one);
    if (rc != 0)
        return rc;
    s->held = NULL;
    s->outstanding++;
    if (!s->opts.unordered)
        thrum__stream_append(s, one);
    else if (!thrum__hook_add(one->future, &one->hook))
        (void)note_ready(one);
    return 0;
}

/* Takes an item from the generator, if there is room. Returns whether it did. */
static bool take_item(thrum_stream *s) {
    thrum__slot *one = s->free;
    if (!one || s->code != 0)
        return false;
    if (s->opts.stop_on_error && thrum__load_relaxed(s->failed) != UINT64_MAX)
        s->code = THRUM_STREAM_END;
    else
        s->code = thrum__stream_allowed(s);
    if (s->code == 0)
        s->code = s->next(s->arg, one->item);
    if (s->code > 0)
        s->code = THRUM_STREAM_END;
    if (s->code != 0)
        return false;
    s->free = one->after;
    one->index = s->taken++;
    s->held = one;
    return true;
}

int thrum__stream_refill(thrum_stream *s) {
    while (s->held || take_item(s)) {
        int rc = submit_held(s);
        if (rc == -EAGAIN || rc == -ENOMEM)
            return s->outstanding ? 0 : rc;
        if (rc != 0) {
            s->held->after = s->free;
            s->free = s->held;
            s->held = NULL;
            s->taken--;
            s->code = rc;
        }
    }
    return 0;
}
