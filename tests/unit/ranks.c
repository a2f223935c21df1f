/* SPDX-License-Identifier: MIT */
/* The queue of tasks with a priority against a plain search: order, ties, the oldest, removal from
 * anywhere. */
#include "spec.h"

#include <string.h>

#include "exec/ranks.h"

enum { RANKS = 200, STEPS = 20000, PRIORITIES = 7 };

static thrum__rank all[RANKS];
static thrum__ranks ranks;
static bool in[RANKS];
static int64_t came[RANKS], age[RANKS]; /* put back: of the same coming, but older than all */
static int64_t n_came, n_back;

static int first(bool by_age) {
    int found = -1;
    for (int i = 0; i < RANKS; i++) {
        bool better = found < 0;
        if (in[i] && !better)
            better = by_age ? age[i] < age[found]
                     : all[i].priority == all[found].priority
                         ? came[i] < came[found]
                         : all[i].priority > all[found].priority;
        if (in[i] && better)
            found = i;
    }
    return found;
}

static void put(int i) {
    all[i].priority = (int)spec_random(PRIORITIES) - PRIORITIES / 2;
    thrum__ranks_put(&ranks, &all[i]);
    in[i] = true;
    came[i] = age[i] = ++n_came;
}

static void put_back(int i) {
    thrum__ranks_put_back(&ranks, &all[i]);
    in[i] = true;
    age[i] = -++n_back;
}

/* Takes in one of the ways, and returns what should have come; *taken: what came. */
static int take(thrum__rank **taken) {
    int expected = first(false), i = (int)spec_random(RANKS);
    switch (spec_random(4)) {
    case 0:
        *taken = thrum__ranks_take(&ranks, INT64_MIN);
        return expected;
    case 1:
        assert_int_equal(thrum__ranks_above(&ranks, 0),
                         expected >= 0 && all[expected].priority > 0);
        *taken = thrum__ranks_take(&ranks, 0);
        return expected >= 0 && all[expected].priority > 0 ? expected : -1;
    case 2:
        *taken = thrum__ranks_take_oldest(&ranks);
        return first(true);
    default:
        assert_int_equal(thrum__ranks_take_this(&ranks, &all[i], false), i == expected);
        if (i == expected)
            in[i] = false;
        *taken = thrum__ranks_take_this(&ranks, &all[i], true) ? &all[i] : NULL;
        return in[i] ? i : -1;
    }
}

static void test_against_a_plain_search(void **state) {
    (void)state;
    uint32_t n = 0;
    for (int step = 0; step < STEPS; step++) {
        int i = (int)spec_random(RANKS);
        if (spec_random(STEPS) < (uint32_t)(step % 5000) * 3 && !in[i]) {
            put(i);
        } else {
            thrum__rank *taken;
            int expected = take(&taken);
            assert_ptr_equal(taken, expected < 0 ? NULL : &all[expected]);
            if (expected >= 0)
                in[expected] = false;
            if (expected >= 0 && spec_random(4) == 0)
                put_back(expected);
        }
        n = 0;
        for (int j = 0; j < RANKS; j++)
            n += in[j];
        assert_int_equal(ranks.n, n);
        assert_int_equal(thrum__ranks_visible(&ranks), n > 0);
    }
    for (; n > 0; n--) {
        int expected = first(false);
        assert_ptr_equal(thrum__ranks_take(&ranks, INT64_MIN), &all[expected]);
        in[expected] = false;
    }
    assert_null(thrum__ranks_take(&ranks, INT64_MIN));
    assert_null(thrum__ranks_take_oldest(&ranks));
}

SPEC_TESTS(cmocka_unit_test(test_against_a_plain_search));
