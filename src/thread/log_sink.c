/* SPDX-License-Identifier: MIT */
#include "thread/log_sink.h"

#include <errno.h>
#include <string.h>

#include <thrum/event.h>

#include "base/atomic.h"
#include "base/cpu.h"
#include "thread/handler.h"
#include "thread/log_write.h"

enum { OWNED = 1, SPIN_NS = 2000, ROUNDS = 64 };

typedef enum work { LINE, FLUSH, CLOSE } work;

/* What one thread wants of the sink; on its stack. */
typedef struct request {
    struct request *next; /* written before it is published, and by the owner */
    const char *data;
    size_t size;
    int level;
    work work;
    bool owns;        /* not done: the thread is the owner from now on, of the list from here */
    int rc;
    thrum_event done; /* the owner's last touch */
} request;

static size_t count_lines(const char *text, size_t n) {
    size_t lines = 0;
    for (const char *end = text + n; text < end && (text = memchr(text, '\n', (size_t)(end - text)));
         text++)
        lines++;
    return lines;
}

/* Writes text[0..n) and counts the lines that could not be. */
static void write_out(thrum__log_sink *sink, const char *text, size_t n) {
    if (sink->torn)
        sink->torn = thrum__log_write(sink->fd, sink->kind, "\n", 1) != 1;
    size_t done = sink->torn ? 0 : thrum__log_write(sink->fd, sink->kind, text, n);
    if (done == n)
        return;
    thrum__handler_count(sink->failed, count_lines(text + done, n - done));
    sink->torn = sink->torn || (done > 0 && text[done - 1] != '\n');
    sink->file_size = SIZE_MAX;
}

static void empty_buffer(thrum__log_sink *sink) {
    if (sink->used > 0)
        write_out(sink, sink->buffer, sink->used);
    sink->used = 0;
    sink->due = false;
}

/* Makes room in the file for a line of `n` bytes. */
static void rotate(thrum__log_sink *sink, size_t n) {
    thrum__log_rotation *rotation = &sink->rotation;
    if (sink->file_size == SIZE_MAX)
        sink->file_size = thrum__log_file_size(sink->fd) + sink->used;
    if (sink->file_size == 0 || sink->file_size + n < rotation->max_bytes ||
        sink->file_size + n < rotation->again_at)
        return;
    empty_buffer(sink);
    int fd = thrum__log_file_rotate(rotation);
    if (fd < 0) {
        rotation->again_at = sink->file_size + rotation->max_bytes;
        return;
    }
    thrum__log_file_close(sink->fd);
    sink->fd = fd;
    sink->file_size = 0;
    sink->torn = false;
    rotation->again_at = 0;
}

static void write_line(thrum__log_sink *sink, const request *line) {
    if (sink->rotation.max_bytes > 0) {
        rotate(sink, line->size);
        sink->file_size += line->size;
    }
    if (sink->size - sink->used < line->size)
        empty_buffer(sink);
    if (sink->size < line->size) {
        write_out(sink, line->data, line->size);
        return;
    }
    memcpy(sink->buffer + sink->used, line->data, line->size);
    sink->used += line->size;
    sink->due = sink->due || line->level >= sink->flush_level;
}

static void close_sink(thrum__log_sink *sink) {
    empty_buffer(sink);
    sink->closed = true;
    if (sink->rotation.path)
        thrum__log_file_close(sink->fd);
}

/* Does the work of the list, oldest first. */
static void serve(thrum__log_sink *sink, request *list) {
    for (request *at = list; at; at = at->next) {
        at->rc = sink->closed ? -ESHUTDOWN : 0;
        if (sink->closed)
            continue;
        if (at->work == LINE)
            write_line(sink, at);
        else if (at->work == FLUSH)
            empty_buffer(sink);
        else
            close_sink(sink);
    }
    if (sink->used > 0 && (!sink->hold || sink->due || thrum__handler_at_end()))
        empty_buffer(sink);
}

/* Lets all but `own` of the list go. */
static void release_list(request *list, const request *own) {
    while (list) {
        request *next = list->next;
        if (list != own)
            thrum_event_set(&list->done);
        list = next;
    }
}

/* Takes the list there is. Returns it, oldest first. */
static request *take_list(thrum__log_sink *sink) {
    /* acquire: pairs with ask() */
    uintptr_t head = thrum__xchg_acquire(&sink->head, OWNED);
    request *newest = (request *)(head & ~(uintptr_t)OWNED);
    request *list = NULL;
    while (newest) {
        request *next = newest->next;
        newest->next = list;
        list = newest;
        newest = next;
    }
    return list;
}

/* Requires that `own` belongs to the calling thread, and heads the list. Works until there is no more to
 * do, or for so long that another should have its turn. */
static void own_sink(thrum__log_sink *sink, request *own) {
    request *list = own;
    for (int round = 1;; round++) {
        serve(sink, list);
        release_list(list, own);
        uintptr_t head = OWNED;
        /* release: pairs with ask() */
        if (thrum__cas_release(&sink->head, &head, 0))
            return;
        list = take_list(sink);
        if (round == ROUNDS) {
            list->owns = true;
            thrum_event_set(&list->done);
            return;
        }
    }
}

/* Blocks until the owner has done what `own` asks for, or has made the caller the owner. */
static void wait_for_owner(thrum__log_sink *sink, request *own) {
    for (uint32_t i = thrum__cpu_pauses(SPIN_NS); i > 0 && !thrum_event_is_set(&own->done); i--)
        thrum__pause();
    thrum_event_wait(&own->done);
    if (own->owns)
        own_sink(sink, own);
}

static int ask(thrum__log_sink *sink, request *own) {
    uintptr_t head = thrum__load_relaxed(&sink->head);
    for (;;) {
        if (head == 0) {
            /* acquire: pairs with own_sink() */
            if (thrum__cas_acquire(&sink->head, &head, OWNED)) {
                own_sink(sink, own);
                return own->rc;
            }
        } else {
            own->next = (request *)(head & ~(uintptr_t)OWNED);
            /* release: pairs with take_list() */
            if (thrum__cas_release(&sink->head, &head, (uintptr_t)own | OWNED)) {
                wait_for_owner(sink, own);
                return own->rc;
            }
        }
        own->next = NULL;
    }
}

int thrum__log_sink_put(thrum__log_sink *sink, const char *data, size_t n, int level) {
    request own = {.data = data, .size = n, .level = level, .work = LINE};
    return ask(sink, &own);
}

void thrum__log_sink_flush(thrum__log_sink *sink) {
    request own = {.work = FLUSH};
    ask(sink, &own);
}

void thrum__log_sink_close(thrum__log_sink *sink) {
    request own = {.work = CLOSE};
    ask(sink, &own);
}

void thrum__log_sink_after_fork_child(thrum__log_sink *sink) {
    sink->head = 0;
    sink->used = 0;
    sink->due = false;
    sink->file_size = SIZE_MAX;
}
