/* SPDX-License-Identifier: MIT */
/* The n-th malloc() or calloc() fails: a set is done, or refused with nothing changed. Linked with
 * --wrap for these functions. */
#include "fault.h"

enum { LOCALS = 70 };

static int destroyed;

static void count(void *value) {
    (void)value;
    destroyed += 1;
}

static void *set_all(void *refused) {
    thrum_local locals[LOCALS];
    for (int i = 0; i < LOCALS; i++) {
        locals[i] = (thrum_local)THRUM_LOCAL_INIT(count);
        for (int n = 1;; n++) {
            memory_in = n;
            int rc = thrum_local_set(&locals[i], &locals[i]);
            memory_in = 0;
            if (rc == 0)
                break;
            assert_int_equal(rc, -ENOMEM);
            assert_null(thrum_local_get(&locals[i]));
            for (int j = 0; j < i; j++)
                assert_ptr_equal(thrum_local_get(&locals[j]), &locals[j]);
            *(int *)refused += 1;
        }
        assert_ptr_equal(thrum_local_get(&locals[i]), &locals[i]);
    }
    memory_in = 1;
    assert_int_equal(thrum_local_set(&locals[0], NULL), 0);
    for (int i = 0; i < LOCALS; i++)
        thrum_local_clear(&locals[i]);
    assert_int_equal(memory_in, 1);
    memory_in = 0;
    return NULL;
}

static void test_set_without_memory(void **state) {
    (void)state;
    int refused = 0;
    spec_join(spec_start(set_all, &refused));
    assert_true(refused > 4); /* slots and table, more than one time each */
    assert_int_equal(destroyed, LOCALS - 1);
}

static void test_no_value_needs_no_memory(void **state) {
    (void)state;
    thrum_local local = {0, NULL};
    memory_in = INT32_MAX;
    assert_int_equal(thrum_local_set(&local, NULL), 0);
    assert_null(thrum_local_get(&local));
    thrum_local_clear(&local);
    memory_in = 0;
}

SPEC_TESTS(cmocka_unit_test(test_set_without_memory),
           cmocka_unit_test(test_no_value_needs_no_memory));
