/* SPDX-License-Identifier: MIT */
/* Who hears of a missed deadline, and the end of the pool of processes. */
#include "held_process.h"
#include "heard.h"

THRUM_TASK(int, run) { return 1; }

/* Returns false if the deadline had come before all was prepared. */
static bool shut_down_while_it_is_heard(bool hook, double limit) {
    prepare_to_hear();
    held_pool(&(thrum_executor_opts){0});
    hold_worker();
    thrum_set_excepthook(shut_down_in_hook, NULL);
    thrum_future *future;
    const thrum_task_opts opts = {.deadline = thrum_in(limit)};
    assert_int_equal(run_submit_with(one.pool, hook ? NULL : &future, &opts), 0);
    if (!hook)
        assert_int_equal(thrum_future_add_done_callback(future, shut_down_in_callback, NULL), 0);
    thrum_event_wait(&heard.seen);
    open_gate();
    if (!heard.missed)
        assert_int_equal(thrum_executor_shutdown_until(one.pool, false, thrum_in(0.2)), -ETIMEDOUT);
    thrum_event_set(&heard.go_on);
    assert_int_equal(thrum_executor_shutdown(one.pool, true, false), 0);
    thrum_executor_stats stats;
    thrum_executor_get_stats(one.pool, &stats);
    assert_int_equal(stats.unread, hook);
    free_pool();
    thrum_set_excepthook(NULL, NULL);
    return !heard.missed;
}

/* One hears of it by the callback, the other by the excepthook. */
static void test_a_shutdown_waits_until_all_have_heard_of_it(void **state) {
    (void)state;
    for (int hook = 0; hook < 2; hook++)
        for (double limit = 0.001; !shut_down_while_it_is_heard(hook, limit); limit *= 2)
            continue;
}

SPEC_TESTS(cmocka_unit_test(test_a_shutdown_waits_until_all_have_heard_of_it));
