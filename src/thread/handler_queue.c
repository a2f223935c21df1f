/* SPDX-License-Identifier: MIT */
/* Handlers that hand records to a thread of their own, which writes them by another handler. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thrum/event.h>
#include <thrum/thread.h>

#include "base/fork.h"
#include "base/panic.h"
#include "base/raw_lock.h"
#include "park/strand.h"
#include "thread/handler.h"
#include "thread/log_item.h"
#include "thread/log_style.h"

enum { CAPACITY = 4096, NOTE_SIZE = 64 };

/* The writer: NONE -> STARTING (by who logs) -> RUNNING, or NONE again when it cannot start; NONE
 * in the child of a fork. */
typedef enum writer_state { NONE, STARTING, RUNNING } writer_state;

/* All from `lock` on is under it. */
typedef struct queue {
    thrum_handler base;
    thrum_handler *target;   /* read-only */
    size_t capacity;         /* read-only */
    thrum_handler_overflow overflow; /* read-only */
    thrum_event filled;      /* set: the writer has something to do */
    thrum_event room;        /* set: a queue that was full is not any more */
    thrum_event progress;    /* set: a record was written since */
    thrum__raw_lock lock;
    thrum__log_item *first, *last, *orphans;
    size_t n;
    uint64_t put;     /* number of the last item that was put */
    uint64_t writing; /* number of the item being written, 0 none */
    uint32_t drainer; /* id of the strand that writes, 0 none */
    uint64_t lost;    /* records dropped for want of room or memory */
    uint64_t said;    /* how many of them the log speaks of */
    size_t blocked;   /* threads that wait for room */
    bool idle;        /* the writer waits for `filled` */
    bool held;        /* the target may hold lines back; of the drainer */
    bool waited_for;  /* somebody waits for `progress` */
    bool stop;
    bool abandoned; /* the writer is to free the queue */
    bool closed;
    bool start_failed; /* and that was said */
    writer_state writer;
    thrum_thread *thread; /* of the writer; by who starts and who destroys */
} queue;

static void lock(queue *q) { thrum__raw_lock_acquire(&q->lock); }

static void unlock(queue *q) { thrum__raw_lock_release(&q->lock); }

/* Takes the oldest item out. Requires the lock, and that there is one. */
static thrum__log_item *take_first(queue *q) {
    thrum__log_item *item = q->first;
    q->first = item->next;
    q->n--;
    return item;
}

static void append(queue *q, thrum__log_item *item) {
    item->next = NULL;
    item->number = ++q->put;
    *(q->first ? &q->last->next : &q->first) = item;
    q->last = item;
    q->n++;
}

static bool has_work(const queue *q) { return q->first || q->lost != q->said; }

static void hand_on(queue *q, thrum__log_record *record) {
    if (record->level >= q->target->level)
        q->target->ops->put(q->target, record);
}

/* Says in the log that `n` records were dropped. */
static void write_note(queue *q, uint64_t n) {
    char text[NOTE_SIZE];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int size = snprintf(text, sizeof text, "%llu record%s dropped", (unsigned long long)n,
                        n == 1 ? "" : "s");
    thrum__log_record record = {.level = THRUM_WARNING,
                                .name = "thrum",
                                .message = text,
                                .message_size = (size_t)size,
                                .created = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
    q->target->ops->put(q->target, &record);
}

/* Writes the next item, which says what was dropped: before it when the oldest are dropped, else
 * when nothing is left. Requires the lock, which is free meanwhile, and to be the drainer. */
static void write_next(queue *q) {
    thrum__log_item *item = q->first ? take_first(q) : NULL;
    bool note_now = q->overflow == THRUM_DROP_OLDEST || !q->first;
    uint64_t note = note_now ? q->lost - q->said : 0;
    q->writing = item ? item->number : q->put;
    bool wake = q->blocked > 0, more = q->first && q->target->ops->holds;
    unlock(q);
    if (wake)
        thrum_event_set(&q->room);
    if (note > 0 && q->overflow == THRUM_DROP_OLDEST)
        write_note(q, note);
    if (item) {
        item->record.more = more;
        q->held = q->held || more;
        hand_on(q, &item->record);
    }
    if (q->held && !more) {
        q->held = false;
        q->target->ops->flush(q->target);
    }
    if (note > 0 && q->overflow != THRUM_DROP_OLDEST)
        write_note(q, note);
    thrum__log_item_free(item);
    lock(q);
    q->writing = 0;
    q->said += note;
    bool waited_for = q->waited_for;
    q->waited_for = false;
    if (waited_for) {
        unlock(q);
        thrum_event_set(&q->progress);
        lock(q);
    }
}

/* Writes until nothing is left, unless another thread does so. */
static void drain(queue *q) {
    uint32_t self = thrum__strand_self()->id;
    lock(q);
    if (q->drainer == 0) {
        q->drainer = self;
        while (has_work(q))
            write_next(q);
        q->drainer = 0;
    }
    unlock(q);
}

static void free_queue(queue *q) {
    thrum__handler_unref(q->target);
    for (thrum__log_item *item = q->orphans, *next; item; item = next) {
        next = item->next;
        thrum__log_item_free(item);
    }
    free(q);
}

static void *write_items(void *arg) {
    queue *q = arg;
    for (;;) {
        drain(q);
        lock(q);
        bool work = has_work(q), stop = q->stop, abandoned = q->abandoned;
        if (!work) {
            thrum_event_clear(&q->filled);
            q->idle = true;
        }
        unlock(q);
        if (!work && stop) {
            if (abandoned)
                free_queue(q);
            return NULL;
        }
        if (!work)
            thrum_event_wait(&q->filled);
    }
}

/* Starts the writer, as this thread has said it would. Returns whether it runs. */
static bool start_writer(queue *q) {
    static const thrum_thread_opts opts = {.name = "log writer", .daemon = true};
    int rc = thrum_thread_start(&q->thread, write_items, q, &opts);
    lock(q);
    bool said = q->start_failed;
    q->writer = rc ? NONE : RUNNING;
    q->start_failed = rc != 0;
    unlock(q);
    if (rc && !said)
        thrum__complain("log: no thread to write with (%s): the callers write", thrum_strerror(rc));
    return !rc;
}

/* Sees to it that somebody writes. `start`: the caller is to start the writer. */
static void set_going(queue *q, bool start, bool wake) {
    if (wake)
        thrum_event_set(&q->filled);
    if (start && !start_writer(q))
        drain(q);
    if (thrum__handler_at_end())
        thrum_handler_flush(&q->base);
}

/* Waits for room. Requires the lock, which is free meanwhile. */
static void wait_for_room(queue *q) {
    q->blocked++;
    while (q->n >= q->capacity && !q->closed) {
        thrum_event_clear(&q->room);
        unlock(q);
        thrum_event_wait(&q->room);
        lock(q);
    }
    q->blocked--;
}

/* Notes that a record is dropped. Requires the lock. */
static void count_drop(queue *q) {
    q->lost++;
    thrum__handler_count(&q->base.dropped, 1);
}

/* Puts `item` (NULL: there was no memory for it) into the queue. Returns what is to be freed. */
static thrum__log_item *put_item(queue *q, thrum__log_item *item, bool *start, bool *wake) {
    thrum__log_item *left = NULL;
    if (item && q->n >= q->capacity && q->overflow == THRUM_BLOCK)
        wait_for_room(q);
    if (!item || q->closed || (q->n >= q->capacity && q->overflow == THRUM_DROP_NEWEST)) {
        count_drop(q);
        left = item;
    } else {
        if (q->n >= q->capacity) {
            count_drop(q);
            left = take_first(q);
        }
        append(q, item);
    }
    *wake = q->idle;
    q->idle = false;
    *start = q->writer == NONE && !thrum__handler_at_end();
    q->writer = *start ? STARTING : q->writer;
    return left;
}

static int put(thrum_handler *handler, thrum__log_record *record) {
    queue *q = (queue *)handler;
    thrum__strand *self = thrum__strand_self();
    if (self->emitting) {
        thrum__handler_count(&handler->dropped, 1);
        return 0;
    }
    bool start, wake;
    thrum__log_item *item = thrum__log_item_new(record);
    lock(q);
    if (q->closed) {
        unlock(q);
        thrum__log_item_free(item);
        return -ESHUTDOWN;
    }
    item = put_item(q, item, &start, &wake);
    unlock(q);
    thrum__log_item_free(item);
    set_going(q, start, wake);
    return 0;
}

/* Returns whether an item up to `number`, or one of the first `lost` drops, is not written yet.
 * Requires the lock. */
static bool behind(const queue *q, uint64_t number, uint64_t lost) {
    return (q->first && q->first->number <= number) || q->said < lost ||
           (q->writing != 0 && q->writing <= number);
}

static void flush(thrum_handler *handler) {
    queue *q = (queue *)handler;
    uint32_t self = thrum__strand_self()->id;
    lock(q);
    bool inside = q->drainer == self;
    uint64_t number = q->put, lost = q->lost;
    while (!inside && behind(q, number, lost)) {
        bool alone = q->drainer == 0;
        if (!alone) {
            thrum_event_clear(&q->progress);
            q->waited_for = true;
        }
        unlock(q);
        if (alone)
            drain(q);
        else
            thrum_event_wait(&q->progress);
        lock(q);
    }
    unlock(q);
    if (!inside)
        q->target->ops->flush(q->target);
}

static void close_queue(thrum_handler *handler) {
    queue *q = (queue *)handler;
    lock(q);
    q->closed = true;
    unlock(q);
    thrum_event_set(&q->room);
    flush(handler);
}

static void destroy(thrum_handler *handler) {
    queue *q = (queue *)handler;
    lock(q);
    q->stop = true;
    bool running = q->writer == RUNNING;
    q->abandoned = running && q->drainer == thrum__strand_self()->id;
    bool abandoned = q->abandoned;
    unlock(q);
    if (abandoned) {
        thrum_thread_free(q->thread);
        return;
    }
    thrum_event_set(&q->filled);
    if (running) {
        thrum_thread_join(q->thread, NULL);
        thrum_thread_free(q->thread);
    }
    drain(q);
    free_queue(q);
}

static void before_fork(thrum_handler *handler) { lock((queue *)handler); }

static void after_fork_parent(thrum_handler *handler) { unlock((queue *)handler); }

/* What is queued is the parent's to write; it is not freed here, where the allocator's lock may be
 * another thread's that is not there. */
static void after_fork_child(thrum_handler *handler) {
    queue *q = (queue *)handler;
    const thrum__strand *self = thrum__strand_peek();
    if (q->first) {
        q->last->next = q->orphans;
        q->orphans = q->first;
    }
    q->first = q->last = NULL;
    q->n = q->blocked = 0;
    q->writing = 0;
    q->said = q->lost;
    if (!self || q->drainer != self->id)
        q->drainer = 0;
    q->idle = q->held = q->waited_for = q->start_failed = false;
    q->writer = NONE;
    q->thread = NULL;
    q->filled = q->room = q->progress = (thrum_event)THRUM_EVENT_INIT;
    unlock(q);
}

static const thrum__handler_ops ops = {.put = put,
                                       .flush = flush,
                                       .close = close_queue,
                                       .destroy = destroy,
                                       .before_fork = before_fork,
                                       .after_fork_parent = after_fork_parent,
                                       .after_fork_child = after_fork_child};

thrum_handler *thrum_queue_handler_new(thrum_handler *target,
                                       const thrum_queue_handler_opts *opts) {
    static const char caller[] = "thrum_queue_handler_new";
    static const thrum_queue_handler_opts defaults;
    opts = opts ? opts : &defaults;
    errno = EINVAL;
    if (!thrum__handler_check(caller, opts->level, opts->reserved,
                              sizeof opts->reserved / sizeof opts->reserved[0]))
        return NULL;
    const char *bad = !target ? "target is NULL" : NULL;
    if ((unsigned)opts->overflow > THRUM_DROP_OLDEST)
        bad = ".overflow is none of its values";
    if (bad) {
        thrum__complain("%s: %s", caller, bad);
        return NULL;
    }
    queue *q = calloc(1, sizeof *q);
    if (!q) {
        errno = ENOMEM;
        return NULL;
    }
    q->target = target;
    q->capacity = opts->capacity ? opts->capacity : CAPACITY;
    q->overflow = opts->overflow;
    thrum__handler_ref(target);
    thrum__handler_init(&q->base, &ops, opts->level);
    return &q->base;
}
