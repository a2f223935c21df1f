/* SPDX-License-Identifier: MIT */
#include "exec/credit.h"

#include "base/atomic.h"
#include "exec/pool.h"

/* Between two counts a submitter runs a 64th of the limit itself, 16 tasks at most; under 128 it
 * counts each time. */
enum { OWN_PART = 64, OWN_MAX = 16 };

/* Counts what is queued. Returns whether there is room for one more, which the caller has then. */
static bool count(thrum_executor *pool, thrum__credit *credit) {
    uint32_t free = 0;
    /* acquire: pairs with count() */
    if (!thrum__cas_acquire(&credit->counting, &free, 1))
        return false;
    size_t queued = thrum__pool_queued(pool);
    bool room = queued < credit->limit;
    if (room)
        thrum__add_relaxed(&credit->left, credit->limit - (uint32_t)queued - 1);
    /* release: pairs with count() */
    thrum__store_release(&credit->counting, 0);
    return room;
}

bool thrum__credit_take(thrum_executor *pool) {
    thrum__credit *credit = &pool->credit;
    uint32_t left = thrum__load_relaxed(&credit->left);
    while (left > 0)
        if (thrum__cas_relaxed(&credit->left, &left, left - 1))
            return true;
    uint32_t own = thrum__load_relaxed(&credit->own);
    if (own > 0 && own < OWN_MAX && own < credit->limit / OWN_PART) {
        thrum__store_relaxed(&credit->own, own + 1);
        return false;
    }
    bool room = count(pool, credit);
    thrum__store_relaxed(&credit->own, !room);
    return room;
}

void thrum__credit_back(thrum_executor *pool) { thrum__add_relaxed(&pool->credit.left, 1); }
