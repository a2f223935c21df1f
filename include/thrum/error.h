/* SPDX-License-Identifier: MIT */
/* Errors. Functions return 0 or a negative errno; a thread or task that fails says so with
 * thrum_raise() and returns:
 *
 *     static void *load(void *path) {
 *         FILE *f = fopen(path, "r");
 *         if (!f) { thrum_raise(-errno, "cannot read %s", (char *)path); return NULL; }
 *         ...
 *
 * The failure travels to whoever joins, and to the excepthook when nobody would see it. */
#ifndef THRUM_ERROR_H
#define THRUM_ERROR_H

#include <errno.h>
#include <thrum/config.h>

THRUM__BEGIN

/* What went wrong, where. The strings live as long as the handle the failure was read from, or,
 * in an excepthook, until it returns. */
typedef struct thrum_failure {
    int code;            /* negative errno */
    const char *message; /* at most 255 bytes; one that was cut ends in "..." */
    const char *file;    /* where thrum_raise() stood; NULL when nobody called it */
    int line;
    const char *thread; /* name of the thread that failed */
    const char *task;   /* name of the task, or NULL */
    void *reserved[2];
} thrum_failure;

/* Returns the text for `code`, a negative (or positive) errno. Never NULL, never freed.
 * Cannot fail; any thread. */
THRUM_API const char *thrum_strerror(int code);

/* Records a failure of the running task or thread, with the place of the call: `code` is a
 * negative errno (anything else counts as -EINVAL), then a printf format. The first failure of a
 * thread wins and beats the value that the thread returns. On the main thread or a foreign one it
 * goes to the excepthook at once. Returns the code that was recorded. Does not allocate; any
 * thread. */
#define thrum_raise(...) thrum_raise_at(__FILE__, __LINE__, __VA_ARGS__)

/* thrum_raise() with the place given by the caller; `file` must outlive the failure (a literal). */
THRUM_API int thrum_raise_at(const char *file, int line, int code, const char *format, ...)
    THRUM_PRINTF(4, 5);

THRUM__END

#endif
