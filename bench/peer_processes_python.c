/* SPDX-License-Identifier: MIT */
/* Python's ProcessPoolExecutor, in processes of its own. */
#include "bench.h"

#include <stdio.h>

static const char program[] =
    "python3 - %s <<'END' 2>/dev/null\n"
    "import multiprocessing as mp, os, sys, time\n"
    "from concurrent.futures import ProcessPoolExecutor\n"
    "now = time.perf_counter\n"
    "what = sys.argv[1]\n"
    "workers = 2 if what == 'many' else 1\n"
    "with ProcessPoolExecutor(workers, mp_context=mp.get_context('fork')) as pool:\n"
    "    for _ in range(50):\n"
    "        pool.submit(os.getpid).result()\n"
    "    if what == 'many':\n"
    "        start = now()\n"
    "        for f in [pool.submit(os.getpid) for _ in range(5000)]:\n"
    "            f.result()\n"
    "        print(5000 / (now() - start) / 1e6)\n"
    "    else:\n"
    "        took = []\n"
    "        for _ in range(100 if what == 'sleep' else 1000):\n"
    "            if what == 'sleep':\n"
    "                time.sleep(0.002)\n"
    "            start = now()\n"
    "            pool.submit(os.getpid).result()\n"
    "            took.append(now() - start)\n"
    "        print(sorted(took)[len(took) // 2] * 1e6)\n"
    "END\n";

static double asked(const char *what) {
    char command[2048];
    snprintf(command, sizeof command, program, what);
    bench_pin_both();
    double value = bench_printed(command);
    bench_pin(bench_cpu[0]);
    return value;
}

static const struct bench_processes functions = {.asked = asked};
static const struct peer self = {
    .name = "Python ProcessPoolExecutor", .rank = 41, .processes = &functions};

__attribute__((constructor)) static void add_self(void) { bench_register(&self); }
