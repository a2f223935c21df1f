/* SPDX-License-Identifier: MIT */
#ifndef THRUM_THREAD_LOG_WRITE_H
#define THRUM_THREAD_LOG_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes text[0..n) to `fd`: with one write, unless the system takes only a part. Never raises
 * SIGPIPE if `pipe` (the file may be a pipe or a socket). What cannot be written is dropped. */
void thrum__log_write(int fd, bool pipe, const char *text, size_t n);

/* Returns whether `fd` may be a pipe or a socket, or -EBADF: it is not open. */
int thrum__log_is_pipe(int fd);

#endif
