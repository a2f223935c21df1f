/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <string.h>

#include "park/lot.h"

enum { ROOM = 4, PRODUCERS = 4, CONSUMERS = 4 };

static struct {
    thrum_lock lock;
    thrum_condition not_full, not_empty;
    int slots[ROOM];
    int held, at;
    uint64_t put, got;
    int producing;
    thrum_deadline end;
} s;

static bool over(void) { return thrum_now().ns >= s.end.ns; }

static void wait_somehow(thrum_condition *condition) {
    if (spec_random(2))
        thrum_condition_wait(condition, &s.lock);
    else
        (void)!thrum_condition_wait_until(condition, &s.lock, thrum_in(spec_random(200) * 1e-6));
}

static void notify_somehow(thrum_condition *condition) {
    if (spec_random(8) == 0)
        thrum_condition_notify_all(condition);
    else
        assert_int_equal(thrum_condition_notify(condition, 1 + (int)spec_random(2)), 0);
}

static void *produce(void *arg) {
    for (int i = 1; !over(); i++) {
        THRUM_GUARD(&s.lock);
        while (s.held == ROOM)
            wait_somehow(&s.not_full);
        s.slots[(s.at + s.held) % ROOM] = i;
        s.held += 1;
        s.put += 1;
        notify_somehow(&s.not_empty);
    }
    thrum_with(&s.lock) {
        s.producing -= 1;
        thrum_condition_notify_all(&s.not_empty);
    }
    return arg;
}

static void *consume(void *arg) {
    for (;;) {
        THRUM_GUARD(&s.lock);
        while (s.held == 0 && s.producing > 0)
            wait_somehow(&s.not_empty);
        if (s.held == 0)
            return arg;
        assert_true(s.slots[s.at] > 0);
        s.slots[s.at] = 0;
        s.at = (s.at + 1) % ROOM;
        s.held -= 1;
        s.got += 1;
        notify_somehow(&s.not_full);
    }
}

static void test_bounded_buffer_with_timeouts(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    s.end = thrum_in(spec_stress_seconds());
    s.producing = PRODUCERS;
    spec_team team = {.n = 0};
    spec_team_start(&team, PRODUCERS, produce, NULL);
    spec_team_start(&team, CONSUMERS, consume, NULL);
    spec_team_join(&team);
    assert_true(s.put > 0);
    assert_int_equal(s.put, s.got);
    assert_int_equal(spec_waiting(&s.not_full), 0);
    assert_int_equal(spec_waiting(&s.not_empty), 0);
}

static struct {
    thrum_rlock lock;
    thrum_condition turns[PRODUCERS];
    int turn;
    uint64_t rounds;
    bool done;
} ring;

static void *take_turns(void *number) {
    int own = (int)(intptr_t)number;
    int next = (own + 1) % PRODUCERS;
    THRUM_GUARD(&ring.lock);
    THRUM_GUARD(&ring.lock);
    while (!ring.done) {
        while (ring.turn != own && !ring.done)
            thrum_condition_wait(&ring.turns[own], &ring.lock);
        ring.rounds += 1;
        ring.done = ring.done || over();
        ring.turn = next;
        thrum_condition_notify_all(&ring.turns[next]);
    }
    for (int i = 0; i < PRODUCERS; i++)
        thrum_condition_notify_all(&ring.turns[i]);
    return NULL;
}

static void test_no_turn_is_lost(void **state) {
    (void)state;
    memset(&ring, 0, sizeof ring);
    s.end = thrum_in(spec_stress_seconds());
    spec_team team = {.n = 0};
    for (intptr_t i = 0; i < PRODUCERS; i++)
        spec_team_start(&team, 1, take_turns, (void *)i);
    spec_team_join(&team);
    assert_true(ring.rounds >= PRODUCERS);
    assert_false(thrum_rlock_locked(&ring.lock));
}

static struct {
    thrum_lock lock;
    thrum_condition changed;
    thrum__strand *steady; /* of the waiter without a deadline */
    uint64_t notified, woken;
    bool done;
} exact;

static bool steady_waits(void) {
    thrum__bucket *bucket = thrum__lot_lock(&exact.changed);
    bool waits = exact.steady && thrum__lot_waits(bucket, &exact.changed, exact.steady);
    thrum__lot_unlock(bucket);
    return waits;
}

static void *wait_steadily(void *arg) {
    THRUM_GUARD(&exact.lock);
    exact.steady = thrum__strand_self();
    while (!exact.done) {
        thrum_condition_wait(&exact.changed, &exact.lock);
        exact.woken += 1;
    }
    return arg;
}

static void *wait_shortly(void *arg) {
    for (bool done = false; !done;) {
        THRUM_GUARD(&exact.lock);
        int rc = thrum_condition_wait_until(&exact.changed, &exact.lock,
                                            thrum_in(spec_random(60) * 1e-6));
        assert_true(rc == 0 || rc == -ETIMEDOUT);
        exact.woken += rc == 0;
        done = exact.done;
    }
    return arg;
}

static void notify_and_hold(void) {
    THRUM_GUARD(&exact.lock);
    if (!steady_waits())
        return;
    exact.done = over();
    assert_int_equal(thrum_condition_notify(&exact.changed, 1), 0);
    exact.notified += 1;
    for (thrum_deadline held = thrum_in(spec_random(60) * 1e-6); thrum_now().ns < held.ns;)
        spec_perhaps_yield();
}

static void test_no_time_out_takes_a_notification(void **state) {
    (void)state;
    memset(&exact, 0, sizeof exact);
    s.end = thrum_in(spec_stress_seconds());
    spec_team team = {.n = 0};
    spec_team_start(&team, 1, wait_steadily, NULL);
    spec_team_start(&team, 4, wait_shortly, NULL);
    while (!over()) {
        notify_and_hold();
        spec_perhaps_yield();
    }
    for (bool gone = false; !gone; spec_yield()) {
        notify_and_hold();
        gone = thrum_thread_join_until(team.threads[0], thrum_in(0), NULL) == 0;
    }
    spec_team_join(&team);
    assert_true(exact.notified > 0);
    assert_int_equal(exact.woken, exact.notified);
}

SPEC_TESTS(cmocka_unit_test(test_bounded_buffer_with_timeouts),
           cmocka_unit_test(test_no_turn_is_lost),
           cmocka_unit_test(test_no_time_out_takes_a_notification));
