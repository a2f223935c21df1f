/* SPDX-License-Identifier: MIT */
/* Random trees of spawns, and maps, by several callers at once on pools of 1 to 8 workers: every
 * result is that of the serial run. */
#include "spec.h"

#include <string.h>

enum { DEPTH = 7, CALLERS = 3, ITEMS = 500 };

static thrum_executor *pool;
static thrum_deadline end;

static uint32_t next(uint32_t *seed) {
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static uint32_t serial(uint32_t seed, int depth) {
    uint32_t state = seed, sum = seed & 1;
    uint32_t n = depth ? next(&state) % 6 : 0;
    for (uint32_t i = 0; i < n; i++)
        sum += serial(seed * 31 + i, depth - 1);
    return sum;
}

/* Keeps the CPU for a while: not all parts take the same time. */
static void idle(uint32_t n) {
    for (volatile uint32_t i = 0; i < n; i++)
        continue;
}

THRUM_FORK_JOIN(uint32_t, tree, w, (uint32_t, seed), (int, depth)) {
    uint32_t state = seed, sum = seed & 1;
    uint32_t n = depth ? next(&state) % 6 : 0;
    for (uint32_t i = 0; i < n; i++) {
        tree_spawn(w, seed * 31 + i, depth - 1);
        if (next(&state) % 64 == 0)
            spec_yield();
    }
    idle(next(&state) % 300);
    for (uint32_t i = 0; i < n; i++)
        sum += tree_sync(w);
    return sum;
}

typedef struct plain {
    uint32_t seed;
    int depth;
    uint32_t sum;
} plain;

static void *plain_tree(thrum_worker *w, void *arg) {
    plain *it = arg, below[6];
    uint32_t state = it->seed;
    uint32_t n = it->depth ? next(&state) % 6 : 0;
    it->sum = it->seed & 1;
    for (uint32_t i = 0; i < n; i++) {
        below[i] = (plain){it->seed * 31 + i, it->depth - 1, 0};
        thrum_spawn(w, plain_tree, &below[i]);
    }
    for (uint32_t i = n; i-- > 0;) {
        assert_ptr_equal(thrum_sync(w), &below[i]);
        it->sum += below[i].sum;
    }
    return it;
}

static int tree_of(const void *item, void *result) {
    uint32_t seed = *(const uint32_t *)item;
    if (seed % 100 == 0)
        return tree_run(pool, result, seed, 3);
    *(uint32_t *)result = serial(seed, 3);
    return 0;
}

static void check_map(uint32_t seed) {
    uint32_t items[ITEMS], results[ITEMS];
    for (uint32_t i = 0; i < ITEMS; i++)
        items[i] = seed + i;
    assert_int_equal(thrum_map(pool, tree_of, items, ITEMS, sizeof items[0], results,
                               sizeof results[0], NULL), 0);
    for (uint32_t i = 0; i < ITEMS; i++)
        assert_int_equal(results[i], serial(items[i], 3));
}

static void *call(void *arg) {
    while (thrum_now().ns < end.ns) {
        uint32_t seed = spec_random(1 << 20), sum = 0;
        plain root = {seed, DEPTH, 0};
        void *result;
        assert_int_equal(tree_run(pool, &sum, seed, DEPTH), 0);
        assert_int_equal(sum, serial(seed, DEPTH));
        assert_int_equal(thrum_fork_join(pool, plain_tree, &root, &result), 0);
        assert_ptr_equal(result, &root);
        assert_int_equal(root.sum, sum);
        check_map(seed);
    }
    return arg;
}

static void run_with(int workers) {
    thrum_future *futures[CALLERS];
    spec_team team = {.n = 0};
    end = thrum_in(spec_stress_seconds() / 4);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
    assert_non_null(pool);
    spec_team_start(&team, CALLERS, call, NULL);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(thrum_submit(pool, &futures[i], call, NULL), 0);
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(thrum_future_result(futures[i], NULL), 0);
        thrum_future_free(futures[i]);
    }
    spec_team_join(&team);
    thrum_executor_free(pool);
}

static void test_one_worker(void **state) {
    (void)state;
    run_with(1);
}

static void test_two_workers(void **state) {
    (void)state;
    run_with(2);
}

static void test_four_workers(void **state) {
    (void)state;
    run_with(4);
}

static void test_eight_workers(void **state) {
    (void)state;
    run_with(8);
}

SPEC_TESTS(cmocka_unit_test(test_one_worker), cmocka_unit_test(test_two_workers),
           cmocka_unit_test(test_four_workers), cmocka_unit_test(test_eight_workers));
