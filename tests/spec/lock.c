/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <stdio.h>
#include <string.h>

typedef thrum_lock concept_lock;
#define lock_acquire thrum_lock_acquire
#define lock_try thrum_lock_try_acquire
#define lock_until thrum_lock_acquire_until
#define lock_release thrum_lock_release
#define lock_locked thrum_lock_locked
#include "concept_lock.h"

enum { STRANDS = 6, ROUNDS = 400, MANY = 64 };

static struct {
    thrum_lock lock;
    thrum_lock gate;
    thrum_lock many[MANY];
    int sums[MANY];
    thrum_event go;
    int counter;
    int inside;
    int rounds;
} s;

static void reset(void) { memset(&s, 0, sizeof s); }

/* The functions as symbols of the library, which the inline definitions do not replace. */
static void (*volatile symbol_acquire)(thrum_lock *) = thrum_lock_acquire;
static bool (*volatile symbol_try_acquire)(thrum_lock *) = thrum_lock_try_acquire;
static int (*volatile symbol_acquire_until)(thrum_lock *,
                                            thrum_deadline) = thrum_lock_acquire_until;
static void (*volatile symbol_release)(thrum_lock *) = thrum_lock_release;

static void section(void) {
    assert_int_equal(__atomic_fetch_add(&s.inside, 1, __ATOMIC_RELAXED), 0);
    int seen = s.counter;
    spec_perhaps_yield();
    s.counter = seen + 1;
    __atomic_fetch_sub(&s.inside, 1, __ATOMIC_RELAXED);
}

static void *exclude(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        thrum_lock_acquire(&s.lock);
        section();
        thrum_lock_release(&s.lock);
        spec_perhaps_yield();
    }
    return arg;
}

static void *exclude_symbols(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0)
            symbol_acquire(&s.lock);
        else if (i % 3 == 1)
            assert_int_equal(symbol_acquire_until(&s.lock, THRUM_NEVER), 0);
        else
            while (!symbol_try_acquire(&s.lock))
                spec_yield();
        section();
        symbol_release(&s.lock);
    }
    return arg;
}

static void test_symbols_exclude_inline(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS / 2, exclude, NULL);
    spec_team_start(&team, STRANDS / 2, exclude_symbols, NULL);
    spec_team_join(&team);
    assert_int_equal(s.counter, STRANDS * ROUNDS);
}

static void test_zero_is_free(void **state) {
    (void)state;
    thrum_lock lock = THRUM_LOCK_INIT;
    assert_int_equal(sizeof lock, 8);
    assert_false(thrum_lock_locked(&lock));
    assert_int_equal(thrum_lock_holder(&lock), 0);
    thrum_lock_acquire(&lock);
    assert_true(thrum_lock_locked(&lock));
    assert_int_equal(thrum_lock_holder(&lock), thrum_thread_ident(thrum_thread_current()));
    thrum_lock_release(&lock);
    assert_false(thrum_lock_locked(&lock));
    assert_int_equal(thrum_lock_holder(&lock), 0);
}

static void *try_held(void *arg) {
    assert_false(thrum_lock_try_acquire(&s.lock));
    assert_false(symbol_try_acquire(&s.lock));
    return arg;
}

static void test_try(void **state) {
    (void)state;
    reset();
    assert_true(thrum_lock_try_acquire(&s.lock));
    assert_false(thrum_lock_try_acquire(&s.lock));
    spec_join(spec_start(try_held, NULL));
    thrum_lock_release(&s.lock);
    assert_true(symbol_try_acquire(&s.lock));
    thrum_lock_release(&s.lock);
}

static void *acquire_release(void *arg) {
    thrum_lock_acquire(&s.lock);
    s.counter += 1;
    thrum_lock_release(&s.lock);
    return arg;
}

static void *release_it(void *lock) {
    thrum_lock_release(lock);
    return NULL;
}

static void test_another_thread_may_release(void **state) {
    (void)state;
    reset();
    thrum_lock_acquire(&s.lock);
    spec_join(spec_start(release_it, &s.lock));
    assert_false(thrum_lock_locked(&s.lock));
    thrum_lock_acquire(&s.lock);
    thrum_thread *waiter = spec_start(acquire_release, NULL);
    spec_until_waiting(&s.lock, 1);
    spec_join(spec_start(release_it, &s.lock));
    spec_join(waiter);
    assert_int_equal(s.counter, 1);
}

static void hold_past_the_quantum(void) {
    for (thrum_deadline end = thrum_in(0.0004); thrum_now().ns < end.ns;)
        spec_yield();
}

static void test_a_hand_off_keeps_those_behind(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        reset();
        spec_team team = {.n = 0};
        thrum_lock_acquire(&s.lock);
        spec_team_start(&team, 3, acquire_release, NULL);
        spec_until_waiting(&s.lock, 3);
        thrum_lock_release(&s.lock);
        if (thrum_lock_try_acquire(&s.lock)) {
            hold_past_the_quantum();
            thrum_lock_release(&s.lock);
        }
        spec_team_join(&team);
        assert_int_equal(s.counter, 3);
    }
}

static void *note_holder(void *out) {
    thrum_lock_acquire(&s.lock);
    *(uint32_t *)out = thrum_thread_ident(thrum_thread_current());
    thrum_event_set(&s.go);
    thrum_lock_acquire(&s.gate);
    thrum_lock_release(&s.lock);
    thrum_lock_release(&s.gate);
    return NULL;
}

static void test_holder_is_the_ident_of_who_holds(void **state) {
    (void)state;
    reset();
    uint32_t ident = 0;
    thrum_lock_acquire(&s.gate);
    thrum_thread *thread = spec_start(note_holder, &ident);
    thrum_event_wait(&s.go);
    assert_int_equal(thrum_lock_holder(&s.lock), ident);
    assert_int_equal(thrum_lock_holder(&s.lock), thrum_thread_ident(thread));
    assert_int_not_equal(ident, thrum_thread_ident(thrum_thread_current()));
    spec_until_waiting(&s.gate, 1);
    assert_int_equal(thrum_lock_holder(&s.gate), thrum_thread_ident(thrum_thread_current()));
    thrum_lock_release(&s.gate);
    spec_join(thread);
}

static void *use_many(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t k = spec_random(MANY);
        thrum_lock_acquire(&s.many[k]);
        int seen = s.sums[k];
        spec_perhaps_yield();
        s.sums[k] = seen + 1;
        thrum_lock_release(&s.many[k]);
    }
    return arg;
}

static void test_many_locks_share_buckets(void **state) {
    (void)state;
    reset();
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, use_many, NULL);
    spec_team_join(&team);
    int sum = 0;
    for (int i = 0; i < MANY; i++)
        sum += s.sums[i];
    assert_int_equal(sum, STRANDS * ROUNDS);
}

static void release_free(void) {
    reset();
    thrum_lock_release(&s.lock);
}

static void release_free_symbol(void) {
    reset();
    symbol_release(&s.lock);
}

static void release_twice(void) {
    reset();
    thrum_lock_acquire(&s.lock);
    thrum_lock_release(&s.lock);
    thrum_lock_release(&s.lock);
}

static void test_releasing_a_free_lock_ends_the_program(void **state) {
    (void)state;
    spec_dies(release_free, "thrum_lock_release");
    spec_dies(release_free_symbol, "thrum_lock_release");
    spec_dies(release_twice, "lock");
    char object[32];
    snprintf(object, sizeof object, "%p", (void *)&s.lock);
    spec_dies(release_free, object);
}

static void test_try_release(void **state) {
    (void)state;
    reset();
    assert_int_equal(thrum_lock_try_release(&s.lock), -EPERM);
    thrum_lock_acquire(&s.lock);
    assert_int_equal(thrum_lock_try_release(&s.lock), 0);
    assert_int_equal(thrum_lock_try_release(&s.lock), -EPERM);
    thrum_lock_acquire(&s.lock);
    thrum_thread *waiter = spec_start(acquire_release, NULL);
    spec_until_waiting(&s.lock, 1);
    assert_int_equal(thrum_lock_try_release(&s.lock), 0);
    spec_join(waiter);
    assert_int_equal(s.counter, 1);
}

SPEC_TESTS(CONCEPT_LOCK_TESTS, cmocka_unit_test(test_zero_is_free),
           cmocka_unit_test(test_symbols_exclude_inline), cmocka_unit_test(test_try),
           cmocka_unit_test(test_another_thread_may_release),
           cmocka_unit_test(test_a_hand_off_keeps_those_behind),
           cmocka_unit_test(test_holder_is_the_ident_of_who_holds),
           cmocka_unit_test(test_many_locks_share_buckets),
           cmocka_unit_test(test_releasing_a_free_lock_ends_the_program),
           cmocka_unit_test(test_try_release));
