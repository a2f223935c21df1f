/* SPDX-License-Identifier: MIT */
/* The second kind of strand: contexts on one OS thread, in an order drawn from a seed, with a clock
 * that jumps to the next deadline when nobody can run. */
#ifndef THRUM_TESTS_STRAND_TEST_H
#define THRUM_TESTS_STRAND_TEST_H

#include <stdint.h>

#include "park/strand.h"

extern const thrum__strand_ops strand_test_ops;

/* Makes the calling OS thread the first strand, runs body() as it, and returns what it returned. */
int strand_test_run(int (*body)(void));

/* Starts the sequence that orders the strands anew. */
void strand_test_reseed(uint64_t seed);

/* Returns how many strands have a stack, the first included: those not reaped yet too. */
int strand_test_stacks(void);

/* Lets the n-th start from now on (1: the next) fail with `error`, once; 0: none. */
void strand_test_fail_start(int n, int error);

#endif
