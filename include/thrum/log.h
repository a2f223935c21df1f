/* SPDX-License-Identifier: MIT */
/* Logging, after Python's logging.basicConfig():
 *
 *     thrum_log_config(&(thrum_log_opts){.format = "%(asctime)s: %(message)s",
 *                                        .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
 *     thrum_info("Thread %d: starting", n);
 *
 * A record becomes one line, written with one write: lines of several threads are never torn.
 * Before thrum_log_config(), records of level WARNING and up go to stderr as their bare message
 * (Python's last resort). */
#ifndef THRUM_LOG_H
#define THRUM_LOG_H

#include <stdbool.h>
#include <thrum/config.h>

THRUM__BEGIN

/* Levels, with Python's numbers. */
enum { THRUM_DEBUG = 10, THRUM_INFO = 20, THRUM_WARNING = 30, THRUM_ERROR = 40, THRUM_CRITICAL = 50 };

/* Options of thrum_log_config(); zero is the default of each.
 *
 * format: text with %(field)s (a width and a precision as in printf, %(levelname)-8s, and d for
 *     numbers, %(lineno)d; %% is a percent sign). Fields: asctime created msecs levelname levelno
 *     name threadName thread process filename pathname lineno funcName message.
 *     Default "%(levelname)s:%(name)s:%(message)s".
 * datefmt: strftime() format of asctime. Default "%Y-%m-%d %H:%M:%S" and ",123" (milliseconds).
 * level: the lowest level that is written. Default THRUM_WARNING.
 * fd: file descriptor to write to; 0: stderr. It is not closed.
 * escape: control characters of the message, newline too, are written as \xNN. */
typedef struct thrum_log_opts {
    const char *format;
    const char *datefmt;
    int level;
    int fd;
    bool escape;
    void *reserved[4]; /* must be zero */
} thrum_log_opts;

/* Sets how records are written, from now on, replacing what was set before; NULL = all defaults. The
 * strings are copied. Returns 0, -EINVAL (an unknown field or a bad option, named on stderr), or
 * -ENOMEM; then nothing has changed. Any thread. */
THRUM_API int thrum_log_config(const thrum_log_opts *opts);

/* Returns whether records of `level` are written. Any thread. */
THRUM_API bool thrum_log_enabled(int level);

/* Writes a record of `level` with the given place; what the macros below call. The strings need to
 * live only during the call; the message is a printf format and is expanded once. Never fails
 * loudly: a line that cannot be allocated is cut and marked, a failed write is dropped, SIGPIPE is
 * not raised. errno is kept. Any thread; not in a signal handler. */
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
