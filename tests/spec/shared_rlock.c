/* SPDX-License-Identifier: MIT */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

typedef thrum_shared_rlock concept_rlock;
#define rlock_acquire(rlock) assert_int_equal(thrum_shared_rlock_acquire(rlock), 0)
#define rlock_try(rlock) (thrum_shared_rlock_try_acquire(rlock) == 0)
#define rlock_until thrum_shared_rlock_acquire_until
#define rlock_release thrum_shared_rlock_release
#define rlock_locked thrum_shared_rlock_locked
#include "concept_rlock.h"

static void test_nests(void **state) {
    (void)state;
    concept_reset();
    assert_int_equal(sizeof c->lock, 16);
    rlock_acquire(&c->lock);
    rlock_acquire(&c->lock);
    assert_int_equal(thrum_shared_rlock_try_acquire(&c->lock), 0);
    assert_int_equal(thrum_shared_rlock_acquire_until(&c->lock, thrum_in(0)), 0);
    for (int depth = 4; depth > 0; depth--) {
        assert_true(thrum_shared_rlock_locked(&c->lock));
        assert_int_equal(thrum_shared_rlock_holder(&c->lock), getpid());
        thrum_shared_rlock_release(&c->lock);
    }
    assert_false(thrum_shared_rlock_locked(&c->lock));
    assert_int_equal(thrum_shared_rlock_holder(&c->lock), 0);
}

static void release_free(void) { thrum_shared_rlock_release(&c->lock); }

static void *acquire_it(void *arg) {
    rlock_acquire(&c->lock);
    return arg;
}

static void release_of_another(void) {
    spec_join(spec_start(acquire_it, NULL));
    thrum_shared_rlock_release(&c->lock);
}

static void test_releasing_what_one_does_not_hold_ends_the_program(void **state) {
    (void)state;
    char object[32];
    concept_reset();
    snprintf(object, sizeof object, "%p", (void *)&c->lock);
    spec_dies(release_free, "thrum_shared_rlock_release");
    spec_dies(release_free, object);
    spec_dies(release_of_another, "thrum_shared_rlock_release");
}

static void *hold_deep(void *arg) {
    for (int i = 0; i < 3; i++)
        rlock_acquire(&c->lock);
    __atomic_store_n(&c->got, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

static void check_inherited(int rc) {
    assert_int_equal(rc, -EOWNERDEAD);
    assert_int_equal(thrum_shared_rlock_acquire(&c->lock), 0);
    thrum_shared_rlock_release(&c->lock);
    thrum_shared_rlock_release(&c->lock);
    assert_false(thrum_shared_rlock_locked(&c->lock));
}

static void test_the_heir_of_a_dead_holder_begins_anew(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        concept_team team = {.n = 0};
        concept_reset();
        concept_start(&team, 1, hold_deep, NULL);
        while (!__atomic_load_n(&c->got, __ATOMIC_ACQUIRE))
            spec_yield();
        assert_int_equal(thrum_shared_rlock_try_acquire(&c->lock), -EBUSY);
        spec_processes_kill(&team);
        check_inherited(way == 0   ? thrum_shared_rlock_acquire(&c->lock)
                        : way == 1 ? thrum_shared_rlock_try_acquire(&c->lock)
                                   : thrum_shared_rlock_acquire_until(&c->lock, thrum_in(-1)));
    }
}

/* The holder of an rlock is a thread: when that has ended nobody can release it. */
static void test_a_thread_that_ended_is_a_dead_holder(void **state) {
    (void)state;
    concept_reset();
    spec_join(spec_start(acquire_it, NULL));
    assert_true(thrum_shared_rlock_locked(&c->lock));
    check_inherited(thrum_shared_rlock_acquire(&c->lock));
}

static void *stay(void *arg) {
    for (;;)
        pause();
    return arg;
}

static void *end_main_thread(void *arg) {
    pthread_t thread;
    rlock_acquire(&c->lock);
    assert_int_equal(pthread_create(&thread, NULL, stay, NULL), 0);
    pthread_exit(arg);
}

static void test_a_main_thread_that_ended_before_its_process(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset();
    concept_start(&team, 1, end_main_thread, NULL);
    spec_until_main_thread_ended(&team);
    check_inherited(thrum_shared_rlock_acquire(&c->lock));
    spec_processes_kill(&team);
}

SPEC_TESTS(cmocka_unit_test(test_nests), CONCEPT_RLOCK_TESTS,
           cmocka_unit_test(test_the_heir_of_a_dead_holder_begins_anew),
           cmocka_unit_test(test_releasing_what_one_does_not_hold_ends_the_program),
           cmocka_unit_test(test_a_main_thread_that_ended_before_its_process),
           /* The last: qemu-user does not fork a program that has had threads. */
           cmocka_unit_test(test_a_thread_that_ended_is_a_dead_holder));
