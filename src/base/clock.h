/* SPDX-License-Identifier: MIT */
#ifndef THRUM_BASE_CLOCK_H
#define THRUM_BASE_CLOCK_H

#include <stdint.h>

/* Returns the nanoseconds of the monotonic clock. */
int64_t thrum__clock_now(void);

#endif
