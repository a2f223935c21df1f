/* SPDX-License-Identifier: MIT */
#include "strand_test.h"
#include "world.h"

const spec_world spec_world_test = {"test", strand_test_run, strand_test_reseed,
                                    strand_test_stacks};
