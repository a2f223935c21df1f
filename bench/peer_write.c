/* SPDX-License-Identifier: MIT */
/* The floor of a log that writes each line at once: the system call, and nothing else. */
#include "bench.h"
#include <fcntl.h>
#include <unistd.h>

static struct peer self;
static int fd;

static bool begin(const char *path) {
    fd = open(path, O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC);
    return fd >= 0;
}

static void lines(struct contend *c, int index) {
    static const char line[] = "2026-01-01 00:00:00,000 INFO thread 0: item 100000\n";
    uint64_t ops = 0;
    for (; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); ++ops)
        if (write(fd, line, sizeof line - 1) < 0)
            break;
    c->ops[index] = ops;
}

static void end(void) { close(fd); }

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){.name = "bare write",
                         .rank = 25,
                         .floor = true,
                         .log_begin = begin,
                         .log_lines = lines,
                         .log_end = end};
    bench_register(&self);
}
