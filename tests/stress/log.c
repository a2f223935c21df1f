/* SPDX-License-Identifier: MIT */
/* Threads log while others replace the configuration and fork: every line stays whole, none is
 * lost, every child can log. */
#include "sanitizers.h"
#include "spec.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOGGERS = 4, LONGEST = 3000, LINE_SIZE = 4096 };

static struct {
    int ends[2];
    uint32_t stop;
    uint64_t logged;
    uint64_t read;
    char big[LONGEST];
} s;

static bool stopped(void) { return __atomic_load_n(&s.stop, __ATOMIC_RELAXED); }

static void *log_lines(void *arg) {
    uint32_t random = (uint32_t)(uintptr_t)arg;
    while (!stopped()) {
        random = random * 1664525 + 1013904223;
        int length = (int)(random >> 16) % (random >> 28 ? 200 : LONGEST);
        thrum_info("%d %.*s.", length, length, s.big);
        __atomic_fetch_add(&s.logged, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void *replace(void *arg) {
    static const char *const formats[] = {
        "%(message)s", "%(asctime)s %(message)s", "%(levelname)-8s %(threadName)s: %(message)s",
        "%(created)f %(process)d %(thread)d %(filename)s %(lineno)05d %(message)s"};
    for (unsigned i = 0; !stopped(); i++) {
        thrum_log_opts opts = {.format = formats[i % 4],
                               .datefmt = i % 3 ? NULL : "%H:%M:%S",
                               .level = i % 5 ? THRUM_INFO : THRUM_DEBUG,
                               .fd = s.ends[1],
                               .escape = i % 2};
        assert_int_equal(thrum_log_config(&opts), 0);
        spec_yield();
    }
    return arg;
}

static void fork_child(void) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        int null = open("/dev/null", O_WRONLY);
        thrum_log_opts opts = {.format = "%(asctime)s %(threadName)s", .fd = null};
        int rc = thrum_log_config(&opts);
        thrum_error("child");
        _exit(rc ? 1 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The part of a line that the loggers have made: "length xxx.". */
static void *read_lines(void *arg) {
    FILE *file = fdopen(s.ends[0], "r");
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, file)) {
        size_t size = strlen(line);
        assert_true(size > 3 && !strcmp(line + size - 2, ".\n"));
        size_t start = size - 2;
        while (start > 0 && line[start - 1] == 'x')
            start--;
        assert_true(start > 1 && line[start - 1] == ' ');
        size_t digits = start - 1;
        while (digits > 0 && line[digits - 1] >= '0' && line[digits - 1] <= '9')
            digits--;
        assert_int_equal(strtol(line + digits, NULL, 10), size - 2 - start);
        s.read++;
    }
    fclose(file);
    return arg;
}

static void lines_stay_whole(void **state) {
    pthread_t threads[LOGGERS + 1], reader;
    (void)state;
    memset(s.big, 'x', sizeof s.big);
    assert_int_equal(pipe(s.ends), 0);
    assert_int_equal(thrum_log_config(&(thrum_log_opts){.fd = s.ends[1], .level = THRUM_INFO}), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_lines, NULL), 0);
    for (uintptr_t i = 0; i < LOGGERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, log_lines, (void *)(i + (uintptr_t)spec_seed())), 0);
    assert_int_equal(pthread_create(&threads[LOGGERS], NULL, replace, NULL), 0);
    thrum_deadline end = thrum_in(spec_stress_seconds());
    if (SPEC_ASAN) /* its allocator's locks stay held in a child, which then hangs in calloc() */
        print_message("skipped: the forks: AddressSanitizer's allocator is not safe at fork\n");
    while (thrum_now().ns < end.ns)
        SPEC_ASAN ? (void)thrum_sleep_until(end) : fork_child();
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i <= LOGGERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(thrum_log_config(NULL), 0);
    close(s.ends[1]);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_true(s.read > 0);
    assert_int_equal(s.read, s.logged);
}

SPEC_TESTS(cmocka_unit_test(lines_stay_whole));
