/* SPDX-License-Identifier: MIT */
#include "exec/credit.h"

#include "base/atomic.h"
#include "exec/pool.h"

/* Between two counts a submitter runs a 64th of the limit itself, 16 tasks at most, as long as
 * every worker has something to run; under 128 it counts each time. */
enum { OWN_PART = 64, OWN_MAX = 16 };

static const uint64_t COUNTED = UINT64_C(1) << 32;

static bool goes_on(const thrum_executor *pool, thrum__credit *credit) {
    uint32_t own = thrum__load_relaxed(&credit->own);
    if (own == 0 || own >= OWN_MAX || own >= credit->limit / OWN_PART ||
        !thrum__state_full(pool, thrum__load_relaxed(&pool->state)))
        return false;
    thrum__store_relaxed(&credit->own, own + 1);
    return true;
}

bool thrum__credit_take(thrum_executor *pool) {
    thrum__credit *credit = &pool->credit;
    /* acquire: pairs with thrum__credit_take(): what those have queued who took the last is
     * counted */
    uint64_t left = thrum__load_acquire(&credit->left);
    for (;;) {
        uint64_t then = left - 1;
        if ((uint32_t)left == 0) {
            if (goes_on(pool, credit))
                return false;
            size_t queued = thrum__pool_queued(pool);
            bool room = queued < credit->limit;
            thrum__store_relaxed(&credit->own, !room);
            if (!room)
                return false;
            then = left + COUNTED + (credit->limit - (uint32_t)queued - 1);
        }
        /* acq_rel: pairs with thrum__credit_take() */
        if (thrum__cas_acq_rel(&credit->left, &left, then))
            return true;
        /* acquire: pairs with thrum__credit_take() */
        left = thrum__load_acquire(&credit->left);
    }
}

void thrum__credit_back(thrum_executor *pool) { thrum__add_relaxed(&pool->credit.left, 1); }
