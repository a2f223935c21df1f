/* SPDX-License-Identifier: MIT */
#include "thread/log_sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <thrum/event.h>

#include "base/atomic.h"
#include "base/cpu.h"
#include "park/strand.h"
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
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

static void lock_stage(thrum__log_sink *sink) { thrum__raw_lock_acquire(&sink->stage_lock); }

static void unlock_stage(thrum__log_sink *sink) { thrum__raw_lock_release(&sink->stage_lock); }

static void set_file_size(thrum__log_sink *sink, size_t size) {
    lock_stage(sink);
    sink->file_size = size;
    unlock_stage(sink);
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
    set_file_size(sink, SIZE_MAX);
}

static void copy_to_stage(thrum__log_sink *sink, const char *data, size_t n) {
    memcpy(sink->stage + sink->used, data, n);
    sink->used += n;
}

/* Writes what is staged, while others go on to stage lines in the other half; `line`, if there is
 * one, is the first there. Returns whether it is. */
static bool empty_stage(thrum__log_sink *sink, const request *line) {
    lock_stage(sink);
    char *full = sink->stage;
    size_t n = sink->used;
    bool fits = line && line->size <= sink->size;
    sink->stage = sink->spare;
    sink->spare = full;
    sink->used = 0;
    if (fits)
        copy_to_stage(sink, line->data, line->size);
    unlock_stage(sink);
    sink->due = false;
    if (n > 0)
        write_out(sink, full, n);
    return fits;
}

/* Returns whether a line of `n` bytes belongs not into the file, of `size` bytes, but into the
 * next. */
static bool is_full(const thrum__log_rotation *rotation, size_t size, size_t n) {
    return size > 0 && size + n >= rotation->max_bytes && size + n >= rotation->again_at;
}

/* Copies a line to the stage. Returns whether that was possible: there is room, also in the file.
 * Requires the stage lock. */
static bool stage_line(thrum__log_sink *sink, const char *data, size_t n) {
    if (sink->size - sink->used < n)
        return false;
    if (sink->rotation.max_bytes > 0) {
        if (sink->file_size == SIZE_MAX || is_full(&sink->rotation, sink->file_size, n))
            return false;
        sink->file_size += n;
    }
    copy_to_stage(sink, data, n);
    return true;
}

/* Empties the stage, and closes it until the file's size is set again. Returns that of now. */
static size_t close_stage(thrum__log_sink *sink) {
    for (;;) {
        lock_stage(sink);
        bool empty = sink->used == 0;
        size_t size = sink->file_size;
        if (empty)
            sink->file_size = SIZE_MAX;
        unlock_stage(sink);
        if (empty)
            return size == SIZE_MAX ? thrum__log_file_size(sink->fd) : size;
        empty_stage(sink, NULL);
    }
}

/* Goes on in a new file, if that can be had. Requires a closed stage. */
static size_t rotate(thrum__log_sink *sink, size_t size) {
    int fd = thrum__log_file_rotate(&sink->rotation);
    sink->rotation.again_at = fd < 0 ? size + sink->rotation.max_bytes : 0;
    if (fd < 0)
        return size;
    thrum__log_file_close(sink->fd);
    sink->fd = fd;
    sink->torn = false;
    return 0;
}

/* Stages a line for a file with a limit. Returns whether it could be. */
static bool stage_rotating(thrum__log_sink *sink, const request *line) {
    size_t size = close_stage(sink);
    if (is_full(&sink->rotation, size, line->size))
        size = rotate(sink, size);
    bool fits = line->size <= sink->size;
    lock_stage(sink);
    sink->file_size = size + line->size;
    if (fits)
        copy_to_stage(sink, line->data, line->size);
    unlock_stage(sink);
    return fits;
}

static void write_line(thrum__log_sink *sink, const request *line) {
    if (!sink->memory) {
        write_out(sink, line->data, line->size);
        return;
    }
    lock_stage(sink);
    bool staged = stage_line(sink, line->data, line->size);
    unlock_stage(sink);
    if (!staged)
        staged = sink->rotation.max_bytes > 0 ? stage_rotating(sink, line)
                                              : empty_stage(sink, line);
    if (!staged)
        write_out(sink, line->data, line->size);
    sink->due = sink->due || line->level >= sink->flush_level;
}

static void close_sink(thrum__log_sink *sink) {
    lock_stage(sink);
    sink->closed = true;
    unlock_stage(sink);
    empty_stage(sink, NULL);
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
            empty_stage(sink, NULL);
        else
            close_sink(sink);
    }
    if (sink->memory && (!sink->hold || sink->due || thrum__handler_at_end()))
        empty_stage(sink, NULL);
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
    /* acquire: pairs with join_list() */
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

/* Requires that `own` belongs to the calling thread, and heads the list. Works until there is no
 * more to do, or for so long that another should have its turn. */
static void own_sink(thrum__log_sink *sink, request *own) {
    request *list = own;
    for (int round = 1;; round++) {
        serve(sink, list);
        release_list(list, own);
        uintptr_t head = OWNED;
        /* release: pairs with try_sink() */
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

/* Takes the sink if nobody owns it, and does what `own` asks for. Returns whether it did. */
static bool try_sink(thrum__log_sink *sink, request *own) {
    uintptr_t head = thrum__load_relaxed(&sink->head);
    /* acquire: pairs with own_sink() */
    if (head != 0 || !thrum__cas_acquire(&sink->head, &head, OWNED))
        return false;
    own_sink(sink, own);
    return true;
}

/* Adds `own` to the owner's list, or becomes the owner; blocks until it is done. */
static void join_list(thrum__log_sink *sink, request *own) {
    uintptr_t head;
    do {
        if (try_sink(sink, own))
            return;
        head = thrum__load_relaxed(&sink->head);
        own->next = (request *)(head & ~(uintptr_t)OWNED);
        /* release: pairs with take_list() */
    } while (head == 0 || !thrum__cas_release(&sink->head, &head, (uintptr_t)own | OWNED));
    wait_for_owner(sink, own);
}

/* Where a CPU is free for the owner and for this thread, it adds to the list. Else who comes waits
 * at the gate, which lets the running ones through first: lines are written without a switch of
 * threads for each. */
static int ask(thrum__log_sink *sink, request *own) {
    if (try_sink(sink, own))
        return own->rc;
    bool crowded = !thrum__strand_may_spin(thrum__strand_self());
    if (crowded)
        thrum_lock_acquire(&sink->gate);
    for (uint32_t i = thrum__cpu_pauses(SPIN_NS); crowded && i > 0; i--) {
        if (try_sink(sink, own)) {
            thrum_lock_release(&sink->gate);
            return own->rc;
        }
        thrum__pause();
    }
    join_list(sink, own);
    if (crowded)
        thrum_lock_release(&sink->gate);
    return own->rc;
}

/* Stages a line that is to be held back. Returns whether that was possible. */
static bool hold_line(thrum__log_sink *sink, const char *data, size_t n, int level, bool more) {
    bool may = sink->hold ? level < sink->flush_level : more;
    if (!may || thrum__handler_at_end())
        return false;
    lock_stage(sink);
    bool staged = !sink->closed && stage_line(sink, data, n);
    unlock_stage(sink);
    return staged;
}

int thrum__log_sink_buffer(thrum__log_sink *sink, size_t size) {
    sink->memory = size <= SIZE_MAX / 2 ? malloc(2 * size) : NULL;
    if (!sink->memory)
        return -ENOMEM;
    sink->size = size;
    sink->stage = sink->memory;
    sink->spare = sink->memory + size;
    return 0;
}

int thrum__log_sink_put(thrum__log_sink *sink, const char *data, size_t n, int level, bool more) {
    if (hold_line(sink, data, n, level, more))
        return 0;
    request own = {.data = data, .size = n, .level = level, .work = LINE};
    return ask(sink, &own);
}

/* Where nothing is held back the owner is not waited for: he may be blocked for ever by a full
 * pipe, and the end of the program comes this way. */
void thrum__log_sink_flush(thrum__log_sink *sink) {
    lock_stage(sink);
    bool nothing = !sink->hold && sink->used == 0;
    unlock_stage(sink);
    if (nothing)
        return;
    request own = {.work = FLUSH};
    ask(sink, &own);
}

void thrum__log_sink_close(thrum__log_sink *sink) {
    request own = {.work = CLOSE};
    ask(sink, &own);
}

void thrum__log_sink_after_fork_child(thrum__log_sink *sink) {
    sink->head = 0;
    sink->gate = (thrum_lock)THRUM_LOCK_INIT;
    sink->stage_lock = (thrum__raw_lock){0};
    sink->stage = sink->memory;
    sink->spare = sink->memory + sink->size;
    sink->used = 0;
    sink->due = false;
    sink->file_size = SIZE_MAX;
}
