/* SPDX-License-Identifier: MIT */
#include "spec.h"


static thrum_lock lock;
static thrum_rlock rlock;

static void assert_free(void) {
    assert_false(thrum_lock_locked(&lock));
    assert_false(thrum_rlock_locked(&rlock));
}

static void test_with_holds_to_the_end_of_the_block(void **state) {
    (void)state;
    int runs = 0;
    thrum_with(&lock) {
        runs += 1;
        assert_true(thrum_lock_locked(&lock));
        assert_false(thrum_lock_try_acquire(&lock));
    }
    assert_int_equal(runs, 1);
    assert_free();
    thrum_with(&rlock) {
        runs += 1;
        assert_true(thrum_rlock_locked(&rlock));
    }
    assert_int_equal(runs, 2);
    assert_free();
}

static void test_with_takes_one_statement(void **state) {
    (void)state;
    bool held = false;
    thrum_with(&lock) held = thrum_lock_locked(&lock);
    assert_true(held);
    assert_free();
}

static bool return_from_with(bool early) {
    thrum_with(&lock) {
        if (early)
            return thrum_lock_locked(&lock);
    }
    return false;
}

static bool return_from_nested(void) {
    thrum_with(&lock) {
        thrum_with(&rlock) {
            thrum_with(&rlock) return thrum_lock_locked(&lock) && thrum_rlock_locked(&rlock);
        }
    }
    return false;
}

static void test_return_releases(void **state) {
    (void)state;
    assert_true(return_from_with(true));
    assert_free();
    assert_false(return_from_with(false));
    assert_free();
    assert_true(return_from_nested());
    assert_free();
}

static void test_goto_releases(void **state) {
    (void)state;
    bool held = false;
    thrum_with(&lock) {
        thrum_with(&rlock) {
            held = thrum_lock_locked(&lock) && thrum_rlock_locked(&rlock);
            if (held)
                goto out;
        }
        held = false;
    }
    held = false;
out:
    assert_true(held);
    assert_free();
}

static void test_break_and_continue_leave_the_block(void **state) {
    (void)state;
    int rounds = 0;
    int rest = 0;
    for (int i = 0; i < 4; i++) {
        thrum_with(&lock) {
            rounds += 1;
            if (i == 1)
                break;
            if (i == 2)
                continue;
            rest += 1;
        }
        assert_free();
    }
    assert_int_equal(rounds, 4);
    assert_int_equal(rest, 2);
}

static void test_with_nests(void **state) {
    (void)state;
    thrum_with(&rlock) {
        thrum_with(&rlock) {
            thrum_with(&lock) assert_true(thrum_lock_locked(&lock));
            assert_false(thrum_lock_locked(&lock));
        }
        assert_true(thrum_rlock_locked(&rlock));
    }
    assert_free();
}

static int evaluations;

static thrum_lock *evaluate(void) {
    evaluations += 1;
    return &lock;
}

static void test_the_argument_is_evaluated_once(void **state) {
    (void)state;
    evaluations = 0;
    thrum_with(evaluate()) assert_true(thrum_lock_locked(&lock));
    assert_int_equal(evaluations, 1);
    {
        THRUM_GUARD(evaluate());
        assert_true(thrum_lock_locked(&lock));
    }
    assert_int_equal(evaluations, 2);
    assert_free();
}

static bool return_under_guard(void) {
    THRUM_GUARD(&lock);
    THRUM_GUARD(&rlock);
    return thrum_lock_locked(&lock) && thrum_rlock_locked(&rlock);
}

static void test_guard_holds_to_the_end_of_the_scope(void **state) {
    (void)state;
    assert_true(return_under_guard());
    assert_free();
    {
        THRUM_GUARD(&lock);
        assert_true(thrum_lock_locked(&lock));
    }
    assert_free();
}

static void test_guard_in_a_loop(void **state) {
    (void)state;
    int rounds = 0;
    for (int i = 0; i < 5; i++) {
        assert_free();
        THRUM_GUARD(&lock);
        if (i == 1)
            continue;
        if (i == 3)
            break;
        rounds += 1;
        assert_true(thrum_lock_locked(&lock));
    }
    assert_int_equal(rounds, 2);
    assert_free();
}

static void test_goto_out_of_a_guard_releases(void **state) {
    (void)state;
    int tries = 0;
again:
    assert_free();
    {
        THRUM_GUARD(&lock);
        if (++tries < 3)
            goto again;
    }
    assert_int_equal(tries, 3);
    assert_free();
}

enum { STRANDS = 4, ROUNDS = 200 };
static int counter;

static void *count(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        THRUM_GUARD(&lock);
        int seen = counter;
        spec_perhaps_yield();
        counter = seen + 1;
        if (i % 2)
            continue;
        thrum_with(&rlock) continue;
    }
    return arg;
}

static void test_excludes(void **state) {
    (void)state;
    counter = 0;
    spec_team team = {.n = 0};
    spec_team_start(&team, STRANDS, count, NULL);
    spec_team_join(&team);
    assert_int_equal(counter, STRANDS * ROUNDS);
    assert_free();
}

SPEC_TESTS(cmocka_unit_test(test_with_holds_to_the_end_of_the_block),
           cmocka_unit_test(test_with_takes_one_statement), cmocka_unit_test(test_return_releases),
           cmocka_unit_test(test_goto_releases),
           cmocka_unit_test(test_break_and_continue_leave_the_block),
           cmocka_unit_test(test_with_nests), cmocka_unit_test(test_the_argument_is_evaluated_once),
           cmocka_unit_test(test_guard_holds_to_the_end_of_the_scope),
           cmocka_unit_test(test_guard_in_a_loop),
           cmocka_unit_test(test_goto_out_of_a_guard_releases), cmocka_unit_test(test_excludes));
