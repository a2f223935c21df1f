/* SPDX-License-Identifier: MIT */
/* Each timer is called one time or cancelled, never both and never neither; none is called after
 * its cancel and free. */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 40, THREADS = 4 };

typedef struct item {
    thrum_timer *timer;
    int called; /* atomic */
    bool cancelled;
} item;

static thrum_deadline end;
static uint64_t totals[2]; /* atomic: called, cancelled */

static bool over(void) { return thrum_now().ns >= end.ns; }

static void call(void *arg) {
    item *it = arg;
    __atomic_fetch_add(&it->called, 1, __ATOMIC_RELAXED);
}

static void start(item *it) {
    *it = (item){.called = 0};
    assert_int_equal(thrum_timer_start(&it->timer, spec_random(300) * 1e-6, call, it, NULL), 0);
}

static void finish(item *it) {
    if (spec_random(3) == 0) {
        it->cancelled = thrum_timer_cancel(it->timer);
        assert_false(thrum_timer_cancel(it->timer));
    }
    while (thrum_timer_pending(it->timer))
        spec_yield();
    thrum_timer_free(it->timer);
    assert_int_equal(it->called + it->cancelled, 1);
    __atomic_fetch_add(&totals[it->cancelled], 1, __ATOMIC_RELAXED);
}

static void *start_and_cancel(void *arg) {
    item items[BATCH];
    while (!over()) {
        for (int i = 0; i < BATCH; i++) {
            start(&items[i]);
            spec_perhaps_yield();
        }
        for (int i = 0; i < BATCH; i++)
            finish(&items[i]);
    }
    return arg;
}

static void test_called_or_cancelled(void **state) {
    (void)state;
    end = thrum_in(spec_stress_seconds());
    spec_team team = {.n = 0};
    spec_team_start(&team, THREADS, start_and_cancel, NULL);
    spec_team_join(&team);
    assert_true(totals[0] > 0);
    assert_true(totals[1] > 0);
}

static struct {
    item item;
    thrum_event ready[2];
    thrum_event done[2];
    bool won[2];
} race;

static void *cancel_item(void *number) {
    intptr_t i = (intptr_t)number;
    for (;;) {
        thrum_event_wait(&race.ready[i]);
        thrum_event_clear(&race.ready[i]);
        if (!race.item.timer)
            return NULL;
        race.won[i] = thrum_timer_cancel(race.item.timer);
        thrum_event_set(&race.done[i]);
    }
}

static void test_one_cancel_of_two_wins(void **state) {
    (void)state;
    memset(&race, 0, sizeof race);
    end = thrum_in(spec_stress_seconds() / 2);
    spec_team team = {.n = 0};
    for (intptr_t i = 0; i < 2; i++)
        spec_team_start(&team, 1, cancel_item, (void *)i);
    for (bool last = false; !last;) {
        last = over();
        if (last)
            race.item.timer = NULL;
        else
            start(&race.item);
        for (int i = 0; i < 2; i++)
            thrum_event_set(&race.ready[i]);
        for (int i = 0; i < 2 && !last; i++) {
            thrum_event_wait(&race.done[i]);
            thrum_event_clear(&race.done[i]);
        }
        if (last)
            break;
        while (thrum_timer_pending(race.item.timer))
            spec_yield();
        thrum_timer_free(race.item.timer);
        assert_int_equal(race.item.called + race.won[0] + race.won[1], 1);
    }
    spec_team_join(&team);
}

static void *repeat_and_free(void *arg) {
    static const thrum_timer_opts opts = {.every = 30e-6};
    while (!over()) {
        item *it = calloc(1, sizeof *it);
        assert_non_null(it);
        assert_int_equal(thrum_timer_start(&it->timer, 0, call, it, &opts), 0);
        for (uint32_t i = spec_random(20); i > 0; i--)
            spec_yield();
        assert_true(thrum_timer_cancel(it->timer));
        thrum_timer_free(it->timer);
        free(it);
    }
    return arg;
}

static void test_nothing_is_called_after_cancel_and_free(void **state) {
    (void)state;
    end = thrum_in(spec_stress_seconds() / 2);
    spec_team team = {.n = 0};
    spec_team_start(&team, THREADS, repeat_and_free, NULL);
    spec_team_join(&team);
}

SPEC_TESTS(cmocka_unit_test(test_called_or_cancelled),
           cmocka_unit_test(test_one_cancel_of_two_wins),
           cmocka_unit_test(test_nothing_is_called_after_cancel_and_free));
