/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "worker.h"

#define RUNNING (UINT64_C(1) << 63)

size_t thrum__place_size(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (sizeof(thrum__place) + page - 1) / page * page;
}

uint64_t thrum__busy_since(uint64_t busy, int64_t now) {
    return ((busy - (uint64_t)now) & ~RUNNING) | RUNNING;
}

uint64_t thrum__busy_at(uint64_t busy, int64_t now) {
    return busy & RUNNING ? (busy + (uint64_t)now) & ~RUNNING : busy;
}

uint64_t thrum__busy_until(uint64_t busy, int64_t now) { return thrum__busy_at(busy, now); }
