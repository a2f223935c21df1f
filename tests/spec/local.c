/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRANDS = 8, MANY = 100 };

static int destroyed; /* atomic */

static void count(void *value) {
    (void)value;
    __atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
}

static thrum_local plain;
static thrum_local counted = THRUM_LOCAL_INIT(count);

static void test_is_null_until_set(void **state) {
    (void)state;
    int a, b;
    assert_null(thrum_local_get(&plain));
    assert_int_equal(thrum_local_set(&plain, NULL), 0);
    assert_null(thrum_local_get(&plain));
    assert_int_equal(thrum_local_set(&plain, &a), 0);
    assert_ptr_equal(thrum_local_get(&plain), &a);
    assert_null(thrum_local_get(&counted));
    assert_int_equal(thrum_local_set(&plain, &b), 0);
    assert_ptr_equal(thrum_local_get(&plain), &b);
    assert_int_equal(thrum_local_set(&plain, NULL), 0);
    assert_null(thrum_local_get(&plain));
    thrum_local_clear(&plain);
    assert_int_equal(plain.thrum__slot, 0);
    thrum_local_clear(&plain);
}

static void *keep_own(void *arg) {
    int own[2];
    assert_null(thrum_local_get(&counted));
    for (int i = 0; i < 50; i++) {
        assert_int_equal(thrum_local_set(&counted, &own[i % 2]), 0);
        spec_perhaps_yield();
        assert_ptr_equal(thrum_local_get(&counted), &own[i % 2]);
    }
    return arg;
}

static void test_each_thread_has_its_own(void **state) {
    (void)state;
    spec_team team = {.n = 0};
    destroyed = 0;
    assert_int_equal(thrum_local_set(&counted, &team), 0);
    spec_team_start(&team, STRANDS, keep_own, NULL);
    spec_team_join(&team);
    assert_int_equal(destroyed, STRANDS);
    assert_ptr_equal(thrum_local_get(&counted), &team);
    assert_int_equal(thrum_local_set(&counted, NULL), 0);
    thrum_local_clear(&counted);
    assert_int_equal(destroyed, STRANDS);
}

static thrum_local many[MANY];

static void *keep_many(void *arg) {
    for (intptr_t i = MANY; i > 0; i--)
        assert_int_equal(thrum_local_set(&many[i - 1], (void *)i), 0);
    for (intptr_t i = 1; i <= MANY; i++)
        assert_int_equal((intptr_t)thrum_local_get(&many[i - 1]), i);
    return arg;
}

static void test_many_locals(void **state) {
    (void)state;
    spec_team team = {.n = 0};
    for (int round = 0; round < 3; round++) {
        spec_team_start(&team, 3, keep_many, NULL);
        keep_many(NULL);
        spec_team_join(&team);
        for (int i = 0; i < MANY; i++) {
            assert_true(many[i].thrum__slot <= MANY + 2);
            thrum_local_clear(&many[i]);
            assert_null(thrum_local_get(&many[i]));
        }
    }
}

static struct {
    thrum_local local;
    thrum_local other;
    thrum_event leave;
    thrum_lock lock;
    int set;     /* atomic */
    int rounds;
    int seen;
} s;

static void set_again(void *value) {
    s.rounds += 1;
    assert_null(thrum_local_get(&s.local));
    assert_int_equal(thrum_local_set(&s.local, value), 0);
}

static void set_other(void *value) {
    thrum_with(&s.lock) s.rounds += 1;
    assert_int_equal(thrum_local_set(&s.other, value), 0);
}

static void note_seen(void *value) { s.seen += *(int *)value; }

static void *set_one(void *value) {
    assert_int_equal(thrum_local_set(&s.local, value), 0);
    return value;
}

static void test_destructors_may_set(void **state) {
    (void)state;
    int five = 5;
    memset(&s, 0, sizeof s);
    s.local = (thrum_local)THRUM_LOCAL_INIT(set_again);
    assert_ptr_equal(spec_join(spec_start(set_one, &five)), &five);
    assert_int_equal(s.rounds, 4);
    thrum_local_clear(&s.local);
    memset(&s, 0, sizeof s);
    s.local = (thrum_local)THRUM_LOCAL_INIT(set_other);
    s.other = (thrum_local)THRUM_LOCAL_INIT(note_seen);
    spec_join(spec_start(set_one, &five));
    assert_int_equal(s.rounds, 1);
    assert_int_equal(s.seen, 5);
    thrum_local_clear(&s.local);
    thrum_local_clear(&s.other);
}

static void destroy_slowly(void *value) {
    for (int i = 0; i < 20; i++)
        spec_yield();
    *(int *)value = 1;
}

static void test_values_are_destroyed_before_joiners_go_on(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        int value = 0;
        memset(&s, 0, sizeof s);
        s.local = (thrum_local)THRUM_LOCAL_INIT(destroy_slowly);
        spec_join(spec_start(set_one, &value));
        assert_int_equal(value, 1);
        thrum_local_clear(&s.local);
    }
}

static void raise_it(void *value) { thrum_raise(-EIO, "cannot close %d", *(int *)value); }

static struct {
    int n;
    char message[64];
} hook;

static void note_failure(const thrum_failure *failure, void *arg) {
    (void)arg;
    hook.n += 1;
    snprintf(hook.message, sizeof hook.message, "%s", failure->message);
    assert_int_equal(thrum_local_set(&counted, &hook), 0);
}

static void test_a_destructor_may_fail(void **state) {
    (void)state;
    int seven = 7;
    memset(&s, 0, sizeof s);
    memset(&hook, 0, sizeof hook);
    destroyed = 0;
    thrum_set_excepthook(note_failure, NULL);
    s.local = (thrum_local)THRUM_LOCAL_INIT(raise_it);
    thrum_thread *thread = spec_start(set_one, &seven);
    void *result = &s;
    assert_int_equal(thrum_thread_join(thread, &result), -EIO);
    assert_null(result);
    assert_string_equal(thrum_thread_error(thread)->message, "cannot close 7");
    thrum_thread_free(thread);
    thrum_set_excepthook(NULL, NULL);
    assert_int_equal(hook.n, 1);
    assert_string_equal(hook.message, "cannot close 7");
    assert_int_equal(destroyed, 1);
    thrum_local_clear(&s.local);
    thrum_local_clear(&counted);
}

static void *set_and_stay(void *value) {
    assert_int_equal(thrum_local_set(&s.local, value), 0);
    __atomic_fetch_add(&s.set, 1, __ATOMIC_RELEASE);
    thrum_event_wait(&s.leave);
    assert_null(thrum_local_get(&s.local));
    assert_null(thrum_local_get(&s.other));
    return NULL;
}

static void test_clear_destroys_the_values_of_all_threads(void **state) {
    (void)state;
    memset(&s, 0, sizeof s);
    destroyed = 0;
    spec_team team = {.n = 0};
    s.local = (thrum_local)THRUM_LOCAL_INIT(count);
    spec_team_start(&team, STRANDS, set_and_stay, &s);
    while (__atomic_load_n(&s.set, __ATOMIC_ACQUIRE) < STRANDS)
        spec_yield();
    uint32_t slot = s.local.thrum__slot;
    thrum_local_clear(&s.local);
    assert_int_equal(destroyed, STRANDS);
    assert_int_equal(thrum_local_set(&s.other, &s), 0); /* in the place of the one before */
    assert_int_equal(s.other.thrum__slot, slot);
    thrum_event_set(&s.leave);
    spec_team_join(&team);
    assert_int_equal(destroyed, STRANDS);
    assert_ptr_equal(thrum_local_get(&s.other), &s);
    thrum_local_clear(&s.other);
}

static void *set_and_exit(void *value) {
    assert_int_equal(thrum_local_set(&counted, value), 0);
    pthread_exit(NULL);
}

static void exit_again(void *value) {
    count(value);
    pthread_exit(NULL);
}

static void test_a_thread_that_is_unwound(void **state) {
    (void)state;
    spec_needs_os("pthread_exit");
    destroyed = 0;
    thrum_thread *thread = spec_start(set_and_exit, &s);
    assert_int_equal(thrum_thread_join(thread, NULL), -ECANCELED);
    thrum_thread_free(thread);
    assert_int_equal(destroyed, 1);
    thrum_local_clear(&counted);
    memset(&s, 0, sizeof s);
    s.local = (thrum_local)THRUM_LOCAL_INIT(exit_again);
    spec_join(spec_start(set_one, &s));
    assert_int_equal(destroyed, 2);
    thrum_local_clear(&s.local);
}

static void *foreign(void *value) {
    assert_null(thrum_local_get(&counted));
    assert_int_equal(thrum_local_set(&counted, value), 0);
    assert_ptr_equal(thrum_local_get(&counted), value);
    assert_int_equal(thrum_thread_active_count(), 2);
    return NULL;
}

static pthread_barrier_t looked;

static void *foreign_get(void *arg) {
    (void)arg;
    void *got = thrum_local_get(&counted);
    pthread_barrier_wait(&looked);
    pthread_barrier_wait(&looked);
    return got;
}

static void test_threads_that_thrum_did_not_start(void **state) {
    (void)state;
    spec_needs_os("threads that thrum did not start");
    pthread_t thread;
    destroyed = 0;
    assert_int_equal(thrum_local_set(&counted, &thread), 0);
    void *got = &thread;
    assert_int_equal(pthread_barrier_init(&looked, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, foreign_get, NULL), 0);
    pthread_barrier_wait(&looked);
    assert_int_equal(thrum_thread_active_count(), 1); /* a look makes it known to nobody */
    pthread_barrier_wait(&looked);
    assert_int_equal(pthread_join(thread, &got), 0);
    pthread_barrier_destroy(&looked);
    assert_null(got);
    assert_int_equal(destroyed, 0);
    assert_int_equal(thrum_local_set(&counted, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, foreign, &s), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(destroyed, 1);
    thrum_local_clear(&counted);
    assert_int_equal(destroyed, 1);
}

static int in_child(void) {
    if (thrum_local_get(&s.local) != &s)
        return 1;
    thrum_local_clear(&s.local);
    if (destroyed != 1 || thrum_local_get(&s.local))
        return 2;
    thrum_local other = THRUM_LOCAL_INIT(count);
    if (thrum_local_set(&other, &s) != 0 || thrum_local_get(&other) != &s)
        return 3;
    thrum_local_clear(&other);
    return destroyed == 2 ? 0 : 4;
}

static void test_the_child_of_a_fork_has_the_values_of_its_thread(void **state) {
    (void)state;
    static spec_end end;
    memset(&s, 0, sizeof s);
    destroyed = 0;
    spec_team team = {.n = 0};
    s.local = (thrum_local)THRUM_LOCAL_INIT(count);
    spec_team_start(&team, 3, set_and_stay, &team);
    assert_int_equal(thrum_local_set(&s.local, &s), 0);
    while (__atomic_load_n(&s.set, __ATOMIC_ACQUIRE) < 3)
        spec_yield();
    spec_exits(in_child, 0, &end);
    thrum_local_clear(&s.local);
    assert_int_equal(destroyed, 4);
    thrum_event_set(&s.leave);
    spec_team_join(&team);
}

enum { FORKS = 30 };

static void *come_and_go(void *arg) {
    thrum_local local = THRUM_LOCAL_INIT(NULL);
    while (!__atomic_load_n(&s.set, __ATOMIC_ACQUIRE)) {
        assert_int_equal(thrum_local_set(&local, &s), 0);
        thrum_local_clear(&local);
    }
    return arg;
}

/* Others are in the middle of a change as a rule; the child has the tables whole, and their
 * lock. */
static void test_a_fork_waits_for_changes_of_others(void **state) {
    (void)state;
    spec_needs_os("threads that run at the same time");
    static spec_end end;
    spec_team team = {.n = 0};
    memset(&s, 0, sizeof s);
    spec_team_start(&team, 2, come_and_go, NULL);
    for (int i = 0; i < FORKS; i++) {
        destroyed = 0;
        s.local = (thrum_local)THRUM_LOCAL_INIT(count);
        assert_int_equal(thrum_local_set(&s.local, &s), 0);
        spec_exits(in_child, 0, &end);
        thrum_local_clear(&s.local);
    }
    __atomic_store_n(&s.set, 1, __ATOMIC_RELEASE);
    spec_team_join(&team);
}

SPEC_TESTS(cmocka_unit_test(test_is_null_until_set),
           cmocka_unit_test(test_each_thread_has_its_own), cmocka_unit_test(test_many_locals),
           cmocka_unit_test(test_destructors_may_set),
           cmocka_unit_test(test_values_are_destroyed_before_joiners_go_on),
           cmocka_unit_test(test_a_destructor_may_fail),
           cmocka_unit_test(test_clear_destroys_the_values_of_all_threads),
           cmocka_unit_test(test_a_thread_that_is_unwound),
           cmocka_unit_test(test_threads_that_thrum_did_not_start),
           cmocka_unit_test(test_the_child_of_a_fork_has_the_values_of_its_thread),
           cmocka_unit_test(test_a_fork_waits_for_changes_of_others));
