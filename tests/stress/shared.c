/* SPDX-License-Identifier: MIT */
/* Processes are killed at random moments under load, a thousand times for each kind of object or
 * until the time of a stress test has passed: nobody hangs, and the counters are right. */
#include "processes.h"

#include <stdio.h>
#include <string.h>

enum { WORKERS = 2, KILLS = 1000, PERMITS = 2, ROOM = 8 };

static struct {
    thrum_shared_lock lock;
    int a, b; /* under lock; equal when it is free, unless its holder died */
    thrum_shared_semaphore slots;
    thrum_shared_condition not_empty, not_full;
    int put, got; /* under lock */
    thrum_shared_queue queue;
    uint64_t room[ROOM];
    uint64_t sent, received; /* sums of items, by the side that is not killed */
    uint32_t steps;          /* of anybody: a victim is killed when it has had time for some */
    uint32_t stop;
    uint32_t heirs; /* how often -EOWNERDEAD came */
} *c;

static void begin(void) {
    spec_needs_processes();
    c = spec_shared_memory(sizeof *c);
    c->slots = (thrum_shared_semaphore)THRUM_SHARED_BOUNDED_SEMAPHORE_INIT(PERMITS);
    assert_int_equal(thrum_shared_queue_init(&c->queue, c->room, sizeof c->room[0], ROOM), 0);
}

static bool stopped(void) { return __atomic_load_n(&c->stop, __ATOMIC_RELAXED); }

static void step(void) { __atomic_fetch_add(&c->steps, 1, __ATOMIC_RELAXED); }

/* Returns whether what is protected has to be repaired. */
static bool inherited(int rc) {
    assert_true(rc == 0 || rc == -EOWNERDEAD);
    if (rc != 0)
        __atomic_fetch_add(&c->heirs, 1, __ATOMIC_RELAXED);
    return rc != 0;
}

/* Starts workers of both functions, and kills others of them one after the other. */
static void kill_under_load(void *(*one)(void *), void *(*other)(void *), spec_processes *workers) {
    thrum_deadline end = thrum_in(spec_stress_seconds());
    int kills = 0;
    spec_processes_start(workers, WORKERS, one, c);
    spec_processes_start(workers, WORKERS, other, c);
    while (kills < KILLS && thrum_now().ns < end.ns) {
        spec_processes victim = {.n = 0};
        uint32_t before = __atomic_load_n(&c->steps, __ATOMIC_RELAXED);
        spec_processes_start(&victim, 1, kills++ % 2 ? one : other, c);
        while (__atomic_load_n(&c->steps, __ATOMIC_RELAXED) - before < 10)
            spec_yield();
        for (uint32_t n = spec_random(100); n > 0; n--)
            spec_perhaps_yield();
        spec_processes_kill(&victim);
    }
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "%d kills, %u inherited\n", kills, c->heirs);
}

static void *change_both(void *arg) {
    while (!stopped()) {
        if (inherited(thrum_shared_lock_acquire(&c->lock)))
            c->b = c->a;
        assert_int_equal(c->a, c->b);
        __atomic_store_n(&c->a, c->a + 1, __ATOMIC_RELAXED);
        spec_perhaps_yield();
        __atomic_store_n(&c->b, c->b + 1, __ATOMIC_RELAXED);
        thrum_shared_lock_release(&c->lock);
        step();
    }
    return arg;
}

static void test_lock(void **state) {
    (void)state;
    begin();
    spec_processes workers = {.n = 0};
    kill_under_load(change_both, change_both, &workers);
    spec_processes_join(&workers);
    if (inherited(thrum_shared_lock_acquire(&c->lock)))
        c->b = c->a;
    assert_int_equal(c->a, c->b);
}

static void *enter_and_leave(void *arg) {
    while (!stopped()) {
        inherited(thrum_shared_semaphore_acquire(&c->slots));
        spec_perhaps_yield();
        assert_int_equal(thrum_shared_semaphore_release(&c->slots, 1), 0);
        step();
    }
    return arg;
}

static void test_semaphore(void **state) {
    (void)state;
    begin();
    spec_processes workers = {.n = 0};
    kill_under_load(enter_and_leave, enter_and_leave, &workers);
    spec_processes_join(&workers);
    for (int i = 0; i < PERMITS; i++)
        inherited(thrum_shared_semaphore_acquire(&c->slots));
    assert_int_equal(thrum_shared_semaphore_try_acquire(&c->slots), -EBUSY);
    assert_int_equal(thrum_shared_semaphore_release(&c->slots, PERMITS), 0);
    assert_int_equal(thrum_shared_semaphore_release(&c->slots, 1), -EOVERFLOW);
}

/* Who died may have been the one that was notified: its heir notifies all. */
static void repair_if(bool needed) {
    if (needed) {
        thrum_shared_condition_notify_all(&c->not_empty);
        thrum_shared_condition_notify_all(&c->not_full);
    }
}

static void move(bool produces) {
    repair_if(inherited(thrum_shared_lock_acquire(&c->lock)));
    while (!stopped() && c->put - c->got == (produces ? ROOM : 0))
        repair_if(inherited(
            thrum_shared_condition_wait(produces ? &c->not_full : &c->not_empty, &c->lock)));
    assert_in_range(c->put - c->got, 0, ROOM);
    if (!stopped()) {
        __atomic_fetch_add(produces ? &c->put : &c->got, 1, __ATOMIC_RELAXED);
        spec_perhaps_yield();
        (void)thrum_shared_condition_notify(produces ? &c->not_empty : &c->not_full, 1);
    }
    thrum_shared_lock_release(&c->lock);
    step();
}

static void *produce(void *arg) {
    while (!stopped())
        move(true);
    return arg;
}

static void *consume(void *arg) {
    while (!stopped())
        move(false);
    return arg;
}

static void test_condition(void **state) {
    (void)state;
    begin();
    spec_processes workers = {.n = 0};
    kill_under_load(produce, consume, &workers);
    inherited(thrum_shared_lock_acquire(&c->lock));
    repair_if(true);
    thrum_shared_lock_release(&c->lock);
    spec_processes_join(&workers);
    assert_in_range(c->put - c->got, 0, ROOM);
}

/* What is sent is counted before the put: a victim may have counted one that it did not put. */
static void *send(void *arg) {
    for (uint64_t item = 1; !stopped(); item++) {
        __atomic_fetch_add(&c->sent, 1, __ATOMIC_RELAXED);
        if (thrum_shared_queue_put(&c->queue, &item) != 0)
            break;
        step();
    }
    return arg;
}

/* What is received is counted after the get: a victim may have got one that it did not count. */
static void *receive(void *arg) {
    uint64_t item;
    while (thrum_shared_queue_get(&c->queue, &item) == 0) {
        assert_true(item != 0);
        __atomic_fetch_add(&c->received, 1, __ATOMIC_RELAXED);
        step();
    }
    return arg;
}

static void test_queue(void **state) {
    (void)state;
    begin();
    spec_processes workers = {.n = 0};
    spec_processes drain = {.n = 0};
    kill_under_load(send, receive, &workers);
    spec_processes_start(&drain, 1, receive, c);
    thrum_shared_queue_shutdown(&c->queue, false);
    spec_processes_join(&workers);
    spec_processes_join(&drain);
    assert_true(thrum_shared_queue_empty(&c->queue));
    assert_in_range(c->sent - c->received, 0, KILLS + WORKERS);
}

SPEC_TESTS(cmocka_unit_test(test_lock), cmocka_unit_test(test_semaphore),
           cmocka_unit_test(test_condition), cmocka_unit_test(test_queue));
