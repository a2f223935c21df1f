/* SPDX-License-Identifier: MIT */
/* What peer_rust.rs exports for each of its libraries. */
#ifndef PEER_RUST_H
#define PEER_RUST_H

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
};

const struct rust_api *rust_std_api(void);
const struct rust_api *rust_parking_lot_api(void);

#endif
