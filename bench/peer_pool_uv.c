/* SPDX-License-Identifier: MIT */
/* libuv's pool: results come back to the loop of the thread that submitted. */
#include "bench.h"
#include <stdlib.h>
#include <uv.h>

static struct peer self;
static uv_loop_t loop;

struct task {
    uv_work_t work;
    void *(*fn)(void *arg);
    void *arg;
};

static void run(uv_work_t *work) {
    struct task *task = (struct task *)work;
    task->fn(task->arg);
}

static void ran(uv_work_t *work, int status) {
    (void)status;
    free(work);
}

static void with(int workers, size_t limit, void (*body)(void *), void *arg) {
    (void)workers, (void)limit;
    if (uv_loop_init(&loop) != 0)
        abort();
    body(arg);
    uv_loop_close(&loop);
}

static void submit(long n, void *(*fn)(void *), void *arg) {
    for (long i = 0; i < n; ++i) {
        struct task *task = malloc(sizeof *task);
        if (!task)
            abort();
        task->fn = fn;
        task->arg = arg;
        if (uv_queue_work(&loop, &task->work, run, ran) != 0)
            abort();
    }
}

static void wait_all(void) { uv_run(&loop, UV_RUN_DEFAULT); }

static const struct bench_pool functions = {
    .with = with, .submit = submit, .wait = wait_all, .fixed = true};

__attribute__((constructor)) static void register_self(void) {
    setenv("UV_THREADPOOL_SIZE", "2", 1);
    self = (struct peer){.name = "libuv", .rank = 23, .pool = &functions};
    bench_register(&self);
}
