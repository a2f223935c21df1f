/* SPDX-License-Identifier: MIT */
/* What a worker of a process pool shares with that, for tasks that write nonsense there. */
#ifndef SPEC_PLACE_H
#define SPEC_PLACE_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "process/worker.h"

/* Returns the place of the worker that calls this, NULL if it is none. */
static inline thrum__place *spec_place(void) {
    char line[512];
    uintptr_t found = 0, start;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && !found && fgets(line, sizeof line, maps))
        if (strstr(line, "thrum-processes") && sscanf(line, "%" SCNxPTR, &start) == 1)
            found = start;
    if (maps)
        fclose(maps);
    return (thrum__place *)found;
}

#endif
