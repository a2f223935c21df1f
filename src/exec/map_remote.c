/* SPDX-License-Identifier: MIT */
/* A map on a pool with a backend. The caller cuts the items into parts, each a task of the pool,
 * and has at most PARTS for each worker on their way; it copies what comes back, and is no worker
 * itself. What all parts look at while they run is shared: so a stop is seen before the next item,
 * and a worker that dies takes with it what it has begun, and no more. */
#include <thrum/map.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "exec/remote.h"

/* MOST: parts on their way in all. SHARE: the part of what is left for each worker that a part may
 * be. BYTES: what an automatic part may have, if it is not one item. */
enum { PARTS = 2, MOST = 256, SHARE = 4, BYTES = 4 << 20 };

typedef struct part_block {
    thrum__remote_block base;
    thrum__items *items;
    thrum__answer *answer;
} part_block;

/* A place for a part; free: future NULL. */
typedef struct place {
    thrum_future *future;
    size_t first, n;
} place;

typedef struct range {
    size_t first, end;
} range;

typedef struct mapping {
    thrum_executor *pool;
    int (*fn)(const void *item, void *result);
    const char *items;
    size_t n, item_size;
    char *results;
    size_t result_size;
    thrum_map_opts opts;
    bool items_shared, results_shared;
    range left;          /* was never handed out */
    range *again;        /* is to be handed out once more: its worker died before it */
    size_t n_again, room; /* room: of that array */
    int stop;            /* 0, or why no part is started any more */
    size_t ran;          /* items */
    uint64_t failed;     /* the lowest index, with code */
    int code;
    bool raised;
    thrum_failure failure;
    char message[256];
    thrum__remote_block watch_block;
    thrum__items_watch *watch;
    place *places;
    thrum_future **futures;
    size_t n_places, n_out;
} mapping;

static size_t lesser(size_t a, size_t b) { return a < b ? a : b; }

static thrum__items_progress *progress_of(const mapping *map, const place *at) {
    return (thrum__items_progress *)(map->watch + 1) + (at - map->places);
}

/* Returns whether results come in the answers. */
static bool are_sent(const mapping *map) { return map->results && !map->results_shared; }

static void stop(mapping *map, int code) {
    if (map->stop == 0)
        map->stop = code;
    thrum__store_relaxed(&map->watch->stop, 1);
}

static void fail(mapping *map, uint64_t index, int code, const char *message, const char *file,
                 int line) {
    if (map->opts.stop_on_error)
        stop(map, -ECANCELED);
    if (map->code != 0 && index >= map->failed)
        return;
    map->failed = index;
    map->code = code;
    map->raised = message != NULL;
    if (!message)
        return;
    size_t n = strnlen(message, sizeof map->message - 1);
    memcpy(map->message, message, n);
    map->message[n] = '\0';
    map->failure = (thrum_failure){.file = thrum__remote_text(file), .line = line};
}

/* Copies results of items that have not failed; in a row where there are many. */
static void copy_results(mapping *map, const place *at, thrum__answer *answer, size_t ran) {
    const char *from = thrum__answer_results(answer, at->n);
    const int32_t *codes = thrum__answer_codes(answer);
    size_t size = map->result_size, i = 0;
    while (i < ran) {
        size_t first = i;
        while (i < ran && codes[i] == 0)
            i++;
        if (i > first)
            memcpy(map->results + (at->first + first) * size, from + first * size,
                   (i - first) * size);
        i += i < ran;
    }
}

static bool past(const mapping *map) {
    return map->opts.deadline.ns != 0 && map->opts.deadline.ns != THRUM_NEVER.ns &&
           thrum__strand_now() >= map->opts.deadline.ns;
}

/* Takes an answer, which others may still write to. */
static void take_answer(mapping *map, const place *at, thrum__answer *answer) {
    thrum__answer told;
    memcpy(&told, answer, sizeof told);
    size_t ran = lesser((size_t)told.ran, at->n);
    map->ran += ran;
    if (ran < at->n) /* it has seen why before */
        stop(map, past(map) ? -ETIMEDOUT : -ECANCELED);
    for (size_t i = 0; map->opts.codes && i < ran; i++)
        map->opts.codes[at->first + i] = thrum__answer_codes(answer)[i];
    if (are_sent(map) && map->result_size)
        copy_results(map, at, answer, ran);
    if (told.code == 0)
        return;
    told.message[sizeof told.message - 1] = told.file[sizeof told.file - 1] = '\0';
    fail(map, at->first + lesser((size_t)told.failed, at->n - 1),
         told.code < 0 ? told.code : -EPROTO, told.raised ? told.message : NULL, told.file,
         told.line);
}

static void put_back(mapping *map, size_t first, size_t end) {
    if (first == end)
        return;
    if (map->n_again == map->room) {
        size_t room = map->room ? 2 * map->room : 8;
        range *again = realloc(map->again, room * sizeof *again);
        if (!again) {
            stop(map, -ENOMEM);
            return;
        }
        map->again = again;
        map->room = room;
    }
    map->again[map->n_again++] = (range){first, end};
}

/* The worker died, or could not do anything: what it had begun is lost, but what was done and has
 * left nothing behind that would have to be sent; what comes after that is to be done again. */
static void take_loss(mapping *map, const place *at, const thrum_failure *failure) {
    const thrum__items_progress *progress = progress_of(map, at);
    size_t begun = at->n, done = 0;
    if (failure->code == -EPIPE || failure->code == -ETIMEDOUT) {
        begun = lesser((size_t)thrum__load_relaxed(&progress->begun), at->n);
        begun += begun == 0;
        if (thrum__load_relaxed(&progress->failed) == 0 && !are_sent(map))
            done = begun - 1;
    }
    map->ran += begun;
    for (size_t i = 0; map->opts.codes && i < begun; i++)
        map->opts.codes[at->first + i] = i < done ? 0 : failure->code;
    fail(map, at->first + done, failure->code, failure->message, failure->file, failure->line);
    put_back(map, at->first + begun, at->first + at->n);
}

static void take_part(mapping *map, place *at) {
    const thrum_failure *failure = thrum_future_error(at->future);
    if (!failure)
        take_answer(map, at, ((part_block *)at->future->value)->answer);
    else if (!thrum_future_cancelled(at->future))
        take_loss(map, at, failure);
    else
        stop(map, -ECANCELED); /* a shutdown has */
    thrum_future_free(at->future);
    at->future = NULL;
    map->n_out--;
}

/* Never called: the function of these records says whose they are. */
static void *items_of_a_map(void *arg) { return arg; }

/* Fills the arguments of the part at `at`. Returns NULL without memory. */
static part_block *block_of(mapping *map, const place *at) {
    size_t size = thrum__items_size(at->n, map->item_size, !map->items_shared);
    size_t answer_size = thrum__answer_size(at->n, map->result_size, are_sent(map));
    thrum__remote_block base = {{"thrum_map"}, NULL, NULL};
    if (size == 0 || answer_size == 0)
        return NULL;
    size = (size + 15) / 16 * 16;
    char *memory = NULL;
    if (size + answer_size >= THRUM__REMOTE_LARGE)
        memory = thrum__remote_reserve(map->pool, &base, size + answer_size);
    part_block *block = malloc(sizeof *block + 16 + (memory ? 0 : size + answer_size));
    if (!block) {
        if (memory)
            base.release(base.handle);
        return NULL;
    }
    if (!memory)
        memory = (char *)(((uintptr_t)(block + 1) + 15) & ~(uintptr_t)15);
    *block = (part_block){base, (void *)memory, (void *)(memory + size)};
    *progress_of(map, at) = (thrum__items_progress){0};
    const char *from = map->items + at->first * map->item_size;
    *block->items = (thrum__items){.n = at->n, .item_size = map->item_size,
                                   .result_size = map->result_size, .watch = map->watch,
                                   .progress = progress_of(map, at),
                                   .stop_on_error = map->opts.stop_on_error,
                                   .no_results = !map->results};
    if (map->opts.deadline.ns != THRUM_NEVER.ns)
        block->items->deadline = map->opts.deadline.ns;
    if (map->results_shared)
        block->items->results = map->results + at->first * map->result_size;
    if (map->items_shared)
        block->items->items = from;
    else if (map->item_size)
        memcpy(block->items + 1, from, at->n * map->item_size);
    return block;
}

/* Takes the next part out of what is left. */
static size_t next_part(mapping *map, size_t *first) {
    range *from = map->n_again > 0 ? &map->again[map->n_again - 1] : &map->left;
    size_t left = from->end - from->first, n = map->opts.chunk;
    size_t each = map->item_size + (map->results ? map->result_size : 0);
    if (n == 0) {
        n = left / ((size_t)map->pool->max_workers * SHARE) + 1;
        n = each && !map->items_shared ? lesser(n, BYTES / each + 1) : n;
    }
    *first = from->first;
    n = lesser(n, left);
    from->first += n;
    if (map->n_again > 0 && from->first == from->end)
        map->n_again--;
    return n;
}

static int submit_part(mapping *map, place *at) {
    part_block *block = block_of(map, at);
    if (!block)
        return -ENOMEM;
    thrum__remote_task task = {.name = "thrum_map", .fn = map->fn, .args = block->items,
                               .result = block->answer};
    task.args_size = thrum__items_size(at->n, map->item_size, !map->items_shared);
    task.result_size = thrum__answer_size(at->n, map->result_size, are_sent(map));
    return thrum__remote_submit(map->pool, &at->future, items_of_a_map, &block->base, task);
}

/* Hands out parts until there is no room, or nothing is left. Returns 0 or why it could not. */
static int hand_out(mapping *map) {
    for (size_t i = 0; i < map->n_places && map->stop == 0; i++) {
        place *at = &map->places[i];
        if (at->future)
            continue;
        if (map->n_again == 0 && map->left.first == map->left.end)
            return 0;
        at->n = next_part(map, &at->first);
        int rc = submit_part(map, at);
        if (rc != 0) {
            at->future = NULL;
            put_back(map, at->first, at->first + at->n);
            return rc;
        }
        map->n_out++;
    }
    return 0;
}

/* What is queued, and was not sent to a worker, is taken back. */
static void take_back(mapping *map) {
    for (size_t i = 0; i < map->n_places; i++)
        if (map->places[i].future)
            (void)thrum__remote_cancel_waiting(map->places[i].future);
}

/* Waits until a part is done, or why no more is to be started. */
static void await_some(mapping *map) {
    thrum_deadline until = THRUM_NEVER;
    if (map->opts.deadline.ns && map->stop == 0)
        until = map->opts.deadline;
    int n = 0;
    for (size_t i = 0; i < map->n_places; i++)
        if (map->places[i].future)
            map->futures[n++] = map->places[i].future;
    int rc = thrum_wait(map->futures, n, THRUM_FIRST_COMPLETED, until);
    if (rc == -ETIMEDOUT)
        stop(map, -ETIMEDOUT);
    else if (rc != 0 && rc != -EINTR)
        thrum__part_outlast(map->futures[0]);
    if (map->stop == 0 && thrum_cancel_requested())
        stop(map, -ECANCELED);
    if (map->stop != 0)
        take_back(map);
    for (size_t i = 0; i < map->n_places; i++)
        if (map->places[i].future && thrum_future_done(map->places[i].future))
            take_part(map, &map->places[i]);
}

/* Returns 0, or why not all were handed out. */
static int run(mapping *map) {
    if (past(map))
        stop(map, -ETIMEDOUT);
    else if (thrum_cancel_requested())
        stop(map, -ECANCELED);
    for (;;) {
        int rc = map->stop == 0 ? hand_out(map) : 0;
        if (rc == -EAGAIN && map->n_out > 0)
            rc = 0; /* the queue is full: later */
        if (rc != 0)
            stop(map, rc);
        if (map->n_out == 0)
            return map->stop;
        await_some(map);
    }
}

static void close_map(mapping *map) {
    for (size_t i = 0; i < map->n_places; i++) {
        if (!map->places[i].future)
            continue;
        stop(map, -ECANCELED);
        (void)thrum_future_cancel(map->places[i].future);
        (void)thrum_future_error(map->places[i].future);
        thrum_future_free(map->places[i].future);
    }
    free(map->places);
    free(map->futures);
    free(map->again);
    if (map->watch_block.release)
        map->watch_block.release(map->watch_block.handle);
}

/* The watch in shared memory, else nothing is stopped before its end: not without memory. */
static bool make(mapping *map) {
    size_t parts = (size_t)map->pool->max_workers * PARTS;
    parts = lesser(parts, MOST);
    size_t size = sizeof *map->watch + parts * sizeof(thrum__items_progress);
    map->places = calloc(parts, sizeof *map->places);
    map->futures = malloc(parts * sizeof *map->futures);
    map->watch = thrum__remote_reserve(map->pool, &map->watch_block, size);
    if (!map->places || !map->futures || !map->watch)
        return false;
    map->n_places = parts;
    thrum__store_relaxed(&map->watch->stop, 0);
    return true;
}

static bool is_shared(const void *at, size_t n, size_t size) {
    uint64_t offset;
    return at && n * size > 0 && thrum__segment_find(at, n * size, &offset) != 0;
}

int thrum__map_remote(thrum_executor *pool, int (*fn)(const void *item, void *result),
                      const void *items, size_t n, size_t item_size, void *results,
                      size_t result_size, const thrum_map_opts *opts) {
    __attribute__((cleanup(close_map))) mapping map = {
        .pool = pool, .fn = fn, .items = items, .n = n, .item_size = item_size, .results = results,
        .result_size = result_size, .opts = *opts, .left = {0, n}};
    int rc = pool->backend->reserve ? thrum__remote_refusal(pool) : -ENOTSUP;
    if (rc != 0 || n == 0)
        return rc;
    if (thrum__remote_inside(pool)) {
        thrum__complain("thrum_map: a done callback waits for its own pool of processes: -EDEADLK");
        return -EDEADLK;
    }
    for (size_t i = 0; opts->codes && i < n; i++)
        opts->codes[i] = -ECANCELED; /* until it has run */
    map.items_shared = is_shared(items, n, item_size);
    map.results_shared = is_shared(results, n, result_size);
    if (!make(&map))
        return -ENOMEM;
    rc = run(&map);
    if (map.code != 0 && opts->failed)
        *opts->failed = (size_t)map.failed;
    if (map.code != 0 && map.raised)
        thrum_raise_at(map.failure.file, map.failure.line, map.code, "%s", map.message);
    return map.code != 0 ? map.code : map.ran < n ? rc : 0;
}
