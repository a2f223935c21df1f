/* SPDX-License-Identifier: MIT */
/* The split deque: what spawn and sync do when the fast paths of inline.h do not suffice, and
 * stealing. */
#include "exec/fork_join.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/cpu.h"
#include "base/fork.h"
#include "base/list.h"
#include "base/panic.h"
#include "park/lot.h"

enum { FRAMES = 1 << 15, LOOKS = 64 };

static const thrum__wait_kind call_kind = {"spawned call", NULL};

static uint32_t tail_of(uint64_t shared) { return (uint32_t)shared; }

static uint32_t split_of(uint64_t shared) { return (uint32_t)(shared >> 32); }

static uint64_t pair(uint32_t tail, uint32_t split) { return tail | (uint64_t)split << 32; }

static thrum__forker *forker_of(thrum_worker *worker) {
    return THRUM__MEMBER(thrum__forker, worker, worker);
}

static uint32_t head_of(const thrum__forker *self) {
    return (uint32_t)(self->worker.thrum__head - self->frames);
}

/* Puts the guard where it belongs. Returns whether somebody has asked for work. */
static bool settle(thrum__forker *self) {
    bool beyond = self->spilled || self->lost;
    uintptr_t guard = beyond ? UINTPTR_MAX : (uintptr_t)(self->frames + self->split);
    /* acquire: pairs with thrum__forker_ask() */
    bool asked = thrum__xchg_acquire(&self->worker.thrum__guard, guard) == UINTPTR_MAX && !beyond;
    return asked || thrum__load_relaxed(&self->worker.thrum__limit) == 0;
}

thrum__forker *thrum__forker_new(void) {
    size_t align = sizeof(thrum__call);
    char *memory = calloc(1, sizeof(thrum__forker) + FRAMES * sizeof(thrum__call) + 2 * align);
    if (!memory)
        return NULL;
    thrum__forker *forker = (void *)(((uintptr_t)memory + align - 1) & ~(uintptr_t)(align - 1));
    size_t size = (sizeof *forker + align - 1) & ~(align - 1);
    forker->memory = memory;
    forker->frames = (void *)((char *)forker + size);
    forker->end = forker->frames + FRAMES;
    forker->worker.thrum__head = forker->frames;
    thrum__forker_reset(forker);
    return forker;
}

void thrum__forker_free(thrum__forker *forker) {
    for (thrum__spilled *spilled = forker->spilled, *below; spilled; spilled = below) {
        below = spilled->below;
        free(spilled);
    }
    free(forker->memory);
}

void thrum__forker_reset(thrum__forker *forker) {
    thrum__store_relaxed(&forker->shared, 0);
    forker->split = 0;
    thrum__store_relaxed(&forker->worker.thrum__limit, (uintptr_t)forker->end);
    thrum__store_relaxed(&forker->worker.thrum__guard, (uintptr_t)forker->frames);
}

void thrum__forker_ask(thrum__forker *victim) {
    if (thrum__load_relaxed(&victim->worker.thrum__limit) == 0)
        return;
    thrum__store_relaxed(&victim->worker.thrum__limit, 0);
    /* release: pairs with settle() */
    thrum__store_release(&victim->worker.thrum__guard, UINTPTR_MAX);
}

/* Wakes the owners that sleep until `self` has run their frames: they may take from it
 * meanwhile. */
static void wake_owners(thrum__forker *self) {
    for (thrum__taken *taken = self->taken; taken; taken = taken->below) {
        thrum__call *frame = taken->frame;
        thrum__link granted = THRUM__LIST_INIT(granted);
        thrum__waiter *waiter;
        /* seq_cst: pairs with await_news() */
        if (!(thrum__load_seq_cst(&frame->state) & THRUM__CALL_AWAITED))
            continue;
        thrum__bucket *bucket = thrum__lot_lock(frame);
        thrum__and_relaxed(&frame->state, ~(uintptr_t)THRUM__CALL_AWAITED);
        while ((waiter = thrum__lot_first(bucket, frame)) != NULL)
            thrum__lot_grant(bucket, waiter, &granted);
        thrum__lot_unlock(bucket);
        thrum__lot_unpark(&granted);
    }
}

/* Makes the older half of the private frames below `head` public. The limit is back before they are
 * seen, so that who finds them gone asks again. What there is not yet stays asked for. */
static void answer(thrum__forker *self, uint32_t head) {
    if (head <= self->split)
        return;
    uint32_t n = (head - self->split + 1) / 2;
    self->split += n;
    thrum__store_relaxed(&self->worker.thrum__limit, (uintptr_t)self->end);
    /* seq_cst: pairs with thrum__forker_steal(), thrum__forker_ready(): the frames are written;
     * what follows looks for those who sleep */
    thrum__add_seq_cst(&self->shared, pair(0, n));
    (void)settle(self);
    thrum__source_news(self->join->pool);
    wake_owners(self);
}

/* The stack is full: the frame goes to the heap, and is run by its owner. Without memory it is
 * counted. */
static thrum__call *spill(thrum__forker *self) {
    thrum__spilled *spilled = self->lost ? NULL : malloc(sizeof *spilled);
    if (spilled) {
        spilled->below = self->spilled;
        spilled->frame.state = 0;
        self->spilled = spilled;
    } else {
        self->lost++;
        thrum__whole_failed(self->join->whole, 0, -ENOMEM);
    }
    (void)settle(self);
    return spilled ? &spilled->frame : &self->scratch;
}

thrum__call *thrum__spawn_slow(thrum_worker *worker) {
    thrum__forker *self = forker_of(worker);
    thrum__call *frame = worker->thrum__head;
    if (settle(self))
        answer(self, head_of(self));
    if (frame >= self->end)
        return spill(self);
    worker->thrum__head = frame + 1;
    return frame;
}

/* Takes the last of the frames beyond the stack. */
static bool unspill(thrum__forker *self, thrum__call **frame) {
    bool mine = self->lost == 0;
    if (mine) {
        thrum__spilled *spilled = self->spilled;
        self->scratch = spilled->frame;
        self->spilled = spilled->below;
        free(spilled);
    } else {
        self->lost--;
        memset(&self->scratch.data, 0, sizeof self->scratch.data);
    }
    if (settle(self))
        answer(self, head_of(self));
    *frame = &self->scratch;
    return mine;
}

/* Makes the upper half of the public frames private, down to the last at least. Returns whether
 * there was any. */
static bool take_back(thrum__forker *self) {
    uint64_t shared = thrum__load_relaxed(&self->shared);
    uint32_t tail, split;
    do {
        tail = tail_of(shared);
        split = tail + (self->split - tail) / 2;
        if (tail == self->split)
            return false;
    } while (!thrum__cas_relaxed(&self->shared, &shared, pair(tail, split)));
    self->split = split;
    (void)settle(self);
    return true;
}

/* In the child of a fork: who took `frame` is not here. */
static void give_up(thrum__forker *self, thrum__call *frame) {
    thrum__whole_failed(self->join->whole, 0, -ECANCELED);
    memset(&frame->data, 0, sizeof frame->data);
    thrum__store_relaxed(&frame->state, THRUM__CALL_DONE);
}

/* Sleeps until `frame` is done, or who runs it has made frames public. */
static void await_news(thrum__forker *self, thrum__call *frame) {
    thrum__waiter waiter;
    thrum__strand_self(); /* met before the bucket is locked */
    /* seq_cst: pairs with wake_owners(): either that sees the bit, or the look below its frames */
    uintptr_t state = thrum__or_seq_cst(&frame->state, THRUM__CALL_AWAITED);
    thrum__forker *thief = (void *)(state & ~(uintptr_t)THRUM__CALL_BITS);
    if ((state & THRUM__CALL_DONE) || (thief && thrum__forker_steal(self, thief)))
        return;
    thrum__bucket *bucket = thrum__lot_lock(frame);
    /* acquire: pairs with take(), finish() */
    state = thrum__load_acquire(&frame->state);
    if ((state & THRUM__CALL_DONE) || !(state & THRUM__CALL_AWAITED)) {
        thrum__lot_unlock(bucket);
        return;
    }
    thrum__lot_enqueue(bucket, &waiter, frame, &call_kind);
    (void)thrum__lot_park(bucket, &waiter, INT64_MAX, THRUM__PARK_SPIN);
    thrum__lot_done(&waiter);
}

/* Blocks until `frame`, which another runs, is done, and takes from that one meanwhile:
 * leapfrogging (Wagner and Calder, "Leapfrogging: a portable technique for implementing efficient
 * futures", 1993). */
static void await_taken(thrum__forker *self, thrum__call *frame) {
    for (int looks = LOOKS;; looks--) {
        /* acquire: pairs with take(), finish() */
        uintptr_t state = thrum__load_acquire(&frame->state);
        thrum__forker *thief = (void *)(state & ~(uintptr_t)THRUM__CALL_BITS);
        if (state & THRUM__CALL_DONE)
            return;
        if (thrum__fork_join_left_alone(self->join)) {
            give_up(self, frame);
            return;
        }
        if (thief && thrum__forker_steal(self, thief)) {
            looks = LOOKS;
        } else if (looks == 0) {
            await_news(self, frame);
            looks = LOOKS;
        }
        thrum__pause();
    }
}

bool thrum__sync_slow(thrum_worker *worker, void (*run)(thrum_worker *, thrum__call *),
                      thrum__call **frame) {
    thrum__forker *self = forker_of(worker);
    if (self->lost || self->spilled)
        return unspill(self, frame);
    thrum__call *last = worker->thrum__head - 1;
    if (last < self->frames || last->run != run)
        thrum__panic("thrum_sync: the last spawn that has not been synced is not of this function");
    uint32_t index = (uint32_t)(last - self->frames);
    if (settle(self))
        answer(self, index);
    *frame = last;
    if (index < self->split && !take_back(self)) {
        await_taken(self, last);
        self->scratch.data = last->data;
        *frame = &self->scratch;
        thrum__store_relaxed(&last->state, 0);
        self->split = index;
        /* Nobody takes while tail and split are equal, so the owner may set both. */
        thrum__store_relaxed(&self->shared, pair(index, index));
        (void)settle(self);
    }
    worker->thrum__head = last;
    return *frame == last;
}

void thrum__forker_run(thrum__forker *self, thrum__call *frame) {
    thrum__call *head = self->worker.thrum__head;
    frame->run(&self->worker, frame);
    if (self->worker.thrum__head != head || self->spilled || self->lost)
        thrum__panic("a spawned call returned without a thrum_sync for each thrum_spawn");
}

bool thrum__fork_join_left_alone(const thrum__fork_join *join) {
    return join->source.generation != thrum__fork_generation();
}

void thrum__forker_check_ended(const thrum__forker *self, const thrum__call *head) {
    if (self->worker.thrum__head != head || self->spilled || self->lost)
        thrum__panic("a thread ends (pthread_exit, cancellation) in a spawned call that has not "
                     "called thrum_sync for each thrum_spawn");
}

/* Also when pthread_exit() or a cancellation unwinds the thief. */
static void finish(thrum__taken *taken) {
    thrum__forker *self = taken->by;
    thrum__call *frame = taken->frame;
    self->taken = taken->below;
    if (!taken->whole) {
        thrum__forker_check_ended(self, taken->head);
        self->broken = true;
        thrum__whole_failed(self->join->whole, 0, -ECANCELED);
        memset(&frame->data, 0, sizeof frame->data);
    }
    /* release: pairs with await_taken(), await_news() */
    if (thrum__xchg_release(&frame->state, THRUM__CALL_DONE) & THRUM__CALL_AWAITED)
        thrum__lot_unpark_kind(frame, &call_kind); /* *frame may be gone */
}

void thrum__forker_desert(thrum__forker *self) {
    self->broken = true;
    while (self->taken)
        finish(self->taken);
}

/* Runs a frame of another. */
static void take(thrum__forker *self, thrum__call *frame) {
    __attribute__((cleanup(finish))) thrum__taken taken = {frame, self->taken, self,
                                                           self->worker.thrum__head, false};
    self->taken = &taken;
    /* release: pairs with await_taken(), await_news() */
    thrum__add_release(&frame->state, (uintptr_t)self);
    thrum__forker_ask(self);
    thrum__forker_run(self, frame);
    taken.whole = true;
}

bool thrum__forker_ready(thrum__forker *victim) {
    /* seq_cst: pairs with answer() */
    uint64_t shared = thrum__load_seq_cst(&victim->shared);
    if (tail_of(shared) < split_of(shared))
        return true;
    thrum__forker_ask(victim);
    return false;
}

bool thrum__forker_steal(thrum__forker *self, thrum__forker *victim) {
    /* seq_cst: pairs with answer() */
    uint64_t shared = thrum__load_seq_cst(&victim->shared);
    while (tail_of(shared) < split_of(shared)) {
        uint32_t tail = tail_of(shared);
        /* acquire: pairs with answer() */
        if (thrum__cas_acquire(&victim->shared, &shared, shared + 1)) {
            take(self, victim->frames + tail);
            return true;
        }
    }
    thrum__forker_ask(victim);
    return false;
}
