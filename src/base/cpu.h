/* SPDX-License-Identifier: MIT */
#ifndef THRUM_BASE_CPU_H
#define THRUM_BASE_CPU_H

#include <stdint.h>

#if defined(__x86_64__) || defined(__i386__)
static inline void thrum__pause(void) { __builtin_ia32_pause(); }
#elif defined(__aarch64__)
static inline void thrum__pause(void) { __asm__ volatile("isb" ::: "memory"); }
#else
static inline void thrum__pause(void) { __asm__ volatile("" ::: "memory"); }
#endif

/* Returns the number of CPUs that the calling thread's affinity allows, at least 1. */
int thrum__cpu_allowed(void);

/* Returns the CPU that the calling thread runs on, -1 when the system does not say. */
int thrum__cpu_current(void);

/* Returns how many pauses take `ns` nanoseconds, at least 1; calibrated at the first call. */
uint32_t thrum__cpu_pauses(int64_t ns);

#endif
