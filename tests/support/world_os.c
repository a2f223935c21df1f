/* SPDX-License-Identifier: MIT */
#include "world.h"

static int run(int (*body)(void)) { return body(); }

static void reseed(uint64_t seed) { (void)seed; }

static int stacks(void) { return 1; }

const spec_world spec_world_os = {"os", run, reseed, stacks};
