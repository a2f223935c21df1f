/* SPDX-License-Identifier: MIT */
/* Named loggers, in a tree by the dots of their names, as in Python:
 *
 *     thrum_logger *log = thrum_logger_get("net.http");
 *     thrum_logger_set_level(thrum_logger_get("net"), THRUM_DEBUG);
 *     thrum_logger_info(log, "GET %s", path);
 *
 * A record goes to the handlers of its logger and of all loggers above it, up to the root, which
 * has the handler of thrum_log_config(). A logger without a level of its own has that of the one
 * above. When none of these loggers has a handler, WARNING and up goes to stderr as its bare
 * message. Wherever a logger is asked for, NULL is the root. */
#ifndef THRUM_LOGGER_H
#define THRUM_LOGGER_H

#include <stdbool.h>
#include <thrum/config.h>
#include <thrum/handler.h>
#include <thrum/log.h>

THRUM__BEGIN

/* A logger. Lives to the end of the program; all pointers to it are borrowed. */
typedef struct thrum_logger thrum_logger;

/* Returns the logger of this name, always the same one, made at the first call together with those
 * above it. NULL, "" and "root" are the root. "a.b" is below "a"; a dot at the start of a name is
 * part of it: ".a" is below the root, and "a..b" is below "a.". Returns NULL (the root, where a
 * logger is asked for) with errno ENOMEM. No lock is taken for one that exists. Any thread. */
THRUM_API thrum_logger *thrum_logger_get(const char *name);

/* Returns the name, "root" for the root. Any thread. */
THRUM_API const char *thrum_logger_name(const thrum_logger *logger);

/* Returns the logger above, NULL for the root. Any thread. */
THRUM_API thrum_logger *thrum_logger_parent(const thrum_logger *logger);

/* Sets the lowest level that is written; 0: that of the logger above (the root: all). Returns 0, or
 * -EINVAL for a negative one, said on stderr. Any thread. */
THRUM_API int thrum_logger_set_level(thrum_logger *logger, int level);

/* Returns the logger's own level, 0 if it has none. Any thread. */
THRUM_API int thrum_logger_level(const thrum_logger *logger);

/* Returns the level that counts: its own, else that of the next one above which has one. Any
 * thread. */
THRUM_API int thrum_logger_effective_level(const thrum_logger *logger);

/* Returns whether the logger takes records of `level`: one relaxed load. Any thread. */
THRUM_API bool thrum_logger_enabled(const thrum_logger *logger, int level);

/* Sets whether records go on to the handlers of the loggers above; they do at first. Any thread. */
THRUM_API void thrum_logger_set_propagate(thrum_logger *logger, bool propagate);

/* Returns whether records go on to the handlers of the loggers above. Any thread. */
THRUM_API bool thrum_logger_propagate(const thrum_logger *logger);

/* Attaches `handler`, behind those attached before; once more changes nothing. The logger keeps
 * it. Returns 0 or -ENOMEM; then nothing has changed. Any thread. */
THRUM_API int thrum_logger_add_handler(thrum_logger *logger, thrum_handler *handler);

/* Detaches `handler`. Records that are on their way may still reach it (thrum_handler_close() ends
 * that). Returns 0, or -ENOENT: it was not attached. Any thread. */
THRUM_API int thrum_logger_remove_handler(thrum_logger *logger, thrum_handler *handler);

/* Writes a record of `level` if the logger takes it; what the macros below call. As
 * thrum_log_at(), which is this for the root. Any thread; not in a signal handler. */
THRUM_API void thrum_logger_at(thrum_logger *logger, int level, const char *file, int line,
                               const char *function, const char *format, ...) THRUM_PRINTF(6, 7);

/* Switches off all records of `level` and below, of every logger; 0: none. Returns 0, or -EINVAL
 * for a negative one, said on stderr. Any thread. */
THRUM_API int thrum_log_disable(int level);

/* Write a record of this level if the logger takes it: the logger, a printf format and its
 * arguments, which are evaluated only then. */
#define thrum_logger_debug(logger, ...) THRUM__LOGGER(logger, THRUM_DEBUG, __VA_ARGS__)
#define thrum_logger_info(logger, ...) THRUM__LOGGER(logger, THRUM_INFO, __VA_ARGS__)
#define thrum_logger_warning(logger, ...) THRUM__LOGGER(logger, THRUM_WARNING, __VA_ARGS__)
#define thrum_logger_error(logger, ...) THRUM__LOGGER(logger, THRUM_ERROR, __VA_ARGS__)
#define thrum_logger_critical(logger, ...) THRUM__LOGGER(logger, THRUM_CRITICAL, __VA_ARGS__)

#define THRUM__LOGGER(logger, level, ...)                                                          \
    do {                                                                                           \
        thrum_logger *thrum__logger = (logger);                                                    \
        if (thrum_logger_enabled(thrum__logger, level))                                            \
            thrum_logger_at(thrum__logger, (level), __FILE__, __LINE__, __func__, __VA_ARGS__);    \
    } while (0)

THRUM__END

#endif
