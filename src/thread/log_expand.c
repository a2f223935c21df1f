/* SPDX-License-Identifier: MIT */
/* The common conversions of printf(), faster: %d %i %u %x %c %s and %%, with l, ll, z and no
 * flags, width or precision. */
#include <stdint.h>
#include <string.h>

#include "thread/log_line.h"

enum { DIGITS = 24 };

typedef enum width { INT, LONG, LONG_LONG, SIZE } width;

typedef struct arguments {
    va_list list;
} arguments;

static width read_width(const char **at) {
    if (**at == 'z')
        return (*at)++, SIZE;
    if (**at != 'l')
        return INT;
    (*at)++;
    if (**at != 'l')
        return LONG;
    return (*at)++, LONG_LONG;
}

static uint64_t next_unsigned(arguments *args, width size) {
    switch (size) {
    case INT:
        return va_arg(args->list, unsigned);
    case LONG:
        return va_arg(args->list, unsigned long);
    case LONG_LONG:
        return va_arg(args->list, unsigned long long);
    default:
        return va_arg(args->list, size_t);
    }
}

/* A size is taken as the signed type of its width. */
static int64_t next_signed(arguments *args, width size) {
    switch (size) {
    case INT:
        return va_arg(args->list, int);
    case LONG:
        return va_arg(args->list, long);
    case LONG_LONG:
        return va_arg(args->list, long long);
    default:
        return (int64_t)va_arg(args->list, ptrdiff_t);
    }
}

static void add_decimal(thrum__log_line *line, uint64_t value, bool negative) {
    char text[DIGITS];
    char *at = text + sizeof text;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (negative)
        *--at = '-';
    thrum__log_line_add(line, at, (size_t)(text + sizeof text - at));
}

static void add_hex(thrum__log_line *line, uint64_t value) {
    char text[DIGITS];
    char *at = text + sizeof text;
    do {
        *--at = "0123456789abcdef"[value % 16];
        value /= 16;
    } while (value > 0);
    thrum__log_line_add(line, at, (size_t)(text + sizeof text - at));
}

/* Adds the conversion at *at, behind its %, and moves *at behind it. */
static void add_conversion(thrum__log_line *line, const char **at, arguments *args) {
    width size = read_width(at);
    char conversion = *(*at)++;
    if (conversion == 'd' || conversion == 'i') {
        int64_t value = next_signed(args, size);
        add_decimal(line, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
    } else if (conversion == 'u') {
        add_decimal(line, next_unsigned(args, size), false);
    } else if (conversion == 'x') {
        add_hex(line, next_unsigned(args, size));
    } else if (conversion == 's') {
        const char *text = va_arg(args->list, const char *);
        text = text ? text : "(null)";
        thrum__log_line_add(line, text, strlen(text));
    } else {
        char byte = conversion == 'c' ? (char)va_arg(args->list, int) : '%';
        thrum__log_line_add(line, &byte, 1);
    }
}

static bool is_common(const char *format) {
    while ((format = strchr(format, '%')) != NULL) {
        format++;
        bool plain = read_width(&format) == INT;
        if (!*format || !strchr(plain ? "diuxsc%" : "diux", *format))
            return false;
        format++;
    }
    return true;
}

bool thrum__log_line_expand_common(thrum__log_line *line, const char *format, va_list args) {
    if (!is_common(format))
        return false;
    arguments copy;
    va_copy(copy.list, args);
    const char *at = format;
    for (const char *percent; (percent = strchr(at, '%')) != NULL;) {
        thrum__log_line_add(line, at, (size_t)(percent - at));
        at = percent + 1;
        add_conversion(line, &at, &copy);
    }
    thrum__log_line_add(line, at, strlen(at));
    va_end(copy.list);
    return true;
}
