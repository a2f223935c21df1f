/* SPDX-License-Identifier: MIT */
/* Streams on pools of processes in a test. */
#ifndef THRUM_TESTS_PROCESS_STREAM_H
#define THRUM_TESTS_PROCESS_STREAM_H

#include <thrum/stream.h>
#include <unistd.h>

#include "process_pool.h"

static inline thrum_executor *pool_with(int n, thrum_executor_opts more) {
    spec_needs_own_processes();
    more.backend = thrum_processes;
    more.max_workers = n;
    more.name_prefix = "S";
    thrum_executor *pool = thrum_executor_new(&more);
    assert_non_null(pool);
    return pool;
}

static inline thrum_executor *pool_of(int n) { return pool_with(n, (thrum_executor_opts){0}); }

/* Gives 0, 1, ... below n, and then `code`. */
typedef struct counter {
    int i, n, code;
} counter;

static inline int count(void *arg, void *item) {
    counter *it = arg;
    if (it->i == it->n)
        return it->code;
    *(int *)item = it->i++;
    return 0;
}

static inline int square(const void *item, void *result) {
    int i = *(const int *)item;
    *(int *)result = i * i;
    return 0;
}

static inline thrum_stream *stream_of(thrum_executor *pool, counter *it,
                                      int (*fn)(const void *, void *),
                                      const thrum_stream_opts *opts) {
    thrum_stream *s = thrum_stream_new(pool, count, it, fn, sizeof(int), sizeof(int), opts);
    assert_non_null(s);
    return s;
}

static inline void assert_end(thrum_stream *s) {
    int result = -1;
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrum_stream_next(s, &result), THRUM_STREAM_END);
    assert_int_equal(result, -1);
    assert_null(thrum_stream_error(s));
    thrum_stream_free(s);
}

static inline int process_of(const void *item, void *result) {
    (void)item;
    *(int *)result = (int)getpid();
    return 0;
}

static inline int endless(void *arg, void *item) {
    (void)arg;
    (void)item;
    return 0;
}

typedef struct held {
    int how, fd; /* how: 1 waits for a byte of fd, 2 fails */
} held;

static inline int give_held(void *arg, void *item) {
    held **at = arg;
    if ((*at)->how < 0)
        return THRUM_STREAM_END;
    *(held *)item = *(*at)++;
    return 0;
}

static inline int as_held(const void *item, void *result) {
    const held *it = item;
    char byte;
    while (it->how == 1 && read(it->fd, &byte, 1) < 0)
        continue;
    *(int *)result = it->how;
    return it->how == 2 ? -EDOM : 0;
}

#endif
