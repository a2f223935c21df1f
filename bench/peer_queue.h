/* SPDX-License-Identifier: MIT */
/* Part of peer.h: the loops of a queue of pointers. */
#ifndef PEER_QUEUE_H
#define PEER_QUEUE_H

#ifndef PEER_QUEUE_UNBOUNDED
#define PEER_QUEUE_UNBOUNDED false
#endif

#ifdef PEER_QUEUE
static struct {
    peer_queue *queue;
} __attribute__((aligned(64))) peer_way[2]; /* there, and back */
static char peer_end_mark;

static void peer_queue_end(void) {
    for (int i = 0; i < 2; ++i) {
        if (peer_way[i].queue)
            peer_queue_free(peer_way[i].queue);
        peer_way[i].queue = NULL;
    }
}

static bool peer_queue_begin(size_t capacity, int producers, int consumers) {
    for (int i = 0; i < 2; ++i)
        peer_way[i].queue = peer_queue_new(capacity, producers, consumers);
    if (peer_way[0].queue && peer_way[1].queue)
        return true;
    peer_queue_end();
    return false;
}

static double peer_queue_pair(long n) {
    peer_queue *queue = peer_way[0].queue;
    PEER_TIME(n, {
        peer_queue_put(queue, &peer_end_mark);
        void *item = peer_queue_get(queue);
        __asm__ volatile("" : : "r"(item));
    });
}

static void peer_queue_put_all(struct contend *c, int index) {
    static char items[4096];
    peer_queue *queue = peer_way[0].queue;
    for (unsigned i = (unsigned)index; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); ++i)
        peer_queue_put(queue, &items[i % sizeof items]);
    peer_queue_put(queue, &peer_end_mark);
}

static void peer_queue_get_all(struct contend *c, int index) {
    uint64_t ops = 0;
    peer_queue *queue = peer_way[0].queue;
    while (peer_queue_get(queue) != &peer_end_mark)
        ops += 1;
    c->ops[index] = ops;
}

static void peer_queue_ping(struct ping *p, int side) {
    for (long i = 0; i < p->n; ++i) {
        if (side != 0 || i != 0)
            peer_queue_get(peer_way[side].queue);
        bench_received(p, side, i);
        peer_queue_put(peer_way[!side].queue, p);
    }
    if (side == 0)
        peer_queue_get(peer_way[0].queue);
}

static void peer_register_queue(void) {
    peer_self.queue_unbounded = PEER_QUEUE_UNBOUNDED;
    peer_self.queue_begin = peer_queue_begin;
    peer_self.queue_end = peer_queue_end;
    peer_self.queue_pair = peer_queue_pair;
    peer_self.queue_put = peer_queue_put_all;
    peer_self.queue_get = peer_queue_get_all;
    peer_self.queue_ping = peer_queue_ping;
}
#else
static void peer_register_queue(void) {}
#endif

#endif
