/* SPDX-License-Identifier: MIT */
/* How the ends of a backend wait for each other: looks before sleeps, as everywhere
 * (park/README.md). */
#include <limits.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "park/os.h"

enum { MISSES_MAX = 6, LOOK_NS = 20000, PAUSES = 8 };

int thrum__remote_cpus(void) { return thrum__cpu_allowed(); }

int thrum__remote_cpu(void) { return thrum__cpu_current(); }

/* The partner needs a CPU too. On this one it can only run when it is let. */
bool thrum__remote_may_look(int cpu) {
    thrum__strand *self = thrum__strand_self();
    if (cpu == thrum__cpu_current()) {
        self->ops->yield();
        return false;
    }
    if (!thrum__strand_may_spin_beside(self, 1))
        return false;
    if (self->skip == 0)
        return true;
    self->skip--;
    return false;
}

/* After looks in vain the next 1, 3, .. 63 are left out, as in a strand's own. */
void thrum__remote_looked(bool found) {
    thrum__strand *self = thrum__strand_self();
    if (found) {
        self->misses = 0;
        return;
    }
    self->misses += self->misses < MISSES_MAX;
    self->skip = (uint8_t)((1U << self->misses) - 1);
}

void thrum__remote_slept(int64_t ns) {
    if (ns < 2 * LOOK_NS)
        thrum__remote_looked(true);
}

bool thrum__remote_look(const uint64_t *word, uint64_t value, int64_t ns) {
    for (uint32_t i = thrum__cpu_pauses(ns); i > 0; i--) {
        if (thrum__load_relaxed(word) != value)
            return true;
        thrum__pause();
    }
    return false;
}

/* For as long as half a wake takes. */
static void look_after(const thrum_future *future, const thrum_backend *backend, void *state) {
    int64_t until = thrum__clock_now() + LOOK_NS;
    while (backend->look(state) && !thrum__task_done(future) && thrum__clock_now() < until)
        for (int i = 0; i < PAUSES; i++)
            thrum__pause();
    thrum__remote_looked(thrum__task_done(future));
}

bool thrum__remote_help(thrum_future *future) {
    thrum_executor *pool = future->pool;
    if (thrum__pool_gone(pool) || thrum__strand_self()->ops != &thrum__strand_os)
        return false;
    const thrum_backend *backend = thrum__remote_pin(future);
    if (!backend)
        return true;
    int cpu = backend->attend ? backend->attend(pool->remote) : -1;
    if (cpu >= 0) {
        if (thrum__remote_may_look(cpu))
            look_after(future, backend, pool->remote);
        else
            (void)backend->look(pool->remote);
        backend->leave(pool->remote);
    }
    thrum__pool_unpin(pool);
    return thrum__task_done(future);
}

void thrum__remote_sleep(uint32_t *word, uint32_t value) {
    thrum__remote_asleep();
    (void)thrum__futex_wait_shared(word, value, INT64_MAX);
    thrum__remote_awake();
}

void thrum__remote_wake(uint32_t *word) { thrum__futex_wake_shared(word, 1); }

void thrum__remote_asleep(void) {
    if (thrum__strand_self()->counted)
        thrum__os_asleep();
}

void thrum__remote_awake(void) {
    if (thrum__strand_self()->counted)
        thrum__os_awake();
}
