/* SPDX-License-Identifier: MIT */
/* memcpy() within this process, the baseline; and Python's ProcessPoolExecutor with a bytes
 * object. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double copy(void) {
    char *from = malloc(BENCH_LARGE), *to = malloc(BENCH_LARGE);
    double least = INFINITY;
    if (!from || !to)
        abort();
    bench_pin_both();
    memset(from, 1, BENCH_LARGE);
    memset(to, 2, BENCH_LARGE);
    for (int i = 0; i < 5; ++i) {
        uint64_t begin = bench_now();
        memcpy(to, from, BENCH_LARGE);
        __asm__ volatile("" : : "r"(to) : "memory");
        double ms = (double)(bench_now() - begin) / 1e6;
        least = ms < least ? ms : least;
    }
    bench_pin(bench_cpu[0]);
    free(from);
    free(to);
    return least;
}

static const char program[] =
    "python3 - %d <<'END' 2>/dev/null\n"
    "import concurrent.futures, multiprocessing, sys, time\n"
    "def look(data): return sum(data[::4096])\n"
    "data = b'\\1' * int(sys.argv[1])\n"
    "fork = multiprocessing.get_context('fork')\n"
    "with concurrent.futures.ProcessPoolExecutor(1, mp_context=fork) as pool:\n"
    "    best = 1e9\n"
    "    for i in range(6):\n"
    "        start = time.perf_counter()\n"
    "        pool.submit(look, data).result()\n"
    "        if i: best = min(best, time.perf_counter() - start)\n"
    "print(best * 1e3)\n"
    "END\n";

static double python(void) {
    char command[2048];
    bench_pin_both();
    snprintf(command, sizeof command, program, BENCH_LARGE);
    double value = bench_printed(command);
    bench_pin(bench_cpu[0]);
    return value;
}

static const struct bench_bytes copied = {copy, copy}, pickled = {python, NULL};
static const struct peer own = {.name = "memcpy", .rank = 0, .baseline = true, .bytes = &copied};
static const struct peer other = {
    .name = "Python ProcessPoolExecutor", .rank = 40, .bytes = &pickled};

__attribute__((constructor)) static void add_both(void) {
    bench_register(&own);
    bench_register(&other);
}
