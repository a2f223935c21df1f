/* SPDX-License-Identifier: MIT */
/* The n-th call of malloc(), calloc() or pthread_create() fails, for every n until none is left:
 * each start is done or refused, nothing leaks (AddressSanitizer looks), all stays usable. Linked
 * with
 * --wrap for these functions. */
#include "fault.h"

#include <pthread.h>

static void *identity(void *arg) { return arg; }

static void assert_usable(void) {
    assert_int_equal(thrum_thread_active_count(), 1);
    assert_ptr_equal(spec_join(spec_start(identity, &memory_in)), &memory_in);
}

/* Returns whether the start was refused, which leaves nothing behind. */
static bool start_is_refused(int expected, const thrum_thread_opts *opts) {
    thrum_thread *thread = NULL;
    int rc = thrum_thread_start(&thread, identity, NULL, opts);
    memory_in = thread_in = 0;
    if (rc == 0)
        spec_join(thread);
    else
        assert_int_equal(rc, expected);
    assert_int_equal(rc != 0, thread == NULL);
    assert_usable();
    return rc != 0;
}

static void test_start_without_memory(void **state) {
    (void)state;
    static const thrum_thread_opts named = {.name = "named", .stack_size = 1 << 20};
    int n = 1;
    for (memory_in = n; start_is_refused(-ENOMEM, NULL); memory_in = ++n)
        continue;
    assert_true(n > 1);
    for (memory_in = n = 1; start_is_refused(-ENOMEM, &named); memory_in = ++n)
        continue;
    assert_true(n > 1);
}

static void test_start_without_a_thread(void **state) {
    (void)state;
    static const thrum_thread_opts big = {.stack_size = 1 << 20};
    static const int errors[][2] = {{EAGAIN, -EAGAIN}, {ENOMEM, -ENOMEM}};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (spec_is_test_strand()) {
            strand_test_fail_start(1, errors[i][1]);
        } else {
            thread_error = errors[i][0];
            thread_in = 1;
        }
        assert_true(start_is_refused(errors[i][1], i ? &big : NULL));
    }
}

static void *start_some(void *refused) {
    for (int i = 0; i < 20; i++) {
        thrum_thread *thread = NULL;
        int rc = thrum_thread_start(i % 2 ? &thread : NULL, identity, NULL, NULL);
        assert_true(rc == 0 || rc == -EAGAIN || rc == -ENOMEM);
        __atomic_fetch_add((int *)refused, rc != 0, __ATOMIC_RELAXED);
        if (thread)
            spec_join(thread);
    }
    return NULL;
}

static void test_starts_that_fail_among_others(void **state) {
    (void)state;
    int refused = 0;
    thread_error = EAGAIN;
    for (int n = 1; n < 20; n++) {
        spec_team team = {.n = 0};
        spec_team_start(&team, 3, start_some, &refused);
        strand_test_fail_start(n, -EAGAIN);
        __atomic_store_n(&thread_in, n, __ATOMIC_RELAXED);
        __atomic_store_n(&memory_in, 2 * n, __ATOMIC_RELAXED);
        spec_team_join(&team);
        __atomic_store_n(&thread_in, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&memory_in, 0, __ATOMIC_RELAXED);
        strand_test_fail_start(0, 0);
        while (thrum_thread_active_count() > 1)
            spec_yield();
    }
    assert_true(refused > 0);
    assert_usable();
}

static void test_rename_without_memory(void **state) {
    (void)state;
    thrum_thread *main_thread = thrum_thread_main();
    memory_in = 1;
    assert_int_equal(thrum_thread_set_name(main_thread, "other"), -ENOMEM);
    assert_string_equal(thrum_thread_name(main_thread), "MainThread");
}

static void *current_without_memory(void *arg) {
    for (int n = 1; n <= 2; n++) {
        memory_in = n;
        errno = 0;
        assert_null(thrum_thread_current());
        assert_int_equal(errno, ENOMEM);
    }
    memory_in = 0;
    assert_non_null(thrum_thread_current());
    return arg;
}

static void test_a_foreign_thread_without_memory_for_its_record(void **state) {
    (void)state;
    spec_needs_os("threads that thrum did not start");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, current_without_memory, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_usable();
}

static void *wait_lock(void *lock) {
    thrum_with((thrum_lock *)lock) return NULL;
    return lock;
}

static void test_waits_allocate_nothing(void **state) {
    (void)state;
    thrum_lock lock = THRUM_LOCK_INIT;
    thrum_condition condition = THRUM_CONDITION_INIT;
    thrum_event event = THRUM_EVENT_INIT;
    spec_team team = {.n = 0};
    thrum_lock_acquire(&lock);
    spec_team_start(&team, 2, wait_lock, &lock);
    memory_in = INT32_MAX;
    assert_int_equal(thrum_event_wait_until(&event, thrum_in(0.001)), -ETIMEDOUT);
    assert_int_equal(thrum_condition_wait_until(&condition, &lock, thrum_in(0.001)), -ETIMEDOUT);
    assert_int_equal(thrum_lock_acquire_until(&lock, thrum_in(0.001)), -ETIMEDOUT);
    thrum_lock_release(&lock);
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrum_thread_join(team.threads[i], NULL), 0);
    assert_int_equal(memory_in, INT32_MAX);
    memory_in = 0;
    spec_team_join(&team);
}

SPEC_TESTS(cmocka_unit_test(test_start_without_memory),
           cmocka_unit_test(test_start_without_a_thread),
           cmocka_unit_test(test_starts_that_fail_among_others),
           cmocka_unit_test(test_rename_without_memory),
           cmocka_unit_test(test_a_foreign_thread_without_memory_for_its_record),
           cmocka_unit_test(test_waits_allocate_nothing));
