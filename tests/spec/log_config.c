/* SPDX-License-Identifier: MIT */
/* The configuration of the log is replaced while foreign threads log. */
#include "spec.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOGGERS = 4, ROUNDS = 200 };

static struct {
    uint32_t stop;
    uint64_t logged;
} s;

static void *log_until_stop(void *arg) {
    while (!__atomic_load_n(&s.stop, __ATOMIC_RELAXED)) {
        thrum_info("%s", "x");
        __atomic_fetch_add(&s.logged, 1, __ATOMIC_RELAXED);
    }
    return arg;
}

static off_t size_of(int fd) {
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return status.st_size;
}

/* Returns how many lines `fd` has; all must be `line`. */
static uint64_t count_lines(int fd, const char *line) {
    off_t size = size_of(fd), n = (off_t)strlen(line);
    const char *text = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(text != MAP_FAILED && size % n == 0);
    for (off_t at = 0; at < size; at += n)
        assert_memory_equal(text + at, line, n);
    munmap((void *)(uintptr_t)text, (size_t)size);
    return (uint64_t)(size / n);
}

/* Sends the log to one file and the other in turn: the one it has left grows no more. */
static void *alternate(void *files) {
    static const char *const formats[] = {"first %(message)s", "2 %(asctime)s%(message)s"};
    off_t left[2] = {0, 0};
    for (int round = 0; round < ROUNDS; round++) {
        int now = !(round % 2), fd = ((int *)files)[now], other = ((int *)files)[!now];
        assert_int_equal(size_of(fd), left[now]);
        assert_int_equal(thrum_log_config(&(thrum_log_opts){
                             .format = formats[now], .datefmt = "t", .fd = fd, .level = 1}),
                         0);
        left[!now] = size_of(other);
        while (size_of(fd) == left[now])
            sched_yield();
    }
    return NULL;
}

static void a_replaced_configuration_writes_no_more(void **state) {
    int files[] = {memfd_create("first", 0), memfd_create("second", 0)};
    pthread_t loggers[LOGGERS], replacer;
    (void)state;
    assert_int_equal(thrum_log_config(&(thrum_log_opts){
                         .format = "first %(message)s", .fd = files[0], .level = THRUM_INFO}),
                     0);
    for (int i = 0; i < LOGGERS; i++)
        assert_int_equal(pthread_create(&loggers[i], NULL, log_until_stop, NULL), 0);
    assert_int_equal(pthread_create(&replacer, NULL, alternate, files), 0);
    assert_int_equal(pthread_join(replacer, NULL), 0);
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < LOGGERS; i++)
        assert_int_equal(pthread_join(loggers[i], NULL), 0);
    assert_int_equal(thrum_log_config(NULL), 0);
    uint64_t lines = count_lines(files[0], "first x\n") + count_lines(files[1], "2 tx\n");
    assert_int_equal(lines, s.logged);
    close(files[0]);
    close(files[1]);
}

SPEC_TESTS(cmocka_unit_test(a_replaced_configuration_writes_no_more));
