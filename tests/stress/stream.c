/* SPDX-License-Identifier: MIT */
/* Streams of random length, look-ahead and order, read by threads and by tasks of the same pool,
 * some left early, some with failures: every item is run once and read once, in its order. */
#include "spec.h"

#include <string.h>

enum { READERS = 3, MOST = 300 };

static thrum_executor *pool;
static thrum_deadline end;

typedef struct numbers {
    uint32_t i, n;
    uint8_t times[MOST]; /* that an item was run */
} numbers;

typedef struct number {
    uint32_t i;
    numbers *of;
} number;

static int next_number(void *arg, void *item) {
    numbers *it = arg;
    if (it->i == it->n)
        return THRUM_STREAM_END;
    *(number *)item = (number){it->i++, it};
    return 0;
}

static int run_number(const void *item, void *result) {
    const number *it = item;
    __atomic_fetch_add(&it->of->times[it->i], 1, __ATOMIC_RELAXED);
    for (volatile uint32_t i = 0; i < it->i % 16 * 50; i++)
        continue;
    if (it->i % 32 == 7)
        spec_yield();
    *(uint32_t *)result = it->i * 3;
    return it->i % 20 == 11 ? -EIO : 0;
}

/* Reads `most` results. */
static void read_some(thrum_stream *s, numbers *it, bool in_order, bool stops, uint32_t most) {
    bool seen[MOST] = {false};
    const uint32_t n = it->n;
    for (uint32_t i = 0; i < most; i++) {
        uint32_t result = 0;
        int rc = thrum_stream_next(s, &result);
        uint32_t index = (uint32_t)thrum_stream_index(s);
        assert_true(index < n && !seen[index] && (!in_order || index == i));
        seen[index] = true;
        assert_int_equal(rc, index % 20 == 11 ? -EIO : 0);
        assert_int_equal(result, rc == 0 ? index * 3 : 0);
        assert_int_equal(__atomic_load_n(&it->times[index], __ATOMIC_RELAXED), 1);
        if (rc != 0 && stops)
            most = it->n = i + 1;
    }
    if (most == it->n)
        assert_int_equal(thrum_stream_next(s, NULL), THRUM_STREAM_END);
}

static void *read_streams(void *arg) {
    while (thrum_now().ns < end.ns) {
        numbers it = {.n = spec_random(MOST)};
        thrum_stream_opts opts = {.buffersize = spec_random(2) ? spec_random(40) : 0,
                                  .unordered = spec_random(2), .stop_on_error = spec_random(2)};
        thrum_stream *s = thrum_stream_new(pool, next_number, &it, run_number, sizeof(number),
                                           sizeof(uint32_t), &opts);
        assert_non_null(s);
        read_some(s, &it, !opts.unordered, opts.stop_on_error,
                  spec_random(4) ? it.n : spec_random(it.n + 1));
        thrum_stream_free(s);
        for (uint32_t i = 0; i < MOST; i++)
            assert_true(it.times[i] <= 1);
    }
    return arg;
}

static int reports; /* relaxed */

static void note_report(const thrum_failure *failure, void *arg) {
    (void)arg;
    assert_int_equal(failure->code, -EIO);
    __atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
}

static void run_with(int workers) {
    thrum_future *futures[READERS];
    spec_team team = {.n = 0};
    end = thrum_in(spec_stress_seconds() / 3);
    thrum_set_excepthook(note_report, NULL);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
    assert_non_null(pool);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(thrum_submit(pool, &futures[i], read_streams, NULL), 0);
    spec_team_start(&team, READERS, read_streams, NULL);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(thrum_future_result(futures[i], NULL), 0);
        thrum_future_free(futures[i]);
    }
    spec_team_join(&team);
    thrum_executor_free(pool);
    thrum_set_excepthook(NULL, NULL);
}

static void test_one_worker(void **state) {
    (void)state;
    run_with(1);
}

static void test_two_workers(void **state) {
    (void)state;
    run_with(2);
}

static void test_eight_workers(void **state) {
    (void)state;
    run_with(8);
}

SPEC_TESTS(cmocka_unit_test(test_one_worker), cmocka_unit_test(test_two_workers),
           cmocka_unit_test(test_eight_workers));
