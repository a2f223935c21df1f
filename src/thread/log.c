/* SPDX-License-Identifier: MIT */
/* The root logger, and its handler that thrum_log_config() makes. */
#include <thrum/log.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/panic.h"
#include "thread/handler.h"
#include "thread/logger.h"
#include "thread/logger_tree.h"

enum { STDERR = 2 };

static const char caller[] = "thrum_log_config";
static const char format[] = "%(levelname)s:%(name)s:%(message)s";

bool thrum_log_enabled(int level) { return thrum_logger_enabled(&thrum__root_logger, level); }

void thrum_log_at(int level, const char *file, int line, const char *function, const char *text,
                  ...) {
    if (!thrum_log_enabled(level))
        return;
    va_list args;
    va_start(args, text);
    thrum__logger_write(&thrum__root_logger, level, file, line, function, text, args);
    va_end(args);
}

static const char *bad_option(const thrum_log_opts *opts) {
    const char *mode = opts->filemode;
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++) {
        if (opts->reserved[i])
            return ".reserved must be zero";
    }
    if (opts->level < 0)
        return ".level must not be negative";
    if (opts->fd < 0)
        return ".fd must not be negative";
    if (opts->filename && opts->fd)
        return ".filename and .fd exclude each other";
    if (mode && !opts->filename)
        return ".filemode needs .filename";
    if (mode && strcmp(mode, "a") != 0 && strcmp(mode, "w") != 0)
        return ".filemode is neither \"a\" nor \"w\"";
    return NULL;
}

/* Makes the handler. *rc gets 0 or what is wrong, which has been said. */
static thrum_handler *make(const thrum_log_opts *opts, int *rc) {
    thrum_handler_opts stream = {
        .format = opts->format, .datefmt = opts->datefmt, .escape = opts->escape};
    thrum_file_handler_opts file = {.format = opts->format,
                                    .datefmt = opts->datefmt,
                                    .escape = opts->escape,
                                    .truncate = opts->filemode && *opts->filemode == 'w'};
    const char *bad = bad_option(opts);
    if (bad) {
        thrum__complain("%s: %s", caller, bad);
        *rc = -EINVAL;
        return NULL;
    }
    if (opts->filename)
        return thrum__file_handler_make(caller, format, opts->filename, &file, rc);
    return thrum__stream_handler_make(caller, format, opts->fd ? opts->fd : STDERR, &stream, rc);
}

int thrum_log_config(const thrum_log_opts *opts) {
    static const thrum_log_opts defaults;
    int rc, cancel;
    opts = opts ? opts : &defaults;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    thrum_handler *handler = make(opts, &rc);
    if (handler) {
        rc = thrum__logger_configure(handler, opts->level ? opts->level : THRUM_WARNING);
        if (rc)
            thrum__handler_unref(handler);
    }
    pthread_setcancelstate(cancel, NULL);
    return rc;
}
