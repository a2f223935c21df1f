/* SPDX-License-Identifier: MIT */
#include "park/strand.h"

#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include <thrum/inline.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/raw_lock.h"
#include "park/os.h"

#define TLS_FAST __attribute__((tls_model("initial-exec")))
#ifdef __clang__
#define SEEN_BY_ASM __attribute__((used))
#else
#define SEEN_BY_ASM __attribute__((used, externally_visible))
#endif

/* Read by inline.h, in every program. Zero: not met yet. The only references stand in an asm, which
 * link-time optimisation does not see. */
THRUM_API TLS_FAST SEEN_BY_ASM __thread uint32_t thrum__tls_id;
TLS_FAST __thread struct thrum__locals *thrum__tls_locals;
static TLS_FAST __thread thrum__strand *current;
static __thread thrum__strand adopted;

static thrum__strand main_strand;
static bool main_taken; /* main_strand is the current one of an OS thread, or was; registry lock */
thrum__strand *thrum__strand_main;

static thrum__raw_lock registry_lock;
static thrum__link registry = THRUM__LIST_INIT(registry);
static uint32_t last_id; /* relaxed */
static bool ids_wrapped; /* relaxed: some may be in use */
static pthread_key_t end_key;
static bool end_key_made; /* read-only after init_once() */
static __thread int ends; /* how often end_adopted() ran for this thread */
static pthread_once_t once = PTHREAD_ONCE_INIT;

void (*thrum__strand_on_end)(thrum__strand *strand);
void (*thrum__strand_on_fork)(thrum__strand *strand);

void thrum__strand_switch(thrum__strand *strand) {
    current = strand;
    thrum__tls_id = strand ? strand->holder_id : 0;
    thrum__tls_locals = strand ? strand->locals : NULL;
    __asm__ volatile("" ::: "memory"); /* before thrum__strand_id() reads it, inlined or not */
}

__attribute__((noinline)) void thrum__strand_set_locals(thrum__strand *self,
                                                        struct thrum__locals *locals) {
    self->locals = locals;
    thrum__tls_locals = locals;
}

__attribute__((noinline)) thrum__strand *thrum__strand_peek(void) {
    __asm__ volatile("");
    return current;
}

thrum__link *thrum__registry_lock(void) {
    thrum__raw_lock_acquire(&registry_lock);
    return &registry;
}

void thrum__registry_unlock(void) { thrum__raw_lock_release(&registry_lock); }

thrum__strand *thrum__registry_find(uint32_t id) {
    THRUM__EACH(link, &registry) {
        thrum__strand *strand = THRUM__MEMBER(thrum__strand, listed, link);
        if (strand->id == id)
            return strand;
        for (const thrum__alias *alias = strand->aliases; alias; alias = alias->inner)
            if (alias->id == id)
                return strand;
    }
    return NULL;
}

/* Ids count up, so that one is not met again soon; after 2^31 those of the living are passed
 * over. */
static uint32_t new_id(void) {
    for (;;) {
        uint32_t n = thrum__add_relaxed(&last_id, 1) + 1;
        uint32_t id = n & ~THRUM__WAITERS;
        if (id == 0) {
            thrum__store_relaxed(&ids_wrapped, true);
            continue;
        }
        if (!thrum__load_relaxed(&ids_wrapped))
            return id;
        thrum__registry_lock();
        bool used = thrum__registry_find(id) != NULL;
        thrum__registry_unlock();
        if (!used)
            return id;
    }
}

void thrum__strand_init(thrum__strand *strand, const thrum__strand_ops *ops) {
    uint32_t id = new_id();
    *strand = (thrum__strand){.id = id, .holder_id = id, .ops = ops, .waker_cpu = -1};
    thrum__list_init(&strand->listed);
}

static void hold_as(thrum__strand *self, uint32_t id) {
    self->holder_id = id;
    thrum__strand_switch(self);
}

bool thrum__strand_alias_enter(thrum__strand *self) {
    thrum__alias *outer = self->alias;
    thrum__alias *inner = outer ? outer->inner : self->aliases;
    if (!inner) {
        inner = malloc(sizeof *inner);
        if (!inner)
            return false;
        *inner = (thrum__alias){new_id(), outer, NULL};
        thrum__registry_lock();
        *(outer ? &outer->inner : &self->aliases) = inner;
        thrum__registry_unlock();
    }
    self->alias = inner;
    hold_as(self, inner->id);
    return true;
}

void thrum__strand_alias_leave(thrum__strand *self) {
    self->alias = self->alias->outer;
    hold_as(self, self->alias ? self->alias->id : self->id);
}

void thrum__strand_free_aliases(thrum__strand *strand) {
    for (thrum__alias *alias = strand->aliases, *inner; alias; alias = inner) {
        inner = alias->inner;
        free(alias);
    }
    strand->aliases = NULL;
}

void thrum__strand_list(thrum__strand *strand) {
    thrum__registry_lock();
    thrum__list_insert(&registry, &strand->listed);
    thrum__registry_unlock();
}

void thrum__strand_unlist(thrum__strand *strand) {
    thrum__registry_lock();
    thrum__list_remove(&strand->listed);
    if (thrum__strand_main == strand)
        thrum__store_relaxed(&thrum__strand_main, NULL);
    thrum__registry_unlock();
}

/* A foreign thread, or main, ends. */
static void end_adopted(void *arg) {
    thrum__strand *strand = arg;
    ends++;
    if (thrum__strand_on_end)
        thrum__strand_on_end(strand);
    thrum__strand_unlist(strand);
    thrum__strand_free_aliases(strand);
    if (strand->counted)
        thrum__os_asleep();
    thrum__strand_switch(NULL);
}

static void prepare_fork(void) { thrum__registry_lock(); }

static void parent_after_fork(void) { thrum__registry_unlock(); }

static void child_after_fork(void) {
    thrum__strand *self = current;
    registry_lock = (thrum__raw_lock){0};
    for (thrum__link *link = registry.next, *next; link != &registry; link = next) {
        thrum__strand *strand = THRUM__MEMBER(thrum__strand, listed, link);
        next = link->next;
        if (strand == self)
            continue;
        thrum__list_init(link);
        if (thrum__strand_on_fork)
            thrum__strand_on_fork(strand);
    }
    thrum__list_init(&registry);
    thrum__os_reset_awake(self && self->counted ? 1 : 0);
    main_taken = true;
    if (self)
        thrum__list_insert(&registry, &self->listed);
    else
        self = thrum__strand_self();
    thrum__store_relaxed(&thrum__strand_main, self);
    self->native_id = thrum__os_native_id();
}

static const thrum__fork_hooks fork_hooks = {prepare_fork, parent_after_fork, child_after_fork};

static void init_once(void) {
    end_key_made = pthread_key_create(&end_key, end_adopted) == 0;
    thrum__strand_init(&main_strand, &thrum__strand_os);
    main_strand.adopted = true;
    main_strand.native_id = getpid();
    thrum__strand_main = &main_strand;
    thrum__strand_list(&main_strand);
    thrum__fork_register(THRUM__FORK_STRAND, &fork_hooks);
}

/* Makes the calling OS thread a strand. It stands in thread-local memory: cannot fail. It is listed
 * only if its end will be noticed: not without a key, nor in the last round of the thread's
 * destructors. */
static __attribute__((noinline)) thrum__strand *adopt(void) {
    pthread_once(&once, init_once);
    int64_t native_id = thrum__os_native_id();
    thrum__strand *strand = &adopted;
    thrum__registry_lock();
    if (native_id == main_strand.native_id && !main_taken) {
        main_taken = true;
        strand = &main_strand;
    }
    thrum__registry_unlock();
    if (strand == &adopted) {
        thrum__strand_init(strand, &thrum__strand_os);
        strand->adopted = true;
        strand->native_id = native_id;
        strand->os = (uintptr_t)pthread_self();
        if (end_key_made && ends < PTHREAD_DESTRUCTOR_ITERATIONS - 1 &&
            pthread_setspecific(end_key, strand) == 0)
            thrum__strand_list(strand);
    } else if (end_key_made) {
        pthread_setspecific(end_key, strand); /* without memory main's end goes unnoticed */
    }
    thrum__strand_switch(strand);
    return strand;
}

__attribute__((constructor)) static void adopt_main(void) {
    if (getpid() == thrum__os_native_id())
        thrum__strand_self();
    else
        pthread_once(&once, init_once);
}

__attribute__((noinline)) thrum__strand *thrum__strand_self(void) {
    __asm__ volatile("");
    thrum__strand *strand = current;
    return THRUM__LIKELY(strand != NULL) ? strand : adopt();
}

uint32_t thrum__strand_id_slow(void) { return thrum__strand_self()->holder_id; }
