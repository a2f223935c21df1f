/* SPDX-License-Identifier: MIT */
/* The format of the log's lines, read once into a list of fields, and how it is applied. */
#ifndef THRUM_THREAD_LOG_FORMAT_H
#define THRUM_THREAD_LOG_FORMAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "thread/log_line.h"

enum { THRUM__LOG_ASCTIME_SIZE = 128 };

typedef enum thrum__log_kind {
    THRUM__LOG_LITERAL,
    THRUM__LOG_ASCTIME,
    THRUM__LOG_CREATED,
    THRUM__LOG_MSECS,
    THRUM__LOG_LEVELNAME,
    THRUM__LOG_LEVELNO,
    THRUM__LOG_NAME,
    THRUM__LOG_THREADNAME,
    THRUM__LOG_THREAD,
    THRUM__LOG_PROCESS,
    THRUM__LOG_FILENAME,
    THRUM__LOG_PATHNAME,
    THRUM__LOG_LINENO,
    THRUM__LOG_FUNCNAME,
    THRUM__LOG_MESSAGE,
    THRUM__LOG_KINDS
} thrum__log_kind;

typedef struct thrum__log_field {
    thrum__log_kind kind;
    const char *text; /* of a literal: in the format */
    size_t size;
    size_t width;
    int precision; /* -1: none */
    char conversion;
    char sign; /* before a number that is not negative: '+', ' ' or 0 */
    bool left;
    bool zeros;
} thrum__log_field;

typedef struct thrum__log_format {
    thrum__log_field *fields;
    size_t n;
    uint32_t kinds; /* bit k: a field of kind k is among them */
    bool escape;
} thrum__log_format;

/* What is logged. */
typedef struct thrum__log_record {
    int level;
    const char *name; /* of the logger */
    const char *file;
    int line;
    const char *function;
    const char *format;
    va_list args;
    const char *message; /* its expansion, NULL: not made yet */
    size_t message_size;
    bool message_cut; /* the expansion lacks its end */
    bool more;        /* another record follows, or a flush: the line may be held back until then */
    int error;       /* errno of the caller, for %m */
    int64_t created; /* nanoseconds of the wall clock */
    const char *thread_name;
    uint32_t thread;
    size_t asctime_size;
    char asctime[THRUM__LOG_ASCTIME_SIZE]; /* both: set if the format has it */
} thrum__log_record;

/* Returns how many fields the longest list for a format of this text has. */
size_t thrum__log_format_room(const char *text);

/* Reads `text`, which has to live on, into format->fields, which have the room. Returns 0, or
 * -EINVAL, said on stderr in the name of `caller`. */
int thrum__log_format_read(thrum__log_format *format, const char *text, const char *caller);

/* Adds the message of `record` to `line`. record->args can be used again. */
void thrum__log_message_apply(thrum__log_record *record, thrum__log_line *line);

/* Adds `record` to `line`. record->args can be used again. */
void thrum__log_format_apply(const thrum__log_format *format, thrum__log_record *record,
                             thrum__log_line *line);

#endif
