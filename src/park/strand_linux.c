/* SPDX-License-Identifier: MIT */
/* The OS thread as a strand: a futex on strand->word. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"
#include "park/os.h"
#include "park/strand.h"

enum { IDLE, TOKEN, ASLEEP };
enum { MISSES_MAX = 6, OS_NAME_BYTES = 15 };
enum { SPIN_NS = 20000, START_SPIN_NS = 60000, REAP_SPIN_NS = 40000 };
enum { SLOW_YIELD_NS = 100000, SLOW_YIELDS_MAX = 6 };

static uint32_t awake; /* relaxed: OS strands that do not sleep in park */
static uint32_t cpus;  /* relaxed: CPUs allowed; 0 not counted yet */

int64_t thrum__os_native_id(void) { return syscall(SYS_gettid); }

void thrum__os_awake(void) { thrum__add_relaxed(&awake, 1); }

void thrum__os_asleep(void) { thrum__sub_relaxed(&awake, 1); }

void thrum__os_reset_awake(uint32_t n) { thrum__store_relaxed(&awake, n); }

static uint32_t cpus_allowed(void) {
    uint32_t n = thrum__load_relaxed(&cpus);
    if (n == 0) {
        n = (uint32_t)thrum__cpu_allowed();
        thrum__store_relaxed(&cpus, n);
    }
    return n;
}

static bool cpu_free(void) { return thrum__load_relaxed(&awake) <= cpus_allowed(); }

bool thrum__strand_may_spin(const thrum__strand *self) {
    return self->ops == &thrum__strand_os && cpu_free() &&
           thrum__load_relaxed(&self->waker_cpu) != thrum__cpu_current();
}

bool thrum__strand_may_spin_beside(const thrum__strand *self, uint32_t n) {
    uint32_t own = self->counted ? 0 : 1;
    return self->ops == &thrum__strand_os &&
           thrum__load_relaxed(&awake) + own + n <= cpus_allowed();
}

static bool take_token(thrum__strand *self) {
    /* acquire: pairs with os_unpark() */
    if (thrum__load_acquire(&self->word) != TOKEN)
        return false;
    thrum__store_relaxed(&self->word, IDLE);
    return true;
}

/* Looks for about half a wake; after looks in vain it leaves out the next 1, 3, .. 63. */
static bool spin(thrum__strand *self) {
    if (self->skip > 0) {
        self->skip--;
        return false;
    }
    for (uint32_t i = thrum__cpu_pauses(SPIN_NS); i > 0; i--) {
        thrum__pause();
        if (thrum__load_relaxed(&self->word) == TOKEN) {
            self->misses = 0;
            return take_token(self);
        }
    }
    self->misses += self->misses < MISSES_MAX;
    self->skip = (uint8_t)((1U << self->misses) - 1);
    return false;
}

/* Lets others run on this CPU. Beside a thread that hogs the CPU a yield gives a whole slice away:
 * after one that was slow the next 4, 16, 64 .. are left out. */
static void yield_timed(thrum__strand *self) {
    if (self->yield_skip > 0) {
        self->yield_skip--;
        return;
    }
    int64_t start = thrum__clock_now();
    sched_yield();
    if (thrum__clock_now() - start > SLOW_YIELD_NS) {
        self->slow_yields += self->slow_yields < SLOW_YIELDS_MAX;
        self->yield_skip = (uint16_t)(1U << (2 * self->slow_yields));
    } else {
        self->slow_yields = 0;
    }
}

/* Before a futex is called for: the partner may answer when it is let run. */
static bool yield_for_token(thrum__strand *self) {
    yield_timed(self);
    return take_token(self);
}

/* 0 with the token given, -ETIMEDOUT or -EINTR. Counts itself as awake again, unless os_unpark()
 * did. */
static int sleep_for_token(thrum__strand *self, int64_t deadline, bool interruptible) {
    uint32_t word = IDLE;
    if (interruptible && deadline == INT64_MAX)
        deadline--; /* with no deadline at all SA_RESTART would hide the signal */
    if (!thrum__cas_relaxed(&self->word, &word, ASLEEP)) {
        thrum__os_awake();
        return 0;
    }
    for (;;) {
        int rc = thrum__futex_wait(&self->word, ASLEEP, deadline);
        if (thrum__load_relaxed(&self->word) != ASLEEP)
            return 0;
        word = ASLEEP;
        if ((rc == -ETIMEDOUT || (rc == -EINTR && interruptible)) &&
            thrum__cas_relaxed(&self->word, &word, IDLE)) {
            thrum__os_awake();
            return rc;
        }
    }
}

static int os_park(thrum__strand *self, int64_t deadline, unsigned flags) {
    if (take_token(self))
        return 0;
    if (deadline != INT64_MAX && deadline <= thrum__clock_now())
        return -ETIMEDOUT;
    if (flags & THRUM__PARK_SPIN) {
        if (thrum__strand_may_spin(self) ? spin(self)
                                         : deadline == INT64_MAX && yield_for_token(self))
            return 0;
    }
    if (thrum__load_relaxed(&self->waiting_since) == 0)
        thrum__store_relaxed(&self->waiting_since, thrum__clock_now());
    if (self->counted)
        thrum__os_asleep();
    int rc = sleep_for_token(self, deadline,
                             (flags & THRUM__PARK_INTERRUPTIBLE) && self->interruptible);
    self->counted = true;
    if (rc != 0)
        return rc;
    take_token(self);
    return 0;
}

static void os_unpark(thrum__strand *strand) {
    thrum__store_relaxed(&strand->waker_cpu, thrum__cpu_current());
    uint32_t *word = &strand->word;
    /* release: pairs with take_token() */
    if (thrum__xchg_release(word, TOKEN) == ASLEEP) {
        thrum__os_awake();          /* from now on it wants a CPU, though it may get none yet */
        thrum__futex_wake(word, 1); /* *strand may be gone from here */
    }
}

static void leave(void *unused) {
    (void)unused;
    thrum__os_asleep();
    thrum__strand_switch(NULL);
}

static void *run(void *arg) {
    thrum__strand *self = arg;
    thrum__strand_switch(self);
    self->native_id = thrum__os_native_id();
    self->counted = true;
    thrum__store_relaxed(&self->os, (uintptr_t)pthread_self());
    pthread_cleanup_push(leave, NULL);
    self->entry(self); /* *self may be gone from here */
    pthread_cleanup_pop(1);
    return NULL;
}

static int set_stack_size(pthread_attr_t *attr, size_t stack_size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    long least = sysconf(_SC_THREAD_STACK_MIN);
    if (least > 0 && stack_size < (size_t)least)
        stack_size = (size_t)least;
    if (stack_size < (size_t)PTHREAD_STACK_MIN)
        stack_size = (size_t)PTHREAD_STACK_MIN;
    if (stack_size > SIZE_MAX - page)
        return EINVAL;
    return pthread_attr_setstacksize(attr, (stack_size + page - 1) / page * page);
}

/* A new thread needs about one wake to run on an idle CPU: less than a sleep of its creator. */
static void look_for_start(const thrum__strand *strand) {
    if (!cpu_free() || thrum__cpu_allowed() < 2)
        return;
    for (uint32_t i = thrum__cpu_pauses(START_SPIN_NS); i > 0; i--) {
        if (thrum__load_relaxed(&strand->os) != 0)
            return;
        thrum__pause();
    }
}

static int os_start(thrum__strand *strand, size_t stack_size) {
    pthread_attr_t attr;
    pthread_t thread;
    int rc;
    thrum__os_awake();
    if (stack_size == 0) {
        rc = pthread_create(&thread, NULL, run, strand);
    } else if ((rc = pthread_attr_init(&attr)) == 0) {
        rc = set_stack_size(&attr, stack_size);
        if (rc == 0)
            rc = pthread_create(&thread, &attr, run, strand);
        pthread_attr_destroy(&attr);
    }
    if (rc == 0) {
        look_for_start(strand);
        return 0;
    }
    thrum__os_asleep();
    return rc == EAGAIN ? -EAGAIN : -ENOMEM;
}

static void os_yield(void) { yield_timed(thrum__strand_self()); }

static bool os_reap(thrum__strand *strand, bool wait) {
    pthread_t thread = (pthread_t)strand->os;
    uint32_t looks =
        thrum__strand_may_spin(thrum__strand_self()) ? thrum__cpu_pauses(REAP_SPIN_NS) : 1;
    int rc, cancel;
    while ((rc = pthread_tryjoin_np(thread, NULL)) == EBUSY && --looks > 0)
        thrum__pause();
    if (rc == EBUSY && wait) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        rc = pthread_join(thread, NULL);
        pthread_setcancelstate(cancel, NULL);
    }
    return rc == 0;
}

static void os_detach(thrum__strand *strand) { pthread_detach((pthread_t)strand->os); }

static void os_set_name(thrum__strand *strand, const char *name) {
    char prefix[OS_NAME_BYTES + 1];
    size_t n = strnlen(name, OS_NAME_BYTES + 1);
    if (n > OS_NAME_BYTES) {
        n = OS_NAME_BYTES;
        while (n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80)
            n--; /* not in the middle of a character */
    }
    memcpy(prefix, name, n);
    prefix[n] = '\0';
    pthread_setname_np((pthread_t)strand->os, prefix);
}

const thrum__strand_ops thrum__strand_os = {
    .start = os_start,
    .park = os_park,
    .unpark = os_unpark,
    .yield = os_yield,
    .now = thrum__clock_now,
    .reap = os_reap,
    .detach = os_detach,
    .set_name = os_set_name,
};
