/* SPDX-License-Identifier: MIT */
/* Logging, after Python's logging.basicConfig():
 *
 *     thrum_log_config(&(thrum_log_opts){.format = "%(asctime)s: %(message)s",
 *                                        .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
 *     thrum_info("Thread %d: starting", n);
 *
 * Named loggers: logger.h; where records go: handler.h.
 * A record becomes one line, written with one write: lines of several threads are never torn.
 * Before thrum_log_config(), records of level WARNING and up go to stderr as their bare message
 * (Python's last resort). */
#ifndef THRUM_LOG_H
#define THRUM_LOG_H

#include <stdbool.h>
#include <thrum/config.h>

THRUM__BEGIN

/* Levels, with Python's numbers. */
enum {
    THRUM_DEBUG = 10,
    THRUM_INFO = 20,
    THRUM_WARNING = 30,
    THRUM_ERROR = 40,
    THRUM_CRITICAL = 50
};

/* Options of thrum_log_config(); zero is the default of each.
 *
 * format: text with %(field)s (a width and a precision as in printf, %(levelname)-8s, and d for
 *     numbers, %(lineno)d; %% is a percent sign). Fields: asctime created msecs levelname levelno
 *     name threadName thread process filename pathname lineno funcName message.
 *     Default "%(levelname)s:%(name)s:%(message)s".
 * datefmt: strftime() format of asctime. Default "%Y-%m-%d %H:%M:%S" and ",123" (milliseconds).
 * level: the lowest level that is written. Default THRUM_WARNING.
 * fd: file descriptor to write to; 0: stderr. It is not closed.
 * filename: file to write to instead, made if need be.
 * filemode: "a" (the default) to append to it, "w" to begin with an empty one.
 * escape: control characters of the message, newline too, are written as \xNN. */
typedef struct thrum_log_opts {
    const char *format;
    const char *datefmt;
    int level;
    int fd;
    bool escape;
    const char *filename;
    const char *filemode;
    void *reserved[4]; /* must be zero */
} thrum_log_opts;

/* Sets how records are written, from now on, replacing what was set before; NULL = all defaults:
 * the root logger gets this level, and a handler made of these options in the place of an earlier
 * call's, which writes no more once this returns. Handlers attached by thrum_logger_add_handler()
 * stay. The strings are copied. Returns 0, -EINVAL (an unknown field or a bad option, named on
 * stderr), -ENOMEM, or what opening the file gave (named too); then nothing has changed. Any
 * thread. */
THRUM_API int thrum_log_config(const thrum_log_opts *opts);

/* Returns whether the root logger takes records of `level`. Any thread. */
THRUM_API bool thrum_log_enabled(int level);

/* Returns the name of a level that has one ("INFO"), else NULL. Any thread. */
THRUM_API const char *thrum_log_level_name(int level);

/* Returns the level of this name, as thrum_log_level_name() spells it, else -EINVAL. Any thread. */
THRUM_API int thrum_log_level_from_name(const char *name);

/* Writes a record of `level` of the root logger with the given place; what the macros below call.
 * The strings need to live only during the call; the message is a printf format and is expanded
 * once. Never fails loudly: a line that cannot be allocated is cut and marked, a failed write is
 * dropped, SIGPIPE is not raised. errno is kept. Any thread; not in a signal handler. */
THRUM_API void thrum_log_at(int level, const char *file, int line, const char *function,
                            const char *format, ...) THRUM_PRINTF(5, 6);

/* Write a record of this level if it is enabled: a printf format and its arguments, which are
 * evaluated only then. */
#define thrum_debug(...) THRUM__LOG(THRUM_DEBUG, __VA_ARGS__)
#define thrum_info(...) THRUM__LOG(THRUM_INFO, __VA_ARGS__)
#define thrum_warning(...) THRUM__LOG(THRUM_WARNING, __VA_ARGS__)
#define thrum_error(...) THRUM__LOG(THRUM_ERROR, __VA_ARGS__)
#define thrum_critical(...) THRUM__LOG(THRUM_CRITICAL, __VA_ARGS__)

#define THRUM__LOG(level, ...)                                                                     \
    do {                                                                                           \
        if (thrum_log_enabled(level))                                                              \
            thrum_log_at((level), __FILE__, __LINE__, __func__, __VA_ARGS__);                      \
    } while (0)

THRUM__END

#endif
