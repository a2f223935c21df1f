/* SPDX-License-Identifier: MIT */
#include "exec/ranks.h"

#include <stddef.h>

static bool comes_before(const thrum__rank *a, const thrum__rank *b) {
    return a->priority != b->priority ? a->priority > b->priority : a->order < b->order;
}

/* Makes one heap of two, neither NULL. */
static thrum__rank *meld(thrum__rank *a, thrum__rank *b) {
    if (comes_before(b, a)) {
        thrum__rank *first = b;
        b = a;
        a = first;
    }
    b->next = a->child;
    b->before = a;
    if (b->next)
        b->next->before = b;
    a->child = b;
    a->next = a->before = NULL;
    return a;
}

/* Makes one heap of siblings: by pairs, and then these from the last to the first. */
static thrum__rank *meld_all(thrum__rank *siblings) {
    thrum__rank *pairs = NULL;
    while (siblings) {
        thrum__rank *a = siblings, *b = a->next;
        siblings = b ? b->next : NULL;
        a = b ? meld(a, b) : a;
        a->next = pairs;
        pairs = a;
    }
    thrum__rank *all = pairs;
    if (!all)
        return NULL;
    pairs = all->next;
    all->next = all->before = NULL;
    while (pairs) {
        thrum__rank *next = pairs->next;
        all = meld(all, pairs);
        pairs = next;
    }
    return all;
}

static void remove_from_heap(thrum__ranks *ranks, thrum__rank *rank) {
    thrum__rank *below = meld_all(rank->child);
    if (rank == ranks->first) {
        ranks->first = below;
        return;
    }
    if (rank->before->child == rank)
        rank->before->child = rank->next;
    else
        rank->before->next = rank->next;
    if (rank->next)
        rank->next->before = rank->before;
    if (below)
        ranks->first = meld(ranks->first, below);
}

/* Under the lock. */
static void take(thrum__ranks *ranks, thrum__rank *rank) {
    remove_from_heap(ranks, rank);
    *(rank->older ? &rank->older->newer : &ranks->oldest) = rank->newer;
    *(rank->newer ? &rank->newer->older : &ranks->newest) = rank->older;
    rank->queued = false;
    thrum__sub_relaxed(&ranks->n, 1);
}

/* Under the lock. `older`, `newer`: between which it stands. */
static void enter(thrum__ranks *ranks, thrum__rank *rank, thrum__rank *older, thrum__rank *newer) {
    rank->child = rank->next = rank->before = NULL;
    rank->older = older;
    rank->newer = newer;
    *(older ? &older->newer : &ranks->oldest) = rank;
    *(newer ? &newer->older : &ranks->newest) = rank;
    rank->queued = true;
    ranks->first = ranks->first ? meld(ranks->first, rank) : rank;
    /* seq_cst: pairs with thrum__ranks_visible(), called by who has announced its sleep: either
     * that sees the task, or the load of the state that follows sees the sleeper: pairs with
     * thrum__state_add() */
    thrum__add_seq_cst(&ranks->n, 1);
}

void thrum__ranks_put(thrum__ranks *ranks, thrum__rank *rank) {
    thrum__raw_lock_acquire(&ranks->lock);
    rank->order = ++ranks->last_order;
    enter(ranks, rank, ranks->newest, NULL);
    thrum__raw_lock_release(&ranks->lock);
}

void thrum__ranks_put_back(thrum__ranks *ranks, thrum__rank *rank) {
    thrum__raw_lock_acquire(&ranks->lock);
    enter(ranks, rank, NULL, ranks->oldest);
    thrum__raw_lock_release(&ranks->lock);
}

thrum__rank *thrum__ranks_take(thrum__ranks *ranks, int64_t floor) {
    thrum__raw_lock_acquire(&ranks->lock);
    thrum__rank *rank = ranks->first && ranks->first->priority > floor ? ranks->first : NULL;
    if (rank)
        take(ranks, rank);
    thrum__raw_lock_release(&ranks->lock);
    return rank;
}

thrum__rank *thrum__ranks_take_oldest(thrum__ranks *ranks) {
    thrum__raw_lock_acquire(&ranks->lock);
    thrum__rank *rank = ranks->oldest;
    if (rank)
        take(ranks, rank);
    thrum__raw_lock_release(&ranks->lock);
    return rank;
}

bool thrum__ranks_take_this(thrum__ranks *ranks, thrum__rank *rank, bool anyway) {
    thrum__raw_lock_acquire(&ranks->lock);
    bool taken = rank->queued && (anyway || ranks->first == rank);
    if (taken)
        take(ranks, rank);
    thrum__raw_lock_release(&ranks->lock);
    return taken;
}

bool thrum__ranks_above(thrum__ranks *ranks, int64_t floor) {
    thrum__raw_lock_acquire(&ranks->lock);
    bool above = ranks->first && ranks->first->priority > floor;
    thrum__raw_lock_release(&ranks->lock);
    return above;
}
