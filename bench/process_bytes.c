/* SPDX-License-Identifier: MIT */
/* A large argument for a worker process: from the call until its result is there. Beside it a copy
 * within one process, of memory that was touched before on both sides. The worker reads a byte of
 * each page. */
#include "bench.h"

static double argument(const struct peer *p) {
    return p->bytes && p->bytes->argument ? p->bytes->argument() : NAN;
}

static double in_shared_memory(const struct peer *p) {
    return p->bytes && p->bytes->in_shared_memory ? p->bytes->in_shared_memory() : NAN;
}

void bench_process_bytes(void) {
    if (!bench_two_cores("process pool: 64 MiB argument"))
        return;
    bench_row("process pool: 64 MiB argument", "ms", 9, argument);
    bench_row("process pool: 64 MiB argument in shared memory", "ms", 9, in_shared_memory);
}
