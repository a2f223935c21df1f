/* SPDX-License-Identifier: MIT */
/* A million tasks through two processes, each result read: descriptors and memory of the program
 * and of its workers are as they were after the first 100,000. */
#include <thrum.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <thrum/processes.h>
#include <unistd.h>

#include "entries.h"
#include "sanitizers.h"

enum { BATCH = 1000, GROWTH_KB = 2048, SANITIZED = SPEC_ASAN || SPEC_TSAN };

typedef struct use {
    long descriptors, resident_kb;
} use;

static use use_now(void) {
    use now = {.descriptors = entries("/proc/self/fd")};
    long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        abort();
    fclose(file);
    now.resident_kb = pages * (sysconf(_SC_PAGESIZE) / 1024);
    return now;
}

THRUM_TASK(long, twice, (long, x)) { return 2 * x; }

THRUM_TASK(use, use_of_worker) { return use_now(); }

static void fail(const char *what, long number) {
    printf("failed: %s (%ld)\n", what, number);
    abort();
}

static void run_batch(thrum_executor *pool) {
    static thrum_future *f[BATCH];
    for (long i = 0; i < BATCH; i++) {
        int rc = twice_submit(pool, &f[i], i);
        if (rc != 0)
            fail("submit", rc);
    }
    for (long i = 0; i < BATCH; i++) {
        long value = 0;
        int rc = twice_result(f[i], &value);
        if (rc != 0 || value != 2 * i)
            fail("result", rc);
        thrum_future_free(f[i]);
    }
}

/* The worker that is asked is one of two, which are alike. */
static use of_worker(thrum_executor *pool) {
    thrum_future *f;
    use now = {0};
    if (use_of_worker_submit(pool, &f) != 0 || use_of_worker_result(f, &now) != 0)
        fail("use", 0);
    thrum_future_free(f);
    return now;
}

static void compare(const char *who, use before, use after) {
    printf("%s: %ld descriptors, then %ld; %ld KiB, then %ld\n", who, before.descriptors,
           after.descriptors, before.resident_kb, after.resident_kb);
    if (after.descriptors != before.descriptors)
        fail("descriptors", after.descriptors);
    if (!SANITIZED && after.resident_kb > before.resident_kb + GROWTH_KB)
        fail("memory", after.resident_kb);
}

int main(int argc, char **argv) {
    if (getenv("THRUM_TEST_EMULATED"))
        return 0; /* an emulated program does not start itself anew */
    long tasks = argc > 1 ? atol(argv[1]) : SANITIZED ? 200000 : 1000000;
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = 2});
    if (!pool)
        fail("pool", errno);
    for (long done = 0; done < tasks / 10; done += BATCH)
        run_batch(pool);
    use before = use_now(), worker_before = of_worker(pool);
    for (long done = tasks / 10; done < tasks; done += BATCH)
        run_batch(pool);
    use after = use_now();
    compare("workers", worker_before, of_worker(pool));
    compare("program", before, after);
    thrum_executor_free(pool);
    return 0;
}
