/* SPDX-License-Identifier: MIT */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <unistd.h>

#include "shared/who.h"

typedef thrum_shared_semaphore concept_semaphore;
#define SEMAPHORE THRUM_SHARED_SEMAPHORE_INIT
#define BOUNDED THRUM_SHARED_BOUNDED_SEMAPHORE_INIT
#define semaphore_acquire(semaphore) assert_int_equal(thrum_shared_semaphore_acquire(semaphore), 0)
#define semaphore_try(semaphore) (thrum_shared_semaphore_try_acquire(semaphore) == 0)
#define semaphore_until thrum_shared_semaphore_acquire_until
#define semaphore_release thrum_shared_semaphore_release
#define semaphore_value thrum_shared_semaphore_value
#include "concept_semaphore.h"

enum { KILLS = 25, WORKERS = 3, PERMITS = 2, MANY = THRUM_SHARED_SEMAPHORE_HOLDERS + 4 };

static void test_permits_are_counted(void **state) {
    (void)state;
    concept_reset(3, false);
    semaphore_acquire(&c->semaphore);
    assert_int_equal(thrum_shared_semaphore_try_acquire(&c->semaphore), 0);
    assert_int_equal(semaphore_until(&c->semaphore, thrum_in(0)), 0);
    assert_int_equal(thrum_shared_semaphore_try_acquire(&c->semaphore), -EBUSY);
    assert_int_equal(semaphore_until(&c->semaphore, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(semaphore_release(&c->semaphore, 2), 0);
    assert_int_equal(semaphore_value(&c->semaphore), 2);
}

static void *take_two_and_stay(void *arg) {
    semaphore_acquire(&c->semaphore);
    semaphore_acquire(&c->semaphore);
    __atomic_store_n(&c->inside, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

static void begin_with_dead_holder_of_two(int permits, bool bounded) {
    concept_team team = {.n = 0};
    concept_reset(permits, bounded);
    concept_start(&team, 1, take_two_and_stay, NULL);
    while (!__atomic_load_n(&c->inside, __ATOMIC_ACQUIRE))
        spec_yield();
    spec_processes_kill(&team);
}

static void test_permits_of_the_dead_come_back(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        begin_with_dead_holder_of_two(3, true);
        assert_int_equal(semaphore_value(&c->semaphore), 1);
        semaphore_acquire(&c->semaphore);
        int rc = way == 0   ? thrum_shared_semaphore_acquire(&c->semaphore)
                 : way == 1 ? thrum_shared_semaphore_try_acquire(&c->semaphore)
                            : semaphore_until(&c->semaphore, thrum_in(-1));
        assert_int_equal(rc, -EOWNERDEAD);
        semaphore_acquire(&c->semaphore);
        assert_int_equal(thrum_shared_semaphore_try_acquire(&c->semaphore), -EBUSY);
        assert_int_equal(semaphore_release(&c->semaphore, 4), -EOVERFLOW);
        assert_int_equal(semaphore_release(&c->semaphore, 3), 0);
        assert_int_equal(semaphore_value(&c->semaphore), 3);
    }
}

static void test_signals_have_no_holder(void **state) {
    (void)state;
    begin_with_dead_holder_of_two(2, false);
    assert_int_equal(semaphore_until(&c->semaphore, thrum_in(0.005)), -ETIMEDOUT);
    assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
    semaphore_acquire(&c->semaphore);
}

/* The holder of the guard died between the account and the number. */
static void test_a_number_in_doubt_is_counted_anew(void **state) {
    (void)state;
    concept_reset(3, true);
    if (thrum__who_process() >> 32 == 0)
        skip(); /* no /proc: nobody knows when it started */
    semaphore_acquire(&c->semaphore);
    c->semaphore.thrum__value = 0;
    c->semaphore.thrum__guard = thrum__who_process() + (UINT64_C(1) << 32);
    semaphore_acquire(&c->semaphore);
    assert_int_equal(semaphore_value(&c->semaphore), 1);
    assert_int_equal(semaphore_release(&c->semaphore, 2), 0);
}

static void *be_interrupted(void *arg) {
    spec_expect_signals();
    concept_comes();
    assert_int_equal(semaphore_until(&c->semaphore, THRUM_NEVER), -EINTR);
    return arg;
}

static void test_interruption(void **state) {
    (void)state;
    for (int bounded = 0; bounded < 2; bounded++) {
        concept_team team = {.n = 0};
        concept_reset(0, bounded);
        concept_start(&team, 1, be_interrupted, NULL);
        concept_until_waiting(&c->semaphore, &team, 1);
        spec_processes_interrupt(&team);
        assert_int_equal(semaphore_value(&c->semaphore), 0);
    }
}

static void *hold_guard_and_stay(void *arg) {
    c->semaphore.thrum__guard = thrum__who_process();
    __atomic_store_n(&c->inside, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

/* One that is stopped in the middle of a call is not dead, but time-outs hold. */
static void test_deadlines_hold_when_another_is_stopped(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset(2, true);
    concept_start(&team, 1, hold_guard_and_stay, NULL);
    while (!__atomic_load_n(&c->inside, __ATOMIC_ACQUIRE))
        spec_yield();
    assert_int_equal(semaphore_until(&c->semaphore, thrum_in(-1)), -ETIMEDOUT);
    spec_processes_kill(&team);
    semaphore_acquire(&c->semaphore);
}

static void *give_one(void *arg) {
    assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
    return arg;
}

static void test_another_process_may_release(void **state) {
    (void)state;
    concept_reset(2, true);
    semaphore_acquire(&c->semaphore);
    semaphore_acquire(&c->semaphore);
    concept_run(give_one, NULL);
    assert_int_equal(semaphore_value(&c->semaphore), 1);
    assert_int_equal(semaphore_release(&c->semaphore, 2), -EOVERFLOW);
    assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
}

/* Accounts without permits are closed, and opened again for others. */
static void test_more_processes_than_accounts(void **state) {
    (void)state;
    concept_reset(2, true);
    for (int i = 0; i < MANY; i++)
        concept_run(c_take_and_give_back, NULL);
    concept_run(c_take, NULL);
    semaphore_acquire(&c->semaphore);
    assert_int_equal(thrum_shared_semaphore_acquire(&c->semaphore), -EOWNERDEAD);
}

static void test_permits_without_an_account(void **state) {
    (void)state;
    concept_reset(MANY, true);
    for (int i = 0; i < MANY; i++)
        concept_run(c_take, NULL);
    assert_int_equal(semaphore_value(&c->semaphore), 0);
    assert_int_equal(thrum_shared_semaphore_acquire(&c->semaphore), -EOWNERDEAD);
    assert_int_equal(semaphore_value(&c->semaphore), THRUM_SHARED_SEMAPHORE_HOLDERS - 1);
    assert_int_equal(semaphore_release(&c->semaphore, 1 + 4), 0);
    assert_int_equal(semaphore_value(&c->semaphore), MANY);
    assert_int_equal(semaphore_release(&c->semaphore, 1), -EOVERFLOW);
}

static void test_a_permit_passes_those_that_were_killed(void **state) {
    (void)state;
    concept_reset(0, false);
    concept_team team = {.n = 0};
    concept_start(&team, 5, c_take, NULL);
    concept_until_waiting(&c->semaphore, &team, 5);
    for (int i = 0; i < 3; i++)
        spec_processes_kill(&team);
    assert_int_equal(semaphore_release(&c->semaphore, 2), 0);
    concept_join(&team);
    assert_int_equal(c->taken, 2);
}

/* What is left when the releaser is killed behind its change, or the chosen waiter before it
 * came. */
static void test_a_permit_without_its_wake_is_found(void **state) {
    (void)state;
    concept_reset(0, false);
    concept_team team = {.n = 0};
    concept_start(&team, 2, c_take, NULL);
    concept_until_waiting(&c->semaphore, &team, 2);
    __atomic_store_n(&c->semaphore.thrum__value, 2, __ATOMIC_RELEASE);
    concept_join(&team);
    assert_int_equal(c->taken, 2);
}

static void enter_and_leave(void) {
    int rc = thrum_shared_semaphore_acquire(&c->semaphore);
    assert_true(rc == 0 || rc == -EOWNERDEAD);
    __atomic_fetch_add(&c->value, 1, __ATOMIC_RELAXED);
    spec_perhaps_yield();
    assert_int_equal(semaphore_release(&c->semaphore, 1), 0);
}

static void *enter_until_stopped(void *arg) {
    while (!__atomic_load_n(&c->inside, __ATOMIC_RELAXED))
        enter_and_leave();
    return arg;
}

static void test_kills_lose_no_permit(void **state) {
    (void)state;
    concept_team workers = {.n = 0};
    concept_reset(PERMITS, true);
    concept_start(&workers, WORKERS, enter_until_stopped, NULL);
    for (int i = 0; i < KILLS; i++) {
        concept_team victim = {.n = 0};
        int before = __atomic_load_n(&c->value, __ATOMIC_RELAXED);
        concept_start(&victim, 1, enter_until_stopped, NULL);
        while (__atomic_load_n(&c->value, __ATOMIC_RELAXED) - before < 20)
            spec_yield();
        for (uint32_t n = spec_random(20); n > 0; n--)
            spec_yield();
        spec_processes_kill(&victim);
    }
    __atomic_store_n(&c->inside, 1, __ATOMIC_RELAXED);
    concept_join(&workers);
    for (int i = 0; i < PERMITS; i++) {
        int rc = thrum_shared_semaphore_acquire(&c->semaphore);
        assert_true(rc == 0 || rc == -EOWNERDEAD);
    }
    assert_int_equal(thrum_shared_semaphore_try_acquire(&c->semaphore), -EBUSY);
    assert_int_equal(semaphore_release(&c->semaphore, PERMITS), 0);
    assert_int_equal(semaphore_release(&c->semaphore, 1), -EOVERFLOW);
}

SPEC_TESTS(cmocka_unit_test(test_permits_are_counted), CONCEPT_SEMAPHORE_TESTS,
           cmocka_unit_test(test_permits_of_the_dead_come_back),
           cmocka_unit_test(test_a_number_in_doubt_is_counted_anew),
           cmocka_unit_test(test_interruption), cmocka_unit_test(test_signals_have_no_holder),
           cmocka_unit_test(test_deadlines_hold_when_another_is_stopped),
           cmocka_unit_test(test_another_process_may_release),
           cmocka_unit_test(test_more_processes_than_accounts),
           cmocka_unit_test(test_permits_without_an_account),
           cmocka_unit_test(test_a_permit_passes_those_that_were_killed),
           cmocka_unit_test(test_a_permit_without_its_wake_is_found),
           cmocka_unit_test(test_kills_lose_no_permit));
