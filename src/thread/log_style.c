/* SPDX-License-Identifier: MIT */
#include "thread/log_style.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thrum/thread.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "base/raw_lock.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

#define DATEFMT "%Y-%m-%d %H:%M:%S"

static thrum__raw_lock clock_lock; /* round localtime_r() */

/* Through a pointer, as the user's datefmt is no literal. */
static size_t (*const by_format)(char *, size_t, const char *, const struct tm *) = strftime;

/* Writes the time by `datefmt`, which ends in a blank; it is not counted. Returns the size, or -1
 * when there is not enough room. */
static int make_stamp(char *text, const char *datefmt, int64_t second) {
    time_t seconds = (time_t)second;
    struct tm tm = {0};
    thrum__raw_lock_acquire(&clock_lock);
    localtime_r(&seconds, &tm);
    int n = (int)by_format(text, THRUM__LOG_STAMP_SIZE, datefmt, &tm) - 1;
    thrum__raw_lock_release(&clock_lock);
    return n;
}

/* Copies the text of `second` to `text`, which has room for whole words. Returns its size, or -1
 * when the stamp is of another second, or being written. */
static int read_stamp(const thrum__log_stamp *stamp, int64_t second, char *text) {
    /* acquire: pairs with write_stamp() */
    uint32_t turn = thrum__load_acquire(&stamp->turn);
    if (turn == 0 || turn % 2 != 0)
        return -1;
    /* acquire: pairs with write_stamp() */
    uint32_t low = thrum__load_acquire(&stamp->second[0]);
    /* acquire: pairs with write_stamp() */
    uint32_t high = thrum__load_acquire(&stamp->second[1]);
    /* acquire: pairs with write_stamp() */
    uint32_t size = thrum__load_acquire(&stamp->size);
    if (low != (uint32_t)second || high != (uint32_t)((uint64_t)second >> 32))
        return -1;
    for (uint32_t i = 0; i * 4 < size && i < THRUM__LOG_STAMP_WORDS; i++) {
        /* acquire: pairs with write_stamp() */
        uint32_t word = thrum__load_acquire(&stamp->text[i]);
        memcpy(text + (size_t)i * 4, &word, 4);
    }
    return thrum__load_relaxed(&stamp->turn) == turn ? (int)size : -1;
}

/* Keeps the text, unless another thread is writing or the turns are used up. Each word is a
 * release: a reader that sees one of them sees the odd turn before it. */
static void write_stamp(thrum__log_stamp *stamp, int64_t second, const char *text, int size) {
    uint32_t turn = thrum__load_relaxed(&stamp->turn);
    /* acquire: pairs with write_stamp() */
    if (turn % 2 != 0 || turn >= UINT32_MAX - 2 ||
        !thrum__cas_acquire(&stamp->turn, &turn, turn + 1))
        return;
    /* release: pairs with read_stamp() */
    thrum__store_release(&stamp->second[0], (uint32_t)second);
    /* release: pairs with read_stamp() */
    thrum__store_release(&stamp->second[1], (uint32_t)((uint64_t)second >> 32));
    /* release: pairs with read_stamp() */
    thrum__store_release(&stamp->size, (uint32_t)size);
    for (int i = 0; i * 4 < size; i++) {
        uint32_t word;
        memcpy(&word, text + (size_t)i * 4, 4);
        /* release: pairs with read_stamp() */
        thrum__store_release(&stamp->text[i], word);
    }
    /* release: pairs with read_stamp(), write_stamp() */
    thrum__store_release(&stamp->turn, turn + 2);
}

static void put_asctime(thrum__log_style *style, thrum__log_record *record) {
    int64_t second = record->created / NS_PER_S;
    int n = read_stamp(&style->stamp, second, record->asctime);
    if (n < 0) {
        n = make_stamp(record->asctime, style->datefmt, second);
        n = n < 0 ? 0 : n;
        write_stamp(&style->stamp, second, record->asctime, n);
    }
    char *end = record->asctime + n;
    if (style->milliseconds) {
        int ms = (int)(record->created % NS_PER_S / NS_PER_MS);
        *end++ = ',';
        *end++ = (char)('0' + ms / 100);
        *end++ = (char)('0' + ms / 10 % 10);
        *end++ = (char)('0' + ms % 10);
    }
    *end = '\0';
    record->asctime_size = (size_t)(end - record->asctime);
}

void thrum__log_style_thread(thrum__log_record *record) {
    if (record->thread_name)
        return;
    const thrum_thread *thread = thrum_thread_current();
    const char *name = thread ? thrum_thread_name(thread) : NULL;
    record->thread_name = name ? name : "?";
    record->thread = thread ? thrum_thread_ident(thread) : 0;
}

void thrum__log_style_apply(thrum__log_style *style, thrum__log_record *record,
                            thrum__log_line *line) {
    const uint32_t of_thread =
        (UINT32_C(1) << THRUM__LOG_THREADNAME) | (UINT32_C(1) << THRUM__LOG_THREAD);
    if (style->format.kinds & (UINT32_C(1) << THRUM__LOG_ASCTIME))
        put_asctime(style, record);
    if (style->format.kinds & of_thread)
        thrum__log_style_thread(record);
    thrum__log_format_apply(&style->format, record, line);
    thrum__log_line_end(line);
}

int thrum__log_style_init(thrum__log_style *style, const char *caller, const char *otherwise,
                          const char *format, const char *datefmt, bool escape) {
    format = format ? format : otherwise;
    format = *format ? format : "%(message)s";
    const char *date = datefmt && *datefmt ? datefmt : DATEFMT;
    size_t fields = thrum__log_format_room(format) * sizeof(thrum__log_field);
    size_t format_size = strlen(format) + 1;
    size_t date_size = strlen(date);
    char *block = calloc(1, fields + format_size + date_size + 2);
    if (!block)
        return -ENOMEM;
    char *text = block + fields;
    char *blank_ended = text + format_size;
    memcpy(text, format, format_size);
    memcpy(blank_ended, date, date_size);
    blank_ended[date_size] = ' ';
    *style = (thrum__log_style){.datefmt = blank_ended,
                                .milliseconds = date != datefmt,
                                .block = block,
                                .format = {.escape = escape}};
    style->format.fields = (thrum__log_field *)(void *)block;
    int rc = thrum__log_format_read(&style->format, text, caller);
    char stamp[THRUM__LOG_STAMP_SIZE];
    if (!rc && make_stamp(stamp, blank_ended, time(NULL)) < 0) {
        thrum__complain("%s: .datefmt makes a text that is too long", caller);
        rc = -EINVAL;
    }
    if (rc)
        free(block);
    return rc;
}

void thrum__log_style_free(thrum__log_style *style) { free(style->block); }

void thrum__log_style_after_fork_child(thrum__log_style *style) { style->stamp.turn = 0; }

void thrum__log_style_before_fork(void) { thrum__raw_lock_acquire(&clock_lock); }

void thrum__log_style_after_fork(void) { thrum__raw_lock_release(&clock_lock); }
