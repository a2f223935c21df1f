/* SPDX-License-Identifier: MIT */
/* Each who takes part owns a range and takes from its front; once it is empty, from the back of the
 * others. One count says how much of a range is left, so that front and back need not know of each
 * other (the technique of pthreadpool, Marat Dukhan). */
#include <thrum/map.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/list.h"
#include "base/panic.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"
#include "exec/source.h"

/* ON_STACK: ranges that need no memory. FIRST: the first automatic chunk. SHARE: the part of what
 * is left that a chunk may be. A chunk of the largest size so far doubles or halves that size by
 * its time. */
enum { ON_STACK = 8, FIRST = 16, SHARE = 4, LEAST_NS = 300,
       SHORT_NS = 50000, LONG_NS = 500000 };

typedef struct range {
    size_t left;  /* items that nobody has taken; who lowers it by k has k of them */
    size_t end;   /* behind the last that is left; lowered by who takes from the back */
    size_t front; /* the first that is left; its owner's */
    size_t ran;   /* items that its owner has run; relaxed, its owner's */
} __attribute__((aligned(64))) range;

typedef struct mapping {
    thrum__source source;
    thrum_executor *pool;
    size_t n;
    int (*fn)(const void *, void *);
    const char *items;
    size_t item_size;
    char *results;
    size_t result_size;
    thrum_map_opts opts;
    uint32_t n_ranges;
    uint32_t owned; /* ranges that have an owner, the first ones */
    bool submitted; /* a task runs the map, and its caller waits for that */
    int stop;       /* 0, or the code for what is not run; relaxed, as the next two */
    size_t left;    /* items that were taken and not run; at the end all that were not run */
    size_t ran;     /* items that were run by who has no range */
    thrum__whole whole;
    range *ranges;
    void *memory; /* that they stand in, NULL none */
} mapping;

/* Who takes part. */
typedef struct member {
    mapping *map;
    thrum__part part;
    uint32_t own;   /* its range; n_ranges: none */
    bool caller;    /* it has called the map, or is the task of who has */
    bool stays;     /* in the child of a fork too: its memory is that of who has called the map */
    unsigned generation; /* thrum__fork_generation() */
    size_t least;   /* chunk */
    size_t largest;
    size_t at, end; /* of its chunk: the item that runs, and where it ends; equal: none runs */
} member;

static size_t lesser(size_t a, size_t b) { return a < b ? a : b; }

static size_t greater(size_t a, size_t b) { return a < b ? b : a; }

/* Takes some of what is left of `from`. Returns how many; 0: nothing is left. */
static size_t claim(const member *self, range *from) {
    size_t left = thrum__load_relaxed(&from->left);
    size_t n;
    do {
        if (left == 0)
            return 0;
        n = self->map->opts.chunk;
        if (n == 0)
            n = lesser(self->largest, greater(left / SHARE, self->least));
        n = lesser(n, left);
    } while (!thrum__cas_relaxed(&from->left, &left, left - n));
    return n;
}

/* Takes a chunk. Returns the index of its first item, and how many in `*n`, 0 when there are no
 * more. */
static size_t take(member *self, size_t *n) {
    mapping *map = self->map;
    if (self->own < map->n_ranges) {
        range *own = &map->ranges[self->own];
        size_t first = own->front;
        *n = claim(self, own);
        own->front += *n;
        if (*n)
            return first;
    }
    for (uint32_t i = 1; i <= map->n_ranges; i++) {
        range *other = &map->ranges[(self->own + i) % map->n_ranges];
        *n = claim(self, other);
        if (*n)
            return thrum__sub_relaxed(&other->end, *n) - *n;
    }
    return 0;
}

/* Returns whether this is the child of a fork, and the caller of the map, on whose stack *map,
 * items and codes may be, was left in the parent: that stack may be another thread's here. */
static bool orphaned(const member *self) {
    return !self->stays && self->generation != thrum__fork_generation();
}

/* Notes that the item at `index` has failed with `code`, 0 if it only called thrum_raise(). */
static __attribute__((noinline)) int failed(member *self, size_t index, int code) {
    mapping *map = self->map;
    if (orphaned(self))
        return code;
    int raised = thrum__part_failed(&self->part, index);
    if (!raised && code > 0)
        code = -EINVAL;
    if (!raised)
        thrum__whole_failed(&map->whole, index, code);
    if (map->opts.stop_on_error)
        thrum__store_relaxed(&map->stop, -ECANCELED);
    return raised ? raised : code;
}

static bool interrupted(const member *self) {
    return self->generation != thrum__fork_generation() ||
           thrum__load_relaxed(&self->map->stop) != 0;
}

/* Returns whether what `self` has taken is not to be run: the map was stopped; or its caller is not
 * here, in the child of a fork. There the caller goes on alone. Requires that it was
 * interrupted. */
static __attribute__((noinline)) bool ended(member *self) {
    if (self->stays)
        self->generation = thrum__fork_generation();
    return interrupted(self);
}

/* Notes that `n` items were run, and `left` not. */
static void count(const member *self, size_t n, size_t left) {
    mapping *map = self->map;
    if (orphaned(self))
        return;
    if (self->own < map->n_ranges)
        thrum__store_relaxed(&map->ranges[self->own].ran, map->ranges[self->own].ran + n);
    else
        thrum__add_relaxed(&map->ran, n);
    if (left)
        thrum__add_relaxed(&map->left, left);
}

static void run(member *self, size_t first, size_t n) {
    mapping *map = self->map;
    int *codes = map->opts.codes;
    size_t end = self->end = first + n, i;
    for (i = first; i < end; i++) {
        if (THRUM__UNLIKELY(interrupted(self)) && ended(self))
            break;
        self->at = i;
        int code = map->fn(map->items + i * map->item_size,
                           map->results ? map->results + i * map->result_size : NULL);
        if (THRUM__UNLIKELY(code != 0 || self->part.frame.raised))
            code = failed(self, i, code);
        if (codes && !orphaned(self))
            codes[i] = code;
    }
    self->at = self->end;
    count(self, i - first, end - i);
}

/* Also when pthread_exit() or a cancellation unwinds the strand in the middle of an item. */
static void end_part(member *self) {
    thrum__part_end(&self->part);
    if (self->at != self->end && !orphaned(self))
        thrum__whole_failed(&self->map->whole, self->at, -ECANCELED);
}

static void close_map(mapping **open);

/* The strand is inside exit(). What the caller of the map executes ends only after the others are
 * out. */
static void desert(thrum__part *part) {
    member *self = THRUM__MEMBER(member, part, part);
    end_part(self);
    if (self->caller) {
        thrum__store_relaxed(&self->map->stop, -ECANCELED);
        close_map(&self->map);
    }
}

/* Returns whether no more chunks are to be started. */
static bool stopped(mapping *map) {
    if (thrum__load_relaxed(&map->stop) != 0)
        return true;
    int code = 0;
    if (map->opts.deadline.ns != 0 && map->opts.deadline.ns != THRUM_NEVER.ns &&
        thrum__strand_now() >= map->opts.deadline.ns)
        code = -ETIMEDOUT;
    if (thrum_cancel_requested())
        code = -ECANCELED;
    if (code != 0)
        thrum__store_relaxed(&map->stop, code);
    return code != 0;
}

/* Lets chunks grow as long as they take little time, so that a stop is not noticed late; and says
 * how many are worth the taking. Returns the time. */
static int64_t adapt(member *self, int64_t began) {
    int64_t now = thrum__strand_now(), took = now - began;
    self->least = took < LEAST_NS
                      ? self->largest
                      : (size_t)((uint64_t)self->largest * LEAST_NS / (uint64_t)took) + 1;
    if (took < SHORT_NS)
        self->largest *= 2;
    else if (took > LONG_NS && self->largest > 1)
        self->largest /= 2;
    return now;
}

static void take_part(mapping *map, uint32_t own, bool caller) {
    size_t n = 0, first;
    int64_t now = 0; /* when the chunk before ended, if it is known */
    __attribute__((cleanup(end_part))) member self;
    self.map = map;
    self.own = own;
    self.caller = caller;
    self.stays = caller && !map->submitted;
    self.generation = map->source.generation;
    self.least = 1;
    self.largest = map->opts.deadline.ns ? 1 : FIRST;
    self.at = self.end = 0;
    thrum__part_begin(&self.part, &map->whole);
    self.part.desert = desert;
    while (!(interrupted(&self) && ended(&self)) && !stopped(map) &&
           (first = take(&self, &n), n != 0)) {
        bool largest = n == self.largest;
        if (largest && now == 0)
            now = thrum__strand_now();
        run(&self, first, n);
        now = largest ? adapt(&self, now) : 0;
    }
}

static bool ready(thrum__source *source) {
    mapping *map = THRUM__MEMBER(mapping, source, source);
    for (uint32_t i = 0; i < map->n_ranges; i++)
        if (thrum__load_relaxed(&map->ranges[i].left) != 0)
            return thrum__load_relaxed(&map->stop) == 0;
    return false;
}

static void work(thrum__source *source) {
    mapping *map = THRUM__MEMBER(mapping, source, source);
    uint32_t own = thrum__add_relaxed(&map->owned, 1);
    take_part(map, own < map->n_ranges ? own : map->n_ranges, false);
}

static const thrum__source_ops source_ops = {ready, work};

static int check(const mapping *map) {
    size_t bytes;
    const char *what = NULL;
    if (!map->fn)
        what = "fn is NULL";
    else if (!map->items && map->n > 0 && map->item_size > 0)
        what = "items is NULL";
    else if (__builtin_mul_overflow(map->n, map->item_size, &bytes) || bytes > PTRDIFF_MAX ||
             __builtin_mul_overflow(map->n, map->result_size, &bytes) || bytes > PTRDIFF_MAX)
        what = "n times a size overflows";
    for (size_t i = 0; i < sizeof map->opts.reserved / sizeof map->opts.reserved[0]; i++)
        if (map->opts.reserved[i])
            what = "reserved is not zero";
    if (what)
        thrum__complain("thrum_map: %s", what);
    return what ? -EINVAL : 0;
}

/* Cuts the items into a range for each who may take part. */
static void cut(mapping *map, range *on_stack) {
    const size_t line = sizeof(range);
    size_t n = map->n;
    map->n_ranges = (uint32_t)lesser((size_t)map->pool->max_workers, n);
    map->ranges = on_stack;
    if (map->n_ranges > ON_STACK) {
        map->memory = calloc(map->n_ranges + 1, line);
        if (map->memory)
            map->ranges = (void *)((char *)map->memory + line - (uintptr_t)map->memory % line);
        else
            map->n_ranges = ON_STACK;
    }
    size_t each = n / map->n_ranges, more = n % map->n_ranges, first = 0;
    for (uint32_t i = 0; i < map->n_ranges; i++) {
        size_t length = each + (i < more);
        map->ranges[i] = (range){length, first + length, first, 0};
        first += length;
    }
}

static void close_map(mapping **open) {
    mapping *map = *open;
    thrum__source_close(map->pool, &map->source);
    for (uint32_t i = 0; i < map->n_ranges; i++) {
        map->left += map->ranges[i].left;
        map->ran += map->ranges[i].ran;
    }
    free(map->memory);
}

/* Runs the map with the current strand as the first who takes part. */
static int run_here(void *arg) {
    mapping *map = arg;
    range on_stack[ON_STACK];
    unsigned generation = thrum__fork_generation();
    thrum__whole_init(&map->whole);
    cut(map, on_stack);
    thrum__source_open(map->pool, &map->source, map->n_ranges - 1);
    {
        __attribute__((cleanup(close_map), unused)) mapping *open = map;
        take_part(map, 0, true);
    }
    bool orphan = map->submitted && generation != thrum__fork_generation();
    int rc = thrum__whole_raise(&map->whole);
    if (rc != 0 && map->opts.failed && !orphan)
        *map->opts.failed = (size_t)map->whole.index;
    if (rc != 0)
        return rc;
    /* In the child of a fork: what others had taken is lost. */
    return map->ran + map->left < map->n ? -ECANCELED : map->left ? map->stop : 0;
}

/* The task of the caller. In the child of a fork the caller is not there: so *map is its own. */
static int run_submitted(void *arg) {
    mapping map = *(const mapping *)arg;
    map.submitted = true;
    return run_here(&map);
}

int thrum_map(thrum_executor *executor, int (*fn)(const void *item, void *result),
              const void *items, size_t n, size_t item_size, void *results, size_t result_size,
              const thrum_map_opts *opts) {
    mapping map = {.source.ops = &source_ops, .pool = executor, .fn = fn, .items = items, .n = n,
                   .item_size = item_size, .results = results, .result_size = result_size,
                   .owned = 1};
    if (opts)
        map.opts = *opts;
    int rc = check(&map);
    if (rc == 0 && map.opts.failed)
        *map.opts.failed = SIZE_MAX;
    if (rc == 0 && executor->backend)
        return thrum__map_remote(executor, fn, items, n, item_size, results, result_size,
                                 &map.opts);
    if (rc == 0)
        rc = thrum__part_allowed(executor);
    if (rc != 0 || n == 0)
        return rc;
    for (size_t i = 0; map.opts.codes && i < n; i++)
        map.opts.codes[i] = -ECANCELED; /* until it has run */
    return thrum__part_here(executor) ? run_here(&map)
                                      : thrum__part_submit(executor, run_submitted, &map);
}
