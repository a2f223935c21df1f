/* SPDX-License-Identifier: MIT */
#include "base/cpu.h"

#include <sched.h>

#include "base/atomic.h"
#include "base/clock.h"

enum { CALIBRATION_PAUSES = 128, CALIBRATION_ROUNDS = 4 };

int thrum__cpu_allowed(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1024; /* more CPUs than the set can hold: plenty */
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

int thrum__cpu_current(void) { return sched_getcpu(); }

uint32_t thrum__cpu_pauses(int64_t ns) {
    static uint32_t pause_ps; /* picoseconds of one pause; relaxed, any thread writes the same */
    uint32_t ps = thrum__load_relaxed(&pause_ps);
    if (ps == 0) {
        int64_t best = INT64_MAX;
        for (int round = 0; round < CALIBRATION_ROUNDS; round++) {
            int64_t start = thrum__clock_now();
            for (int i = 0; i < CALIBRATION_PAUSES; i++)
                thrum__pause();
            int64_t took = thrum__clock_now() - start;
            best = took < best ? took : best;
        }
        ps = (uint32_t)(best * 1000 / CALIBRATION_PAUSES);
        ps = ps < 200 ? 200 : ps;
        thrum__store_relaxed(&pause_ps, ps);
    }
    int64_t n = ns * 1000 / ps;
    return n < 1 ? 1 : n > 100000 ? 100000 : (uint32_t)n;
}
