/* SPDX-License-Identifier: MIT */
#include "park/lot.h"

#include <stddef.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/raw_lock.h"

enum { BUCKETS_LOG2 = 9, BUCKETS = 1 << BUCKETS_LOG2, CACHE_LINE = 64 };

struct thrum__bucket {
    thrum__raw_lock lock;
    thrum__link heads; /* under lock; zero until the first use */
} __attribute__((aligned(CACHE_LINE)));

static thrum__bucket buckets[BUCKETS];

static thrum__bucket *bucket_of(const void *address) {
    uint64_t key = (uint64_t)(uintptr_t)address >> 2;
    return &buckets[(key * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - BUCKETS_LOG2)]; /* Knuth 6.4 */
}

static void lock_bucket(thrum__bucket *bucket) {
    thrum__raw_lock_acquire(&bucket->lock);
    if (THRUM__UNLIKELY(bucket->heads.next == NULL))
        thrum__list_init(&bucket->heads);
}

thrum__bucket *thrum__lot_lock(const void *address) {
    thrum__bucket *bucket = bucket_of(address);
    lock_bucket(bucket);
    return bucket;
}

void thrum__lot_unlock(thrum__bucket *bucket) { thrum__raw_lock_release(&bucket->lock); }

void thrum__lot_lock_pair(const void *a, const void *b, thrum__bucket **bucket_a,
                          thrum__bucket **bucket_b) {
    thrum__bucket *first = *bucket_a = bucket_of(a);
    thrum__bucket *second = *bucket_b = bucket_of(b);
    if (first > second) {
        first = *bucket_b;
        second = *bucket_a;
    }
    lock_bucket(first);
    if (second != first)
        lock_bucket(second);
}

void thrum__lot_unlock_pair(thrum__bucket *a, thrum__bucket *b) {
    thrum__lot_unlock(a);
    if (b != a)
        thrum__lot_unlock(b);
}

thrum__waiter *thrum__lot_first(thrum__bucket *bucket, const void *address) {
    THRUM__EACH(link, &bucket->heads) {
        thrum__waiter *waiter = THRUM__MEMBER(thrum__waiter, heads, link);
        if (waiter->address == address)
            return waiter;
    }
    return NULL;
}

static void insert(thrum__bucket *bucket, thrum__waiter *waiter, const void *address,
                   const thrum__wait_kind *kind) {
    thrum__waiter *head = thrum__lot_first(bucket, address);
    thrum__store_relaxed(&waiter->address, address);
    thrum__list_init(&waiter->queued);
    waiter->kind = kind;
    waiter->state = THRUM__QUEUED;
    waiter->first_wake = 0;
    waiter->head = head == NULL;
    if (head)
        thrum__list_insert(&head->queued, &waiter->queued);
    else
        thrum__list_insert(&bucket->heads, &waiter->heads);
}

static void note_wait(thrum__strand *strand, const thrum__wait_kind *kind, const void *object) {
    thrum__store_relaxed(&strand->waiting_on, object);
    thrum__store_relaxed(&strand->waiting_kind, kind);
}

void thrum__lot_enqueue(thrum__bucket *bucket, thrum__waiter *waiter, const void *address,
                        const thrum__wait_kind *kind) {
    waiter->strand = thrum__strand_peek();
    waiter->began = address;
    insert(bucket, waiter, address, kind);
    thrum__store_relaxed(&waiter->strand->waiting_since, 0);
    note_wait(waiter->strand, kind, address);
}

void thrum__lot_dequeue(thrum__bucket *bucket, thrum__waiter *waiter) {
    (void)bucket;
    if (waiter->head) {
        if (thrum__lot_others(waiter)) {
            thrum__waiter *next = THRUM__MEMBER(thrum__waiter, queued, waiter->queued.next);
            next->head = true;
            thrum__list_insert(&waiter->heads, &next->heads);
        }
        thrum__list_remove(&waiter->heads);
    }
    thrum__list_remove(&waiter->queued);
}

void thrum__lot_requeue(thrum__bucket *from, thrum__waiter *waiter, thrum__bucket *bucket_to,
                        const void *to, const thrum__wait_kind *kind) {
    thrum__lot_dequeue(from, waiter);
    insert(bucket_to, waiter, to, kind);
    note_wait(waiter->strand, kind, to);
}

void thrum__lot_grant(thrum__bucket *bucket, thrum__waiter *waiter, thrum__link *list) {
    thrum__lot_dequeue(bucket, waiter);
    waiter->state = THRUM__GRANTED;
    thrum__list_insert(list, &waiter->queued);
}

void thrum__lot_unpark(thrum__link *list) {
    for (thrum__link *link = list->next, *next; link != list; link = next) {
        thrum__strand *strand = THRUM__MEMBER(thrum__waiter, queued, link)->strand;
        next = link->next;
        strand->ops->unpark(strand); /* the waiter may be gone from here */
    }
}

int thrum__lot_sleep(thrum__waiter *waiter, int64_t deadline, unsigned flags) {
    thrum__strand *self = waiter->strand;
    int rc = self->ops->park(self, deadline, flags);
    if (rc == 0)
        return 0;
    for (;;) {
        const void *now_at = thrum__load_relaxed(&waiter->address);
        thrum__bucket *bucket = thrum__lot_lock(now_at);
        bool moved = thrum__load_relaxed(&waiter->address) != now_at;
        bool given_up = !moved && waiter->state == THRUM__QUEUED && now_at == waiter->began;
        if (given_up)
            thrum__lot_dequeue(bucket, waiter);
        thrum__lot_unlock(bucket);
        if (given_up)
            return rc;
        if (!moved)
            break;
    }
    /* A token is on its way, or will be: whoever holds the lock it was moved to owes it. */
    return self->ops->park(self, INT64_MAX, 0);
}

int thrum__lot_park(thrum__bucket *bucket, thrum__waiter *waiter, int64_t deadline,
                    unsigned flags) {
    thrum__lot_unlock(bucket);
    return thrum__lot_sleep(waiter, deadline, flags);
}

int thrum__lot_park_leaving(thrum__bucket *bucket, thrum__waiter *waiter, int64_t deadline,
                            unsigned flags, thrum__lot_leave *leave) {
    thrum__strand *self = waiter->strand;
    thrum__link granted = THRUM__LIST_INIT(granted);
    thrum__lot_unlock(bucket);
    int rc = self->ops->park(self, deadline, flags);
    if (rc == 0)
        return 0;
    bucket = thrum__lot_lock(waiter->began);
    bool left = waiter->state != THRUM__GRANTED && leave(bucket, waiter, &granted);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&granted);
    return left ? rc : self->ops->park(self, INT64_MAX, 0);
}

void thrum__lot_unpark_kind(const void *address, const thrum__wait_kind *kind) {
    thrum__link list = THRUM__LIST_INIT(list);
    thrum__bucket *bucket = thrum__lot_lock(address);
    thrum__waiter *waiter;
    while ((waiter = thrum__lot_first(bucket, address)) != NULL && (!kind || waiter->kind == kind))
        thrum__lot_grant(bucket, waiter, &list);
    thrum__lot_unlock(bucket);
    thrum__lot_unpark(&list);
}

void thrum__lot_unpark_all(const void *address) { thrum__lot_unpark_kind(address, NULL); }

void thrum__lot_done(thrum__waiter *waiter) {
    thrum__store_relaxed(&waiter->strand->waiting_kind, NULL);
    thrum__store_relaxed(&waiter->strand->waiting_on, NULL);
}

bool thrum__lot_waits(thrum__bucket *bucket, const void *address, const thrum__strand *strand) {
    thrum__waiter *first = thrum__lot_first(bucket, address);
    if (!first)
        return false;
    if (first->strand == strand)
        return true;
    THRUM__EACH(link, &first->queued)
        if (THRUM__MEMBER(thrum__waiter, queued, link)->strand == strand)
            return true;
    return false;
}

/* The last locks that a fork takes: nobody takes another with one of them held. So the child finds
 * whole what others change under them. */
static void prepare_fork(void) {
    for (int i = 0; i < BUCKETS; i++)
        thrum__raw_lock_acquire(&buckets[i].lock);
}

static void parent_after_fork(void) {
    for (int i = 0; i < BUCKETS; i++)
        thrum__raw_lock_release(&buckets[i].lock);
}

/* In the child only the forking thread is left, and it waits for nothing. */
static void child_after_fork(void) {
    for (int i = 0; i < BUCKETS; i++)
        buckets[i] = (thrum__bucket){.lock = {0}};
}

static const thrum__fork_hooks fork_hooks = {prepare_fork, parent_after_fork, child_after_fork};

__attribute__((constructor)) static void register_fork(void) {
    thrum__fork_register(THRUM__FORK_LOT, &fork_hooks);
}
