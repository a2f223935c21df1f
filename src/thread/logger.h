/* SPDX-License-Identifier: MIT */
#ifndef THRUM_THREAD_LOGGER_H
#define THRUM_THREAD_LOGGER_H

#include <stdarg.h>

#include <thrum/logger.h>

/* Writes a record that the logger takes: expands `format` by `args`, which are used up. */
void thrum__logger_write(const thrum_logger *logger, int level, const char *file, int line,
                         const char *function, const char *format, va_list args);

/* Gives the root `level`, and `handler`, whose reference it takes over, in the place of what an
 * earlier call gave it. Returns 0 or -ENOMEM; then nothing has changed. */
int thrum__logger_configure(thrum_handler *handler, int level);

#endif
