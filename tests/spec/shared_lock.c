/* SPDX-License-Identifier: MIT */
#define CONCEPT_PROCESSES
#include "spec.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/who.h"

typedef thrum_shared_lock concept_lock;
#define lock_acquire(lock) assert_int_equal(thrum_shared_lock_acquire(lock), 0)
#define lock_try(lock) (thrum_shared_lock_try_acquire(lock) == 0)
#define lock_until thrum_shared_lock_acquire_until
#define lock_release thrum_shared_lock_release
#define lock_locked thrum_shared_lock_locked
#include "concept_lock.h"

enum { KILLS = 25, WORKERS = 3 };

static void test_zero_is_free(void **state) {
    (void)state;
    concept_reset();
    assert_int_equal(sizeof c->lock, 8);
    assert_false(thrum_shared_lock_locked(&c->lock));
    assert_int_equal(thrum_shared_lock_holder(&c->lock), 0);
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), 0);
    assert_true(thrum_shared_lock_locked(&c->lock));
    assert_int_equal(thrum_shared_lock_holder(&c->lock), getpid());
    assert_int_equal(thrum_shared_lock_try_acquire(&c->lock), -EBUSY);
    thrum_shared_lock_release(&c->lock);
    assert_int_equal(thrum_shared_lock_try_acquire(&c->lock), 0);
    thrum_shared_lock_release(&c->lock);
}

static void *release_it(void *arg) {
    thrum_shared_lock_release(&c->lock);
    return arg;
}

static void test_another_process_may_release(void **state) {
    (void)state;
    concept_reset();
    lock_acquire(&c->lock);
    concept_run(release_it, NULL);
    assert_int_equal(thrum_shared_lock_acquire_until(&c->lock, thrum_in(0)), 0);
    lock_release(&c->lock);
}

static void release_free(void) { thrum_shared_lock_release(&c->lock); }

static void test_releasing_a_free_lock_ends_the_program(void **state) {
    (void)state;
    char object[32];
    concept_reset();
    snprintf(object, sizeof object, "%p", (void *)&c->lock);
    spec_dies(release_free, "thrum_shared_lock_release");
    spec_dies(release_free, object);
}

/* Holds it until it is killed; tells the code it got it with. */
static void *hold(void *arg) {
    c->counter = thrum_shared_lock_acquire(&c->lock);
    __atomic_store_n(&c->inside, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
    return arg;
}

static void start_holder(concept_team *team) {
    __atomic_store_n(&c->inside, 0, __ATOMIC_RELAXED);
    concept_start(team, 1, hold, NULL);
    while (!__atomic_load_n(&c->inside, __ATOMIC_ACQUIRE))
        spec_yield();
}

static void begin_with_dead_holder(void) {
    concept_team team = {.n = 0};
    concept_reset();
    start_holder(&team);
    spec_processes_kill(&team);
}

static void test_the_death_of_the_holder_is_told_once(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        begin_with_dead_holder();
        assert_true(thrum_shared_lock_locked(&c->lock));
        int rc = way == 0   ? thrum_shared_lock_acquire(&c->lock)
                 : way == 1 ? thrum_shared_lock_try_acquire(&c->lock)
                 : way == 2 ? thrum_shared_lock_acquire_until(&c->lock, thrum_in(-1))
                            : thrum_shared_lock_acquire_until(&c->lock, THRUM_NEVER);
        assert_int_equal(rc, -EOWNERDEAD);
        assert_int_equal(thrum_shared_lock_holder(&c->lock), getpid());
        lock_release(&c->lock);
        assert_int_equal(thrum_shared_lock_acquire(&c->lock), 0);
        lock_release(&c->lock);
    }
}

static void test_a_repairer_that_dies_leaves_it_to_the_next(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    begin_with_dead_holder();
    for (int i = 0; i < 3; i++) {
        start_holder(&team);
        assert_int_equal(c->counter, -EOWNERDEAD);
        spec_processes_kill(&team);
    }
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), -EOWNERDEAD);
    lock_release(&c->lock);
}

static void *inherit(void *arg) {
    concept_comes();
    if (thrum_shared_lock_acquire(&c->lock) == -EOWNERDEAD)
        c->rounds += 1;
    c->stop += 1;
    thrum_shared_lock_release(&c->lock);
    return arg;
}

static void test_one_of_those_who_wait_inherits_it(void **state) {
    (void)state;
    concept_team holder = {.n = 0};
    concept_team heirs = {.n = 0};
    concept_reset();
    start_holder(&holder);
    concept_start(&heirs, 4, inherit, NULL);
    concept_until_waiting(&c->lock, &heirs, 4);
    spec_processes_kill(&holder);
    concept_join(&heirs);
    assert_int_equal(c->rounds, 1);
    assert_int_equal(c->stop, 4);
}

static void test_a_zombie_is_dead(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    siginfo_t end;
    concept_reset();
    start_holder(&team);
    assert_int_equal(thrum_shared_lock_try_acquire(&c->lock), -EBUSY);
    kill(team.pids[0], SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)team.pids[0], &end, WEXITED | WNOWAIT), 0);
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), -EOWNERDEAD);
    lock_release(&c->lock);
    spec_processes_kill(&team);
}

static void test_a_stopped_holder_is_not_dead(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    siginfo_t end;
    concept_reset();
    start_holder(&team);
    kill(team.pids[0], SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)team.pids[0], &end, WSTOPPED | WNOWAIT), 0);
    assert_int_equal(thrum_shared_lock_try_acquire(&c->lock), -EBUSY);
    assert_int_equal(thrum_shared_lock_acquire_until(&c->lock, thrum_in(0.005)), -ETIMEDOUT);
    spec_processes_kill(&team);
}

static void *leave_main_thread(void *arg) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, NULL), 0);
    pthread_exit(arg);
}

/* Its main thread is a zombie, and in /proc the process looks like one. */
static void test_a_process_lives_while_a_thread_of_it_does(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset();
    concept_start(&team, 1, leave_main_thread, NULL);
    while (!__atomic_load_n(&c->inside, __ATOMIC_ACQUIRE))
        spec_yield();
    spec_until_main_thread_ended(&team);
    assert_int_equal(thrum_shared_lock_try_acquire(&c->lock), -EBUSY);
    assert_int_equal(thrum_shared_lock_holder(&c->lock), team.pids[0]);
    spec_processes_kill(&team);
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), -EOWNERDEAD);
    lock_release(&c->lock);
}

static void test_a_pid_that_was_given_again_is_not_the_holder(void **state) {
    (void)state;
    concept_reset();
    if (thrum__who_process() >> 32 == 0)
        skip(); /* no /proc: nobody knows when it started */
    c->lock.thrum__word = thrum__who_process() + (UINT64_C(1) << 32);
    assert_int_equal(thrum_shared_lock_acquire(&c->lock), -EOWNERDEAD);
    assert_int_equal(c->lock.thrum__word & ~(UINT64_C(1) << 31), thrum__who_process());
    lock_release(&c->lock);
}

static void *name_itself(void *arg) {
    *(uint64_t *)arg = thrum__who_process();
    return arg;
}

static void test_a_child_has_a_name_of_its_own(void **state) {
    (void)state;
    concept_begin();
    uint64_t *name = spec_shared_memory(sizeof *name);
    thrum__who own = thrum__who_process();
    concept_run(name_itself, name);
    assert_int_not_equal(*name & THRUM__WHO_ID, own & THRUM__WHO_ID);
    assert_true(thrum__who_is_dead(*name, false));
    assert_false(thrum__who_is_dead(own, false));
    assert_false(thrum__who_is_dead(thrum__who_thread(), true));
}

static void *be_interrupted(void *arg) {
    spec_expect_signals();
    concept_comes();
    assert_int_equal(thrum_shared_lock_acquire_until(&c->lock, THRUM_NEVER), -EINTR);
    return arg;
}

static void test_interruption(void **state) {
    (void)state;
    concept_team team = {.n = 0};
    concept_reset();
    lock_acquire(&c->lock);
    concept_start(&team, 1, be_interrupted, NULL);
    concept_until_waiting(&c->lock, &team, 1);
    spec_processes_interrupt(&team);
    lock_release(&c->lock);
    assert_int_equal(thrum_shared_lock_try_acquire(&c->lock), 0);
    lock_release(&c->lock);
}

/* `counter` and `inside` are equal whenever the lock is free, unless its holder died. */
static void change_both(void) {
    int rc = thrum_shared_lock_acquire(&c->lock);
    if (rc == -EOWNERDEAD)
        c->inside = c->counter;
    else
        assert_int_equal(rc, 0);
    assert_int_equal(c->counter, c->inside);
    __atomic_store_n(&c->counter, c->counter + 1, __ATOMIC_RELAXED);
    spec_perhaps_yield();
    __atomic_store_n(&c->inside, c->inside + 1, __ATOMIC_RELAXED);
    thrum_shared_lock_release(&c->lock);
}

static void *change_until_stopped(void *arg) {
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED))
        change_both();
    return arg;
}

static void test_kills_leave_it_usable(void **state) {
    (void)state;
    concept_team workers = {.n = 0};
    concept_reset();
    concept_start(&workers, WORKERS, change_until_stopped, NULL);
    for (int i = 0; i < KILLS; i++) {
        concept_team victim = {.n = 0};
        int before = __atomic_load_n(&c->counter, __ATOMIC_RELAXED);
        concept_start(&victim, 1, change_until_stopped, NULL);
        while (__atomic_load_n(&c->counter, __ATOMIC_RELAXED) - before < 20)
            spec_yield();
        for (uint32_t n = spec_random(20); n > 0; n--)
            spec_yield();
        spec_processes_kill(&victim);
    }
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
    concept_join(&workers);
    change_both();
    assert_int_equal(c->counter, c->inside);
}

SPEC_TESTS(cmocka_unit_test(test_zero_is_free), CONCEPT_LOCK_TESTS,
           cmocka_unit_test(test_another_process_may_release),
           cmocka_unit_test(test_releasing_a_free_lock_ends_the_program),
           cmocka_unit_test(test_the_death_of_the_holder_is_told_once),
           cmocka_unit_test(test_a_repairer_that_dies_leaves_it_to_the_next),
           cmocka_unit_test(test_one_of_those_who_wait_inherits_it),
           cmocka_unit_test(test_a_zombie_is_dead),
           cmocka_unit_test(test_a_stopped_holder_is_not_dead),
           cmocka_unit_test(test_a_process_lives_while_a_thread_of_it_does),
           cmocka_unit_test(test_a_pid_that_was_given_again_is_not_the_holder),
           cmocka_unit_test(test_a_child_has_a_name_of_its_own),
           cmocka_unit_test(test_interruption), cmocka_unit_test(test_kills_leave_it_usable));
