/* SPDX-License-Identifier: MIT */
/* What peer_rust.rs exports for each of its libraries. */
#ifndef PEER_RUST_H
#define PEER_RUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rust_api {
    size_t lock_size, condition_size;
    void (*pairs)(long n);
    /* One section: two increments and `work`. `ticks` NULL: returns 0, else ticks waited. */
    uint64_t (*section)(unsigned work, void (*spin)(unsigned), uint64_t (*ticks)(void));
    /* Waits for the turn of `side`, calls received(arg) with the lock held, gives the turn away. */
    void (*turn)(unsigned side, void (*received)(void *), void *arg);
    void (*notify)(long n);
    void (*start_join)(long n, long at_once);
    void (*meet)(void); /* at a barrier of two */
};

/* What peer_rust_queue.rs exports for each of its libraries. */
struct rust_queue_api {
    bool (*begin)(size_t capacity, int producers, int consumers);
    void (*end)(void);
    void (*pair)(long n);
    void (*put)(const bool *stop);
    uint64_t (*get)(void);
    /* Gets what is for `side`, if `wait`; unless `received` is NULL, calls it and puts something
     * for the other side. */
    void (*pass)(unsigned side, bool wait, void (*received)(void *), void *arg);
};

/* What peer_rust_pool.rs exports. flood() waits, too. */
struct rust_pool_api {
    void (*with)(int workers, void (*body)(void *), void *arg);
    void (*flood)(long n, void *(*fn)(void *), void *arg);
    void (*map)(int (*fn)(const void *, void *), const long *in, long *out, long n);
    int64_t (*fib)(int n);
};

const struct rust_api *rust_std_api(void);
const struct rust_api *rust_parking_lot_api(void);
const struct rust_queue_api *rust_mpsc_api(void);
const struct rust_queue_api *crossbeam_api(void);
const struct rust_pool_api *rayon_api(void);

#endif
