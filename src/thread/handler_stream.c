/* SPDX-License-Identifier: MIT */
/* Handlers that write lines to a file: stream and file handlers, and the last resort. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "thread/handler.h"
#include "thread/log_sink.h"
#include "thread/log_style.h"
#include "thread/log_write.h"

enum { STDERR = 2, BATCH_SIZE = 16384 };

typedef struct stream {
    thrum_handler base;
    thrum__log_style style;
    thrum__log_sink sink;
} stream;

static int put(thrum_handler *handler, thrum__log_record *record) {
    stream *to = (stream *)handler;
    thrum__log_line line;
    thrum__log_line_init(&line);
    thrum__log_style_apply(&to->style, record, &line);
    int rc = thrum__log_sink_put(&to->sink, line.data, line.used, record->level, record->more);
    thrum__log_line_free(&line);
    return rc;
}

static void flush(thrum_handler *handler) { thrum__log_sink_flush(&((stream *)handler)->sink); }

static void close_stream(thrum_handler *handler) {
    thrum__log_sink_close(&((stream *)handler)->sink);
}

static void free_stream(stream *to) {
    thrum__log_style_free(&to->style);
    free(to->sink.memory);
    free(to->sink.rotation.path);
    free(to);
}

static void destroy(thrum_handler *handler) {
    close_stream(handler);
    free_stream((stream *)handler);
}

static void after_fork_child(thrum_handler *handler) {
    stream *to = (stream *)handler;
    thrum__log_style_after_fork_child(&to->style);
    thrum__log_sink_after_fork_child(&to->sink);
}

static const thrum__handler_ops ops = {.put = put,
                                       .flush = flush,
                                       .close = close_stream,
                                       .destroy = destroy,
                                       .after_fork_child = after_fork_child,
                                       .holds = true};

static thrum__log_field bare_field = {
    .kind = THRUM__LOG_MESSAGE, .precision = -1, .conversion = 's'};
static stream last_resort = {
    .base = {.ops = &ops,
             .level = THRUM_WARNING,
             .refs = 1,
             .listed = THRUM__LIST_INIT(last_resort.base.listed)},
    .style = {.format = {&bare_field, 1, UINT32_C(1) << THRUM__LOG_MESSAGE, false}},
    .sink = {.fd = STDERR, .kind = THRUM__LOG_PIPE, .failed = &last_resort.base.failed},
};

thrum_handler *const thrum__last_resort = &last_resort.base;

/* What both makers share. The sink has no file yet. */
static int make(stream **out, const char *caller, const char *otherwise, const char *format,
                const char *datefmt, bool escape) {
    stream *to = calloc(1, sizeof *to);
    if (!to)
        return -ENOMEM;
    int rc = thrum__log_style_init(&to->style, caller, otherwise, format, datefmt, escape);
    if (rc) {
        free(to);
        return rc;
    }
    to->sink.failed = &to->base.failed;
    *out = to;
    return 0;
}

/* Lines for a regular file may share a write. */
static int make_buffer(thrum__log_sink *sink, size_t size) {
    bool wanted = sink->kind == THRUM__LOG_REGULAR || sink->hold;
    return wanted ? thrum__log_sink_buffer(sink, size) : 0;
}

thrum_handler *thrum__stream_handler_make(const char *caller, const char *format, int fd,
                                          const thrum_handler_opts *opts, int *error) {
    static const thrum_handler_opts defaults;
    stream *to = NULL;
    opts = opts ? opts : &defaults;
    int kind = fd < 0 ? -EBADF : thrum__log_file_kind(fd);
    *error = -EINVAL;
    if (!thrum__handler_check(caller, opts->level, opts->reserved,
                              sizeof opts->reserved / sizeof opts->reserved[0]))
        return NULL;
    if (kind < 0 && fd != STDERR) {
        thrum__complain("%s: .fd is not open", caller);
        return NULL;
    }
    *error = make(&to, caller, format, opts->format, opts->datefmt, opts->escape);
    if (*error)
        return NULL;
    to->sink.fd = fd;
    to->sink.kind = kind < 0 ? THRUM__LOG_PIPE : kind;
    *error = make_buffer(&to->sink, BATCH_SIZE);
    if (*error) {
        free_stream(to);
        return NULL;
    }
    thrum__handler_init(&to->base, &ops, opts->level);
    return &to->base;
}

static const char *bad_file_option(const char *path, const thrum_file_handler_opts *opts) {
    if (!path || !*path)
        return "the path is empty";
    if (opts->backup_count < 0)
        return ".backup_count must not be negative";
    if ((opts->max_bytes > 0) != (opts->backup_count > 0))
        return ".max_bytes and .backup_count need each other";
    if (opts->flush_level < 0)
        return ".flush_level must not be negative";
    return NULL;
}

/* Opens the file. Returns 0 or a negative errno, said unless -ENOMEM. */
static int open_file(thrum__log_sink *sink, const char *caller, const char *path, bool truncate) {
    sink->rotation.path = thrum__log_file_path(path);
    if (!sink->rotation.path)
        return -ENOMEM;
    sink->fd = thrum__log_file_open(sink->rotation.path, truncate);
    if (sink->fd < 0) {
        thrum__complain("%s: \"%s\": %s", caller, path, strerror(-sink->fd));
        return sink->fd;
    }
    sink->kind = thrum__log_file_kind(sink->fd);
    sink->file_size = thrum__log_file_size(sink->fd);
    if (sink->kind != THRUM__LOG_REGULAR)
        sink->rotation.max_bytes = 0;
    return 0;
}

thrum_handler *thrum__file_handler_make(const char *caller, const char *format, const char *path,
                                        const thrum_file_handler_opts *opts, int *error) {
    static const thrum_file_handler_opts defaults;
    stream *to = NULL;
    opts = opts ? opts : &defaults;
    const char *bad = bad_file_option(path, opts);
    *error = -EINVAL;
    if (bad)
        thrum__complain("%s: %s", caller, bad);
    if (bad || !thrum__handler_check(caller, opts->level, opts->reserved,
                                     sizeof opts->reserved / sizeof opts->reserved[0]))
        return NULL;
    *error = make(&to, caller, format, opts->format, opts->datefmt, opts->escape);
    if (*error)
        return NULL;
    thrum__log_sink *sink = &to->sink;
    sink->hold = opts->buffer_size > 0;
    sink->flush_level = opts->flush_level ? opts->flush_level : THRUM_ERROR;
    sink->rotation.max_bytes = opts->max_bytes;
    sink->rotation.backup_count = opts->backup_count;
    *error = open_file(sink, caller, path, opts->truncate);
    if (!*error) {
        *error = make_buffer(sink, sink->hold ? opts->buffer_size : BATCH_SIZE);
        if (*error)
            thrum__log_file_close(sink->fd);
    }
    if (*error) {
        free_stream(to);
        return NULL;
    }
    thrum__handler_init(&to->base, &ops, opts->level);
    return &to->base;
}

thrum_handler *thrum_stream_handler_new(int fd, const thrum_handler_opts *opts) {
    int rc;
    thrum_handler *handler = thrum__stream_handler_make("thrum_stream_handler_new", "%(message)s",
                                                        fd, opts, &rc);
    if (!handler)
        errno = -rc;
    return handler;
}

thrum_handler *thrum_file_handler_new(const char *path, const thrum_file_handler_opts *opts) {
    int rc;
    thrum_handler *handler =
        thrum__file_handler_make("thrum_file_handler_new", "%(message)s", path, opts, &rc);
    if (!handler)
        errno = -rc;
    return handler;
}
