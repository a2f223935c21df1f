/* SPDX-License-Identifier: MIT */
/* White box: the seam below everything that waits. */
#include "spec.h"

#include <string.h>

#include "park/lot.h"

enum { STRANDS = 6, PLACES = 2000 };

static const thrum__wait_kind kind = {"place", NULL};
static const thrum__wait_kind other_kind = {"other place", NULL};

static struct {
    uint32_t place, other;
    uint32_t places[PLACES];
    thrum__waiter waiters[STRANDS];
    int rcs[STRANDS];
    int order[STRANDS];
    int tickets;
    int woken;
    int64_t deadline;
} s;

static void reset(void) {
    memset(&s, 0, sizeof s);
    s.deadline = INT64_MAX;
}

static void *park_at_place(void *number) {
    int i = (int)(intptr_t)number;
    thrum__bucket *bucket = thrum__lot_lock(&s.place);
    thrum__lot_enqueue(bucket, &s.waiters[i], &s.place, &kind);
    s.rcs[i] = thrum__lot_park(bucket, &s.waiters[i], s.deadline, THRUM__PARK_SPIN);
    thrum__lot_done(&s.waiters[i]);
    s.order[__atomic_fetch_add(&s.tickets, 1, __ATOMIC_RELAXED)] = i;
    /* release: pairs with woken() */
    __atomic_fetch_add(&s.woken, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void start_parked(spec_team *team, int n) {
    for (int i = 0; i < n; i++) {
        spec_team_start(team, 1, park_at_place, (void *)(intptr_t)i);
        if (s.deadline == INT64_MAX)
            spec_until_waiting(&s.place, i + 1);
    }
}

static void unpark_one(const void *address) {
    thrum__link list = THRUM__LIST_INIT(list);
    thrum__bucket *bucket = thrum__lot_lock(address);
    thrum__waiter *first = thrum__lot_first(bucket, address);
    assert_non_null(first);
    thrum__lot_grant(bucket, first, &list);
    assert_int_equal(first->state, THRUM__GRANTED);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&list);
}

static int woken(void) {
    /* acquire: pairs with park_at_place() */
    return __atomic_load_n(&s.woken, __ATOMIC_ACQUIRE);
}

static void test_waiters_stand_in_line(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    start_parked(&team, STRANDS);
    thrum__bucket *bucket = thrum__lot_lock(&s.place);
    assert_ptr_equal(thrum__lot_first(bucket, &s.place), &s.waiters[0]);
    assert_null(thrum__lot_first(bucket, &s.other));
    assert_true(thrum__lot_others(&s.waiters[0]));
    for (int i = 0; i < STRANDS; i++)
        assert_true(thrum__lot_waits(bucket, &s.place, s.waiters[i].strand));
    assert_false(thrum__lot_waits(bucket, &s.place, thrum__strand_self()));
    thrum__lot_unlock(bucket);
    for (int i = 0; i < STRANDS; i++) {
        unpark_one(&s.place);
        while (woken() != i + 1)
            spec_yield();
        assert_int_equal(s.order[i], i);
        assert_int_equal(s.rcs[i], 0);
        assert_int_equal(spec_waiting(&s.place), STRANDS - i - 1);
    }
    spec_team_join(&team);
}

static void test_unpark_all(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    start_parked(&team, STRANDS);
    thrum__lot_unpark_all(&s.other);
    assert_int_equal(spec_waiting(&s.place), STRANDS);
    thrum__lot_unpark_all(&s.place);
    spec_team_join(&team);
    assert_int_equal(s.woken, STRANDS);
    assert_int_equal(spec_waiting(&s.place), 0);
    thrum__lot_unpark_all(&s.place);
}

static void test_a_deadline_takes_the_waiter_out(void **state) {
    (void)state;
    reset();
    s.deadline = thrum_in(0.001).ns;
    spec_team team = {.n = 0};
    start_parked(&team, STRANDS);
    spec_team_join(&team);
    for (int i = 0; i < STRANDS; i++)
        assert_int_equal(s.rcs[i], -ETIMEDOUT);
    assert_int_equal(spec_waiting(&s.place), 0);
    assert_true(thrum_now().ns >= s.deadline);
}

static void test_a_deadline_that_has_passed(void **state) {
    (void)state;
    reset();
    s.deadline = thrum_now().ns;
    park_at_place((void *)0);
    assert_int_equal(s.rcs[0], -ETIMEDOUT);
    assert_int_equal(spec_waiting(&s.place), 0);
}

static void test_deadline_and_unpark_race(void **state) {
    (void)state;
    for (int round = 0; round < 100; round++) {
        reset();
        s.deadline = thrum_in(spec_random(100) * 1e-6).ns;
        spec_team team = {.n = 0};
        start_parked(&team, 2);
        int granted = 0;
        while (woken() < 2) {
            thrum__link list = THRUM__LIST_INIT(list);
            thrum__bucket *bucket = thrum__lot_lock(&s.place);
            thrum__waiter *first = thrum__lot_first(bucket, &s.place);
            if (first)
                thrum__lot_grant(bucket, first, &list);
            granted += first != NULL;
            thrum__lot_unlock(bucket);
            thrum__lot_unpark(&list);
            spec_perhaps_yield();
        }
        spec_team_join(&team);
        assert_int_equal((s.rcs[0] == 0) + (s.rcs[1] == 0), granted);
    }
}

static void move_first(void) {
    thrum__bucket *from, *to;
    thrum__lot_lock_pair(&s.place, &s.other, &from, &to);
    thrum__waiter *first = thrum__lot_first(from, &s.place);
    assert_non_null(first);
    thrum__lot_requeue(from, first, to, &s.other, &other_kind);
    assert_ptr_equal(first->strand->waiting_kind, &other_kind);
    thrum__lot_unlock_pair(from, to);
}

static void test_requeue_moves_to_the_end(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    start_parked(&team, 4);
    move_first();
    move_first();
    assert_int_equal(spec_waiting(&s.place), 2);
    assert_int_equal(spec_waiting(&s.other), 2);
    for (int i = 0; i < 2; i++) {
        unpark_one(&s.other);
        while (woken() != i + 1)
            spec_yield();
        assert_int_equal(s.order[i], i);
    }
    thrum__lot_unpark_all(&s.place);
    spec_team_join(&team);
    assert_int_equal(s.woken, 4);
}

static void test_a_requeued_waiter_keeps_waiting_past_its_deadline(void **state) {
    (void)state;
    reset();
    s.deadline = thrum_in(0.003).ns;
    spec_team team = {.n = 0};
    start_parked(&team, 1);
    bool moved = false;
    while (!moved && woken() == 0) {
        thrum__bucket *from, *to;
        thrum__lot_lock_pair(&s.place, &s.other, &from, &to);
        thrum__waiter *first = thrum__lot_first(from, &s.place);
        if (first)
            thrum__lot_requeue(from, first, to, &s.other, &other_kind);
        moved = first != NULL;
        thrum__lot_unlock_pair(from, to);
        spec_yield();
    }
    while (thrum_now().ns < s.deadline)
        spec_yield();
    assert_int_equal(spec_waiting(&s.other), moved ? 1 : 0);
    thrum__lot_unpark_all(&s.other);
    spec_team_join(&team);
    assert_int_equal(s.rcs[0], moved ? 0 : -ETIMEDOUT);
}

static struct {
    thrum__waiter waiters[PLACES];
} collision;

static void test_addresses_that_share_a_bucket_do_not_mix(void **state) {
    (void)state;
    reset();
    for (int i = 0; i < PLACES; i++) {
        thrum__bucket *bucket = thrum__lot_lock(&s.places[i]);
        assert_null(thrum__lot_first(bucket, &s.places[i]));
        thrum__lot_enqueue(bucket, &collision.waiters[i], &s.places[i], &kind);
        thrum__lot_unlock(bucket);
    }
    for (int k = 0; k < PLACES; k++) {
        int i = (int)((k * 7919LL) % PLACES);
        thrum__bucket *bucket = thrum__lot_lock(&s.places[i]);
        assert_ptr_equal(thrum__lot_first(bucket, &s.places[i]), &collision.waiters[i]);
        assert_false(thrum__lot_others(&collision.waiters[i]));
        thrum__lot_dequeue(bucket, &collision.waiters[i]);
        assert_null(thrum__lot_first(bucket, &s.places[i]));
        thrum__lot_unlock(bucket);
        thrum__lot_done(&collision.waiters[i]);
    }
}

static void test_unpark_of_a_kind_leaves_others(void **state) {
    (void)state;
    reset();
    thrum__bucket *bucket = thrum__lot_lock(&s.place);
    thrum__lot_enqueue(bucket, &s.waiters[0], &s.place, &kind);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark_kind(&s.place, &other_kind);
    bucket = thrum__lot_lock(&s.place);
    assert_ptr_equal(thrum__lot_first(bucket, &s.place), &s.waiters[0]);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark_kind(&s.place, &kind);
    bucket = thrum__lot_lock(&s.place);
    assert_null(thrum__lot_first(bucket, &s.place));
    assert_int_equal(s.waiters[0].state, THRUM__GRANTED);
    thrum__lot_unlock(bucket);
    assert_int_equal(s.waiters[0].strand->ops->park(s.waiters[0].strand, INT64_MAX, 0), 0);
    thrum__lot_done(&s.waiters[0]);
}

static void test_a_pair_of_buckets_may_be_one(void **state) {
    (void)state;
    thrum__bucket *a, *b;
    thrum__lot_lock_pair(&s.place, &s.place, &a, &b);
    assert_ptr_equal(a, b);
    thrum__lot_unlock_pair(a, b);
    for (int i = 1; i < PLACES; i++) {
        thrum__lot_lock_pair(&s.places[0], &s.places[i], &a, &b);
        thrum__lot_unlock_pair(a, b);
        thrum__lot_lock_pair(&s.places[i], &s.places[0], &a, &b);
        thrum__lot_unlock_pair(a, b);
    }
}

static void test_dequeue_of_any_keeps_the_order(void **state) {
    (void)state;
    for (int out = 0; out < 4; out++) {
        reset();
        thrum__bucket *bucket = thrum__lot_lock(&s.place);
        for (int i = 0; i < 4; i++)
            thrum__lot_enqueue(bucket, &s.waiters[i], &s.place, &kind);
        thrum__lot_dequeue(bucket, &s.waiters[out]);
        for (int i = 0; i < 4; i++) {
            if (i == out)
                continue;
            assert_ptr_equal(thrum__lot_first(bucket, &s.place), &s.waiters[i]);
            thrum__lot_dequeue(bucket, &s.waiters[i]);
        }
        assert_null(thrum__lot_first(bucket, &s.place));
        thrum__lot_unlock(bucket);
        thrum__lot_done(&s.waiters[out]);
    }
}

SPEC_TESTS(cmocka_unit_test(test_waiters_stand_in_line), cmocka_unit_test(test_unpark_all),
           cmocka_unit_test(test_a_deadline_takes_the_waiter_out),
           cmocka_unit_test(test_a_deadline_that_has_passed),
           cmocka_unit_test(test_deadline_and_unpark_race),
           cmocka_unit_test(test_requeue_moves_to_the_end),
           cmocka_unit_test(test_a_requeued_waiter_keeps_waiting_past_its_deadline),
           cmocka_unit_test(test_addresses_that_share_a_bucket_do_not_mix),
           cmocka_unit_test(test_unpark_of_a_kind_leaves_others),
           cmocka_unit_test(test_a_pair_of_buckets_may_be_one),
           cmocka_unit_test(test_dequeue_of_any_keeps_the_order));
