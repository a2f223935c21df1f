/* SPDX-License-Identifier: MIT */
/* Floor 1: the child of a fork finds whole what others were changing under bucket locks. */
#include "spec.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "park/lot.h"

enum { FORKS = 50, OBJECTS = 4 };

/* Both counts change in one hold of the bucket of the first. */
typedef struct object {
    int first;
    int second;
} object;

static object objects[OBJECTS];
static uint32_t stop, rounds;

static void *change(void *arg) {
    while (!thrum__load_relaxed(&stop)) {
        for (int i = 0; i < OBJECTS; i++) {
            thrum__bucket *bucket = thrum__lot_lock(&objects[i]);
            objects[i].first++;
            spec_yield();
            objects[i].second++;
            thrum__lot_unlock(bucket);
        }
        thrum__add_relaxed(&rounds, 1);
        spec_yield();
    }
    return arg;
}

static void begin(void) {
    thrum__store_relaxed(&stop, 0);
    thrum__store_relaxed(&rounds, 0);
}

static void until_round(uint32_t n) {
    while (thrum__load_relaxed(&rounds) < n)
        spec_yield();
}

static bool whole(void) {
    for (int i = 0; i < OBJECTS; i++)
        if (objects[i].first != objects[i].second)
            return false;
    return true;
}

static int forked(bool (*holds)(void)) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(holds() ? 0 : 1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_no_change_is_torn(void **state) {
    (void)state;
    spec_needs_os("threads that run at the same time");
    begin();
    thrum_thread *thread = spec_start(change, NULL);
    for (uint32_t i = 0; i < FORKS; i++) {
        until_round(i);
        assert_int_equal(forked(whole), 0);
    }
    thrum__store_relaxed(&stop, 1);
    spec_join(thread);
    assert_true(whole());
}

/* Who forks frees the locks again, in the child too. */
static bool usable(void) {
    for (int i = 0; i < OBJECTS; i++)
        thrum__lot_unlock(thrum__lot_lock(&objects[i]));
    return true;
}

static void test_locks_are_free_afterwards(void **state) {
    (void)state;
    assert_int_equal(forked(usable), 0);
    assert_true(usable());
}

SPEC_TESTS(cmocka_unit_test(test_no_change_is_torn),
           cmocka_unit_test(test_locks_are_free_afterwards));
