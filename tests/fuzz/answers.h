/* SPDX-License-Identifier: MIT */
#ifndef THRUM_TESTS_FUZZ_ANSWERS_H
#define THRUM_TESTS_FUZZ_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

/* Lets a pool of processes take `data` for what its worker says. */
void fuzz_answers(const uint8_t *data, size_t size);

#endif
