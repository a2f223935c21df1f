/* SPDX-License-Identifier: MIT */
#include "thread/log_line.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "...[cut]\n";

/* Through a pointer: a user's format is no literal, and was checked where the user wrote it. */
static int (*const expand)(char *, size_t, const char *, va_list) = vsnprintf;

void thrum__log_line_init(thrum__log_line *line) {
    line->data = line->first;
    line->used = 0;
    line->size = sizeof line->first - sizeof mark;
    line->cut = false;
}

void thrum__log_line_free(thrum__log_line *line) {
    if (line->data != line->first)
        free(line->data);
}

/* Makes room for `more` bytes. Returns whether it is there. */
static bool reserve(thrum__log_line *line, size_t more) {
    if (THRUM__LIKELY(more <= line->size - line->used))
        return true;
    if (more > SIZE_MAX / 2 - line->used - sizeof mark)
        return false;
    size_t size = line->used + more;
    size += size / 2;
    bool grown = line->data != line->first;
    char *data = realloc(grown ? line->data : NULL, size + sizeof mark);
    if (!data)
        return false;
    if (!grown)
        memcpy(data, line->first, line->used);
    line->data = data;
    line->size = size;
    return true;
}

static bool continues(char byte) { return ((unsigned char)byte & 0xc0) == 0x80; }

/* Ends the line at `used`, or before the character that does not end there. */
static void cut(thrum__log_line *line, size_t used) {
    size_t start = used;
    while (start > 0 && used - start < 4 && continues(line->data[start - 1]))
        start--;
    if (start > 0 && used - start < 4) {
        unsigned char lead = (unsigned char)line->data[start - 1];
        size_t wants = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
        if (wants > used - start + 1)
            used = start - 1;
    }
    line->used = used;
    line->cut = true;
}

void thrum__log_line_add_slow(thrum__log_line *line, const char *text, size_t size) {
    if (line->cut)
        return;
    bool fits = reserve(line, size);
    if (!fits)
        size = line->size - line->used;
    memcpy(line->data + line->used, text, size);
    line->used += size;
    if (!fits)
        cut(line, line->used);
}

void thrum__log_line_expand(thrum__log_line *line, const char *format, va_list args) {
    if (line->cut || thrum__log_line_expand_common(line, format, args))
        return;
    va_list again;
    va_copy(again, args);
    char *text = line->data + line->used;
    size_t room = line->size - line->used;
    memset(text, 0, room + 1);
    int n = expand(text, room + 1, format, args);
    if (n < 0) {
        cut(line, line->used + strnlen(text, room));
    } else if ((size_t)n <= room) {
        line->used += (size_t)n;
    } else if (!reserve(line, (size_t)n)) {
        cut(line, line->used + room);
    } else {
        text = line->data + line->used;
        int m = expand(text, (size_t)n + 1, format, again);
        line->used += m < 0 ? 0 : (size_t)(m < n ? m : n);
        line->cut = m < 0;
    }
    va_end(again);
}

void thrum__log_line_end(thrum__log_line *line) {
    const char *end = line->cut ? mark : "\n";
    size_t size = strlen(end);
    memcpy(line->data + line->used, end, size);
    line->used += size;
    line->cut = true;
}

void thrum__log_line_terminate(thrum__log_line *line) {
    if (line->cut) {
        memcpy(line->data + line->used, mark, sizeof mark - 2);
        line->used += sizeof mark - 2;
    }
    line->data[line->used] = '\0';
    line->cut = true;
}

void thrum__log_line_limit(thrum__log_line *line, size_t start, size_t n) {
    size_t at = start;
    for (; at < line->used; at++) {
        if (!continues(line->data[at]) && n-- == 0)
            break;
    }
    line->used = at;
}

/* Opens a gap of `n` bytes at `at`. Returns whether there was room. */
static bool open_gap(thrum__log_line *line, size_t at, size_t n) {
    if (!reserve(line, n)) {
        line->cut = true;
        return false;
    }
    memmove(line->data + at + n, line->data + at, line->used - at);
    line->used += n;
    return true;
}

void thrum__log_line_pad(thrum__log_line *line, size_t start, size_t width, bool left, size_t at,
                         char pad) {
    if (line->cut)
        return;
    size_t characters = 0;
    for (size_t i = start; i < line->used; i++)
        characters += !continues(line->data[i]);
    if (characters >= width)
        return;
    size_t gap = left ? line->used : at;
    if (open_gap(line, gap, width - characters))
        memset(line->data + gap, left ? ' ' : pad, width - characters);
}

/* Returns how many bytes of text[0..n) are one character of UTF-8 that is not a control character;
 * 0: the first byte is to be escaped. */
static size_t printable(const char *text, size_t n) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    size_t size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || size > n)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if (!continues(text[i]))
            return 0;
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xf4 && s[1] > 0x8f) || (s[0] == 0xed && s[1] > 0x9f);
    bool control = s[0] == 0xc2 && s[1] < 0xa0;
    return overlong || beyond || control ? 0 : size;
}

/* Returns how many bytes from `start` on, whole characters, take at most `most` when escaped;
 * `*out` gets how many they then are. */
static size_t measure(const thrum__log_line *line, size_t start, size_t most, size_t *out) {
    size_t at = start;
    *out = 0;
    while (at < line->used) {
        size_t n = printable(line->data + at, line->used - at);
        if (*out + (n ? n : 4) > most)
            break;
        *out += n ? n : 4;
        at += n ? n : 1;
    }
    return at - start;
}

void thrum__log_line_escape(thrum__log_line *line, size_t start) {
    static const char hex[] = "0123456789abcdef";
    size_t out;
    size_t in = measure(line, start, SIZE_MAX, &out);
    if (in == out)
        return;
    if (!reserve(line, out - in)) {
        in = measure(line, start, line->size - start, &out);
        line->cut = true;
    }
    char *to = line->data + start;
    char *from = to + (out - in);
    const char *end = to + out;
    memmove(from, to, in);
    line->used = start + out;
    while (from < end) {
        size_t n = printable(from, (size_t)(end - from));
        if (n) {
            memmove(to, from, n);
        } else {
            unsigned char byte = (unsigned char)*from;
            memcpy(to, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 15]}, 4);
        }
        to += n ? n : 4;
        from += n ? n : 1;
    }
}
