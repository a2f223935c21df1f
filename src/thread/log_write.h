/* SPDX-License-Identifier: MIT */
#ifndef THRUM_THREAD_LOG_WRITE_H
#define THRUM_THREAD_LOG_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "thread/log_sink.h"

/* Kinds of files: lines for a regular one may be written together; a pipe (or a socket) may raise
 * SIGPIPE. */
enum { THRUM__LOG_REGULAR, THRUM__LOG_PIPE, THRUM__LOG_OTHER };

/* Writes text[0..n) to `fd` of `kind`: with one write, unless the system takes only a part. Never
 * raises SIGPIPE. Returns how many bytes were written; the rest cannot be. */
size_t thrum__log_write(int fd, int kind, const char *text, size_t n);

/* Returns the kind of `fd` (a pipe, if that cannot be said), or -EBADF: it is not open. */
int thrum__log_file_kind(int fd);

/* Returns the size of the file `fd`, 0 if it has none. */
size_t thrum__log_file_size(int fd);

/* Returns `path` made absolute, to be freed, or NULL. */
char *thrum__log_file_path(const char *path);

/* Opens the file `path` to append to it, empties it first if `truncate`. Returns its descriptor,
 * or a negative errno. */
int thrum__log_file_open(const char *path, bool truncate);

/* Closes `fd`. */
void thrum__log_file_close(int fd);

/* Renames "path.N" to "path.N+1" and `path` to "path.1", and opens `path` anew. Returns its
 * descriptor, or a negative errno, said once: then the file that is open goes on being used. */
int thrum__log_file_rotate(thrum__log_rotation *rotation);

#endif
