/* SPDX-License-Identifier: MIT */
/* thrum as a user's program has it. Compiled three times: inlined and with THRUM_NO_INLINE against
 * the shared library, inlined against the static one. */
#include <fcntl.h>
#include <stdlib.h>
#include <thrum.h>
#include <unistd.h>

#define PEER_LOCK
typedef thrum_lock peer_lock;
static inline void peer_lock_init(peer_lock *l) { *l = (thrum_lock)THRUM_LOCK_INIT; }
static inline void peer_acquire(peer_lock *l) { thrum_lock_acquire(l); }
static inline void peer_release(peer_lock *l) { thrum_lock_release(l); }

#define PEER_RLOCK
typedef thrum_rlock peer_rlock;
static inline void peer_rlock_init(peer_rlock *l) { *l = (thrum_rlock)THRUM_RLOCK_INIT; }
static inline void peer_racquire(peer_rlock *l) { thrum_rlock_acquire(l); }
static inline void peer_rrelease(peer_rlock *l) { thrum_rlock_release(l); }

#define PEER_CONDITION
typedef thrum_condition peer_condition;
static inline void peer_condition_init(peer_condition *c) {
    *c = (thrum_condition)THRUM_CONDITION_INIT;
}
static inline void peer_wait(peer_condition *c, peer_lock *l) { thrum_condition_wait(c, l); }
static inline void peer_notify(peer_condition *c) { thrum_condition_notify(c, 1); }

#define PEER_EVENT
typedef thrum_event peer_event;
static inline void peer_event_init(peer_event *e) { *e = (thrum_event)THRUM_EVENT_INIT; }
static inline void peer_event_set(peer_event *e) { thrum_event_set(e); }
static inline void peer_event_clear(peer_event *e) { thrum_event_clear(e); }
static inline void peer_event_wait(peer_event *e) { thrum_event_wait(e); }

#define PEER_THREAD
typedef thrum_thread *peer_thread;
static void *peer_nothing(void *arg) { return arg; }
static inline void peer_start(peer_thread *t) {
    if (thrum_thread_start(t, peer_nothing, NULL, NULL) != 0)
        abort();
}
static inline void peer_join(peer_thread *t) {
    thrum_thread_join(*t, NULL);
    thrum_thread_free(*t);
}

#define PEER_SEMAPHORE
typedef thrum_semaphore peer_semaphore;
static inline void peer_semaphore_init(peer_semaphore *s) {
    *s = (thrum_semaphore)THRUM_SEMAPHORE_INIT(0);
}
static inline void peer_down(peer_semaphore *s) { thrum_semaphore_acquire(s); }
static inline void peer_up(peer_semaphore *s) { thrum_semaphore_release(s, 1); }

#define PEER_BARRIER
typedef thrum_barrier peer_barrier;
static inline void peer_barrier_init(peer_barrier *b) { *b = (thrum_barrier)THRUM_BARRIER_INIT(2); }
static inline void peer_meet(peer_barrier *b) { thrum_barrier_wait(b); }

#define PEER_LOCAL
static thrum_local local_value = THRUM_LOCAL_INIT(NULL);
static inline void peer_local_set(void *value) {
    if (thrum_local_set(&local_value, value) != 0)
        abort();
}
static inline void *peer_local_get(void) { return thrum_local_get(&local_value); }

#define PEER_QUEUE
typedef thrum_queue peer_queue;
static peer_queue *peer_queue_new(size_t capacity, int producers, int consumers) {
    (void)producers, (void)consumers;
    return thrum_queue_new(sizeof(void *), &(thrum_queue_opts){.maxsize = capacity});
}
static void peer_queue_free(peer_queue *q) { thrum_queue_free(q); }
static inline void peer_queue_put(peer_queue *q, void *item) {
    if (thrum_queue_put(q, &item) != 0)
        abort();
}
static inline void *peer_queue_get(peer_queue *q) {
    void *item;
    if (thrum_queue_get(q, &item) != 0)
        abort();
    return item;
}

#include "bench.h"

static void timer_called(void *arg) { (void)arg; }

static thrum_timer *timer_start(uint32_t *random) {
    thrum_timer *timer;
    if (thrum_timer_start(&timer, bench_due(random), timer_called, NULL,
                          &(thrum_timer_opts){.daemon = true}) != 0)
        abort();
    return timer;
}

static void timer_drop(thrum_timer *timer) {
    if (!thrum_timer_cancel(timer))
        abort();
    thrum_timer_free(timer);
}

static double timer_pair(long n, long pending) {
    thrum_timer **timers = calloc((size_t)pending, sizeof(thrum_timer *));
    uint32_t random = 1;
    if (!timers)
        abort();
    for (long i = 0; i < pending; ++i)
        timers[i] = timer_start(&random);
    uint64_t begin = bench_now();
    for (long i = 0; i < n; ++i)
        timer_drop(timer_start(&random));
    double ns = (double)(bench_now() - begin) / (double)n;
    for (long i = 0; i < pending; ++i)
        timer_drop(timers[i]);
    free(timers);
    return ns;
}

static int log_fd;

static bool log_begin(const char *path) {
    thrum_log_opts opts = {.format = "%(asctime)s %(levelname)s %(message)s", .level = THRUM_INFO};
    opts.fd = log_fd = open(path, O_WRONLY | O_TRUNC | O_APPEND | O_CLOEXEC);
    return log_fd >= 0 && thrum_log_config(&opts) == 0;
}

static void log_lines(struct contend *c, int index) {
    uint64_t ops = 0;
    for (; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); ++ops)
        thrum_info("thread %d: item %lu", index, (unsigned long)ops);
    c->ops[index] = ops;
}

static void log_end(void) {
    if (thrum_log_config(NULL) != 0)
        abort();
    close(log_fd);
}

#define PEER_EXTRA
static void peer_extra(struct peer *self) {
    self->timer_pair = timer_pair;
    self->log_begin = log_begin;
    self->log_lines = log_lines;
    self->log_end = log_end;
}

#include "peer.h"
