/* SPDX-License-Identifier: MIT */
/* How the lines of one handler are made: its format, and asctime with the last second's text
 * kept. */
#ifndef THRUM_THREAD_LOG_STYLE_H
#define THRUM_THREAD_LOG_STYLE_H

#include "thread/log_format.h"

enum {
    THRUM__LOG_MILLISECONDS_SIZE = 4,
    THRUM__LOG_STAMP_SIZE = THRUM__LOG_ASCTIME_SIZE - THRUM__LOG_MILLISECONDS_SIZE,
    THRUM__LOG_STAMP_WORDS = THRUM__LOG_STAMP_SIZE / 4
};

/* The text of one second. All words are relaxed unless their readers say otherwise.
 *
 * turn: even  the words belong together   set by who has written them
 *       odd   they are being written      by who has taken it from even, and alone writes */
typedef struct thrum__log_stamp {
    uint32_t turn; /* 0: no text yet */
    uint32_t second[2];
    uint32_t size;
    uint32_t text[THRUM__LOG_STAMP_WORDS];
} thrum__log_stamp;

typedef struct thrum__log_style {
    thrum__log_format format;
    const char *datefmt; /* ends in a blank */
    bool milliseconds;   /* follow the text of datefmt */
    void *block;         /* that holds fields and strings; NULL: static ones */
    thrum__log_stamp stamp;
} thrum__log_style;

/* Makes a style of copies of the strings; NULL: Python's default datefmt, `otherwise` for format.
 * Returns 0, -EINVAL (said in the name of `caller`) or -ENOMEM. */
int thrum__log_style_init(thrum__log_style *style, const char *caller, const char *otherwise,
                          const char *format, const char *datefmt, bool escape);

/* Frees what init has allocated. */
void thrum__log_style_free(thrum__log_style *style);

/* Fills the name and the number of the calling thread in, if they are not there. */
void thrum__log_style_thread(thrum__log_record *record);

/* Makes the line of `record`, in an empty `line`. */
void thrum__log_style_apply(thrum__log_style *style, thrum__log_record *record,
                            thrum__log_line *line);

/* In the child of a fork: another thread may have been writing the stamp. */
void thrum__log_style_after_fork_child(thrum__log_style *style);

/* Round a fork: localtime_r() has a lock of its own, which must be free then. */
void thrum__log_style_before_fork(void);
void thrum__log_style_after_fork(void);

#endif
