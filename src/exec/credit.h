/* SPDX-License-Identifier: MIT */
/* The room in the queue of a pool whose submitters run what finds none
 * (THRUM_OVERFLOW_CALLER_RUNS). Workers do not count it: who has used up what there was counts what
 * is queued. */
#ifndef THRUM_EXEC_CREDIT_H
#define THRUM_EXEC_CREDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <thrum/executor.h>

typedef struct thrum__credit {
    uint64_t left; /* bits 0-31: tasks that may be queued before somebody counts, lowered by who
                    * takes one; bits 32-63: goes up by one with each count */
    uint32_t own;  /* relaxed: since then, tasks that their submitters ran; 0: there was room */
    uint32_t limit; /* read-only; 0: there is none */
} thrum__credit;

/* Takes a place in the queue of `pool`. Returns false if there is none. */
bool thrum__credit_take(thrum_executor *pool);

/* Gives back one that was not used. */
void thrum__credit_back(thrum_executor *pool);

#endif
