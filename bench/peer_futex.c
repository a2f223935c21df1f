/* SPDX-License-Identifier: MIT */
/* The floor: one futex word and the raw system calls, with no policy. */
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PEER_NAME "raw futex"
#define PEER_RANK 20
#define PEER_IS_FLOOR true

static void wait_while(uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}
static void wake_one(uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* word: 0 free, 1 held, 2 held and somebody may sleep */
#define PEER_LOCK
typedef uint32_t peer_lock;
static inline void peer_lock_init(peer_lock *l) { *l = 0; }
static __attribute__((noinline)) void acquire_slow(peer_lock *l) {
    /* acquire: pairs with peer_release() */
    while (__atomic_exchange_n(l, 2, __ATOMIC_ACQUIRE) != 0)
        wait_while(l, 2);
}
static inline void peer_acquire(peer_lock *l) {
    uint32_t word = 0;
    /* acquire: pairs with peer_release() */
    if (!__atomic_compare_exchange_n(l, &word, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        acquire_slow(l);
}
static inline void peer_release(peer_lock *l) {
    /* release: pairs with peer_acquire(), acquire_slow() */
    if (__atomic_exchange_n(l, 0, __ATOMIC_RELEASE) == 2)
        wake_one(l);
}

#define PEER_RLOCK
typedef struct peer_rlock {
    peer_lock lock;
    const char *owner; /* address of a thread-local; relaxed */
    unsigned depth;    /* only the owner's */
} peer_rlock;
static __thread char self;
static inline void peer_rlock_init(peer_rlock *l) { memset(l, 0, sizeof *l); }
static inline void peer_racquire(peer_rlock *l) {
    if (__atomic_load_n(&l->owner, __ATOMIC_RELAXED) == &self) {
        l->depth += 1;
        return;
    }
    peer_acquire(&l->lock);
    __atomic_store_n(&l->owner, &self, __ATOMIC_RELAXED);
}
static inline void peer_rrelease(peer_rlock *l) {
    if (l->depth != 0) {
        l->depth -= 1;
        return;
    }
    __atomic_store_n(&l->owner, NULL, __ATOMIC_RELAXED);
    peer_release(&l->lock);
}

/* word: 0 not set, 1 set, 2 not set and one waiter sleeps */
#define PEER_EVENT
typedef uint32_t peer_event;
static inline void peer_event_init(peer_event *e) { *e = 0; }
static inline void peer_event_set(peer_event *e) {
    /* release: pairs with peer_event_wait() */
    if (__atomic_exchange_n(e, 1, __ATOMIC_RELEASE) == 2)
        wake_one(e);
}
static inline void peer_event_clear(peer_event *e) { __atomic_store_n(e, 0, __ATOMIC_RELAXED); }
static inline void peer_event_wait(peer_event *e) {
    uint32_t word = 0;
    /* acquire: pairs with peer_event_set() */
    while (__atomic_load_n(e, __ATOMIC_ACQUIRE) != 1) {
        word = 0;
        if (__atomic_compare_exchange_n(e, &word, 2, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
            word == 2)
            wait_while(e, 2);
    }
}

/* A bare clone: no name, no record, and the thread-local memory of its starter, which it does not
 * touch. Stacks are kept, as glibc keeps them. */
#define PEER_THREAD
enum { STACK = 64 * 1024 };
typedef struct peer_thread {
    char *stack;
    pid_t tid; /* atomic; cleared by the kernel */
} peer_thread;
static int peer_nothing(void *arg) { return arg != NULL; }
static char *stacks[64];
static int n_stacks;
static inline void peer_start(peer_thread *t) {
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                      CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    t->stack = n_stacks > 0 ? stacks[--n_stacks]
                            : mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (t->stack == MAP_FAILED ||
        clone(peer_nothing, t->stack + STACK, flags, NULL, &t->tid, NULL, &t->tid) < 0)
        abort();
}
static inline void peer_join(peer_thread *t) {
    pid_t tid;
    /* acquire: pairs with the kernel's store when the thread ends, before its futex wake in
     * peer_start() */
    while ((tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE)) != 0)
        syscall(SYS_futex, &t->tid, FUTEX_WAIT, tid, NULL, NULL, 0);
    stacks[n_stacks++] = t->stack;
}

#include "peer.h"
