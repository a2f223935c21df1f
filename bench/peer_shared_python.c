/* SPDX-License-Identifier: MIT */
/* Python's multiprocessing.Queue of bytes objects, in processes of its own. */
#include "bench.h"

#include <stdio.h>

static const char program[] =
    "python3 - %zu %d %d <<'END' 2>/dev/null\n"
    "import multiprocessing as mp, sys, time\n"
    "def put(q, stop):\n"
    "    item = bytes(64)\n"
    "    while not stop.is_set():\n"
    "        for _ in range(100):\n"
    "            q.put(item)\n"
    "    q.put(None)\n"
    "def get(q, out):\n"
    "    n = 0\n"
    "    while q.get() is not None:\n"
    "        n += 1\n"
    "    out.put(n)\n"
    "mp.set_start_method('fork')\n"
    "capacity, producers, consumers = map(int, sys.argv[1:])\n"
    "q, out, stop = mp.Queue(capacity), mp.Queue(), mp.Event()\n"
    "ps = [mp.Process(target=put, args=(q, stop)) for _ in range(producers)]\n"
    "ps += [mp.Process(target=get, args=(q, out)) for _ in range(consumers)]\n"
    "start = time.perf_counter()\n"
    "for p in ps: p.start()\n"
    "time.sleep(0.3)\n"
    "stop.set()\n"
    "n = sum(out.get() for _ in range(consumers))\n"
    "print(n / (time.perf_counter() - start) / 1e6)\n"
    "for p in ps: p.join()\n"
    "END\n";

static double queue_rate(size_t capacity, int producers, int consumers) {
    char command[2048];
    snprintf(command, sizeof command, program, capacity, producers, consumers);
    return bench_printed(command);
}

static const struct bench_shared shared = {.queue_rate = queue_rate};
static const struct peer self = {.name = "Python multiprocessing", .rank = 40, .shared = &shared};

__attribute__((constructor)) static void add_self(void) { bench_register(&self); }
