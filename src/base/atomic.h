/* SPDX-License-Identifier: MIT */
/* Atomic accesses to plain fields. Every one that is not relaxed stands below a comment that names
 * its partner: pairs with f(). tools/check_pairs.py reads them. */
#ifndef THRUM_BASE_ATOMIC_H
#define THRUM_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define thrum__load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define thrum__load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define thrum__load_seq_cst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define thrum__store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define thrum__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define thrum__store_seq_cst(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define thrum__xchg_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define thrum__xchg_release(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define thrum__xchg_seq_cst(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define thrum__add_relaxed(p, n) __atomic_fetch_add((p), (n), __ATOMIC_RELAXED)
#define thrum__add_release(p, n) __atomic_fetch_add((p), (n), __ATOMIC_RELEASE)
#define thrum__add_seq_cst(p, n) __atomic_fetch_add((p), (n), __ATOMIC_SEQ_CST)
#define thrum__sub_relaxed(p, n) __atomic_fetch_sub((p), (n), __ATOMIC_RELAXED)
#define thrum__sub_acq_rel(p, n) __atomic_fetch_sub((p), (n), __ATOMIC_ACQ_REL)
#define thrum__sub_release(p, n) __atomic_fetch_sub((p), (n), __ATOMIC_RELEASE)
#define thrum__and_relaxed(p, n) __atomic_fetch_and((p), (n), __ATOMIC_RELAXED)
#define thrum__or_relaxed(p, n) __atomic_fetch_or((p), (n), __ATOMIC_RELAXED)
#define thrum__or_acq_rel(p, n) __atomic_fetch_or((p), (n), __ATOMIC_ACQ_REL)
#define thrum__or_seq_cst(p, n) __atomic_fetch_or((p), (n), __ATOMIC_SEQ_CST)

/* Compare and exchange: returns whether *p was *expected and is now `desired`; else *expected gets
 * what was found, read relaxed. */
#define thrum__cas_relaxed(p, expected, desired)                                                   \
    __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_RELAXED,               \
                                __ATOMIC_RELAXED)
#define thrum__cas_acquire(p, expected, desired)                                                   \
    __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_ACQUIRE,               \
                                __ATOMIC_RELAXED)
#define thrum__cas_release(p, expected, desired)                                                   \
    __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_RELEASE,               \
                                __ATOMIC_RELAXED)
#define thrum__cas_acq_rel(p, expected, desired)                                                   \
    __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_ACQ_REL,               \
                                __ATOMIC_RELAXED)
#define thrum__cas_seq_cst(p, expected, desired)                                                   \
    __atomic_compare_exchange_n((p), (expected), (desired), false, __ATOMIC_SEQ_CST,               \
                                __ATOMIC_RELAXED)

#endif
