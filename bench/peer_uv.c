/* SPDX-License-Identifier: MIT */
/* libuv's timers belong to one loop and its thread: no lock, and the caller has the memory. */
#include "bench.h"
#include <stdlib.h>
#include <uv.h>

static struct peer self;

static void called(uv_timer_t *timer) { (void)timer; }

static double pair(long n, long pending) {
    uv_timer_t *timers = calloc((size_t)pending, sizeof *timers), one;
    uv_loop_t loop;
    uint32_t random = 1;
    if (!timers || uv_loop_init(&loop) != 0)
        abort();
    for (long i = 0; i < pending; ++i) {
        uv_timer_init(&loop, &timers[i]);
        uv_timer_start(&timers[i], called, (uint64_t)(bench_due(&random) * 1e3), 0);
    }
    uv_timer_init(&loop, &one);
    uint64_t begin = bench_now();
    for (long i = 0; i < n; ++i) {
        uv_timer_start(&one, called, (uint64_t)(bench_due(&random) * 1e3), 0);
        uv_timer_stop(&one);
    }
    double ns = (double)(bench_now() - begin) / (double)n;
    for (long i = 0; i < pending; ++i)
        uv_close((uv_handle_t *)&timers[i], NULL);
    uv_close((uv_handle_t *)&one, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    free(timers);
    return ns;
}

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "libuv, one thread", .rank = 23, .timer_pair = pair};
    bench_register(&self);
}
