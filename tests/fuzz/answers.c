/* SPDX-License-Identifier: MIT */
/* A pool that finds the data where its worker puts answers: in parts, some of them beside the
 * ring's positions. Whatever it is, each task ends once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "process/pool.h"

typedef struct seven {
    char bytes[7];
} seven;

THRUM_TASK(seven, third, (int, x)) {
    (void)x;
    return (seven){{0}};
}

enum { JOBS = 3 };

static thrum__remote_task sent[JOBS];
static int n_sent;

static int open_it(thrum_executor *executor, const thrum_executor_opts *opts, void **state) {
    (void)executor, (void)opts;
    *state = sent;
    return 0;
}

static int submit(void *state, const thrum__remote_task *task) {
    (void)state;
    sent[n_sent++] = *task;
    return 0;
}

static void nothing(void *state) { (void)state; }

static void close_it(void *state, bool cancel) { (void)state, (void)cancel; }

static void no_stats(void *state, thrum_executor_stats *stats) { (void)state, (void)stats; }

static const thrum_backend backend = {.open = open_it, .submit = submit, .cancelled = nothing,
                                      .close = close_it, .free = nothing, .stats = no_stats};

static thrum_executor *executor; /* its end is the program's */
static char name[] = "it";
static thrum__processes pool = {.name = name, .max_workers = 1, .wake = -1};

static void make_pool(void) {
    executor = thrum_executor_new(&(thrum_executor_opts){.backend = &backend, .daemon = true});
    pool.places = aligned_alloc(64, thrum__place_size());
    if (!executor || !pool.places || thrum__table_make(&pool.table) != 0)
        abort();
    pool.broken.code = -EPROTO; /* so that it is not told each time */
}

/* Tasks 2, 3 and 4, as mutate.c answers them; the last result is thought to be shared. */
static void give_jobs(thrum__hand *hand, thrum_future **futures) {
    n_sent = 0;
    for (int i = 0; i < JOBS; i++) {
        thrum__job *job = malloc(sizeof *job);
        if (!job || third_submit(executor, &futures[i], i) != 0 ||
            !thrum__remote_start(sent[i].future))
            abort();
        *job = (thrum__job){.task = sent[i], .id = 2 + (uint64_t)i};
        if (i == 2 && (job->call = calloc(1, sizeof *job->call)) != NULL) {
            job->call->n_refs = 1;
            job->call->refs[0].where = THRUM__CALL_RESULT;
        }
        thrum__jobs_append(&hand->jobs, job);
        hand->n_jobs++;
    }
}

/* As the other process does it, or worse. */
static void put(thrum__hand *hand, thrum__ring_end *up, const uint8_t *data, size_t size) {
    int answers = 0;
    for (size_t at = 0, n; at < size; at += n) {
        uint8_t how = data[at];
        n = (size_t)how * 3 + 1 < size - at ? (size_t)how * 3 + 1 : size - at;
        (void)thrum__ring_put(up, data + at, n);
        if (how == 0xff && n >= 2)
            up->ring->tail += (uint64_t)(int64_t)(int8_t)data[at + 1];
        (void)thrum__hand_receive(&pool, hand, how % 4 != 0, &answers);
        (void)thrum__hand_receive(&pool, hand, true, &answers);
    }
    if (answers > JOBS)
        abort();
}

/* As when a worker has died. */
static void end(thrum__job *job) {
    if (job->taken) {
        thrum__job_done(&pool, job);
        return;
    }
    (void)thrum__remote_requeue(job->task.future);
    (void)thrum__job_cancel(&pool, job);
}

void fuzz_answers(const uint8_t *data, size_t size) {
    thrum_future *futures[JOBS];
    if (!executor)
        make_pool();
    thrum__place *place = thrum__place_of(&pool, 0);
    memset(place, 0, sizeof *place - sizeof place->up.bytes);
    thrum__hand hand = {.state = size % 2 ? THRUM__HAND_STARTING : THRUM__HAND_READY,
                        .hello = size % 2 == 0, .socket = -1, .child = {.pid = -1, .pidfd = -1},
                        .up.ring = &place->up, .down.ring = &place->down};
    thrum__ring_end up = {.ring = &place->up};
    thrum__jobs_init(&hand.jobs);
    give_jobs(&hand, futures);
    put(&hand, &up, data, size);
    for (thrum__job *job; (job = thrum__jobs_take(&hand.jobs)) != NULL; hand.n_jobs--)
        end(job);
    for (int i = 0; i < JOBS; i++) {
        if (!thrum_future_done(futures[i]))
            abort();
        (void)thrum_future_error(futures[i]);
        thrum_future_free(futures[i]);
    }
    if (hand.n_jobs != 0)
        abort();
    thrum__buffer_free(&hand.in);
}
