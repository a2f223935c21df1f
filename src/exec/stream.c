/* SPDX-License-Identifier: MIT */
/* Making, reading and freeing a stream. */
#include "exec/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/fork.h"
#include "base/panic.h"
#include "exec/await.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "thread/thread.h"

enum { ALIGN = 64 };

/* Takes the first that is to be read, NULL if there is none. */
static thrum__slot *take_first(thrum_stream *s) {
    if (s->opts.unordered)
        thrum__raw_lock_acquire(&s->lock);
    thrum__slot *one = s->first;
    if (one)
        s->first = one->after;
    if (!s->first)
        s->last = &s->first;
    if (s->opts.unordered)
        thrum__raw_lock_release(&s->lock);
    return one;
}

void thrum__stream_settle(thrum_stream *s) {
    if (s->generation == thrum__fork_generation())
        return;
    s->generation = thrum__fork_generation();
    if (s->opts.unordered) {
        s->lock = (thrum__raw_lock){0};
        s->first = NULL;
        s->last = &s->first;
    }
    for (size_t i = 0; s->opts.unordered && i < s->n; i++) {
        thrum__slot *one = thrum__stream_slot(s, i);
        if (!one->future)
            continue;
        (void)thrum__hook_remove(one->future, &one->hook);
        thrum__stream_append(s, one);
    }
}

static void cancel(const thrum_stream *s, bool running) {
    for (size_t i = 0; i < s->n; i++) {
        thrum_future *future = thrum__stream_slot(s, i)->future;
        if (future && s->remote) /* what was sent stays: its worker would be killed */
            (void)thrum__remote_cancel_waiting(future);
        else if (future && (running || !thrum_future_running(future)))
            (void)thrum_future_cancel(future);
    }
}

/* What runs may end at once, and its worker take the next: so that comes second. */
static void cancel_all(const thrum_stream *s) {
    cancel(s, false);
    cancel(s, true);
}

static void give_back(thrum_stream *s, thrum__slot *one) {
    one->future = NULL;
    one->after = s->free;
    s->free = one;
    s->outstanding--;
}

/* Gives what `one`, which is done, holds to the reader. */
static int give(thrum_stream *s, thrum__slot *one, void *result) {
    thrum_future *future = one->future;
    const thrum_failure *failure = thrum_future_error(future);
    s->index = one->index;
    give_back(s, one);
    if (!failure) {
        if (result && s->result_size)
            memcpy(result, one->result, s->result_size);
        thrum_future_free(future);
        return 0;
    }
    s->read = future;
    if (s->opts.stop_on_error) {
        s->stopped = true;
        cancel_all(s);
    }
    return failure->code;
}

/* The next that is ready, NULL if there is none: then the code. */
static thrum__slot *next_ready(thrum_stream *s, int64_t deadline, bool interruptible, int *rc) {
    thrum__slot *one = NULL;
    *rc = thrum__stream_refill(s);
    thrum__stream_settle(s);
    if (s->outstanding == 0 || (s->opts.unordered && (one = take_first(s)) != NULL))
        return one;
    *rc = thrum__stream_await(s, deadline, interruptible);
    return *rc == 0 ? take_first(s) : NULL;
}

static int read_next(thrum_stream *s, void *result, int64_t deadline, bool interruptible) {
    thrum__slot *one = NULL;
    int rc = 0;
    thrum__strand_self(); /* met before a bucket is locked */
    if (thrum__stream_inside(s))
        return -EDEADLK;
    thrum__stream_settle(s);
    thrum_future_free(s->read);
    s->read = NULL;
    while (!s->stopped && (one = next_ready(s, deadline, interruptible, &rc)) != NULL) {
        if (s->remote)
            thrum__stream_read_remote(one);
        if (!one->skipped)
            return give(s, one, result);
        thrum_future_free(one->future);
        give_back(s, one);
    }
    if (s->stopped)
        return THRUM_STREAM_END;
    if (rc == 0) {
        rc = s->code;
        s->code = THRUM_STREAM_END;
    }
    return rc;
}

static const char *mistake(const thrum_stream *s) {
    for (size_t i = 0; i < sizeof s->opts.reserved / sizeof s->opts.reserved[0]; i++)
        if (s->opts.reserved[i])
            return "reserved is not zero";
    if (!s->next || !s->fn)
        return s->fn ? "next is NULL" : "fn is NULL";
    return NULL;
}

/* Returns the bytes for `n` slots with an item and a result each, 0 if that overflows. */
static size_t lay_out(thrum_stream *s, size_t *item_bytes) {
    const size_t most = PTRDIFF_MAX / 8;
    size_t bytes;
    if (s->item_size > most || s->result_size > most)
        return 0;
    *item_bytes = (s->item_size + 15) & ~(size_t)15;
    s->stride = sizeof(thrum__slot) + *item_bytes + (s->remote ? 0 : s->result_size) + ALIGN - 1;
    s->stride -= s->stride % ALIGN;
    return __builtin_mul_overflow(s->stride, s->n, &bytes) || bytes > most ? 0 : bytes + ALIGN;
}

static void make_slots(thrum_stream *s, char *memory, size_t item_bytes) {
    s->memory = memory;
    s->slots = memory + ALIGN - (uintptr_t)memory % ALIGN;
    for (size_t i = s->n; i-- > 0;) {
        thrum__slot *one = thrum__stream_slot(s, i);
        char *item = (char *)one + sizeof *one;
        *one = (thrum__slot){.named.name = "stream item", .stream = s, .after = s->free,
                             .hook.ops = &thrum__stream_hook_ops, .item = item,
                             .result = item + item_bytes};
        s->free = one;
    }
}

static int make(thrum_stream **out, thrum_stream *plan) {
    size_t item_bytes = 0;
    size_t bytes = lay_out(plan, &item_bytes);
    const char *wrong = bytes == 0 ? "buffersize times the sizes overflows" : mistake(plan);
    if (wrong)
        thrum__complain("thrum_stream_new: %s", wrong);
    int rc = wrong ? -EINVAL : thrum__stream_allowed(plan);
    if (rc == 0)
        rc = thrum__stream_inside(plan) ? -EDEADLK : thrum__stream_open_remote(plan);
    if (rc != 0)
        return rc;
    thrum_stream *s = malloc(sizeof *s);
    char *memory = s ? malloc(bytes) : NULL;
    if (!memory) {
        thrum__stream_close_remote(plan);
        free(s);
        return -ENOMEM;
    }
    *s = *plan;
    s->last = &s->first;
    if (!s->failed)
        s->failed = &s->lowest;
    make_slots(s, memory, item_bytes);
    *out = s;
    return 0;
}

thrum_stream *thrum_stream_new(thrum_executor *executor, int (*next)(void *arg, void *item),
                               void *arg, int (*fn)(const void *item, void *result),
                               size_t item_size, size_t result_size,
                               const thrum_stream_opts *opts) {
    thrum_stream plan = {.pool = executor, .next = next, .arg = arg, .fn = fn,
                         .item_size = item_size, .result_size = result_size, .patience = 1,
                         .remote = executor->backend != NULL, .lowest = UINT64_MAX,
                         .generation = thrum__fork_generation()};
    if (opts)
        plan.opts = *opts;
    plan.n = plan.opts.buffersize ? plan.opts.buffersize : 2 * (size_t)executor->max_workers;
    thrum_stream *s = NULL;
    int rc = make(&s, &plan);
    if (rc == 0)
        (void)thrum__stream_refill(s); /* what it says comes again */
    if (rc != 0)
        errno = -rc;
    return s;
}

int thrum_stream_next(thrum_stream *stream, void *result) {
    return read_next(stream, result, INT64_MAX, false);
}

int thrum_stream_next_until(thrum_stream *stream, void *result, thrum_deadline deadline) {
    return read_next(stream, result, deadline.ns, true);
}

uint64_t thrum_stream_index(const thrum_stream *stream) { return stream->index; }

const thrum_failure *thrum_stream_error(const thrum_stream *stream) {
    return stream->read ? thrum_future_error(stream->read) : NULL;
}

static void check_outside(const thrum_stream *s) {
    for (const thrum__frame *frame = thrum__frame_current(); frame; frame = frame->outer)
        for (size_t i = 0; frame->task && i < s->n; i++)
            if (thrum__stream_slot(s, i)->future == frame->task)
                thrum__panic("thrum_stream_free: item %llu of the stream frees it",
                             (unsigned long long)thrum__stream_slot(s, i)->index);
}

/* Nobody has read why no more items were taken. */
static void report(int code) {
    const thrum_thread *thread = thrum_thread_current();
    thrum__failure_report(&(thrum_failure){.code = code,
                                           .message = "the stream could not go on",
                                           .thread = thread ? thrum_thread_name(thread) : NULL,
                                           .task = "stream"});
}

void thrum_stream_free(thrum_stream *stream) {
    if (!stream)
        return;
    thrum__strand_self();
    check_outside(stream);
    thrum__stream_settle(stream);
    cancel_all(stream);
    for (size_t i = 0; i < stream->n; i++) {
        thrum__slot *one = thrum__stream_slot(stream, i);
        if (!one->future)
            continue;
        if (!thrum_future_done(one->future) && thrum__stream_inside(stream))
            thrum__panic("thrum_stream_free: in a done callback, with items that run");
        thrum__part_outlast(one->future);
        (void)thrum__hook_remove(one->future, &one->hook);
        thrum_future_free(one->future);
    }
    thrum_future_free(stream->read);
    thrum__stream_close_remote(stream);
    if (stream->code < 0)
        report(stream->code);
    free(stream->memory);
    free(stream);
}
