/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

enum { FOLLOWERS = 5 };

static struct {
    thrum_event turn[FOLLOWERS];
    thrum_event back[FOLLOWERS];
    uint64_t value;
    uint64_t timed_out;
    bool done;
    thrum_deadline end;
} s;

static void reset(void) {
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds());
}

static bool over(void) { return thrum_now().ns >= s.end.ns; }

static void wait_somehow(thrum_event *event) {
    if (spec_random(2)) {
        thrum_event_wait(event);
        return;
    }
    while (thrum_event_wait_until(event, thrum_in(spec_random(100) * 1e-6)) == -ETIMEDOUT)
        __atomic_fetch_add(&s.timed_out, 1, __ATOMIC_RELAXED);
}

static void *follow(void *number) {
    intptr_t i = (intptr_t)number;
    uint64_t seen = 0;
    for (;;) {
        wait_somehow(&s.turn[i]);
        thrum_event_clear(&s.turn[i]);
        if (s.done)
            return NULL;
        assert_int_equal(s.value, ++seen);
        thrum_event_set(&s.back[i]);
    }
}

static void test_generations(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    for (intptr_t i = 0; i < FOLLOWERS; i++)
        spec_team_start(&team, 1, follow, (void *)i);
    while (!s.done) {
        s.value += 1;
        s.done = over();
        for (int i = 0; i < FOLLOWERS; i++)
            thrum_event_set(&s.turn[i]);
        for (int i = 0; i < FOLLOWERS && !s.done; i++) {
            wait_somehow(&s.back[i]);
            thrum_event_clear(&s.back[i]);
        }
    }
    spec_team_join(&team);
    assert_true(s.value > 1);
}

static struct {
    thrum_lock lock;
    thrum_condition filled;
    thrum_event *posted; /* under lock */
    bool done;           /* under lock */
} mail;

static void *set_posted(void *arg) {
    for (;;) {
        thrum_event *event;
        thrum_with(&mail.lock) {
            while (!mail.posted && !mail.done)
                thrum_condition_wait(&mail.filled, &mail.lock);
            event = mail.posted;
            mail.posted = NULL;
        }
        if (!event)
            return arg;
        thrum_event_set(event);
    }
}

static void post(thrum_event *event) {
    for (bool posted = false; !posted;) {
        thrum_with(&mail.lock) {
            posted = mail.posted == NULL;
            if (posted)
                mail.posted = event;
            thrum_condition_notify_all(&mail.filled);
        }
        if (!posted)
            spec_yield();
    }
}

static void *wait_and_free(void *arg) {
    while (!over()) {
        thrum_event *event = calloc(1, sizeof *event);
        assert_non_null(event);
        post(event);
        wait_somehow(event);
        memset(event, 0x5a, sizeof *event);
        free(event);
    }
    return arg;
}

static void test_free_after_wait(void **state) {
    (void)state;
    reset();
    memset(&mail, 0, sizeof mail);
    spec_team setters = {.n = 0};
    spec_team waiters = {.n = 0};
    spec_team_start(&setters, 2, set_posted, NULL);
    spec_team_start(&waiters, 3, wait_and_free, NULL);
    spec_team_join(&waiters);
    thrum_with(&mail.lock) {
        mail.done = true;
        thrum_condition_notify_all(&mail.filled);
    }
    spec_team_join(&setters);
    assert_null(mail.posted);
}

SPEC_TESTS(cmocka_unit_test(test_generations), cmocka_unit_test(test_free_after_wait));
