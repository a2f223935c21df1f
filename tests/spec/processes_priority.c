/* SPDX-License-Identifier: MIT */
/* Tasks with a priority in processes: of what no worker has the order is as on threads. */
#include "held_process.h"
#include "sanitizers.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <thrum/bytes.h>
#include <thrum/map.h>
#include <thrum/stream.h>

enum { TASKS = 9, CROWD = 200 };

static int turns; /* of a worker */

/* Returns how many came before it. */
THRUM_TASK(int, turn) { return turns++; }

static int turn_of_bytes(const void *arg, void *result) {
    (void)arg;
    *(int *)result = turns++;
    return 0;
}

static thrum_future *submit(int priority) {
    thrum_future *f = NULL;
    assert_int_equal(turn_submit_with(one.pool, &f, &(thrum_task_opts){.priority = priority}), 0);
    assert_non_null(f);
    return f;
}

static int turn_taken(thrum_future *future) {
    int value = -1;
    assert_int_equal(turn_result(future, &value), 0);
    thrum_future_free(future);
    return value;
}

static const int priorities[TASKS] = {0, INT32_MIN, 5, 0, 5, INT32_MAX, -1, -1, 1};
static const int expected[TASKS] = {4, 8, 1, 5, 2, 0, 6, 7, 3};

static void test_the_highest_priority_first_and_equals_in_order(void **state) {
    (void)state;
    thrum_future *futures[TASKS];
    held_pool(&(thrum_executor_opts){0});
    hold_worker();
    for (int i = 0; i < TASKS; i++)
        futures[i] = submit(priorities[i]);
    assert_int_equal(queued(), TASKS);
    open_gate();
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(turn_taken(futures[i]), expected[i]);
    free_pool();
}

static void test_bytes_have_one_too(void **state) {
    (void)state;
    thrum_future *futures[TASKS];
    held_pool(&(thrum_executor_opts){0});
    hold_worker();
    for (int i = 0; i < TASKS; i++) {
        const thrum_task_opts opts = {.priority = priorities[i]};
        assert_int_equal(thrum_submit_bytes(one.pool, &futures[i], turn_of_bytes, NULL, 0,
                                            sizeof(int), i == 3 ? NULL : &opts), 0);
    }
    open_gate();
    for (int i = 0; i < TASKS; i++) {
        const void *result;
        assert_int_equal(thrum_bytes_result(futures[i], &result), 0);
        assert_int_equal(*(const int *)result, expected[i]);
        thrum_future_free(futures[i]);
    }
    free_pool();
}

static void test_none_starves(void **state) {
    (void)state;
    static const int busy[] = {1, 0, 2}, other[] = {0, -1, 1};
    thrum_future *crowd[CROWD];
    for (int i = 0; i < 3; i++) {
        held_pool(&(thrum_executor_opts){0});
        hold_worker();
        thrum_future *waits = submit(other[i]);
        for (int k = 0; k < CROWD; k++)
            crowd[k] = submit(busy[i]);
        open_gate();
        assert_in_range(turn_taken(waits), 1, 62);
        for (int k = 0; k < CROWD; k++)
            assert_in_range(turn_taken(crowd[k]), k, k + 1);
        free_pool();
    }
}

static void test_cancel(void **state) {
    (void)state;
    thrum_future *futures[4], *late;
    const thrum_task_opts high = {.priority = 1};
    held_pool(&(thrum_executor_opts){.queue_limit = 4, .overflow = THRUM_OVERFLOW_REFUSE});
    hold_worker();
    for (int i = 0; i < 4; i++)
        futures[i] = submit(i - 1);
    assert_int_equal(turn_submit_with(one.pool, &late, &high), -EAGAIN);
    for (int i = 0; i < 4; i += 3) {
        assert_true(thrum_future_cancel(futures[i]));
        assert_true(thrum_future_cancel(futures[i]));
        assert_int_equal(code_of(futures[i]), -ECANCELED);
    }
    assert_int_equal(queued(), 2);
    late = submit(1); /* there is room again */
    futures[0] = submit(1);
    assert_int_equal(turn_submit(one.pool, NULL), -EAGAIN);
    open_gate();
    assert_int_equal(turn_taken(futures[2]), 0);
    assert_int_equal(turn_taken(late), 1);
    assert_int_equal(turn_taken(futures[0]), 2);
    assert_int_equal(turn_taken(futures[1]), 3);
    free_pool();
}

/* Those that ended in the queue do not stay there. */
static void test_many_cancels(void **state) {
    enum { N = 5000 };
    (void)state;
    thrum_executor_stats stats;
    held_pool(&(thrum_executor_opts){.queue_limit = 3});
    hold_worker();
    for (int i = 0; i < N; i++) {
        thrum_future *future = submit(i % 3 - 1);
        assert_true(thrum_future_cancel(future));
        thrum_future_free(future);
    }
    do { /* the held worker takes none of them */
        spec_yield();
        thrum_executor_get_stats(one.pool, &stats);
    } while (stats.completed < N);
    assert_int_equal(stats.queued, 0);
    open_gate();
    free_pool();
}

static void test_shutdown_cancels_them_too(void **state) {
    (void)state;
    thrum_future *futures[3];
    held_pool(&(thrum_executor_opts){0});
    hold_worker();
    for (int i = 0; i < 3; i++)
        futures[i] = submit(1 - i);
    assert_int_equal(thrum_executor_shutdown(one.pool, false, true), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(code_of(futures[i]), -ECANCELED);
    open_gate();
    assert_int_equal(turn_submit_with(one.pool, NULL, &(thrum_task_opts){.priority = 1}),
                     -ESHUTDOWN);
    free_pool();
}

static int fail_to_begin(void *arg) {
    (void)arg;
    return -EIO;
}

static void test_a_broken_pool_fails_them_too(void **state) {
    (void)state;
    thrum_future *future;
    held_pool(&(thrum_executor_opts){.initializer = fail_to_begin});
    assert_int_equal(turn_submit_with(one.pool, &future,
                                      &(thrum_task_opts){.priority = 1, .name = "high"}), 0);
    assert_int_equal(thrum_future_result(future, NULL), -EIO);
    assert_string_equal(thrum_future_error(future)->task, "high");
    thrum_future_free(future);
    free_pool();
}

/* Its worker dies: the task that it had begun is tried again, the one that it had not begun was
 * never tried. Both stand before their equals. */
static void test_who_is_put_back_keeps_its_place(void **state) {
    (void)state;
    thrum_future *futures[3];
    for (int priority = 0; priority < 2; priority++) {
        int process;
        held_pool(&(thrum_executor_opts){.backend_opts = &(thrum_processes_opts){.retries = 1}});
        assert_int_equal(hold_submit(one.pool, &one.held[0], one.gate), 0);
        while ((process = __atomic_load_n(&one.gate->process, __ATOMIC_RELAXED)) == 0)
            spec_yield();
        futures[0] = submit(priority);
        wait_until_sent(futures[0]);
        futures[1] = submit(priority);
        futures[2] = submit(2);
        assert_int_equal(kill(process, SIGKILL), 0);
        assert_int_equal(turn_taken(futures[2]), 0); /* by the next worker */
        open_gate();
        assert_int_equal(turn_taken(futures[0]), 1);
        assert_int_equal(turn_taken(futures[1]), 2);
        free_pool();
    }
}

static void test_with_few_tasks_per_child(void **state) {
    (void)state;
    enum { N = 20 };
    thrum_future *futures[N];
    held_pool(&(thrum_executor_opts){
        .backend_opts = &(thrum_processes_opts){.max_tasks_per_child = 3}});
    hold_worker();
    for (int i = 0; i < N; i++)
        futures[i] = submit(i);
    open_gate();
    for (int i = 0; i < N; i++)
        assert_in_range(turn_taken(futures[i]), 0, 2);
    free_pool();
}

static int square(const void *item, void *result) {
    *(int *)result = *(const int *)item * *(const int *)item;
    return 0;
}

static void test_a_map_beside_them(void **state) {
    (void)state;
    enum { N = 300 };
    thrum_future *futures[CROWD];
    int items[N], results[N];
    held_pool(&(thrum_executor_opts){0});
    for (int i = 0; i < CROWD; i++)
        futures[i] = submit(i % 7 - 3);
    for (int i = 0; i < N; i++)
        items[i] = i;
    assert_int_equal(thrum_map(one.pool, square, items, N, sizeof *items, results, sizeof *results,
                               NULL), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(results[i], i * i);
    for (int i = 0; i < CROWD; i++)
        assert_in_range(turn_taken(futures[i]), 0, CROWD - 1);
    free_pool();
}

static int give_one(void *arg, void *item) {
    *(int *)item = ++*(int *)arg;
    return 0;
}

/* What a map or a stream takes back that was not sent leaves the queue. */
static void test_what_is_taken_back(void **state) {
    (void)state;
    enum { N = 300 };
    int items[N] = {0}, results[N], i = 0;
    held_pool(&(thrum_executor_opts){.queue_limit = 100});
    hold_worker();
    assert_int_equal(thrum_map(one.pool, square, items, N, sizeof *items, results, sizeof *results,
                               &(thrum_map_opts){.deadline = thrum_in(0.001)}), -ETIMEDOUT);
    assert_int_equal(queued(), 0);
    thrum_stream *stream =
        thrum_stream_new(one.pool, give_one, &i, square, sizeof(int), sizeof(int), NULL);
    assert_non_null(stream);
    assert_int_equal(thrum_stream_next_until(stream, results, thrum_in(0.001)), -ETIMEDOUT);
    assert_in_range(queued(), 1, 100);
    thrum_stream_free(stream);
    assert_int_equal(queued(), 0);
    open_gate();
    free_pool();
}

static void *submit_and_wait(void *arg) {
    for (int i = 0; i < CROWD; i++) {
        thrum_future *future = submit(i % 3 - 1);
        if (i % 2)
            assert_int_equal(thrum_wait(&future, 1, THRUM_ALL_COMPLETED, THRUM_NEVER), 0);
        (void)turn_taken(future);
    }
    return arg;
}

/* One submits while another moves the tasks. */
static void test_several_submit(void **state) {
    (void)state;
    enum { N = 4 };
    thrum_thread *threads[N];
    held_pool(&(thrum_executor_opts){0});
    for (int i = 0; i < N; i++)
        assert_int_equal(thrum_thread_start(&threads[i], submit_and_wait, NULL, NULL), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(thrum_thread_join(threads[i], NULL), 0);
        thrum_thread_free(threads[i]);
    }
    free_pool();
}

/* Whatever comes between, equals never pass each other. */
static void test_a_hundred_thousand(void **state) {
    (void)state;
    enum { N = 100000, KINDS = 1000 };
    held_pool(&(thrum_executor_opts){0});
    thrum_future **futures = malloc(N * sizeof *futures);
    short *kinds = malloc(N * sizeof *kinds);
    int last[KINDS];
    memset(last, -1, sizeof last);
    hold_worker();
    for (int i = 0; i < N; i++) {
        kinds[i] = (short)spec_random(KINDS);
        futures[i] = submit(kinds[i] - KINDS / 2);
    }
    assert_int_equal(queued(), N);
    open_gate();
    for (int i = 0; i < N; i++) {
        int at = turn_taken(futures[i]);
        assert_true(at > last[kinds[i]] && at < N);
        last[kinds[i]] = at;
    }
    free_pool();
    free(futures);
    free(kinds);
}

static spec_end end;

static int refuse(void) {
    thrum_task_opts opts = {.reserved = {0, &end}};
    thrum_future *future = NULL;
    held_pool(&(thrum_executor_opts){0});
    if (turn_submit_with(one.pool, &future, &opts) != -EINVAL || future)
        return 1;
    if (thrum_submit_bytes(one.pool, &future, turn_of_bytes, NULL, 0, sizeof(int), &opts) !=
            -EINVAL || future)
        return 2;
    thrum_executor_free(one.pool);
    return 0;
}

static void test_bad_options(void **state) {
    (void)state;
    spec_needs_own_processes();
    spec_exits(refuse, 0, &end);
    assert_int_equal(spec_count_text(end.text, "a reserved option is not zero\n"), 2);
}

static thrum_future *of_parent[2];

static int forked(void) {
    for (int i = 0; i < 2; i++) {
        bool cancelled = i == 0 ? thrum_future_cancel(of_parent[i])
                                : thrum_future_result(of_parent[i], NULL) == -ECANCELED;
        if (!cancelled)
            return 1;
        thrum_future_free(of_parent[i]);
    }
    return 0;
}

static void test_a_fork_leaves_them_to_the_parent(void **state) {
    (void)state;
    held_pool(&(thrum_executor_opts){0});
    hold_worker();
    for (int i = 0; i < 2; i++)
        assert_int_equal(turn_submit_with(one.pool, &of_parent[i],
                                          &(thrum_task_opts){.priority = i,
                                                             .deadline = thrum_in(100000)}), 0);
    spec_exits(forked, 0, &end);
    open_gate();
    assert_int_equal(turn_taken(of_parent[1]), 0);
    assert_int_equal(turn_taken(of_parent[0]), 1);
    free_pool();
}

THRUM_TASK(void, say, (int, fd)) { (void)!write(fd, "x", 1); }

/* What was submitted is done before the program ends. */
static int end_with_tasks(void) {
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = 1});
    for (int i = 0; i < 30; i++) {
        const thrum_task_opts opts = {
            .priority = i % 3 - 1, .deadline = i % 2 ? thrum_in(100000) : (thrum_deadline){0}};
        if (say_submit_with(pool, NULL, STDOUT_FILENO, &opts) != 0)
            return 1;
    }
    return 7;
}

static void test_the_end_of_the_program(void **state) {
    (void)state;
    spec_needs_own_processes();
    if (SPEC_TSAN)
        skip(); /* the pool's thread is not joined: TSan calls that a leak */
    spec_exits(end_with_tasks, 7, &end);
    assert_int_equal(spec_count_text(end.text, "x"), 30);
}

/* Those that fork come first: TSan allows no threads in forks of several. */
SPEC_TESTS(cmocka_unit_test(test_bad_options), cmocka_unit_test(test_the_end_of_the_program),
           cmocka_unit_test(test_a_fork_leaves_them_to_the_parent),
           cmocka_unit_test(test_the_highest_priority_first_and_equals_in_order),
           cmocka_unit_test(test_bytes_have_one_too), cmocka_unit_test(test_none_starves),
           cmocka_unit_test(test_cancel), cmocka_unit_test(test_many_cancels),
           cmocka_unit_test(test_shutdown_cancels_them_too),
           cmocka_unit_test(test_what_is_taken_back),
           cmocka_unit_test(test_a_broken_pool_fails_them_too),
           cmocka_unit_test(test_who_is_put_back_keeps_its_place),
           cmocka_unit_test(test_with_few_tasks_per_child), cmocka_unit_test(test_several_submit),
           cmocka_unit_test(test_a_map_beside_them), cmocka_unit_test(test_a_hundred_thousand));
