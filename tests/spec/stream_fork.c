/* SPDX-License-Identifier: MIT */
/* Streams in the child of a fork, and misuse. */
#include "spec.h"

#include <sys/wait.h>
#include <unistd.h>

enum { N = 50, WORKERS = 2 };

static thrum_executor *pool;
static thrum_event reached, go;

static void make_pool(int workers) {
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = workers});
    assert_non_null(pool);
}

typedef struct counter {
    int i, n;
} counter;

static int count(void *arg, void *item) {
    counter *it = arg;
    if (it->i == it->n)
        return THRUM_STREAM_END;
    *(int *)item = it->i++;
    return 0;
}

static thrum_stream *stream_of(counter *it, int (*fn)(const void *, void *), size_t ahead,
                               bool unordered) {
    *it = (counter){0, N};
    thrum_stream_opts opts = {.buffersize = ahead, .unordered = unordered};
    thrum_stream *s = thrum_stream_new(pool, count, it, fn, sizeof(int), sizeof(int), &opts);
    assert_non_null(s);
    return s;
}

static int echo(const void *item, void *result) {
    *(int *)result = *(const int *)item;
    return 0;
}

static int hold_or_echo(const void *item, void *result) {
    if (*(const int *)item == 1) {
        thrum_event_set(&reached);
        thrum_event_wait(&go);
    }
    return echo(item, result);
}

/* In the child: the item that another thread runs is cancelled, nothing more is submitted. */
static int read_in_child(thrum_stream *s, int n) {
    int rc, cancelled = 0, done = 0;
    while ((rc = thrum_stream_next(s, NULL)) == 0 || rc == -ECANCELED) {
        cancelled += rc != 0;
        done += rc == 0;
    }
    if (rc != -EPIPE || cancelled < 1 || cancelled + done != n)
        return 1;
    if (thrum_stream_next(s, NULL) != THRUM_STREAM_END)
        return 2;
    thrum_stream_free(s);
    return 0;
}

static int fork_in_the_middle(bool unordered, bool free_only) {
    counter it;
    int status = 1, rc;
    make_pool(WORKERS);
    thrum_event_clear(&reached);
    thrum_event_clear(&go);
    thrum_stream *s = stream_of(&it, hold_or_echo, 6, unordered);
    thrum_event_wait(&reached);
    pid_t pid = fork();
    if (pid == 0 && free_only)
        thrum_stream_free(s);
    if (pid == 0)
        _exit(free_only ? 0 : read_in_child(s, 6));
    waitpid(pid, &status, 0);
    thrum_event_set(&go);
    int n = 0;
    while ((rc = thrum_stream_next(s, NULL)) == 0)
        n++;
    thrum_stream_free(s);
    thrum_executor_free(pool);
    return rc == THRUM_STREAM_END && n == N ? status : 3;
}

/* The reader is the only worker, for nobody helps it: it runs the items itself. */
static int fork_in_third(const void *item, void *result) {
    *(int *)result = *(const int *)item == 3 ? (int)fork() : 1;
    return 0;
}

static void *read_forking(void *unordered) {
    counter it;
    int result, n = 0, forked = 0, rc, status = 0;
    pid_t parent = getpid();
    thrum_stream *s = stream_of(&it, fork_in_third, 6, unordered != NULL);
    while ((rc = thrum_stream_next(s, &result)) == 0 || (getpid() != parent && rc == -ECANCELED)) {
        forked += rc == 0 && result == 0;
        n++;
    }
    thrum_stream_free(s);
    if (getpid() != parent)
        _exit(rc == -EPIPE && forked == 1 && n >= 4 && n < N ? 0 : 1);
    wait(&status);
    return (void *)(intptr_t)(rc == THRUM_STREAM_END && n == N ? status : 1);
}

static int fork_in_items(void) {
    void *status = NULL;
    for (intptr_t i = 0; i < 2; i++) {
        thrum_future *future;
        make_pool(1);
        if (thrum_submit(pool, &future, read_forking, (void *)i) != 0 ||
            thrum_future_result_until(future, thrum_in(1000), &status) != 0 || status)
            return 1;
        thrum_future_free(future);
        thrum_executor_free(pool);
    }
    return 0;
}

static void test_a_fork_in_an_item(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    static spec_end end;
    spec_exits(fork_in_items, 0, &end);
}

static int fork_in_all_ways(void) {
    for (int i = 0; i < 4; i++)
        if (fork_in_the_middle(i & 1, i & 2) != 0)
            return i + 1;
    return 0;
}

static void test_the_child_of_a_fork(void **state) {
    (void)state;
    spec_skip_under_emulation("aborts in a fork of a program with threads");
    spec_needs_os("fork");
    static spec_end end;
    spec_exits(fork_in_all_ways, 0, &end);
}

static thrum_stream *own;

static int free_own(const void *item, void *result) {
    (void)item;
    (void)result;
    thrum_event_wait(&go);
    thrum_stream_free(own);
    return 0;
}

static void free_in_an_item(void) {
    counter it;
    make_pool(1);
    thrum_event_clear(&go);
    own = stream_of(&it, free_own, 2, false);
    thrum_event_set(&go);
    (void)thrum_stream_next(own, NULL);
}

static void test_misuse(void **state) {
    (void)state;
    spec_needs_os("fork");
    spec_dies(free_in_an_item, "thrum_stream_free: item 0 of the stream frees it");
}

SPEC_TESTS(cmocka_unit_test(test_the_child_of_a_fork), cmocka_unit_test(test_a_fork_in_an_item),
           cmocka_unit_test(test_misuse));
