/* SPDX-License-Identifier: MIT */
/* A test with processes for one task, and the memory that it shares with them. */
#ifndef THRUM_TESTS_PROCESS_COMMON_H
#define THRUM_TESTS_PROCESS_COMMON_H

#include <thrum/process.h>

#include "spec.h"

/* What the processes of a test share: a segment of it. */
typedef struct common {
    thrum_shared_event here, go;
    thrum_shared_lock lock;
    int n, pid, parent;
    char name[64], parent_name[64];
    bool daemon, parent_alive;
} common;

static thrum_shared *segment;

static common *begin(void) {
    spec_needs_own_processes();
    assert_int_equal(thrum_shared_create(&segment, NULL, sizeof(common), NULL), 0);
    return thrum_shared_memory(segment);
}

static void done(void) { thrum_shared_close(segment); }

/* Joins and frees a process, which must have ended with `expected`. */
static void expect_end(thrum_process *process, int expected) {
    int code = 12345;
    assert_int_equal(thrum_process_join(process), 0);
    assert_false(thrum_process_is_alive(process));
    assert_int_equal(thrum_process_exit_code(process, &code), 0);
    assert_int_equal(code, expected);
    thrum_process_free(process);
}

#endif
