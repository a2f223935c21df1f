/* SPDX-License-Identifier: MIT */
/* A stream on a pool with a backend: each item goes as bytes, and its result comes back in the
 * answer. Where a failure is to stop the others, what tells them is in memory that all share. */
#include <errno.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/stream.h"

int thrum__stream_allowed(const thrum_stream *s) {
    return s->remote ? thrum__remote_refusal(s->pool) : thrum__part_allowed(s->pool);
}

bool thrum__stream_inside(const thrum_stream *s) {
    if (!s->remote || !thrum__remote_inside(s->pool))
        return false;
    thrum__complain("a done callback uses a stream of its own pool of processes: -EDEADLK");
    return true;
}

static thrum__items_watch *watch_of(const thrum_stream *s) {
    return s->watch.release ? THRUM__MEMBER(thrum__items_watch, failed, s->failed) : NULL;
}

int thrum__stream_open_remote(thrum_stream *s) {
    thrum__items_watch *watch;
    if (!s->remote || !s->opts.stop_on_error)
        return 0;
    if (!s->pool->backend->reserve)
        return -ENOTSUP;
    if (!(watch = thrum__remote_reserve(s->pool, &s->watch, sizeof *watch)))
        return -ENOMEM;
    s->failed = &watch->failed;
    thrum__store_relaxed(s->failed, UINT64_MAX);
    return 0;
}

void thrum__stream_close_remote(thrum_stream *s) {
    if (s->watch.release)
        s->watch.release(s->watch.handle);
}

int thrum__stream_submit_remote(thrum_stream *s, thrum__slot *one) {
    const thrum__items head = {.n = 1, .item_size = s->item_size, .result_size = s->result_size,
                               .watch = watch_of(s), .single = true, .streamed = true,
                               .unordered = s->opts.unordered, .index = one->index};
    return thrum__bytes_submit_remote(s->pool, &one->future, s->fn, &head, one->item,
                                      one->named.name, NULL);
}

void thrum__stream_read_remote(thrum__slot *one) {
    if (thrum_future_error(one->future))
        return;
    thrum__answer *answer = thrum__bytes_answer(one->future);
    one->skipped = answer->ran == 0;
    one->result = thrum__answer_results(answer, 1);
}
