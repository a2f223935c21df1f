/* SPDX-License-Identifier: MIT */
/* Who hears of a missed deadline shuts the pool down. For specs with one.pool and code_of(). */
#ifndef THRUM_TESTS_HEARD_H
#define THRUM_TESTS_HEARD_H

#include <errno.h>
#include <string.h>
#include <thrum/thread.h>

#include "spec.h"

static struct {
    thrum_event seen, go_on;
    thrum_thread *tester;
    bool missed; /* the deadline came before the tester had prepared all */
} heard;

static void prepare_to_hear(void) {
    memset(&heard, 0, sizeof heard);
    heard.tester = thrum_thread_current();
}

static void shut_down_here(void) {
    heard.missed = thrum_thread_current() == heard.tester;
    thrum_event_set(&heard.seen);
    if (heard.missed)
        return;
    assert_int_equal(thrum_executor_shutdown(one.pool, true, false), -EDEADLK);
    thrum_event_wait(&heard.go_on);
}

static void shut_down_in_hook(const thrum_failure *failure, void *arg) {
    (void)failure;
    (void)arg;
    shut_down_here();
}

static void shut_down_in_callback(thrum_future *future, void *arg) {
    (void)arg;
    assert_int_equal(code_of(future), -ETIMEDOUT);
    shut_down_here();
}

#endif
