/* SPDX-License-Identifier: MIT */
/* Lines of time, level and a message with two numbers, to a file in memory and to nowhere, from one
 * thread and from eight. */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WINDOW_MS = 150, ROUNDS = 7 };

static void to(const char *row, const char *path, int threads) {
    struct series s = {0};
    if (!bench_wanted(row) || !bench_two_cores(row))
        return;
    bench_begin(row);
    for (int round = 0; round < bench_rounds(ROUNDS); ++round)
        for (int i = 0; i < bench_n_peers; ++i) {
            struct contend c = {0};
            uint64_t lines = 0;
            if (!bench_peers[i]->log_begin || !bench_peers[i]->log_begin(path))
                continue;
            uint64_t ns = bench_window(&c, threads, WINDOW_MS, bench_peers[i]->log_lines);
            bench_peers[i]->log_end();
            for (int j = 0; j < threads; ++j)
                lines += c.ops[j];
            bench_add(&s, i, (double)lines * 1e6 / (double)ns);
        }
    bench_emit(&s, row, "klines/s", false);
}

void bench_log(void) {
    char path[] = "/dev/shm/thrum-bench-XXXXXX", other[] = "/tmp/thrum-bench-XXXXXX";
    char *file = path;
    int fd = mkstemp(file);
    if (fd < 0)
        fd = mkstemp(file = other);
    if (fd < 0)
        abort();
    close(fd);
    to("log to a file, 1 thread", file, 1);
    to("log to a file, 8 threads", file, 8);
    to("log to /dev/null, 1 thread", "/dev/null", 1);
    to("log to /dev/null, 8 threads", "/dev/null", 8);
    unlink(file);
}
