/* SPDX-License-Identifier: MIT */
/* The two worlds a spec runs in. */
#ifndef THRUM_TESTS_WORLD_H
#define THRUM_TESTS_WORLD_H

#include <stdint.h>

typedef struct spec_world {
    const char *name;
    /* Runs body() as the first strand, and returns what it returned. */
    int (*run)(int (*body)(void));
    /* Starts the order of strands anew from `seed`. */
    void (*reseed)(uint64_t seed);
    /* Returns how many stacks there are, 1 if that is not known. */
    int (*stacks)(void);
} spec_world;

extern const spec_world spec_world_os;
extern const spec_world spec_world_test;

#endif
