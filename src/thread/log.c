/* SPDX-License-Identifier: MIT */
#include <thrum/log.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thrum/thread.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/panic.h"
#include "base/raw_lock.h"
#include "sync/fifo.h"
#include "thread/log_format.h"
#include "thread/log_write.h"

enum { STDERR = 2, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

#define DATEFMT "%Y-%m-%d %H:%M:%S"

enum { MILLISECONDS_SIZE = 4, STAMP_SIZE = THRUM__LOG_ASCTIME_SIZE - MILLISECONDS_SIZE };

/* One thrum_log_config(). Read-only but for the last four fields, which are under config_lock. */
typedef struct config {
    thrum__log_format format;
    const char *datefmt;
    bool milliseconds;
    bool pipe;
    int fd;
    int level;
    int holders;           /* lines being made with it, and 1 while it is the current one */
    int64_t second;        /* that `stamp` is of */
    size_t stamp_size;     /* 0: no stamp yet, or an empty one */
    char stamp[STAMP_SIZE]; /* not terminated */
} config;

static thrum__log_field last_resort_field = {
    .kind = THRUM__LOG_MESSAGE, .precision = -1, .conversion = 's'};
static config last_resort = {
    .format = {&last_resort_field, 1, UINT32_C(1) << THRUM__LOG_MESSAGE, false},
    .pipe = true,
    .fd = STDERR,
    .level = THRUM_WARNING,
    .holders = 1,
};

/* Order: write_lock before config_lock. A line is written under write_lock, if its configuration is
 * still the current one: who has replaced it may close its file. */
static thrum__fifo write_lock;
static thrum__raw_lock config_lock;
static config *current = &last_resort; /* written under both locks, read under either */
static int level_min = THRUM_WARNING;  /* relaxed */

/* Only config_lock is taken round a fork: write_lock can be held for as long as a pipe is full. */
static void before_fork(void) { thrum__raw_lock_acquire(&config_lock); }

static void after_fork_parent(void) { thrum__raw_lock_release(&config_lock); }

static void after_fork_child(void) {
    write_lock = (thrum__fifo){0};
    config_lock = (thrum__raw_lock){0};
    current->holders = 1;
}

static const thrum__fork_hooks fork_hooks = {before_fork, after_fork_parent, after_fork_child};

/* Before there are threads: a hook must not appear in the middle of a fork. */
__attribute__((constructor)) static void register_fork(void) {
    thrum__fork_register(THRUM__FORK_LOG, &fork_hooks);
}

/* Through a pointer, as the user's datefmt is no literal. */
static size_t (*const by_format)(char *, size_t, const char *, const struct tm *) = strftime;

/* Writes the time by `datefmt`, which ends in a blank; it is not counted. Returns the size, or -1
 * when there is not enough room. Requires config_lock, as localtime_r() has its own lock, which
 * must be free at a fork. */
static int write_stamp(char *stamp, const char *datefmt, int64_t second) {
    time_t seconds = (time_t)second;
    struct tm tm = {0};
    localtime_r(&seconds, &tm);
    return (int)by_format(stamp, STAMP_SIZE, datefmt, &tm) - 1;
}

/* Writes asctime into `record`. Requires config_lock. */
static void put_asctime(config *c, thrum__log_record *record) {
    int64_t second = record->created / NS_PER_S;
    if (c->stamp_size == 0 || c->second != second) {
        int n = write_stamp(c->stamp, c->datefmt, second);
        c->stamp_size = n < 0 ? 0 : (size_t)n;
        c->second = second;
    }
    memcpy(record->asctime, c->stamp, c->stamp_size);
    char *end = record->asctime + c->stamp_size;
    if (c->milliseconds) {
        int ms = (int)(record->created % NS_PER_S / NS_PER_MS);
        *end++ = ',';
        *end++ = (char)('0' + ms / 100);
        *end++ = (char)('0' + ms / 10 % 10);
        *end++ = (char)('0' + ms % 10);
    }
    *end = '\0';
}

/* Returns whether asctime has room for what datefmt makes. */
static bool stamp_fits(config *c) {
    thrum__raw_lock_acquire(&config_lock);
    bool fits = write_stamp(c->stamp, c->datefmt, time(NULL)) >= 0;
    thrum__raw_lock_release(&config_lock);
    return fits;
}

static config *hold(thrum__log_record *record) {
    thrum__raw_lock_acquire(&config_lock);
    config *c = current;
    c->holders++;
    if (c->format.kinds & (UINT32_C(1) << THRUM__LOG_ASCTIME))
        put_asctime(c, record);
    thrum__raw_lock_release(&config_lock);
    return c;
}

static void drop(config *c) {
    thrum__raw_lock_acquire(&config_lock);
    bool last = --c->holders == 0;
    thrum__raw_lock_release(&config_lock);
    if (last && c != &last_resort)
        free(c);
}

static void put_thread(const config *c, thrum__log_record *record) {
    const uint32_t wanted =
        (UINT32_C(1) << THRUM__LOG_THREADNAME) | (UINT32_C(1) << THRUM__LOG_THREAD);
    if (!(c->format.kinds & wanted) || record->thread_name)
        return;
    const thrum_thread *thread = thrum_thread_current();
    const char *name = thread ? thrum_thread_name(thread) : NULL;
    record->thread_name = name ? name : "?";
    record->thread = thread ? thrum_thread_ident(thread) : 0;
}

/* Writes `line` if `c` is the current configuration. Returns whether it is. */
static bool write_by(const config *c, const thrum__log_line *line) {
    thrum__fifo_acquire(&write_lock);
    bool valid = c == current;
    if (valid)
        thrum__log_write(c->fd, c->pipe, line->data, line->used);
    thrum__fifo_release(&write_lock);
    return valid;
}

/* Makes and writes the line of `record`; again if its configuration was replaced meanwhile. */
static void put(thrum__log_record *record) {
    for (bool written = false; !written;) {
        config *c = hold(record);
        if (record->level >= c->level) {
            thrum__log_line line;
            put_thread(c, record);
            thrum__log_line_init(&line);
            thrum__log_format_apply(&c->format, record, &line);
            thrum__log_line_end(&line);
            written = write_by(c, &line);
            thrum__log_line_free(&line);
        } else {
            written = true;
        }
        drop(c);
    }
}

void thrum_log_at(int level, const char *file, int line, const char *function, const char *format,
                  ...) {
    if (!thrum_log_enabled(level))
        return;
    thrum__log_record record;
    record.error = errno;
    record.level = level;
    record.file = file;
    record.line = line;
    record.function = function;
    record.format = format;
    record.thread_name = NULL;
    int cancel; /* a thread that ended here would leave a lock behind */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    record.created = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
    va_start(record.args, format);
    put(&record);
    va_end(record.args);
    pthread_setcancelstate(cancel, NULL);
    errno = record.error;
}

bool thrum_log_enabled(int level) { return level >= thrum__load_relaxed(&level_min); }

static int refuse(const char *what) {
    thrum__complain("thrum_log_config: %s", what);
    return -EINVAL;
}

/* Fills the plain options of `c` in. Returns 0 or -EINVAL, said. */
static int read_options(config *c, const thrum_log_opts *opts) {
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++) {
        if (opts->reserved[i])
            return refuse(".reserved must be zero");
    }
    if (opts->level < 0)
        return refuse(".level must not be negative");
    if (opts->fd < 0)
        return refuse(".fd must not be negative");
    c->level = opts->level ? opts->level : THRUM_WARNING;
    c->fd = opts->fd ? opts->fd : STDERR;
    c->format.escape = opts->escape;
    c->holders = 1;
    int pipe = thrum__log_is_pipe(c->fd);
    if (pipe < 0 && opts->fd)
        return refuse(".fd is not open");
    c->pipe = pipe != 0;
    return 0;
}

/* Makes a configuration in one block: itself, its fields, copies of the strings. Returns 0, -EINVAL
 * (said) or -ENOMEM. */
static int make(const thrum_log_opts *opts, config **out) {
    const char *format = opts->format ? opts->format : "%(levelname)s:%(name)s:%(message)s";
    format = *format ? format : "%(message)s";
    const char *datefmt = opts->datefmt && *opts->datefmt ? opts->datefmt : DATEFMT;
    size_t fields = thrum__log_format_room(format) * sizeof(thrum__log_field);
    size_t format_size = strlen(format) + 1;
    size_t datefmt_size = strlen(datefmt);
    config *c = calloc(1, sizeof *c + fields + format_size + datefmt_size + 2);
    if (!c)
        return -ENOMEM;
    c->format.fields = (thrum__log_field *)(void *)(c + 1);
    char *text = (char *)(c + 1) + fields;
    char *blank_ended = text + format_size;
    memcpy(text, format, format_size);
    memcpy(blank_ended, datefmt, datefmt_size);
    blank_ended[datefmt_size] = ' ';
    c->datefmt = blank_ended;
    c->milliseconds = datefmt != opts->datefmt;
    int rc = read_options(c, opts);
    if (!rc)
        rc = thrum__log_format_read(&c->format, text);
    if (!rc && !stamp_fits(c))
        rc = refuse(".datefmt makes a text that is too long");
    if (rc)
        free(c);
    else
        *out = c;
    return rc;
}

int thrum_log_config(const thrum_log_opts *opts) {
    static const thrum_log_opts defaults;
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    config *c;
    int rc = make(opts ? opts : &defaults, &c);
    if (!rc) {
        thrum__fifo_acquire(&write_lock);
        thrum__raw_lock_acquire(&config_lock);
        config *before = current;
        current = c;
        thrum__store_relaxed(&level_min, c->level);
        thrum__raw_lock_release(&config_lock);
        thrum__fifo_release(&write_lock);
        drop(before);
    }
    pthread_setcancelstate(cancel, NULL);
    return rc;
}
