/* SPDX-License-Identifier: MIT */
/* Part of peer.h: the loops of semaphore, barrier and thread-local data. */
#ifndef PEER_SYNC_H
#define PEER_SYNC_H

#ifdef PEER_SEMAPHORE
static struct {
    peer_semaphore semaphore;
} __attribute__((aligned(64))) peer_permits[3];

static double peer_semaphore_pair(long n) {
    PEER_TIME(n, {
        peer_down(&peer_permits[2].semaphore);
        BENCH_BARRIER();
        peer_up(&peer_permits[2].semaphore);
    });
}

static void peer_semaphore_ping(struct ping *p, int side) {
    for (long i = 0; i < p->n; ++i) {
        if (side != 0 || i != 0)
            peer_down(&peer_permits[side].semaphore);
        bench_received(p, side, i);
        peer_up(&peer_permits[!side].semaphore);
    }
    if (side == 0)
        peer_down(&peer_permits[0].semaphore);
}

static void peer_register_semaphore(void) {
    for (int i = 0; i < 3; ++i)
        peer_semaphore_init(&peer_permits[i].semaphore);
    peer_up(&peer_permits[2].semaphore);
    peer_self.semaphore_pair = peer_semaphore_pair;
    peer_self.semaphore_ping = peer_semaphore_ping;
}
#else
static void peer_register_semaphore(void) {}
#endif

#ifdef PEER_BARRIER
static struct {
    peer_barrier barrier;
} __attribute__((aligned(64))) peer_phase;

static void peer_barrier_ping(struct ping *p, int side) {
    for (long i = 0; i < p->n; ++i) {
        bench_arrive(p, side, i);
        peer_meet(&peer_phase.barrier);
        bench_passed(p, side, i);
    }
}

static void peer_register_barrier(void) {
    peer_barrier_init(&peer_phase.barrier);
    peer_self.barrier_ping = peer_barrier_ping;
}
#else
static void peer_register_barrier(void) {}
#endif

#ifdef PEER_LOCAL
static double peer_local_loop(long n) {
    PEER_TIME(n, {
        void *value = peer_local_get();
        __asm__ volatile("" : : "r"(value));
    });
}

static double peer_local_time(long n) {
    peer_local_set(&peer_self);
    return peer_local_loop(n);
}

static void peer_register_local(void) { peer_self.local_get = peer_local_time; }
#else
static void peer_register_local(void) {}
#endif

#endif
