/* SPDX-License-Identifier: MIT */
/* Floor 4: the state of a pool. */
#include "spec.h"

#include "exec/pool.h"

static void *nothing(void *arg) { return arg; }

/* Who has come upon a task of a pool before it was freed comes too late for a slot; its memory stays. */
static void test_a_freed_pool_gives_no_slot(void **state) {
    (void)state;
    for (int used = 0; used <= 1; used++) {
        thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
        assert_non_null(pool);
        assert_true(thrum__state_take_slot(pool, THRUM__POOL_BUSY, THRUM__POOL_LEAVING));
        assert_false(thrum__pool_seal(pool));
        thrum__pool_release_slot(pool);
        if (used)
            assert_int_equal(thrum_submit(pool, NULL, nothing, NULL), 0);
        thrum_executor_free(pool);
        assert_false(thrum__state_take_slot(pool, THRUM__POOL_BUSY, THRUM__POOL_LEAVING));
    }
}

SPEC_TESTS(cmocka_unit_test(test_a_freed_pool_gives_no_slot));
