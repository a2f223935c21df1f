/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>

static void test_in(void **state) {
    (void)state;
    int64_t before = thrum_now().ns;
    int64_t second = thrum_in(1).ns;
    int64_t after = thrum_now().ns;
    assert_true(second >= before + 1000000000);
    assert_true(second <= after + 1000000000);
    assert_true(thrum_in(0.5).ns < thrum_in(0.75).ns);
    assert_true(thrum_in(1e-9).ns > before);
}

static void assert_means_now(double seconds) {
    int64_t before = thrum_now().ns;
    int64_t got = thrum_in(seconds).ns;
    assert_true(got >= before && got <= thrum_now().ns);
}

static void test_in_nothing_is_now(void **state) {
    (void)state;
    assert_means_now(0);
    assert_means_now(-0.0);
    assert_means_now(-1);
    assert_means_now(-1e300);
    assert_means_now(-INFINITY);
    assert_means_now(NAN);
}

static void test_in_for_ever_is_never(void **state) {
    (void)state;
    assert_true(thrum_in(INFINITY).ns == THRUM_NEVER.ns);
    assert_true(thrum_in(1e300).ns == THRUM_NEVER.ns);
    assert_true(thrum_in(9.3e9).ns == THRUM_NEVER.ns);
    assert_true(thrum_in(9.0e9).ns < THRUM_NEVER.ns);
    assert_true(thrum_in(9.0e9).ns > thrum_in(8.0e9).ns);
    assert_true(THRUM_NEVER.ns == INT64_MAX);
}

static void test_now_does_not_go_back(void **state) {
    (void)state;
    int64_t last = thrum_now().ns;
    for (int i = 0; i < 1000; i++) {
        int64_t now = thrum_now().ns;
        assert_true(now >= last);
        last = now;
    }
}

static void test_sleep_is_at_least_as_long(void **state) {
    (void)state;
    int64_t before = thrum_now().ns;
    assert_int_equal(thrum_sleep(0.002), 0);
    assert_true(thrum_now().ns - before >= 2000000);
    thrum_deadline deadline = thrum_in(0.001);
    assert_int_equal(thrum_sleep_until(deadline), 0);
    assert_true(thrum_now().ns >= deadline.ns);
}

static void test_sleep_of_nothing_returns(void **state) {
    (void)state;
    assert_int_equal(thrum_sleep(0), 0);
    assert_int_equal(thrum_sleep(-1), 0);
    assert_int_equal(thrum_sleep(NAN), 0);
    assert_int_equal(thrum_sleep(-INFINITY), 0);
    assert_int_equal(thrum_sleep_until((thrum_deadline){0}), 0);
    assert_int_equal(thrum_sleep_until((thrum_deadline){INT64_MIN}), 0);
}

static int order[3];
static int arrived;

static void *sleep_and_note(void *hours) {
    assert_int_equal(thrum_sleep(3600.0 * (double)(intptr_t)hours), 0);
    order[arrived++] = (int)(intptr_t)hours;
    return NULL;
}

static void test_time_is_virtual(void **state) {
    (void)state;
    spec_needs_test_strand("virtual time");
    arrived = 0;
    int64_t before = thrum_now().ns;
    spec_team team = {.n = 0};
    for (intptr_t hours = 3; hours > 0; hours--)
        spec_team_start(&team, 1, sleep_and_note, (void *)hours);
    spec_team_join(&team);
    assert_true(thrum_now().ns - before >= 3 * INT64_C(3600000000000));
    for (int i = 0; i < 3; i++)
        assert_int_equal(order[i], i + 1);
}

static void *interruptible_here(void *arg) {
    assert_false(thrum_interruptible(true));
    assert_true(thrum_interruptible(true));
    return arg;
}

static void test_interruptible_is_of_each_thread(void **state) {
    (void)state;
    assert_false(thrum_interruptible(false));
    spec_join(spec_start(interruptible_here, NULL));
    assert_false(thrum_interruptible(true));
    spec_join(spec_start(interruptible_here, NULL));
    assert_true(thrum_interruptible(false));
    assert_false(thrum_interruptible(false));
}

static struct {
    pthread_t target;
    uint32_t started, returned;
} sleeper;

static void on_signal(int number) { (void)number; }

static void *sleep_for_ever(void *arg) {
    thrum_interruptible(true);
    sleeper.target = pthread_self();
    /* release: pairs with test_a_signal_ends_an_interruptible_sleep() */
    __atomic_store_n(&sleeper.started, 1, __ATOMIC_RELEASE);
    assert_int_equal(thrum_sleep_until(THRUM_NEVER), -EINTR);
    __atomic_store_n(&sleeper.returned, 1, __ATOMIC_RELAXED);
    return arg;
}

static void test_a_signal_ends_an_interruptible_sleep(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = on_signal};
    spec_needs_os("signals to one thread");
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    thrum_thread *thread = spec_start(sleep_for_ever, NULL);
    /* acquire: pairs with sleep_for_ever() */
    while (__atomic_load_n(&sleeper.started, __ATOMIC_ACQUIRE) == 0)
        spec_yield();
    while (__atomic_load_n(&sleeper.returned, __ATOMIC_RELAXED) == 0) {
        assert_int_equal(pthread_kill(sleeper.target, SIGUSR1), 0);
        spec_yield();
    }
    spec_join(thread);
}

SPEC_TESTS(cmocka_unit_test(test_in), cmocka_unit_test(test_in_nothing_is_now),
           cmocka_unit_test(test_in_for_ever_is_never), cmocka_unit_test(test_now_does_not_go_back),
           cmocka_unit_test(test_sleep_is_at_least_as_long),
           cmocka_unit_test(test_sleep_of_nothing_returns), cmocka_unit_test(test_time_is_virtual),
           cmocka_unit_test(test_interruptible_is_of_each_thread),
           cmocka_unit_test(test_a_signal_ends_an_interruptible_sleep));
