/* SPDX-License-Identifier: MIT */
/* How streams on a pool of processes end: freed, shut down, forked, used where they cannot be. */
#include "process_stream.h"
#include "spec.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <thrum/event.h>

/* Freed in the middle: no worker is killed for that. */
static void test_freed_in_the_middle(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1);
    thrum_stream *s = thrum_stream_new(pool, endless, NULL, process_of, 0, sizeof(int), NULL);
    assert_non_null(s);
    int before, after;
    assert_int_equal(thrum_stream_next(s, &before), 0);
    thrum_stream_free(s);
    s = thrum_stream_new(pool, endless, NULL, process_of, 0, sizeof(int),
                         &(thrum_stream_opts){.buffersize = 60, .unordered = true});
    assert_non_null(s);
    thrum_stream_free(s);
    s = thrum_stream_new(pool, endless, NULL, process_of, 0, sizeof(int), NULL);
    assert_int_equal(thrum_stream_next(s, &after), 0);
    assert_int_equal(before, after);
    thrum_stream_free(s);
    thrum_stream_free(NULL);
    still_works(pool);
}

/* What was read before is there; what was not started is cancelled. */
static void test_shutdown(void **state) {
    (void)state;
    thrum_executor *pool = pool_of(1);
    counter it = {0, 1000, THRUM_STREAM_END};
    thrum_stream *s = stream_of(pool, &it, square, &(thrum_stream_opts){.buffersize = 500});
    int result, rc, n = 0, cancelled = 0;
    assert_int_equal(thrum_stream_next(s, &result), 0);
    assert_int_equal(thrum_executor_shutdown(pool, true, true), 0);
    while ((rc = thrum_stream_next(s, &result)) == 0 || rc == -ECANCELED) {
        n++;
        cancelled += rc != 0;
        assert_true(rc == 0 ? result == n * n : true);
    }
    assert_int_equal(rc, -ESHUTDOWN);
    assert_true(n >= 499 && n <= 500);
    assert_true(cancelled <= n);
    assert_end(s);
    errno = 0;
    assert_null(thrum_stream_new(pool, count, &it, square, sizeof(int), sizeof(int), NULL));
    assert_int_equal(errno, ESHUTDOWN);
    thrum_executor_free(pool);
}

static thrum_executor *own;
static thrum_stream *ours;
static thrum_event called;
static int refusals, gate[2];

static void use_a_stream(thrum_future *future, void *arg) {
    int result;
    (void)future;
    refusals += thrum_stream_new(own, endless, NULL, process_of, 0, sizeof(int), NULL) == NULL &&
                errno == EDEADLK;
    refusals += thrum_stream_next(ours, &result) == -EDEADLK;
    refusals += thrum_stream_next_until(ours, &result, thrum_in(1)) == -EDEADLK;
    if (arg)
        thrum_stream_free(ours);
    thrum_event_set(&called);
}

/* Uses streams in a callback, which runs in the pool's thread. Returns how often that is
 * refused. */
static int in_a_callback(bool frees) {
    thrum_future *f;
    own = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 1, .name_prefix = "p"});
    if (pipe(gate) != 0)
        return 20;
    const held items[] = {{1, gate[0]}, {0, 0}, {-1, 0}}, *at = items;
    if (number_submit(own, &f, 1) != 0)
        return 21;
    ours = thrum_stream_new(own, give_held, &at, as_held, sizeof(held), sizeof(int), NULL);
    if (thrum_future_add_done_callback(f, use_a_stream, frees ? f : NULL) != 0)
        return 22;
    thrum_future_free(f);
    thrum_event_wait(&called);
    if (write(gate[1], "", 1) != 1)
        return 23;
    thrum_stream_free(ours);
    thrum_executor_free(own);
    return refusals;
}

static int only_use(void) { return in_a_callback(false); }
static int free_it(void) { return in_a_callback(true); }

static void test_in_a_callback_of_its_pool(void **state) {
    (void)state;
    static spec_end end;
    spec_needs_own_processes();
    spec_exits(only_use, 3, &end);
    assert_int_equal(spec_count_text(end.text, "-EDEADLK"), 3);
    spec_child(free_it, &end);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGABRT);
    assert_int_equal(spec_count_text(end.text, "thrum_stream_free: "), 1);
}

/* What was not done before the fork is cancelled; the parent's goes on. Returns how many were. */
static int read_in_a_child(void) {
    int n = 0, result, rc;
    while ((rc = thrum_stream_next(ours, &result)) == -ECANCELED)
        n++;
    if (rc == -EPIPE && n == 4)
        rc = thrum_stream_next(ours, &result);
    if (rc != THRUM_STREAM_END)
        return 20;
    thrum_stream_free(ours);
    return n;
}

static void test_after_a_fork(void **state) {
    (void)state;
    static spec_end end;
    for (int how = 0; how < 4; how++) {
        thrum_executor *pool = pool_of(1);
        assert_int_equal(pipe(gate), 0);
        const held items[] = {{1, gate[0]}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {-1, 0}}, *at = items;
        ours = thrum_stream_new(pool, give_held, &at, as_held, sizeof(held), sizeof(int),
                                &(thrum_stream_opts){.buffersize = 4, .unordered = how & 1,
                                                     .stop_on_error = how & 2});
        assert_non_null(ours);
        spec_exits(read_in_a_child, how & 2 ? 1 : 4, &end); /* stop_on_error: one is enough */
        assert_int_equal(write(gate[1], "", 1), 1);
        for (int i = 0, result; i < 5; i++)
            assert_int_equal(thrum_stream_next(ours, &result), 0);
        assert_end(ours);
        thrum_executor_free(pool);
        close(gate[0]);
        close(gate[1]);
    }
}

SPEC_TESTS(cmocka_unit_test(test_freed_in_the_middle), cmocka_unit_test(test_shutdown),
           cmocka_unit_test(test_in_a_callback_of_its_pool), cmocka_unit_test(test_after_a_fork));
