/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STRANDS = 8 };

static struct {
    thrum_semaphore semaphore;
    thrum_lock lock;
    thrum_event one_more;
    int order[STRANDS]; /* under lock */
    int came;           /* under lock */
    int inside;
    int most;
    int value;
} s;

static void reset(int permits) {
    memset(&s, 0, sizeof s);
    s.semaphore = (thrum_semaphore)THRUM_SEMAPHORE_INIT(permits);
}

static void (*volatile symbol_acquire)(thrum_semaphore *) = thrum_semaphore_acquire;
static bool (*volatile symbol_try)(thrum_semaphore *) = thrum_semaphore_try_acquire;
static int (*volatile symbol_until)(thrum_semaphore *,
                                    thrum_deadline) = thrum_semaphore_acquire_until;
static int (*volatile symbol_release)(thrum_semaphore *, int) = thrum_semaphore_release;

typedef thrum_semaphore concept_semaphore;
#define SEMAPHORE THRUM_SEMAPHORE_INIT
#define BOUNDED THRUM_BOUNDED_SEMAPHORE_INIT
#define semaphore_acquire thrum_semaphore_acquire
#define semaphore_try thrum_semaphore_try_acquire
#define semaphore_until thrum_semaphore_acquire_until
/* Half of the calls go to the symbol. */
#define semaphore_release (spec_random(2) ? thrum_semaphore_release : symbol_release)
#define semaphore_value thrum_semaphore_value
#include "concept_semaphore.h"

static void test_permits_are_counted(void **state) {
    (void)state;
    static thrum_semaphore zero;
    thrum_semaphore three = THRUM_SEMAPHORE_INIT(3);
    assert_int_equal(sizeof three, 16);
    assert_false(thrum_semaphore_try_acquire(&zero));
    assert_int_equal(thrum_semaphore_value(&zero), 0);
    thrum_semaphore_acquire(&three);
    assert_true(thrum_semaphore_try_acquire(&three));
    assert_int_equal(thrum_semaphore_value(&three), 1);
    assert_int_equal(thrum_semaphore_acquire_until(&three, thrum_in(0)), 0);
    assert_false(thrum_semaphore_try_acquire(&three));
    assert_int_equal(thrum_semaphore_release(&three, 2), 0);
    assert_int_equal(thrum_semaphore_value(&three), 2);
    symbol_acquire(&three);
    assert_true(symbol_try(&three));
    assert_false(symbol_try(&three));
    assert_int_equal(symbol_until(&three, thrum_in(0)), -ETIMEDOUT);
    assert_int_equal(symbol_release(&three, 1), 0);
    assert_int_equal(symbol_until(&three, thrum_in(0)), 0);
}

static void *take(void *number) {
    thrum_semaphore_acquire(&s.semaphore);
    thrum_with(&s.lock)
        s.order[s.came++] = (int)(intptr_t)number;
    thrum_event_set(&s.one_more);
    return NULL;
}

static void test_permits_go_to_who_came_first(void **state) {
    (void)state;
    reset(0);
    spec_team team = {.n = 0};
    for (intptr_t i = 0; i < STRANDS; i++) {
        spec_team_start(&team, 1, take, (void *)i);
        spec_until_waiting(&s.semaphore, (int)i + 1);
    }
    assert_int_equal(thrum_semaphore_value(&s.semaphore), 0);
    for (int i = 0; i < STRANDS; i++) {
        assert_int_equal(thrum_semaphore_release(&s.semaphore, 1), 0);
        thrum_event_wait(&s.one_more);
        thrum_event_clear(&s.one_more);
        assert_false(thrum_semaphore_try_acquire(&s.semaphore));
    }
    spec_team_join(&team);
    for (int i = 0; i < STRANDS; i++)
        assert_int_equal(s.order[i], i);
}

static void test_release_of_many_wakes_as_many(void **state) {
    (void)state;
    reset(0);
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, take, NULL);
    spec_until_waiting(&s.semaphore, STRANDS);
    assert_int_equal(thrum_semaphore_release(&s.semaphore, 3), 0);
    assert_int_equal(spec_waiting(&s.semaphore), STRANDS - 3);
    assert_int_equal(thrum_semaphore_release(&s.semaphore, STRANDS), 0);
    spec_team_join(&team);
    assert_int_equal(s.came, STRANDS);
    assert_int_equal(thrum_semaphore_value(&s.semaphore), 3);
}

static void *use(void *arg) {
    for (int i = 0; i < 50; i++) {
        thrum_with(&s.semaphore) {
            int inside = __atomic_add_fetch(&s.inside, 1, __ATOMIC_RELAXED);
            assert_true(inside <= 2);
            if (inside > __atomic_load_n(&s.most, __ATOMIC_RELAXED))
                __atomic_store_n(&s.most, inside, __ATOMIC_RELAXED);
            spec_perhaps_yield();
            __atomic_sub_fetch(&s.inside, 1, __ATOMIC_RELAXED);
            if (i % 3 == 0)
                continue;
        }
    }
    return arg;
}

static void test_with_lets_no_more_in_than_permits(void **state) {
    (void)state;
    reset(2);
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, use, NULL);
    spec_team_join(&team);
    assert_int_equal(thrum_semaphore_value(&s.semaphore), 2);
}

static void on_signal(int number) { (void)number; }

static void *be_interrupted(void *arg) {
    thrum_interruptible(true);
    assert_int_equal(thrum_semaphore_acquire_until(&s.semaphore, THRUM_NEVER), -EINTR);
    return arg;
}

static void test_interruption(void **state) {
    (void)state;
    spec_needs_os("signals");
    reset(0);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    thrum_thread *thread = spec_start(be_interrupted, NULL);
    spec_until_waiting(&s.semaphore, 1);
    while (thrum_thread_is_alive(thread)) {
        syscall(SYS_tgkill, getpid(), (pid_t)thrum_thread_native_id(thread), SIGUSR1);
        spec_yield();
    }
    spec_join(thread);
    assert_int_equal(thrum_semaphore_release(&s.semaphore, 1), 0);
    assert_int_equal(thrum_semaphore_value(&s.semaphore), 1);
}

static void *release_it(void *semaphore) {
    thrum_semaphore_release(semaphore, 1);
    return NULL;
}

static void test_may_be_freed_once_acquired(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        thrum_semaphore *semaphore = calloc(1, sizeof *semaphore);
        assert_non_null(semaphore);
        thrum_thread *thread = spec_start(release_it, semaphore);
        spec_perhaps_yield();
        thrum_semaphore_acquire(semaphore);
        memset(semaphore, 0xa5, sizeof *semaphore);
        free(semaphore);
        spec_join(thread);
    }
}

static int child_uses_what_is_left(void) {
    s.semaphore.thrum__pending = 1; /* for a waiter of the parent that had not queued */
    thrum_semaphore_at_fork_reinit(&s.semaphore);
    if (thrum_semaphore_value(&s.semaphore) != 0 || thrum_semaphore_try_acquire(&s.semaphore))
        return 1;
    if (thrum_semaphore_acquire_until(&s.semaphore, thrum_in(0)) != -ETIMEDOUT)
        return 3;
    thrum_semaphore_release(&s.semaphore, 1);
    return thrum_semaphore_try_acquire(&s.semaphore) ? 0 : 2;
}

static void test_fork(void **state) {
    (void)state;
    spec_needs_os("fork");
    reset(0);
    thrum_thread *thread = spec_start(take, NULL);
    spec_until_waiting(&s.semaphore, 1);
    spec_end end;
    spec_exits(child_uses_what_is_left, 0, &end);
    thrum_semaphore_release(&s.semaphore, 1);
    spec_join(thread);
}

SPEC_TESTS(CONCEPT_SEMAPHORE_TESTS, cmocka_unit_test(test_permits_are_counted),
           cmocka_unit_test(test_permits_go_to_who_came_first),
           cmocka_unit_test(test_release_of_many_wakes_as_many),
           cmocka_unit_test(test_with_lets_no_more_in_than_permits),
           cmocka_unit_test(test_interruption), cmocka_unit_test(test_may_be_freed_once_acquired),
           cmocka_unit_test(test_fork));
