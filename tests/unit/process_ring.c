/* SPDX-License-Identifier: MIT */
/* One end of a ring against what the other may have written. */
#include "spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process/ring.h"

static thrum__ring *ring;
static thrum__ring_end puts_, gets_;

static int setup(void **state) {
    (void)state;
    if (posix_memalign((void **)&ring, 64, sizeof *ring) != 0)
        return -1;
    memset(ring, 0, sizeof *ring);
    puts_ = gets_ = (thrum__ring_end){.ring = ring};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(ring);
    return 0;
}

static void test_bytes_come_out_as_they_went_in(void **state) {
    (void)state;
    uint8_t in[997], out[1500];
    size_t sent = 0, got = 0;
    unsigned seed = 1;
    while (got < 1000000) {
        for (size_t i = 0; i < sizeof in; i++)
            in[i] = (uint8_t)((sent + i) * 31);
        int64_t n = thrum__ring_put(&puts_, in, 1 + rand_r(&seed) % sizeof in);
        assert_true(n >= 0);
        sent += (size_t)n;
        if (n > 0 && rand_r(&seed) % 3)
            continue;
        n = thrum__ring_get(&gets_, out, sizeof out);
        assert_true(n >= 0);
        for (int64_t i = 0; i < n; i++, got++)
            assert_int_equal(out[i], (uint8_t)(got * 31));
    }
}

static void test_full_and_empty(void **state) {
    (void)state;
    static uint8_t bytes[THRUM__RING_SIZE + 1];
    assert_false(thrum__ring_ready(&gets_));
    assert_int_equal(thrum__ring_get(&gets_, bytes, 1), 0);
    assert_true(thrum__ring_await(&gets_));
    assert_int_equal(thrum__ring_put(&puts_, bytes, sizeof bytes), THRUM__RING_SIZE);
    assert_true(thrum__ring_awaited(&puts_));
    assert_false(thrum__ring_awaited(&puts_)); /* once */
    assert_false(thrum__ring_await(&gets_));
    assert_false(thrum__ring_awaited(&puts_));
    assert_int_equal(thrum__ring_put(&puts_, bytes, 1), 0);
    assert_true(thrum__ring_await_room(&puts_));
    assert_int_equal(thrum__ring_get(&gets_, bytes, 7), 7);
    assert_true(thrum__ring_room_awaited(&gets_));
    assert_false(thrum__ring_room_awaited(&gets_));
    assert_false(thrum__ring_await_room(&puts_));
    assert_int_equal(thrum__ring_put(&puts_, bytes, 9), 7);
}

static void test_closed(void **state) {
    (void)state;
    uint8_t bytes[8] = {0};
    assert_int_equal(thrum__ring_put(&puts_, bytes, 3), 3);
    thrum__ring_close(&puts_);
    assert_true(thrum__ring_ready(&gets_));
    assert_int_equal(thrum__ring_get(&gets_, bytes, 8), 3);
    assert_false(thrum__ring_await(&gets_));
    assert_int_equal(thrum__ring_get(&gets_, bytes, 8), -ESHUTDOWN);
}

static void test_positions_that_are_none(void **state) {
    (void)state;
    static const uint64_t bad[] = {THRUM__RING_SIZE + 11, 9, 0, UINT64_C(1) << 40,
                                   UINT64_MAX, UINT64_MAX / 2, 9 | THRUM__RING_CLOSED};
    uint8_t bytes[16] = {0};
    assert_int_equal(thrum__ring_put(&puts_, bytes, 10), 10);
    assert_int_equal(thrum__ring_get(&gets_, bytes, 16), 10);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ring->tail = bad[i];
        assert_int_equal(thrum__ring_get(&gets_, bytes, 16), -EPROTO);
    }
    ring->tail = 10;
    assert_int_equal(thrum__ring_get(&gets_, bytes, 16), 0);
    for (uint64_t head = 11; head < UINT64_MAX / 3; head *= 3) {
        static uint8_t many[THRUM__RING_SIZE];
        thrum__ring_end end = puts_;
        ring->head = head;
        assert_int_equal(thrum__ring_put(&end, many, sizeof many), -EPROTO);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_bytes_come_out_as_they_went_in),
                                       TEST(test_full_and_empty), TEST(test_closed),
                                       TEST(test_positions_that_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
