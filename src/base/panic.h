/* SPDX-License-Identifier: MIT */
#ifndef THRUM_BASE_PANIC_H
#define THRUM_BASE_PANIC_H

#include <thrum/config.h>

/* Writes "thrum: " and the message to stderr, as one line with one write. Does not allocate. */
void thrum__complain(const char *format, ...) THRUM_PRINTF(1, 2);

/* thrum__complain(), then abort(). For misuse: name function, object and holder. */
void thrum__panic(const char *format, ...) THRUM_PRINTF(1, 2) __attribute__((noreturn, cold));

#endif
