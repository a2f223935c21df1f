/* SPDX-License-Identifier: MIT */
/* spdlog's synchronous logger to one file. Compiled twice: as it comes, with the buffer of stdio,
 * and flushing every line, which is what a write for each line is to be compared with. */
#include "bench.h"
#include <memory>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

static struct peer self;
static std::shared_ptr<spdlog::logger> logger;

static bool begin(const char *path) {
    logger = spdlog::basic_logger_mt(PEER_NAME, path, true);
    logger->set_pattern("%Y-%m-%d %H:%M:%S,%e %l %v");
    if (PEER_FLUSH)
        logger->flush_on(spdlog::level::info);
    return true;
}

static void lines(struct contend *c, int index) {
    uint64_t ops = 0;
    spdlog::logger *l = logger.get();
    for (; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); ++ops)
        l->info("thread {}: item {}", index, ops);
    c->ops[index] = ops;
}

static void end() {
    spdlog::drop(PEER_NAME);
    logger.reset();
}

__attribute__((constructor)) static void register_self() {
    self.name = PEER_NAME;
    self.rank = PEER_RANK;
    self.baseline = !PEER_FLUSH;
    self.log_begin = begin;
    self.log_lines = lines;
    self.log_end = end;
    bench_register(&self);
}
