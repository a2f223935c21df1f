/* SPDX-License-Identifier: MIT */
/* The clock of pools and workers, in a file of its own: a test has another. */
#include <time.h>

#include "worker.h"

int64_t thrum__processes_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}
