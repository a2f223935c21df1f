/* SPDX-License-Identifier: MIT */
/* The bytes of one line of the log, and the ways a field's text is dressed. */
#ifndef THRUM_THREAD_LOG_LINE_H
#define THRUM_THREAD_LOG_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <thrum/config.h>

enum { THRUM__LOG_LINE_SIZE = 1024 };

typedef struct thrum__log_line {
    char *data; /* `first`, or allocated */
    size_t used;
    size_t size; /* of data; the room for the mark and the newline is not in it */
    bool cut;    /* something is missing from here on: nothing is added any more */
    char first[THRUM__LOG_LINE_SIZE];
} thrum__log_line;

/* Makes `line` an empty one. */
void thrum__log_line_init(thrum__log_line *line);

/* Frees what `line` has allocated. */
void thrum__log_line_free(thrum__log_line *line);

/* Adds `size` bytes. What there is no memory for is left out, and the line is cut. */
void thrum__log_line_add_slow(thrum__log_line *line, const char *text, size_t size);
static inline void thrum__log_line_add(thrum__log_line *line, const char *text, size_t size) {
    if (THRUM__LIKELY(!line->cut && size <= line->size - line->used)) {
        memcpy(line->data + line->used, text, size);
        line->used += size;
    } else {
        thrum__log_line_add_slow(line, text, size);
    }
}

/* Adds the expansion of `format`. With a format that cannot be expanded the line is cut. */
void thrum__log_line_expand(thrum__log_line *line, const char *format, va_list args);

/* The same, if the format has common conversions only; else adds nothing. Returns whether.
 * Requires a line that is not cut. */
bool thrum__log_line_expand_common(thrum__log_line *line, const char *format, va_list args);

/* Ends the line: a mark if it was cut, a newline. Nothing can be added after it. */
void thrum__log_line_end(thrum__log_line *line);

/* Terminates the text, which is no longer to be added to; its mark is added if it was cut. */
void thrum__log_line_terminate(thrum__log_line *line);

/* What follows works on the text from `start` to the end of the line. */

/* Leaves at most `n` characters of the text. */
void thrum__log_line_limit(thrum__log_line *line, size_t start, size_t n);

/* Fills the text up to `width` characters: blanks behind it (`left`), or `pad` at `at`. */
void thrum__log_line_pad(thrum__log_line *line, size_t start, size_t width, bool left, size_t at,
                         char pad);

/* Writes control characters, and bytes that are not UTF-8, as \xNN. */
void thrum__log_line_escape(thrum__log_line *line, size_t start);

#endif
