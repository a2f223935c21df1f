/* SPDX-License-Identifier: MIT */
/* Pools of processes in a test. */
#ifndef THRUM_TESTS_PROCESS_POOL_H
#define THRUM_TESTS_PROCESS_POOL_H

#include <thrum/processes.h>

#include "spec.h"

THRUM_TASK(int, number, (int, x)) { return x; }

/* The pool does as ever; frees it. */
static inline void still_works(thrum_executor *pool) {
    thrum_future *f;
    for (int i = 0, value = 0; i < 10; i++) {
        assert_int_equal(number_submit(pool, &f, i), 0);
        assert_int_equal(number_result(f, &value), 0);
        assert_int_equal(value, i);
        thrum_future_free(f);
    }
    thrum_executor_free(pool);
}

#endif
