/* SPDX-License-Identifier: MIT */
/* Maps that end early: at a failure, and in the child of a fork. */
#include "spec.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 1000, HALF = N / 2 };

static thrum_executor *pool;
static int in[N], codes[N];
static int ran; /* relaxed */
static thrum_event reached, go;

static void make_pool(void) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    assert_non_null(pool);
    for (int i = 0; i < N; i++)
        in[i] = i;
    memset(codes, 1, sizeof codes);
    ran = 0;
    thrum_event_clear(&reached);
    thrum_event_clear(&go);
}

static int begun; /* of the two chunks; relaxed */

static void begin_with_the_other(void) {
    __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&begun, __ATOMIC_RELAXED) < 2)
        spec_yield();
}

/* Each of two strands has half of the items in hand. The first item fails once the other half has
 * begun; that goes on when the first strand has nothing to do any more and waits. */
static int fail_beside_a_chunk(const void *item, void *result) {
    int i = *(const int *)item;
    (void)result;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    if (i == 0 || i == HALF)
        begin_with_the_other();
    if (i == HALF)
        spec_until_strands_waiting(1);
    return i == 0 ? -EIO : 0;
}

static void test_stop_on_error_stops_at_the_next_item(void **state) {
    (void)state;
    make_pool();
    thrum_map_opts opts = {.chunk = HALF, .codes = codes, .stop_on_error = true};
    begun = 0;
    int rc = thrum_map(pool, fail_beside_a_chunk, in, N, sizeof in[0], NULL, 0, &opts);
    assert_int_equal(rc, -EIO);
    assert_int_equal(ran, 2);
    for (int i = 0; i < N; i++)
        assert_int_equal(codes[i], i == 0 ? -EIO : i == HALF ? 0 : -ECANCELED);
    thrum_executor_free(pool);
}

static thrum_deadline end_of_map;
static int third_begun; /* relaxed */
static bool both_ran;   /* the first and the third item, when the deadline came */

/* The caller has items 0 and 1 in hand, a worker 2: that ends after the deadline, which the worker
 * notices before it looks for other work. */
static int outlast_the_deadline(const void *item, void *result) {
    int i = *(const int *)item;
    thrum_executor_stats stats = {.idle = 0};
    (void)result;
    if (i == 2)
        __atomic_store_n(&third_begun, 1, __ATOMIC_RELAXED);
    while (i != 1 && thrum_now().ns <= end_of_map.ns)
        spec_yield();
    if (i != 0 || !__atomic_load_n(&third_begun, __ATOMIC_RELAXED))
        return 0;
    both_ran = true;
    while (stats.idle == 0) {
        spec_yield();
        thrum_executor_get_stats(pool, &stats);
    }
    return 0;
}

static void test_a_deadline_stops_at_the_next_item(void **state) {
    (void)state;
    make_pool();
    third_begun = 0;
    both_ran = false;
    end_of_map = thrum_in(0.1);
    thrum_map_opts opts = {.chunk = 2, .codes = codes, .deadline = end_of_map};
    int rc = thrum_map(pool, outlast_the_deadline, in, 3, sizeof in[0], NULL, 0, &opts);
    assert_true(rc == -ETIMEDOUT || (rc == 0 && !both_ran));
    assert_true(!both_ran || (codes[0] == 0 && codes[1] == -ECANCELED && codes[2] == 0));
    thrum_executor_free(pool);
}

/* The caller's first item forks while a worker is in the first of the other half. */
static int fork_beside_a_chunk(const void *item, void *result) {
    int i = *(const int *)item;
    (void)result;
    if (i == HALF) {
        thrum_event_set(&reached);
        thrum_event_wait(&go);
    }
    if (i == 0) {
        thrum_event_wait(&reached);
        if (fork() == 0)
            in[0] = -1;
        else
            thrum_event_set(&go);
    }
    return 0;
}

static int check_child(int rc) {
    if (rc != -ECANCELED)
        return 1;
    for (int i = 0; i < N; i++)
        if (codes[i] != (i < HALF ? 0 : -ECANCELED))
            return 2;
    return thrum_map(pool, fork_beside_a_chunk, in, 1, 0, NULL, 0, NULL) == -EPIPE ? 0 : 3;
}

static int map_with_a_fork(void) {
    make_pool();
    thrum_map_opts opts = {.chunk = HALF, .codes = codes};
    int rc = thrum_map(pool, fork_beside_a_chunk, in, N, sizeof in[0], NULL, 0, &opts);
    if (in[0] == -1)
        _exit(check_child(rc));
    int status = 0;
    wait(&status);
    thrum_executor_free(pool);
    return rc != 0 || status != 0;
}

static void test_a_child_forked_in_an_item_ends_the_map(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    static spec_end end;
    spec_exits(map_with_a_fork, 0, &end);
}

static int fork_alone(const void *item, void *result) {
    (void)result;
    if (*(const int *)item == 0 && fork() == 0)
        in[0] = -1;
    return 0;
}

static int map_alone_with_a_fork(void) {
    thrum_map_opts opts = {.codes = codes};
    make_pool();
    thrum_executor_free(pool);
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    int rc = thrum_map(pool, fork_alone, in, N, sizeof in[0], NULL, 0, &opts);
    for (int i = 0; i < N; i++)
        rc = rc != 0 ? rc : codes[i];
    if (in[0] == -1)
        _exit(rc == 0 ? 0 : 1);
    int status = 0;
    wait(&status);
    thrum_executor_free(pool);
    return rc != 0 || status != 0;
}

static void test_a_child_runs_what_nobody_had_taken(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    static spec_end end;
    spec_exits(map_alone_with_a_fork, 0, &end);
}

static int *in_child; /* shared: items that were run in the child */
static pid_t parent, child;

/* The caller waits in its first item until the worker has forked in the first of its half. */
static int fork_in_a_worker(const void *item, void *result) {
    int i = *(const int *)item;
    (void)result;
    if (getpid() != parent)
        __atomic_fetch_add(in_child, 1, __ATOMIC_RELAXED);
    if (i == HALF) {
        child = fork();
        if (child != 0)
            thrum_event_set(&reached);
    }
    if (i == 0)
        thrum_event_wait(&reached);
    return 0;
}

static int map_with_a_fork_in_a_worker(void) {
    make_pool();
    parent = getpid();
    thrum_map_opts opts = {.chunk = HALF};
    int rc = thrum_map(pool, fork_in_a_worker, in, N, sizeof in[0], NULL, 0, &opts);
    int status = 0;
    waitpid(child, &status, 0);
    thrum_executor_free(pool);
    return rc != 0 || *in_child != 0;
}

static void test_a_worker_in_a_child_runs_no_more_items(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    spec_skip_under_tsan("does not follow a fork from a thread");
    static spec_end end;
    in_child = mmap(NULL, sizeof *in_child, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    assert_true(in_child != MAP_FAILED);
    spec_exits(map_with_a_fork_in_a_worker, 0, &end);
    munmap(in_child, sizeof *in_child);
}

SPEC_TESTS(cmocka_unit_test(test_stop_on_error_stops_at_the_next_item),
           cmocka_unit_test(test_a_deadline_stops_at_the_next_item),
           cmocka_unit_test(test_a_child_forked_in_an_item_ends_the_map),
           cmocka_unit_test(test_a_child_runs_what_nobody_had_taken),
           cmocka_unit_test(test_a_worker_in_a_child_runs_no_more_items));
