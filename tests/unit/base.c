/* SPDX-License-Identifier: MIT */
/* Floor 0: clock, CPUs, raw lock, futex, panic, version. */
#include "spec.h"

#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"
#include "base/panic.h"
#include "base/raw_lock.h"

enum { STRANDS = 4, ROUNDS = 20000 };

static void test_version_is_that_of_the_headers(void **state) {
    (void)state;
    assert_int_equal(thrum_version(), THRUM_VERSION);
    assert_int_equal(THRUM_VERSION, THRUM_VERSION_MAJOR * 10000 + THRUM_VERSION_MINOR * 100 +
                                        THRUM_VERSION_PATCH);
}

static void test_clock_does_not_go_back(void **state) {
    (void)state;
    int64_t first = thrum__clock_now();
    int64_t last = first;
    while (last == first) {
        int64_t now = thrum__clock_now();
        assert_true(now >= last);
        last = now;
    }
    assert_true(first > 0);
}

static void test_cpus(void **state) {
    (void)state;
    cpu_set_t old, one;
    assert_int_equal(sched_getaffinity(0, sizeof old, &old), 0);
    assert_int_equal(thrum__cpu_allowed(), CPU_COUNT(&old));
    int cpu = 0;
    while (!CPU_ISSET(cpu, &old))
        cpu += 1;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(thrum__cpu_allowed(), 1);
    int current = thrum__cpu_current();
    assert_true(current == cpu || current == -1);
    assert_int_equal(sched_setaffinity(0, sizeof old, &old), 0);
}

static void test_pauses_grow_with_the_time(void **state) {
    (void)state;
    uint32_t few = thrum__cpu_pauses(100);
    uint32_t many = thrum__cpu_pauses(100000);
    assert_true(few >= 1);
    assert_true(many > few);
    assert_int_equal(thrum__cpu_pauses(100000), many);
    assert_true(thrum__cpu_pauses(0) >= 1);
}

static thrum__raw_lock raw;
static int counter;

static void *count(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        thrum__raw_lock_acquire(&raw);
        counter += 1;
        thrum__raw_lock_release(&raw);
    }
    return arg;
}

static void test_raw_lock_excludes(void **state) {
    (void)state;
    counter = 0;
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, count, NULL);
    spec_team_join(&team);
    assert_int_equal(counter, STRANDS * ROUNDS);
    assert_int_equal(raw.word, 0);
}

static uint32_t word;

static void *wait_for_word(void *arg) {
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0)
        assert_int_equal(thrum__futex_wait(&word, 0, INT64_MAX), 0);
    return arg;
}

static void test_futex(void **state) {
    (void)state;
    word = 0;
    assert_int_equal(thrum__futex_wait(&word, 1, INT64_MAX), 0);
    assert_int_equal(thrum__futex_wait(&word, 0, thrum__clock_now()), -ETIMEDOUT);
    int64_t deadline = thrum__clock_now() + 1000000;
    assert_int_equal(thrum__futex_wait(&word, 0, deadline), -ETIMEDOUT);
    assert_true(thrum__clock_now() >= deadline);
    spec_needs_os("a futex, which blocks the OS thread");
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, wait_for_word, NULL);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    thrum__futex_wake(&word, STRANDS);
    spec_team_join(&team);
}

static char long_text[4000];

static void panic(void) { thrum__panic("%s(%p): %d", "function", (void *)&raw, 42); }

static void panic_long(void) {
    memset(long_text, 'x', sizeof long_text - 1);
    thrum__panic("%s", long_text);
}

static int complain_thrice(void) {
    thrum__complain("one");
    thrum__complain("%s", "two %d %s");
    memset(long_text, 'x', sizeof long_text - 1);
    thrum__complain("%s", long_text);
    return 0;
}

static void test_panic_and_complain_write_one_line(void **state) {
    (void)state;
    static spec_end end;
    spec_dies(panic, "thrum: function(");
    spec_dies(panic, "): 42\n");
    spec_dies(panic_long, "xxx\n");
    spec_exits(complain_thrice, 0, &end);
    assert_non_null(strstr(end.text, "thrum: one\nthrum: two %d %s\nthrum: xxx"));
    assert_int_equal(spec_count_text(end.text, "\n"), 3);
}

SPEC_TESTS(cmocka_unit_test(test_version_is_that_of_the_headers),
           cmocka_unit_test(test_clock_does_not_go_back), cmocka_unit_test(test_cpus),
           cmocka_unit_test(test_pauses_grow_with_the_time),
           cmocka_unit_test(test_raw_lock_excludes), cmocka_unit_test(test_futex),
           cmocka_unit_test(test_panic_and_complain_write_one_line));
