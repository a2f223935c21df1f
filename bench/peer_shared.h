/* SPDX-License-Identifier: MIT */
/* The pairs of one peer of process_shared.c, the same text for all. Who includes it defines
 * PEER_NAME, PEER_RANK, PEER_IS_BASELINE, lock_acquire(), lock_release(), semaphore_acquire(),
 * semaphore_release(), all of void *, and the rest of `shared`. */
#ifndef PEER_SHARED_H
#define PEER_SHARED_H

#define PEER_PAIR(n, acquire, release, object)                                                     \
    do {                                                                                           \
        uint64_t peer_start_ns = bench_now();                                                      \
        for (long peer_i = 0; peer_i < (n); ++peer_i) {                                            \
            acquire(object);                                                                       \
            BENCH_BARRIER();                                                                       \
            release(object);                                                                       \
            BENCH_BARRIER();                                                                       \
        }                                                                                          \
        return (double)(bench_now() - peer_start_ns) / (double)(n);                                \
    } while (0)

static double lock_pair(long n) {
    static char object[256] __attribute__((aligned(64)));
    lock_init(object);
    PEER_PAIR(n, lock_acquire, lock_release, object);
}

static double semaphore_pair(long n) {
    static char object[1024] __attribute__((aligned(64)));
    semaphore_init(object);
    PEER_PAIR(n, semaphore_acquire, semaphore_release, object);
}

static const struct bench_shared shared = {
    .lock_pair = lock_pair,
    .semaphore_pair = semaphore_pair,
    .lock_init = lock_init,
    .lock_acquire = lock_acquire,
    .lock_release = lock_release,
    .queue_size = queue_size,
    .queue_init = queue_init,
    .queue_put = queue_put,
    .queue_get = queue_get,
    .queue_close = queue_close,
};

static const struct peer self = {
    .name = PEER_NAME, .rank = PEER_RANK, .baseline = PEER_IS_BASELINE, .shared = &shared};

__attribute__((constructor)) static void add_self(void) { bench_register(&self); }

#endif
