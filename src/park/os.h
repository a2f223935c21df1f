/* SPDX-License-Identifier: MIT */
/* What the OS strand and the registry share. */
#ifndef THRUM_PARK_OS_H
#define THRUM_PARK_OS_H

#include <stdint.h>

/* Returns the number by which the OS knows the calling thread. */
int64_t thrum__os_native_id(void);

/* Count OS strands that are awake: a real sleep leaves it, who wakes it or a time-out comes back;
 * changed at start and end too. */
void thrum__os_awake(void);
void thrum__os_asleep(void);
void thrum__os_reset_awake(uint32_t n);

#endif
