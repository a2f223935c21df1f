/* SPDX-License-Identifier: MIT */
#include "processes.h"

#include <errno.h>
#include <unistd.h>

enum { STRANDS = 4, ROUNDS = 200 };

typedef struct {
    thrum_shared_lock lock;
    thrum_shared_rlock rlock;
    thrum_shared_semaphore slots;
    int counter;
} shared_state;

static shared_state *c;

static void begin(void) {
    static shared_state *memory;
    spec_needs_processes();
    if (!memory)
        memory = spec_shared_memory(sizeof *memory);
    c = memory;
    *c = (shared_state){.slots = THRUM_SHARED_BOUNDED_SEMAPHORE_INIT(1)};
}

static void assert_free(void) {
    assert_false(thrum_shared_lock_locked(&c->lock));
    assert_false(thrum_shared_rlock_locked(&c->rlock));
    assert_int_equal(thrum_shared_semaphore_value(&c->slots), 1);
}

static void test_with_holds_to_the_end_of_the_block(void **state) {
    (void)state;
    int runs = 0;
    begin();
    thrum_with_shared(&c->lock, rc) {
        assert_int_equal(rc, 0);
        assert_true(thrum_shared_lock_locked(&c->lock));
        thrum_with_shared(&c->rlock, inner) {
            assert_int_equal(inner, 0);
            assert_true(thrum_shared_rlock_locked(&c->rlock));
            thrum_with_shared(&c->slots, innermost)
                runs += innermost == 0 && thrum_shared_semaphore_value(&c->slots) == 0;
            assert_int_equal(thrum_shared_semaphore_value(&c->slots), 1);
        }
        assert_false(thrum_shared_rlock_locked(&c->rlock));
    }
    assert_int_equal(runs, 1);
    assert_free();
}

static int leave(int way) {
    int rounds = 0;
    for (; rounds < 3; rounds++) {
        thrum_with_shared(&c->lock, rc) {
            if (rc != 0 || way == 0)
                break;
            if (way == 1)
                continue;
            if (way == 2)
                return -1;
            if (way == 3)
                goto out;
        }
    }
out:
    return rounds;
}

static void test_however_it_is_left_it_releases(void **state) {
    (void)state;
    static const int expected[] = {3, 3, -1, 0, 3};
    begin();
    for (int way = 0; way < 5; way++) {
        assert_int_equal(leave(way), expected[way]);
        assert_free();
    }
}

static int first_free_round(int n) {
    for (int i = 0;; i++) {
        THRUM_GUARD_SHARED(&c->rlock, rc);
        THRUM_GUARD_SHARED(&c->slots, code);
        if (rc != 0 || code != 0 || !thrum_shared_rlock_locked(&c->rlock))
            return -1;
        if (i < n)
            continue;
        return i;
    }
}

static void test_guard_holds_to_the_end_of_the_scope(void **state) {
    (void)state;
    begin();
    assert_int_equal(first_free_round(3), 3);
    assert_free();
}

static void *die_in_the_block(void *arg) {
    thrum_with_shared(&c->lock, rc) {
        assert_int_equal(rc, 0);
        _exit(0);
    }
    return arg;
}

static void test_the_code_of_the_acquire_has_a_name(void **state) {
    (void)state;
    spec_processes team = {.n = 0};
    int repaired = 0;
    begin();
    spec_processes_start(&team, 1, die_in_the_block, NULL);
    spec_processes_join(&team);
    for (int i = 0; i < 2; i++)
        thrum_with_shared(&c->lock, rc)
            repaired += rc == -EOWNERDEAD;
    assert_int_equal(repaired, 1);
    assert_free();
}

static void *count(void *arg) {
    for (int i = 0; i < ROUNDS; i++)
        thrum_with_shared(&c->lock, rc) {
            int seen = c->counter + rc;
            spec_perhaps_yield();
            c->counter = seen + 1;
        }
    return arg;
}

static void test_excludes(void **state) {
    (void)state;
    spec_processes team = {.n = 0};
    begin();
    spec_processes_start(&team, STRANDS, count, NULL);
    spec_processes_join(&team);
    assert_int_equal(c->counter, STRANDS * ROUNDS);
    assert_free();
}

SPEC_TESTS(cmocka_unit_test(test_with_holds_to_the_end_of_the_block),
           cmocka_unit_test(test_however_it_is_left_it_releases),
           cmocka_unit_test(test_guard_holds_to_the_end_of_the_scope),
           cmocka_unit_test(test_the_code_of_the_acquire_has_a_name),
           cmocka_unit_test(test_excludes));
