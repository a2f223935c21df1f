/* SPDX-License-Identifier: MIT */
/* Handlers that call a function of the user's. */
#include <errno.h>
#include <stdlib.h>

#include "base/panic.h"
#include "park/strand.h"
#include "sync/fifo.h"
#include "thread/handler.h"
#include "thread/log_style.h"

typedef struct function_handler {
    thrum_handler base;
    thrum__log_style style;
    void (*emit)(const thrum_log_record *record, void *arg);
    void *arg;
    thrum__fifo turn; /* held round each call */
    uint32_t caller;  /* relaxed: id of the strand inside emit, 0 none; written under turn */
    bool closed;      /* under turn, or by the strand inside emit */
} function_handler;

static bool is_inside(const function_handler *to) {
    return thrum__load_relaxed(&to->caller) == thrum__strand_self()->id;
}

/* Calls emit in its turn. Returns 0, or -ESHUTDOWN. */
static int call(function_handler *to, const thrum_log_record *record) {
    thrum__strand *self = thrum__strand_self();
    int rc = -ESHUTDOWN;
    thrum__fifo_acquire(&to->turn);
    if (!to->closed) {
        thrum__store_relaxed(&to->caller, self->id);
        self->emitting = true;
        to->emit(record, to->arg);
        self->emitting = false;
        thrum__store_relaxed(&to->caller, 0);
        rc = 0;
    }
    thrum__fifo_release(&to->turn);
    return rc;
}

static int put(thrum_handler *handler, thrum__log_record *record) {
    function_handler *to = (function_handler *)handler;
    thrum__log_line message, line;
    if (thrum__strand_self()->emitting) {
        thrum__handler_count(&handler->dropped, 1);
        return 0;
    }
    thrum__log_line_init(&message);
    thrum__log_line_init(&line);
    thrum__log_message_apply(record, &message);
    thrum__log_record expanded = *record;
    expanded.message = message.data;
    expanded.message_size = message.used;
    expanded.message_cut = message.cut;
    thrum__log_line_terminate(&message);
    thrum__log_style_thread(&expanded);
    thrum__log_style_apply(&to->style, &expanded, &line);
    line.data[line.used] = '\0';
    thrum_log_record shown = {.level = record->level,
                              .name = record->name,
                              .created = record->created,
                              .file = record->file,
                              .line = record->line,
                              .function = record->function,
                              .thread_name = expanded.thread_name,
                              .thread = expanded.thread,
                              .message = message.data,
                              .message_size = message.used,
                              .text = line.data,
                              .text_size = line.used};
    int rc = call(to, &shown);
    thrum__log_line_free(&line);
    thrum__log_line_free(&message);
    return rc;
}

/* Until no call is under way; the end of the program does not wait for one. */
static void flush(thrum_handler *handler) {
    function_handler *to = (function_handler *)handler;
    if (is_inside(to) || thrum__handler_at_end())
        return;
    thrum__fifo_acquire(&to->turn);
    thrum__fifo_release(&to->turn);
}

static void close_function(thrum_handler *handler) {
    function_handler *to = (function_handler *)handler;
    if (is_inside(to)) {
        to->closed = true;
        return;
    }
    thrum__fifo_acquire(&to->turn);
    to->closed = true;
    thrum__fifo_release(&to->turn);
}

static void destroy(thrum_handler *handler) {
    thrum__log_style_free(&((function_handler *)handler)->style);
    free(handler);
}

/* A turn that the forking thread has stays its own. */
static void after_fork_child(thrum_handler *handler) {
    function_handler *to = (function_handler *)handler;
    const thrum__strand *self = thrum__strand_peek();
    thrum__log_style_after_fork_child(&to->style);
    if (to->caller != 0 && self && to->caller == self->id)
        return;
    to->turn = (thrum__fifo){0};
    to->caller = 0;
}

static const thrum__handler_ops ops = {.put = put,
                                       .flush = flush,
                                       .close = close_function,
                                       .destroy = destroy,
                                       .after_fork_child = after_fork_child};

thrum_handler *thrum_handler_new(void (*emit)(const thrum_log_record *record, void *arg), void *arg,
                                 const thrum_handler_opts *opts) {
    static const char caller[] = "thrum_handler_new";
    static const thrum_handler_opts defaults;
    opts = opts ? opts : &defaults;
    errno = EINVAL;
    if (!thrum__handler_check(caller, opts->level, opts->reserved,
                              sizeof opts->reserved / sizeof opts->reserved[0]))
        return NULL;
    if (!emit) {
        thrum__complain("%s: emit is NULL", caller);
        return NULL;
    }
    function_handler *to = calloc(1, sizeof *to);
    int rc = to ? thrum__log_style_init(&to->style, caller, "%(message)s", opts->format,
                                        opts->datefmt, opts->escape)
                : -ENOMEM;
    if (rc) {
        free(to);
        errno = -rc;
        return NULL;
    }
    to->emit = emit;
    to->arg = arg;
    thrum__handler_init(&to->base, &ops, opts->level);
    return &to->base;
}
