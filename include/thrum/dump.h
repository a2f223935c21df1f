/* SPDX-License-Identifier: MIT */
/* Dump: who waits for what, since when, and who holds it. */
#ifndef THRUM_DUMP_H
#define THRUM_DUMP_H

#include <thrum/config.h>

THRUM__BEGIN

/* Writes to file descriptor `fd` a line for every thread that thrum knows: name, ident, native id,
 * daemon or not, what it waits for, since when, and who holds that (of what stands in shared
 * memory: which process, and whether it has died); then a line for each circle of threads that wait
 * for each other. Returns 0, or the negative errno of the write that failed. Does not allocate. Any
 * thread; not in a signal handler. */
THRUM_API int thrum_dump(int fd);

THRUM__END

#endif
