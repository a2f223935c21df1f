/* SPDX-License-Identifier: MIT */
/* The loops of one peer, the same text for all. A peer_*.c (or .cc) defines its types and
 * operations, then includes this file, which makes and registers the struct peer:
 *
 *     PEER_NAME PEER_RANK            always
 *     PEER_LOCK                      peer_lock, peer_lock_init(), peer_acquire(), peer_release()
 *     PEER_CONDITION                 peer_condition, peer_condition_init(), peer_wait(),
 *                                    peer_notify(); needs PEER_LOCK
 *     PEER_RLOCK                     peer_rlock, peer_rlock_init(), peer_racquire(),
 *                                    peer_rrelease()
 *     PEER_EVENT                     peer_event, peer_event_set(), peer_event_clear(),
 *                                    peer_event_wait(); without it, one of lock, condition and flag
 *     PEER_THREAD                    peer_thread, peer_start(), peer_join()
 *     PEER_SEMAPHORE                 peer_semaphore, peer_semaphore_init() (no permit),
 *                                    peer_down(), peer_up()
 *     PEER_BARRIER                   peer_barrier, peer_barrier_init() (for two), peer_meet()
 *     PEER_LOCAL                     peer_local_set(), peer_local_get(): one pointer
 *     PEER_QUEUE                     peer_queue, peer_queue_new(capacity or 0, producers,
 *                                    consumers) (NULL: no such queue), peer_queue_put(),
 *                                    peer_queue_get(), peer_queue_free();
 *                                    PEER_QUEUE_UNBOUNDED true: has no other
 *     PEER_IS_BASELINE PEER_IS_FLOOR true or false
 *     PEER_EXTRA                     peer_extra(struct peer *), which sets what has no loop here
 *     PEER_FAST_ONLY                 only the rows that no second thread takes part in */
#ifndef PEER_H
#define PEER_H

#include "bench.h"

#ifndef PEER_IS_BASELINE
#define PEER_IS_BASELINE false
#endif
#ifndef PEER_IS_FLOOR
#define PEER_IS_FLOOR false
#endif

#define PEER_TIME(n, operation)                                                                    \
    do {                                                                                           \
        uint64_t peer_start_ns = bench_now();                                                      \
        for (long peer_i = 0; peer_i < (n); ++peer_i) {                                            \
            operation;                                                                             \
            BENCH_BARRIER();                                                                       \
        }                                                                                          \
        return (double)(bench_now() - peer_start_ns) / (double)(n);                                \
    } while (0)

static struct peer peer_self;

#ifdef PEER_LOCK
static struct {
    peer_lock lock;
    uint64_t counter[2]; /* under lock */
} peer_guarded __attribute__((aligned(64)));

static double peer_lock_pair(long n) {
    PEER_TIME(n, {
        peer_acquire(&peer_guarded.lock);
        BENCH_BARRIER();
        peer_release(&peer_guarded.lock);
    });
}

static void peer_contend(struct contend *c, int index) {
    uint64_t ops = 0;
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        peer_acquire(&peer_guarded.lock);
        peer_guarded.counter[0] += 1;
        peer_guarded.counter[1] += 1;
        bench_spin(c->work);
        peer_release(&peer_guarded.lock);
        bench_spin(c->outside);
        ops += 1;
    }
    c->ops[index] = ops;
}

static void peer_contend_stamped(struct contend *c, int index) {
    uint64_t ops = 0, longest = 0;
    while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
        uint64_t before = bench_ticks();
        peer_acquire(&peer_guarded.lock);
        uint64_t waited = bench_ticks() - before;
        peer_guarded.counter[0] += 1;
        peer_guarded.counter[1] += 1;
        bench_spin(c->work);
        peer_release(&peer_guarded.lock);
        bench_spin(c->outside);
        longest = waited > longest ? waited : longest;
        ops += 1;
    }
    c->ops[index] = ops;
    c->longest[index] = longest;
}

static void peer_register_lock(void) {
    peer_lock_init(&peer_guarded.lock);
    peer_self.lock_size = sizeof(peer_lock);
    peer_self.lock_pair = peer_lock_pair;
    peer_self.contend = peer_contend;
    peer_self.contend_stamped = peer_contend_stamped;
}
#else
static void peer_register_lock(void) {}
#endif

#ifdef PEER_RLOCK
static peer_rlock peer_rlocked __attribute__((aligned(64)));

static double peer_rlock_outer(long n) {
    PEER_TIME(n, {
        peer_racquire(&peer_rlocked);
        BENCH_BARRIER();
        peer_rrelease(&peer_rlocked);
    });
}

static double peer_rlock_nested(long n) {
    peer_racquire(&peer_rlocked);
    double ns = peer_rlock_outer(n);
    peer_rrelease(&peer_rlocked);
    return ns;
}

static void peer_register_rlock(void) {
    peer_rlock_init(&peer_rlocked);
    peer_self.rlock_size = sizeof(peer_rlock);
    peer_self.rlock_outer = peer_rlock_outer;
    peer_self.rlock_nested = peer_rlock_nested;
}
#else
static void peer_register_rlock(void) {}
#endif

#ifdef PEER_CONDITION
static peer_condition peer_changed[3] __attribute__((aligned(64)));

static double peer_notify_nobody(long n) {
    peer_acquire(&peer_guarded.lock);
    uint64_t start = bench_now();
    for (long i = 0; i < n; ++i) {
        peer_notify(&peer_changed[0]);
        BENCH_BARRIER();
    }
    uint64_t end = bench_now();
    peer_release(&peer_guarded.lock);
    return (double)(end - start) / (double)n;
}

static void peer_condition_ping(struct ping *p, int side) {
    for (long i = 0; i < p->n; ++i) {
        peer_acquire(&peer_guarded.lock);
        while (p->turn != (unsigned)side)
            peer_wait(&peer_changed[side], &peer_guarded.lock);
        bench_received(p, side, i);
        p->turn = !side;
        peer_notify(&peer_changed[!side]);
        peer_release(&peer_guarded.lock);
    }
}

static void peer_register_condition(void) {
    for (int i = 0; i < 3; ++i)
        peer_condition_init(&peer_changed[i]);
    peer_self.condition_size = sizeof(peer_condition);
    peer_self.notify = peer_notify_nobody;
    peer_self.condition_ping = peer_condition_ping;
}

#ifndef PEER_EVENT
#define PEER_EVENT
typedef struct peer_event {
    peer_lock lock;
    peer_condition changed;
    bool flag; /* under lock */
} peer_event;

static void peer_event_init(peer_event *e) {
    peer_lock_init(&e->lock);
    peer_condition_init(&e->changed);
}

static void peer_event_set(peer_event *e) {
    peer_acquire(&e->lock);
    e->flag = true;
    peer_notify(&e->changed);
    peer_release(&e->lock);
}

static void peer_event_clear(peer_event *e) {
    peer_acquire(&e->lock);
    e->flag = false;
    peer_release(&e->lock);
}

static void peer_event_wait(peer_event *e) {
    peer_acquire(&e->lock);
    while (!e->flag)
        peer_wait(&e->changed, &e->lock);
    peer_release(&e->lock);
}
#endif
#else
static void peer_register_condition(void) {}
#endif

#ifdef PEER_EVENT
static struct {
    peer_event event;
} __attribute__((aligned(64))) peer_flag[3];

static double peer_event_pair(long n) {
    PEER_TIME(n, {
        peer_event_set(&peer_flag[0].event);
        BENCH_BARRIER();
        peer_event_clear(&peer_flag[0].event);
    });
}

static void peer_event_ping(struct ping *p, int side) {
    for (long i = 0; i < p->n; ++i) {
        if (side != 0 || i != 0)
            peer_event_wait(&peer_flag[side].event);
        peer_event_clear(&peer_flag[side].event);
        bench_received(p, side, i);
        peer_event_set(&peer_flag[!side].event);
    }
    if (side == 0) {
        peer_event_wait(&peer_flag[0].event);
        peer_event_clear(&peer_flag[0].event);
    }
}

static void peer_set_flag(void) { peer_event_set(&peer_flag[2].event); }

static void peer_wait_clear_flag(void) {
    peer_event_wait(&peer_flag[2].event);
    peer_event_clear(&peer_flag[2].event);
}

static void peer_register_event(void) {
    for (int i = 0; i < 3; ++i)
        peer_event_init(&peer_flag[i].event);
    peer_self.event_size = sizeof(peer_event);
    peer_self.event_pair = peer_event_pair;
    peer_self.event_ping = peer_event_ping;
    peer_self.event_set = peer_set_flag;
    peer_self.event_wait_clear = peer_wait_clear_flag;
}
#else
static void peer_register_event(void) {}
#endif

#if defined(PEER_CONDITION) && !PEER_IS_FLOOR
static struct {
    peer_lock lock;
    peer_event event;
    bool over; /* under peer_guarded.lock */
} peer_idle;

static void peer_idle_begin(void) {
    peer_event_clear(&peer_idle.event);
    peer_acquire(&peer_idle.lock);
    peer_idle.over = false;
}

/* A third of the waiting threads waits for a lock, a third on a condition, a third for an event. */
static void peer_idle_wait(int index) {
    if (index % 3 == 0) {
        peer_acquire(&peer_idle.lock);
        peer_release(&peer_idle.lock);
    } else if (index % 3 == 1) {
        peer_acquire(&peer_guarded.lock);
        while (!peer_idle.over)
            peer_wait(&peer_changed[2], &peer_guarded.lock);
        peer_notify(&peer_changed[2]);
        peer_release(&peer_guarded.lock);
    } else {
        peer_event_wait(&peer_idle.event);
        peer_event_set(&peer_idle.event);
    }
}

static void peer_idle_end(void) {
    peer_release(&peer_idle.lock);
    peer_acquire(&peer_guarded.lock);
    peer_idle.over = true;
    peer_notify(&peer_changed[2]);
    peer_release(&peer_guarded.lock);
    peer_event_set(&peer_idle.event);
}

static void peer_register_idle(void) {
    peer_lock_init(&peer_idle.lock);
    peer_event_init(&peer_idle.event);
    peer_self.idle_begin = peer_idle_begin;
    peer_self.idle_wait = peer_idle_wait;
    peer_self.idle_end = peer_idle_end;
}
#else
static void peer_register_idle(void) {}
#endif

#ifdef PEER_THREAD
static double peer_start_join(long n) {
    peer_thread thread;
    PEER_TIME(n, {
        peer_start(&thread);
        peer_join(&thread);
    });
}

static double peer_start_burst(long n) {
    static peer_thread thread[BENCH_BURST];
    uint64_t start = bench_now();
    for (long i = 0; i < n; ++i) {
        for (int j = 0; j < BENCH_BURST; ++j)
            peer_start(&thread[j]);
        for (int j = 0; j < BENCH_BURST; ++j)
            peer_join(&thread[j]);
    }
    return (double)(bench_now() - start) / (double)(n * BENCH_BURST);
}

static void peer_register_thread(void) {
    peer_self.start_join = peer_start_join;
    peer_self.start_burst = peer_start_burst;
}
#else
static void peer_register_thread(void) {}
#endif

#include "peer_queue.h"
#include "peer_sync.h"

#ifdef PEER_EXTRA
static void peer_register_extra(void) { peer_extra(&peer_self); }
#else
static void peer_register_extra(void) {}
#endif

#ifdef PEER_FAST_ONLY
static void peer_forget_slow(void) {
    peer_self.contend = peer_self.contend_stamped = NULL;
    peer_self.condition_ping = peer_self.event_ping = NULL;
    peer_self.event_set = peer_self.event_wait_clear = NULL;
    peer_self.start_join = peer_self.start_burst = NULL;
    peer_self.idle_wait = NULL;
    peer_self.semaphore_ping = peer_self.barrier_ping = peer_self.queue_ping = NULL;
    peer_self.queue_put = NULL;
    peer_self.log_begin = NULL;
    peer_self.timer_pair = NULL;
}
#else
static void peer_forget_slow(void) {}
#endif

__attribute__((constructor)) static void peer_register(void) {
    peer_self.name = PEER_NAME;
    peer_self.rank = PEER_RANK;
    peer_self.baseline = PEER_IS_BASELINE;
    peer_self.floor = PEER_IS_FLOOR;
    peer_register_lock();
    peer_register_rlock();
    peer_register_condition();
    peer_register_event();
    peer_register_idle();
    peer_register_thread();
    peer_register_semaphore();
    peer_register_barrier();
    peer_register_local();
    peer_register_queue();
    peer_register_extra();
    peer_forget_slow();
    bench_register(&peer_self);
}

#endif
