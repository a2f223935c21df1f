/* SPDX-License-Identifier: MIT */
/* A strand has a table of values, indexed by the slot of each local. The owner of a table alone
 * makes it longer, and reads and writes the values of its locals without a lock;
 * thrum_local_clear() reaches into the tables of others for one local that nobody uses. */
#include <thrum/local.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/list.h"
#include "base/raw_lock.h"
#include "sync/local.h"

enum { ROUNDS = 4, ENTRIES_MIN = 8, WORD_BITS = 32, BATCH = 64 };

typedef struct entry {
    void *value; /* NULL: none */
    void (*destroy)(void *value);
} entry;

struct thrum__locals {
    thrum__link all; /* under tables_lock */
    uint32_t n;      /* read-only: slots 1 to n have an entry */
    entry entries[];
};

static thrum__raw_lock tables_lock;
static thrum__link tables = THRUM__LIST_INIT(tables); /* under tables_lock */
static uint32_t *used;      /* a bit for each slot but 0; under tables_lock */
static uint32_t used_words; /* under tables_lock */

__attribute__((noinline)) void *thrum_local_get(const thrum_local *local) {
    /* acquire: pairs with slot_of() */
    uint32_t slot = thrum__load_acquire(&local->thrum__slot);
    const struct thrum__locals *mine = thrum__tls_locals;
    return mine && slot - 1 < mine->n ? mine->entries[slot - 1].value : NULL;
}

/* Returns the lowest free slot, marked as used, 0 if there is no room. Requires tables_lock. */
static uint32_t take_slot(void) {
    for (uint32_t i = 0; i < used_words; i++)
        if (~used[i] != 0) {
            uint32_t bit = (uint32_t)__builtin_ctz(~used[i]);
            used[i] |= UINT32_C(1) << bit;
            return i * WORD_BITS + bit + 1;
        }
    return 0;
}

/* Makes room for `words` words of used slots. Returns 0 or -ENOMEM. */
static int reserve_slots(uint32_t words) {
    uint32_t *more = calloc(words, sizeof *more);
    if (!more)
        return -ENOMEM;
    thrum__raw_lock_acquire(&tables_lock);
    if (words > used_words) {
        uint32_t *old = used;
        if (old)
            memcpy(more, old, used_words * sizeof *old);
        used = more;
        used_words = words;
        more = old;
    }
    thrum__raw_lock_release(&tables_lock);
    free(more);
    return 0;
}

/* Returns the slot of `local`, which gets one if it has none, 0 without memory. */
static uint32_t slot_of(thrum_local *local) {
    for (;;) {
        /* acquire: pairs with slot_of() */
        uint32_t slot = thrum__load_acquire(&local->thrum__slot);
        if (slot != 0)
            return slot;
        thrum__raw_lock_acquire(&tables_lock);
        slot = thrum__load_relaxed(&local->thrum__slot);
        if (slot == 0 && (slot = take_slot()) != 0)
            /* release: pairs with thrum_local_get(), slot_of() */
            thrum__store_release(&local->thrum__slot, slot);
        uint32_t words = used_words;
        thrum__raw_lock_release(&tables_lock);
        if (slot != 0)
            return slot;
        if (reserve_slots(words ? 2 * words : 1) != 0)
            return 0;
    }
}

/* Gives `self` a table with room for `slot`. Returns it, or NULL. */
static struct thrum__locals *grow(thrum__strand *self, uint32_t slot) {
    struct thrum__locals *old = self->locals;
    uint32_t n = ENTRIES_MIN;
    while (n < slot)
        n *= 2;
    size_t size;
    struct thrum__locals *table = NULL;
    if (!__builtin_mul_overflow(n, sizeof table->entries[0], &size) &&
        !__builtin_add_overflow(size, sizeof *table, &size))
        table = calloc(1, size);
    if (!table)
        return NULL;
    table->n = n;
    thrum__raw_lock_acquire(&tables_lock);
    thrum__list_insert(&tables, &table->all);
    if (old) {
        thrum__list_remove(&old->all);
        memcpy(table->entries, old->entries, old->n * sizeof old->entries[0]);
    }
    thrum__raw_lock_release(&tables_lock);
    thrum__strand_set_locals(self, table);
    free(old);
    return table;
}

int thrum_local_set(thrum_local *local, void *value) {
    thrum__strand *self = thrum__strand_self();
    struct thrum__locals *mine = self->locals;
    uint32_t slot = slot_of(local);
    if (slot == 0)
        return value ? -ENOMEM : 0;
    if (!mine || slot > mine->n) {
        if (!value)
            return 0;
        mine = grow(self, slot);
        if (!mine)
            return -ENOMEM;
    }
    mine->entries[slot - 1] = (entry){value, local->thrum__destroy};
    return 0;
}

/* Takes the values of `slot` out of the tables, at most BATCH of them, into `values`. Returns how
 * many. */
static int take_values(uint32_t slot, void **values) {
    int n = 0;
    thrum__raw_lock_acquire(&tables_lock);
    THRUM__EACH(link, &tables) {
        struct thrum__locals *table = THRUM__MEMBER(struct thrum__locals, all, link);
        entry *at = slot <= table->n ? &table->entries[slot - 1] : NULL;
        if (!at || !at->value)
            continue;
        values[n] = at->value;
        at->value = NULL;
        if (++n == BATCH)
            break;
    }
    thrum__raw_lock_release(&tables_lock);
    return n;
}

void thrum_local_clear(thrum_local *local) {
    void *values[BATCH];
    uint32_t slot = thrum__load_relaxed(&local->thrum__slot);
    if (slot == 0)
        return;
    for (int n; (n = take_values(slot, values)) > 0;)
        for (int i = 0; i < n; i++)
            if (local->thrum__destroy)
                local->thrum__destroy(values[i]);
    thrum__raw_lock_acquire(&tables_lock);
    used[(slot - 1) / WORD_BITS] &= ~(UINT32_C(1) << (slot - 1) % WORD_BITS);
    thrum__store_relaxed(&local->thrum__slot, 0);
    thrum__raw_lock_release(&tables_lock);
}

/* Takes the value at `i` out of the table of `self`. */
static entry take_value(thrum__strand *self, uint32_t i) {
    thrum__raw_lock_acquire(&tables_lock);
    entry taken = self->locals->entries[i];
    self->locals->entries[i].value = NULL;
    thrum__raw_lock_release(&tables_lock);
    return taken;
}

/* Returns whether there was anything to be destroyed. */
static bool destroy_round(thrum__strand *self) {
    bool any = false;
    for (uint32_t i = 0; self->locals && i < self->locals->n; i++) {
        entry taken = take_value(self, i);
        if (!taken.value)
            continue;
        any = true;
        if (taken.destroy)
            taken.destroy(taken.value);
    }
    return any;
}

void thrum__local_end(thrum__strand *self) {
    for (int i = 0; i < ROUNDS && destroy_round(self); i++)
        continue;
}

void thrum__local_forget(thrum__strand *strand) {
    if (!strand->locals)
        return;
    thrum__list_remove(&strand->locals->all);
    free(strand->locals);
    strand->locals = NULL;
}

void thrum__local_free(thrum__strand *strand) {
    struct thrum__locals *table = strand->locals;
    if (!table)
        return;
    thrum__raw_lock_acquire(&tables_lock);
    thrum__list_remove(&table->all);
    thrum__raw_lock_release(&tables_lock);
    thrum__strand_set_locals(strand, NULL);
    free(table);
}

static void before_fork(void) { thrum__raw_lock_acquire(&tables_lock); }

static void after_fork(void) { thrum__raw_lock_release(&tables_lock); }

static const thrum__fork_hooks fork_hooks = {before_fork, after_fork, after_fork};

__attribute__((constructor)) static void register_fork(void) {
    thrum__fork_register(THRUM__FORK_LOCAL, &fork_hooks);
}
