/* SPDX-License-Identifier: MIT */
#include "strand_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <thrum/dump.h>
#include <unistd.h>

#include "base/atomic.h"
#include "fiber.h"

enum {
    START_TIME = 1000000000,
    TIME_STEP = 1000,              /* nanoseconds that pass at each switch and look at the clock */
    LATE_AT_MOST = 1000000000,     /* how far the clock may jump while others could run */
    LATE_ONE_IN = 16,
    PREEMPTED_ONE_IN = 4,          /* how often a strand that has woken another stops there */
    FIRST_NATIVE_ID = 0x40000000
};

/* state: READY can run; BLOCKED until unpark() or `deadline`; ENDED its entry has returned */
enum { READY, BLOCKED, ENDED };

typedef struct test_strand {
    fiber fiber;
    thrum__strand *strand; /* may be gone once ENDED */
    thrum__link all;
    int state;
    bool token;
    bool detached;
    int64_t deadline; /* while BLOCKED */
} test_strand;

static struct {
    thrum__link all;
    thrum__link forgotten; /* in a forked child: the others, which run no more */
    test_strand *current;
    test_strand *left;  /* whom the last switch left */
    test_strand *spent; /* detached and ended, to be freed by the next */
    int64_t clock;
    int64_t native_id;
    uint64_t random;
    int fail_in;
    int fail_error;
} world;

#define OF(link) THRUM__MEMBER(test_strand, all, link)

static uint32_t draw(uint32_t n) {
    world.random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = world.random;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((x ^ (x >> 31)) % n);
}

static void drop(test_strand *it) {
    thrum__list_remove(&it->all);
    fiber_destroy(&it->fiber);
    free(it);
}

static void arrived(void) {
    if (world.spent) {
        drop(world.spent);
        world.spent = NULL;
    }
}

static int64_t earliest(void) {
    int64_t earliest = INT64_MAX;
    THRUM__EACH(link, &world.all) {
        if (OF(link)->state == BLOCKED && OF(link)->deadline < earliest)
            earliest = OF(link)->deadline;
    }
    return earliest;
}

static int expire(void) {
    int ready = 0;
    THRUM__EACH(link, &world.all) {
        if (OF(link)->state == BLOCKED && OF(link)->deadline <= world.clock)
            OF(link)->state = READY;
        ready += OF(link)->state == READY;
    }
    return ready;
}

static void deadlock(void) {
    fprintf(stderr, "strand_test: every strand waits, and none has a deadline:\n");
    thrum_dump(STDERR_FILENO);
    abort();
}

static test_strand *choose(void) {
    world.clock += TIME_STEP;
    int64_t next = earliest();
    int ready = expire();
    bool late = draw(LATE_ONE_IN) == 0 && next - world.clock <= LATE_AT_MOST;
    if ((ready == 0 || late) && next != INT64_MAX) {
        world.clock = next > world.clock ? next : world.clock;
        ready = expire();
    }
    if (ready == 0)
        deadlock();
    uint32_t skip = draw((uint32_t)ready);
    THRUM__EACH(link, &world.all) {
        if (OF(link)->state == READY && skip-- == 0)
            return OF(link);
    }
    abort();
}

static void reschedule(void) {
    test_strand *self = world.current;
    test_strand *next = choose();
    if (next == self)
        return;
    bool last = self->state == ENDED;
    world.left = self;
    world.current = next;
    thrum__strand_switch(next->strand);
    fiber_switch(&self->fiber, &next->fiber, last);
    arrived();
}

static void run_entry(void) {
    test_strand *self = world.current;
    fiber_entered(&self->fiber, &world.left->fiber);
    arrived();
    self->strand->entry(self->strand);
    self->state = ENDED;
    if (self->detached)
        world.spent = self;
    reschedule();
}

static int start(thrum__strand *strand, size_t stack_size) {
    if (world.fail_in > 0 && --world.fail_in == 0)
        return world.fail_error;
    test_strand *it = calloc(1, sizeof *it);
    if (!it)
        return -ENOMEM;
    int rc = fiber_init(&it->fiber, stack_size, run_entry);
    if (rc < 0) {
        free(it);
        return rc;
    }
    it->strand = strand;
    it->state = READY;
    strand->os = (uintptr_t)it;
    strand->native_id = ++world.native_id;
    thrum__list_insert(&world.all, &it->all);
    return 0;
}

static int park(thrum__strand *self, int64_t deadline, unsigned flags) {
    test_strand *it = (test_strand *)self->os;
    (void)flags;
    if (!it->token) {
        it->state = BLOCKED;
        it->deadline = deadline;
        if (thrum__load_relaxed(&self->waiting_since) == 0)
            thrum__store_relaxed(&self->waiting_since, world.clock);
        reschedule();
    }
    if (!it->token)
        return -ETIMEDOUT;
    it->token = false;
    return 0;
}

static void unpark(thrum__strand *strand) {
    test_strand *it = (test_strand *)strand->os;
    it->token = true;
    if (it->state == BLOCKED)
        it->state = READY;
    if (draw(PREEMPTED_ONE_IN) == 0)
        reschedule();
}

static int64_t now(void) { return world.clock += TIME_STEP; }

static bool reap(thrum__strand *strand, bool wait) {
    test_strand *it = (test_strand *)strand->os;
    while (wait && it->state != ENDED)
        reschedule();
    if (it->state != ENDED)
        return false;
    drop(it);
    return true;
}

static void detach(thrum__strand *strand) {
    test_strand *it = (test_strand *)strand->os;
    if (it->state == ENDED)
        drop(it);
    else
        it->detached = true;
}

static void set_name(thrum__strand *strand, const char *name) { (void)strand, (void)name; }

const thrum__strand_ops strand_test_ops = {
    .start = start,
    .park = park,
    .unpark = unpark,
    .yield = reschedule,
    .now = now,
    .reap = reap,
    .detach = detach,
    .set_name = set_name,
};

static void forget_others(void) {
    for (thrum__link *link = world.all.next; link != &world.all;) {
        test_strand *it = OF(link);
        link = link->next;
        if (it == world.current)
            continue;
        it->state = ENDED;
        thrum__list_remove(&it->all);
        thrum__list_insert(&world.forgotten, &it->all);
    }
}

int strand_test_run(int (*body)(void)) {
    static test_strand first;
    static thrum__strand strand;
    thrum__list_init(&world.all);
    thrum__list_init(&world.forgotten);
    world.clock = START_TIME;
    world.native_id = FIRST_NATIVE_ID;
    fiber_init_self(&first.fiber);
    thrum__strand_init(&strand, &strand_test_ops);
    strand.os = (uintptr_t)&first;
    strand.native_id = gettid();
    strand.adopted = true;
    first.strand = &strand;
    thrum__list_insert(&world.all, &first.all);
    world.current = &first;
    pthread_atfork(NULL, NULL, forget_others);
    thrum__strand_unlist(thrum__strand_self());
    thrum__strand_switch(&strand);
    thrum__strand_list(&strand);
    thrum__registry_lock();
    thrum__strand_main = &strand;
    thrum__registry_unlock();
    return body();
}

void strand_test_reseed(uint64_t seed) { world.random = seed; }

int strand_test_stacks(void) {
    int n = 0;
    THRUM__EACH(link, &world.all) n += 1;
    return n;
}

void strand_test_fail_start(int n, int error) {
    world.fail_in = n;
    world.fail_error = error;
}
