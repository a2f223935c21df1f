/* SPDX-License-Identifier: MIT */
#include "thread/log_format.h"

#include <errno.h>
#include <string.h>

#include "base/panic.h"

enum { WIDTH_MAX = 4096, PRECISION_MAX = 64, SHOWN = 64 };

static const struct {
    const char *name;
    const char *conversions;
} known[THRUM__LOG_KINDS] = {
    [THRUM__LOG_ASCTIME] = {"asctime", "s"},
    [THRUM__LOG_CREATED] = {"created", "sdiufFeEgG"},
    [THRUM__LOG_MSECS] = {"msecs", "sdiufFeEgG"},
    [THRUM__LOG_LEVELNAME] = {"levelname", "s"},
    [THRUM__LOG_LEVELNO] = {"levelno", "sdiuxXofFeEgG"},
    [THRUM__LOG_NAME] = {"name", "s"},
    [THRUM__LOG_THREADNAME] = {"threadName", "s"},
    [THRUM__LOG_THREAD] = {"thread", "sdiuxXofFeEgG"},
    [THRUM__LOG_PROCESS] = {"process", "sdiuxXofFeEgG"},
    [THRUM__LOG_FILENAME] = {"filename", "s"},
    [THRUM__LOG_PATHNAME] = {"pathname", "s"},
    [THRUM__LOG_LINENO] = {"lineno", "sdiuxXofFeEgG"},
    [THRUM__LOG_FUNCNAME] = {"funcName", "s"},
    [THRUM__LOG_MESSAGE] = {"message", "s"},
};

/* Says what is wrong with the format, whose bad part starts at `at`. Returns -EINVAL. */
static int refuse(const char *caller, const char *what, const char *at, size_t size) {
    char shown[SHOWN];
    size_t n = size < sizeof shown ? size : sizeof shown - 1;
    for (size_t i = 0; i < n; i++)
        shown[i] = (unsigned char)at[i] < 0x20 || at[i] == 0x7f ? '?' : at[i];
    shown[n] = '\0';
    thrum__complain("%s: .format: %s \"%s\"", caller, what, shown);
    return -EINVAL;
}

size_t thrum__log_format_room(const char *text) {
    size_t n = 1;
    for (; *text; text++)
        n += *text == '%' ? 2 : 0;
    return n;
}

static thrum__log_kind kind_of(const char *name, size_t size) {
    for (int kind = THRUM__LOG_LITERAL + 1; kind < THRUM__LOG_KINDS; kind++) {
        if (strlen(known[kind].name) == size && !memcmp(known[kind].name, name, size))
            return (thrum__log_kind)kind;
    }
    return THRUM__LOG_LITERAL;
}

static const char *read_number(const char *at, int most, int *number) {
    int n = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        n = n > most ? n : n * 10 + (*at - '0');
    *number = n;
    return at;
}

static const char *read_flags(const char *at, thrum__log_field *field) {
    for (; *at && strchr("-0+ ", *at); at++) {
        if (*at == '-')
            field->left = true;
        else if (*at == '0')
            field->zeros = true;
        else if (field->sign != '+')
            field->sign = *at;
    }
    return at;
}

/* Reads the field at **text, "%(", and leaves *text behind it. */
static int read_field(const char **text, thrum__log_field *field, const char *caller) {
    const char *start = *text;
    const char *name = start + 2;
    const char *close = strchr(name, ')');
    if (!close)
        return refuse(caller, "no ) after", start, strlen(start));
    *field = (thrum__log_field){.kind = kind_of(name, (size_t)(close - name)), .precision = -1};
    if (field->kind == THRUM__LOG_LITERAL)
        return refuse(caller, "unknown field", start, (size_t)(close + 1 - start));
    int width;
    const char *at = read_number(read_flags(close + 1, field), WIDTH_MAX, &width);
    if (*at == '.')
        at = read_number(at + 1, WIDTH_MAX, &field->precision);
    if (!*at)
        return refuse(caller, "no conversion after", start, strlen(start));
    if (!strchr(known[field->kind].conversions, *at))
        return refuse(caller, "bad conversion", start, (size_t)(at + 1 - start));
    if (width > WIDTH_MAX || field->precision > (*at == 's' ? WIDTH_MAX : PRECISION_MAX))
        return refuse(caller, "width or precision too large", start, (size_t)(at + 1 - start));
    field->width = (size_t)width;
    field->conversion = *at;
    *text = at + 1;
    return 0;
}

static void add_literal(thrum__log_format *format, const char *text, size_t size) {
    if (size > 0)
        format->fields[format->n++] =
            (thrum__log_field){.kind = THRUM__LOG_LITERAL, .text = text, .size = size};
}

int thrum__log_format_read(thrum__log_format *format, const char *text, const char *caller) {
    const char *whole = text;
    format->n = 0;
    format->kinds = 0;
    while (*text) {
        size_t plain = strcspn(text, "%");
        add_literal(format, text, plain);
        text += plain;
        if (text[0] == '%' && text[1] == '%') {
            add_literal(format, text, 1);
            text += 2;
        } else if (text[0] == '%' && text[1] == '(') {
            thrum__log_field *field = &format->fields[format->n];
            int rc = read_field(&text, field, caller);
            if (rc)
                return rc;
            format->kinds |= UINT32_C(1) << field->kind;
            format->n++;
        } else if (text[0] == '%') {
            return refuse(caller, "neither %(field)s nor %%:", text, strlen(text));
        }
    }
    return format->kinds ? 0 : refuse(caller, "no %(field)s in", whole, strlen(whole));
}
