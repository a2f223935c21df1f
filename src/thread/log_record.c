/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <thrum/log.h>

#include "thread/log_format.h"

enum { NUMBER_SIZE = 128, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static const struct {
    int level;
    const char *name;
} levels[] = {{THRUM_DEBUG, "DEBUG"},
              {THRUM_INFO, "INFO"},
              {THRUM_WARNING, "WARNING"},
              {THRUM_ERROR, "ERROR"},
              {THRUM_CRITICAL, "CRITICAL"}};

const char *thrum_log_level_name(int level) {
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (levels[i].level == level)
            return levels[i].name;
    }
    return NULL;
}

int thrum_log_level_from_name(const char *name) {
    for (size_t i = 0; name && i < sizeof levels / sizeof levels[0]; i++) {
        if (!strcmp(levels[i].name, name))
            return levels[i].level;
    }
    return -EINVAL;
}

static const char *level_text(int level, char *text, size_t size) {
    const char *name = thrum_log_level_name(level);
    if (!name)
        snprintf(text, size, "Level %d", level);
    return name ? name : text;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Returns the text of a field that is one, from `text` where it has to be made. */
static const char *text_of(thrum__log_kind kind, const thrum__log_record *record, char *text,
                           size_t size) {
    const char *file = record->file ? record->file : "(unknown file)";
    switch (kind) {
    case THRUM__LOG_ASCTIME:
        return record->asctime;
    case THRUM__LOG_LEVELNAME:
        return level_text(record->level, text, size);
    case THRUM__LOG_NAME:
        return record->name;
    case THRUM__LOG_THREADNAME:
        return record->thread_name;
    case THRUM__LOG_FILENAME:
        return base_name(file);
    case THRUM__LOG_PATHNAME:
        return file;
    default:
        return record->function ? record->function : "(unknown function)";
    }
}

static int64_t integer_of(thrum__log_kind kind, const thrum__log_record *record) {
    switch (kind) {
    case THRUM__LOG_CREATED:
        return record->created / NS_PER_S;
    case THRUM__LOG_MSECS:
        return record->created % NS_PER_S / NS_PER_MS;
    case THRUM__LOG_LEVELNO:
        return record->level;
    case THRUM__LOG_THREAD:
        return record->thread;
    case THRUM__LOG_PROCESS:
        return getpid();
    default:
        return record->line;
    }
}

/* As Python's repr(): the shortest text that reads back as `value`. */
static void write_float(char *text, size_t size, double value) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
}

static void write_real(char *text, size_t size, char conversion, int precision, double value) {
    if (precision < 0)
        precision = 6;
    switch (conversion) {
    case 'e':
        snprintf(text, size, "%.*e", precision, value);
        break;
    case 'E':
        snprintf(text, size, "%.*E", precision, value);
        break;
    case 'g':
        snprintf(text, size, "%.*g", precision, value);
        break;
    case 'G':
        snprintf(text, size, "%.*G", precision, value);
        break;
    default:
        snprintf(text, size, "%.*f", precision, value);
    }
}

/* Writes the digits and the sign of an integer. */
static void write_integer(char *text, size_t size, char conversion, int precision, int64_t value) {
    unsigned long long digits = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (value < 0)
        *text++ = '-';
    precision = precision < 1 ? 1 : precision;
    if (conversion == 'x')
        snprintf(text, size - 1, "%.*llx", precision, digits);
    else if (conversion == 'X')
        snprintf(text, size - 1, "%.*llX", precision, digits);
    else if (conversion == 'o')
        snprintf(text, size - 1, "%.*llo", precision, digits);
    else
        snprintf(text, size - 1, "%.*llu", precision, digits);
}

static void apply_number(const thrum__log_field *field, const thrum__log_record *record,
                         thrum__log_line *line) {
    char text[NUMBER_SIZE];
    bool is_real = field->kind == THRUM__LOG_CREATED || field->kind == THRUM__LOG_MSECS;
    int64_t integer = integer_of(field->kind, record);
    double real = field->kind == THRUM__LOG_CREATED ? (double)record->created / NS_PER_S
                                                    : (double)integer;
    bool as_text = field->conversion == 's';
    if (as_text && is_real)
        write_float(text, sizeof text, real);
    else if (as_text)
        write_integer(text, sizeof text, 'd', -1, integer);
    else if (strchr("fFeEgG", field->conversion))
        write_real(text, sizeof text, field->conversion, field->precision, real);
    else
        write_integer(text, sizeof text, field->conversion, field->precision, integer);

    size_t start = line->used;
    bool negative = text[0] == '-';
    if (!as_text && !negative && field->sign)
        thrum__log_line_add(line, &field->sign, 1);
    thrum__log_line_add(line, text, strlen(text));
    if (as_text && field->precision >= 0)
        thrum__log_line_limit(line, start, (size_t)field->precision);
    bool zeros = field->zeros && !as_text;
    bool sign = !as_text && (negative || field->sign);
    thrum__log_line_pad(line, start, field->width, field->left, start + (zeros && sign),
                        zeros ? '0' : ' ');
}

void thrum__log_message_apply(thrum__log_record *record, thrum__log_line *line) {
    if (record->message) {
        thrum__log_line_add(line, record->message, record->message_size);
        line->cut |= record->message_cut;
        return;
    }
    va_list args;
    va_copy(args, record->args);
    errno = record->error;
    thrum__log_line_expand(line, record->format, args);
    va_end(args);
}

static void apply_text(const thrum__log_format *format, const thrum__log_field *field,
                       thrum__log_record *record, thrum__log_line *line) {
    char made[32];
    size_t start = line->used;
    bool message = field->kind == THRUM__LOG_MESSAGE;
    if (message) {
        thrum__log_message_apply(record, line);
    } else {
        const char *text = text_of(field->kind, record, made, sizeof made);
        bool known = field->kind == THRUM__LOG_ASCTIME;
        thrum__log_line_add(line, text, known ? record->asctime_size : strlen(text));
    }
    if (field->precision >= 0)
        thrum__log_line_limit(line, start, (size_t)field->precision);
    if (message && format->escape)
        thrum__log_line_escape(line, start);
    if (field->width > 0)
        thrum__log_line_pad(line, start, field->width, field->left, start, ' ');
}

void thrum__log_format_apply(const thrum__log_format *format, thrum__log_record *record,
                             thrum__log_line *line) {
    for (size_t i = 0; i < format->n; i++) {
        const thrum__log_field *field = &format->fields[i];
        switch (field->kind) {
        case THRUM__LOG_LITERAL:
            thrum__log_line_add(line, field->text, field->size);
            break;
        case THRUM__LOG_CREATED:
        case THRUM__LOG_MSECS:
        case THRUM__LOG_LEVELNO:
        case THRUM__LOG_THREAD:
        case THRUM__LOG_PROCESS:
        case THRUM__LOG_LINENO:
            apply_number(field, record, line);
            break;
        default:
            apply_text(format, field, record, line);
        }
    }
}
