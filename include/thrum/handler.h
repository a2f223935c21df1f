/* SPDX-License-Identifier: MIT */
/* Handlers of the log: where records go. Python's StreamHandler, FileHandler, RotatingFileHandler,
 * QueueHandler with its QueueListener, and one's own function:
 *
 *     thrum_handler *file = thrum_file_handler_new("app.log", &(thrum_file_handler_opts){
 *         .format = "%(asctime)s %(name)s: %(message)s", .max_bytes = 1 << 20, .backup_count = 3});
 *     thrum_logger_add_handler(thrum_logger_get("net"), file);
 *     thrum_handler_free(file);                  the logger goes on using it
 *
 * A handler may be attached to several loggers. It lives as long as somebody has it: who made it,
 * until thrum_handler_free(), a logger it is attached to, a queue handler in front of it. */
#ifndef THRUM_HANDLER_H
#define THRUM_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>

THRUM__BEGIN

/* A handler. Opaque; one handle is owned by who made it. */
typedef struct thrum_handler thrum_handler;

/* What a function of one's own gets. Everything may be used during the call only. */
typedef struct thrum_log_record {
    int level;
    const char *name;     /* of the logger */
    int64_t created;      /* wall clock, nanoseconds since 1970 */
    const char *file;     /* NULL: not known */
    int line;
    const char *function; /* NULL: not known */
    const char *thread_name;
    uint32_t thread;      /* ident */
    const char *message;
    size_t message_size;
    const char *text;     /* the line, made by the handler's format, ends in a newline */
    size_t text_size;
} thrum_log_record;

/* Options of thrum_stream_handler_new() and thrum_handler_new(); zero is the default of each.
 * format, datefmt and escape: as in thrum_log_opts, with "%(message)s" as the default format. */
typedef struct thrum_handler_opts {
    int level; /* the lowest level that is handled; 0: all that the loggers let through */
    const char *format;
    const char *datefmt;
    bool escape;
    void *reserved[4]; /* must be zero */
} thrum_handler_opts;

/* Options of thrum_file_handler_new(); zero is the default of each. */
typedef struct thrum_file_handler_opts {
    int level;
    const char *format;
    const char *datefmt;
    bool escape;
    bool truncate; /* begin with an empty file (Python's mode "w"); else append */
    /* A line that would make the file max_bytes long, or longer, goes to a new one: "path" becomes
     * "path.1", that becomes "path.2", and so on up to backup_count; both or none must be given. A
     * file is never empty because of that. 0: never. */
    size_t max_bytes;
    int backup_count;
    /* Lines are held back until there are buffer_size bytes of them, or one has flush_level
     * (default THRUM_ERROR); they are written at the end of the program, not when it is killed. 0:
     * every line is written before the call that logs it returns. */
    size_t buffer_size;
    int flush_level;
    void *reserved[4]; /* must be zero */
} thrum_file_handler_opts;

/* What a queue handler does with a record while its queue is full: wait for room, drop that
 * record, or drop the oldest one in the queue. */
typedef enum thrum_handler_overflow {
    THRUM_BLOCK,
    THRUM_DROP_NEWEST,
    THRUM_DROP_OLDEST
} thrum_handler_overflow;

/* Options of thrum_queue_handler_new(); zero is the default of each. */
typedef struct thrum_queue_handler_opts {
    int level;
    size_t capacity; /* how many records wait at most, exactly; 0: 4096 */
    thrum_handler_overflow overflow;
    void *reserved[4]; /* must be zero */
} thrum_queue_handler_opts;

/* Makes a handler that writes each line to the file descriptor `fd`, which must stay open for as
 * long as the handler may write (thrum_handler_close()) and is not closed. Returns NULL with errno
 * EINVAL (a bad option, or fd is not open; named on stderr) or ENOMEM. Any thread. */
THRUM_API thrum_handler *thrum_stream_handler_new(int fd, const thrum_handler_opts *opts);

/* Makes a handler that writes to the file `path`, made if need be; a relative path is one of the
 * current directory of now. When a file cannot be renamed or opened, that is said once on stderr,
 * and the lines go to the file there was. Returns NULL with errno EINVAL (a bad option, named on
 * stderr), ENOMEM, or what open() says (named on stderr). Any thread. */
THRUM_API thrum_handler *thrum_file_handler_new(const char *path,
                                                const thrum_file_handler_opts *opts);

/* Makes a handler that hands records to a thread of its own, which writes them by `target`: who
 * logs does not wait for the file. The daemon thread starts with the first record; if it cannot,
 * that is said once and the threads that log write themselves. The records of one thread keep
 * their order. What is dropped is counted, and said in the log by one line of logger "thrum" as
 * soon as there is room. What was logged before the end of the program is written at its end; from
 * then on each record is written at once. Keeps `target`, whose level and format count. Returns
 * NULL with errno EINVAL (a bad option, named on stderr; target is NULL) or ENOMEM. Any thread. */
THRUM_API thrum_handler *thrum_queue_handler_new(thrum_handler *target,
                                                 const thrum_queue_handler_opts *opts);

/* Makes a handler that calls emit(record, arg), one call at a time, in the thread that logs (or
 * that of a queue handler). emit may log: what it logs goes to stream and file handlers; functions
 * and queues drop and count it. It must return. Returns NULL with errno EINVAL (a bad option,
 * named on stderr) or ENOMEM. Any thread. */
THRUM_API thrum_handler *thrum_handler_new(void (*emit)(const thrum_log_record *record, void *arg),
                                           void *arg, const thrum_handler_opts *opts);

/* Writes what the handler holds back: returns when all that was logged before is written, or could
 * not be. Inside the handler's own function it does nothing. Any thread. */
THRUM_API void thrum_handler_flush(thrum_handler *handler);

/* Flushes the handler and ends it: when this returns it writes no more, calls no function (unless
 * the caller is inside it) and has closed its file. It stays attached, and drops what it gets.
 * Again: does nothing. Any thread. */
THRUM_API void thrum_handler_close(thrum_handler *handler);

/* Returns how many records this handler has dropped: its queue was full, there was no memory to
 * queue one, or one was logged inside a handler's function. Any thread. */
THRUM_API size_t thrum_handler_dropped(const thrum_handler *handler);

/* Returns how many lines this handler could not write, or only in part: the disk was full, the pipe
 * broken. Any thread. */
THRUM_API size_t thrum_handler_failed(const thrum_handler *handler);

/* Drops the handle of who made the handler; the last one to let go of it flushes and frees it, and
 * waits for the thread of a queue: not inside the function that this thread calls. Does nothing for
 * NULL. Any thread. */
THRUM_API void thrum_handler_free(thrum_handler *handler);

THRUM__END

#endif
