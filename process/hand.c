/* SPDX-License-Identifier: MIT */
/* One worker, as the pool's thread sees it: what goes to it and comes from it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pool.h"

/* Bytes of a list of tasks and of a failure. */
enum { HELLO_MOST = 1 << 26, FAILURE_MOST = 1 << 16 };

/* Jobs on their way to a worker: as many as it does in SPAN_NS, between LEAST and MOST. */
enum { LEAST = 2, MOST = 512, READ_SIZE = 1 << 14, SPAN_NS = 200000 };

/* Nobody else has it: the worker before is dead, the next not there yet. */
static void clear(thrum__place *place, bool looks) {
    place->started = place->busy = 0;
    place->looks = looks;
    place->cpu = place->sender = -1;
    place->down.tail = place->down.head = place->up.tail = place->up.head = 0;
    place->down.awaited = place->down.full = place->up.awaited = place->up.full = 0;
}

/* Returns 0 or a negative errno. */
static int spawn(thrum__processes *pool, thrum__hand *hand, int socket, int segments) {
    char variable[300];
    int streams[2] = {-1, -1};
    char *const argv[] = {program_invocation_name, NULL};
    int flags = (pool->command ? THRUM__WORKER_COMMAND : 0) |
                (pool->output ? THRUM__WORKER_OUTPUT : 0);
    snprintf(variable, sizeof variable, THRUM__WORKER_VARIABLE "=%d,%d,%d,%d,%d,%.200s_%d", socket,
             pool->memory, hand->place, (int)getpid(), flags, pool->name, hand->place);
    thrum__spawn how = {.path = pool->path, .argv = pool->command ? pool->command : argv,
                        .environment = pool->environment, .variable = variable,
                        .keep = (int[]){socket, pool->memory, segments}, .n_keep = 3,
                        .output = -1,
                        .group = pool->command != NULL};
    int rc = 0;
    if (pool->output) {
        rc = thrum__output_open(pool->output, pool->name, hand->place, streams);
        how.streams = streams;
    }
    if (rc == 0)
        rc = thrum__spawn_child(&hand->child, &how);
    for (int i = 0; i < 2; i++)
        if (streams[i] >= 0)
            close(streams[i]);
    return rc;
}

int thrum__hand_start(thrum__processes *pool, thrum__hand *hand) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pair[0] = thrum__spawn_above(pair[0]);
    pair[1] = thrum__spawn_above(pair[1]);
    thrum__place *place = thrum__place_of(pool, hand->place);
    clear(place, hand->place < pool->looking);
    *hand = (thrum__hand){.place = hand->place, .socket = pair[0], .state = THRUM__HAND_STARTING,
                          .down.ring = &place->down, .up.ring = &place->up};
    thrum__jobs_init(&hand->jobs);
    int segments = thrum__told_open(&hand->told);
    place->segments = segments;
    bool sent = segments >= 0 && thrum__setup_put(&hand->out, &pool->initializer, pool->initarg,
                                                  pool->opts.initarg_size);
    int rc = segments < 0 ? segments : !sent ? -ENOMEM : pair[0] < 0 || pair[1] < 0 ? -EMFILE : 0;
    if (rc == 0)
        rc = spawn(pool, hand, pair[1], segments);
    if (pair[1] >= 0)
        close(pair[1]);
    if (segments >= 0)
        close(segments);
    if (rc != 0) {
        if (pair[0] >= 0)
            close(pair[0]);
        thrum__told_close(&hand->told);
        thrum__buffer_free(&hand->out);
        *hand = (thrum__hand){.place = hand->place, .socket = -1,
                              .child = {.pid = -1, .pidfd = -1}};
        return rc;
    }
    hand->process = (int)hand->child.pid;
    hand->started_at = hand->since = thrum__processes_now();
    pool->n_hands++;
    thrum__hand_send(pool, hand);
    return 0;
}

bool thrum__hand_is_quick(const thrum__hand *hand) {
    return hand->mean > 0 && hand->mean <= SPAN_NS / LEAST;
}

unsigned thrum__hand_credit(const thrum__processes *pool, const thrum__hand *hand) {
    if (hand->state != THRUM__HAND_READY)
        return 0;
    int64_t many = hand->mean > 0 ? SPAN_NS / hand->mean : LEAST;
    uint64_t n = many < LEAST ? LEAST : many > MOST ? MOST : (uint64_t)many;
    if (pool->opts.max_tasks_per_child) {
        uint64_t left = (uint64_t)pool->opts.max_tasks_per_child - hand->n_sent;
        n = left + hand->n_jobs < n ? left + hand->n_jobs : n;
    }
    return n > hand->n_jobs ? (unsigned)(n - hand->n_jobs) : 0;
}

static int put_call(thrum__hand *hand, const thrum__job *job) {
    thrum__told_forget(&hand->told, &hand->out);
    int rc = thrum__told_call(&hand->told, job->call);
    if (rc != 0)
        return rc == -EAGAIN && hand->n_jobs == 0 ? -ENOBUFS : rc;
    return thrum__errand_put(&hand->out, job->index, job->id, job->call, job->task.args)
               ? 0 : -ENOMEM;
}

int thrum__hand_give(thrum__processes *pool, thrum__hand *hand, thrum__job *job) {
    job->id = ++pool->next_id;
    job->begun = 0;
    int rc = 0;
    if (job->task.named && !thrum__frame_put(&hand->out, THRUM__FRAME_NAME, 0, job->id,
                                             job->task.name, strlen(job->task.name) + 1))
        rc = -ENOMEM;
    else if (job->call)
        rc = put_call(hand, job);
    else if (!thrum__frame_put(&hand->out, THRUM__FRAME_TASK, job->index, job->id, job->task.args,
                               job->task.args_size))
        rc = -ENOMEM;
    if (rc != 0)
        return rc;
    if (hand->n_jobs == 0)
        hand->since = thrum__processes_now();
    thrum__jobs_append(&hand->jobs, job);
    hand->n_jobs++;
    hand->n_sent++;
    return 0;
}

/* It has sent what is nothing. */
static void distrust(thrum__hand *hand) {
    hand->distrusted = true;
    thrum__hand_kill(hand, THRUM__KILL_NONSENSE);
}

void thrum__hand_send(thrum__processes *pool, thrum__hand *hand) {
    int64_t n = 1;
    bool put = false;
    if (thrum__buffer_size(&hand->out) == 0)
        return;
    __atomic_store_n(&thrum__place_of(pool, hand->place)->sender, thrum__remote_cpu(),
                     __ATOMIC_RELAXED);
    while (n > 0 && thrum__buffer_size(&hand->out) > 0) {
        n = thrum__ring_put(&hand->down, hand->out.data + hand->out.begin,
                            thrum__buffer_size(&hand->out));
        if (n > 0)
            thrum__buffer_take(&hand->out, (size_t)n);
        put = put || n > 0;
        if (n == 0 && !thrum__ring_await_room(&hand->down))
            n = 1;
    }
    if (n < 0)
        distrust(hand);
    if (put && thrum__ring_awaited(&hand->down))
        thrum__remote_wake(&hand->down.ring->awaited);
}

void thrum__hand_kill(thrum__hand *hand, thrum__kill why) {
    (void)thrum__spawn_kill(&hand->child, SIGKILL);
    hand->state = THRUM__HAND_KILLED;
    if (hand->killed == THRUM__KILL_NONE)
        hand->killed = why;
}

void thrum__hand_retire(thrum__hand *hand) {
    hand->state = THRUM__HAND_RETIRING;
    if (hand->n_jobs == 0) {
        thrum__ring_close(&hand->down);
        if (thrum__ring_awaited(&hand->down))
            thrum__remote_wake(&hand->down.ring->awaited);
        hand->since = thrum__processes_now();
    }
}

/* The job that an answer is for: the first. */
static thrum__job *answered(thrum__hand *hand, const thrum__frame_view *frame) {
    thrum__job *job = hand->jobs.first;
    if (!job || job->id != frame->id)
        return NULL;
    (void)thrum__jobs_take(&hand->jobs);
    hand->n_jobs--;
    return job;
}

/* How many bytes an answer has: none, if the result is in shared memory. */
static size_t sent_back(const thrum__job *job) {
    return job->call && thrum__errand_find(job->call, THRUM__CALL_RESULT)
               ? 0 : job->task.result_size;
}

/* What became of a frame: taken; it is none; or it is for the pool's thread. */
typedef enum outcome { TAKEN, NONSENSE, NOT_HERE } outcome;

static outcome take_result(thrum__processes *pool, thrum__hand *hand,
                           const thrum__frame_view *frame, bool own) {
    thrum__job *job = hand->jobs.first;
    if (!job || job->id != frame->id || frame->size != sent_back(job))
        return NONSENSE;
    if (!job->taken) {
        if (!thrum__remote_take(job->task.future)) {
            thrum__job_drop(pool, answered(hand, frame));
            return TAKEN;
        }
        if (frame->size)
            memcpy(job->task.result, frame->bytes, frame->size);
        job->taken = true;
    }
    if (own) {
        thrum__job_done(pool, answered(hand, frame));
        return TAKEN;
    }
    if (!thrum__remote_succeed_quietly(job->task.future))
        return NOT_HERE;
    __atomic_add_fetch(&pool->completed, 1, __ATOMIC_RELAXED);
    thrum__job_free(answered(hand, frame));
    return TAKEN;
}

static outcome take_failure(thrum__processes *pool, thrum__hand *hand,
                            const thrum__frame_view *frame) {
    thrum_failure failure;
    thrum__job *job;
    if (thrum__frame_failure(frame, &failure) != 0 || !(job = answered(hand, frame)))
        return NONSENSE;
    failure.file = thrum__remote_text(failure.file);
    failure.task = job->task.name;
    thrum__job_fail(pool, job, &failure);
    return TAKEN;
}

static outcome handle(thrum__processes *pool, thrum__hand *hand, const thrum__frame_view *frame,
                      bool own) {
    thrum_failure failure;
    char text[400];
    if (frame->kind == THRUM__FRAME_RESULT)
        return take_result(pool, hand, frame, own);
    if (!own)
        return NOT_HERE;
    switch (frame->kind) {
    case THRUM__FRAME_HELLO:
        if (hand->hello)
            return NONSENSE;
        hand->hello = true;
        pool->late_starts = 0;
        if (thrum__table_compare(&pool->table, frame, text, sizeof text) == 0)
            return TAKEN;
        thrum__processes_break(pool, -EPROTO, text);
        return NONSENSE;
    case THRUM__FRAME_READY:
        if (!hand->hello || hand->state != THRUM__HAND_STARTING)
            return NONSENSE;
        hand->state = THRUM__HAND_READY;
        hand->ready = true;
        hand->since = thrum__processes_now();
        pool->bad_starts = 0;
        return TAKEN;
    case THRUM__FRAME_BROKEN:
        if (hand->state != THRUM__HAND_STARTING || thrum__frame_failure(frame, &failure) != 0)
            return NONSENSE;
        thrum__processes_break(pool, failure.code, failure.message);
        pool->broken.file = thrum__remote_text(failure.file);
        pool->broken.line = failure.line;
        pool->broken.thread = thrum__remote_text(failure.thread);
        return NONSENSE;
    case THRUM__FRAME_FAILURE:
        return take_failure(pool, hand, frame);
    default:
        return NONSENSE;
    }
}

/* Returns whether the rest of a frame that has come in part is worth waiting for: bytes that nobody
 * has asked for would swallow all that follows. */
static bool expected(const thrum__hand *hand, const thrum__frame_view *frame) {
    const thrum__job *job = hand->jobs.first;
    if (hand->hello && hand->state != THRUM__HAND_STARTING && !job)
        return thrum__buffer_size(&hand->in) == 0;
    switch ((int)frame->kind) {
    case 0:
        return true;
    case THRUM__FRAME_HELLO:
        return !hand->hello && frame->size <= HELLO_MOST;
    case THRUM__FRAME_BROKEN:
        return hand->state == THRUM__HAND_STARTING && frame->size <= FAILURE_MOST;
    case THRUM__FRAME_FAILURE:
        return job && frame->id == job->id && frame->size <= FAILURE_MOST;
    case THRUM__FRAME_RESULT:
        return job && frame->id == job->id && frame->size == sent_back(job);
    default:
        return false;
    }
}

/* Notes how long the last tasks took, by what the worker says, which cannot be more than has
 * passed. */
static void measure(const thrum__processes *pool, thrum__hand *hand, int answers) {
    int64_t now = thrum__processes_now();
    const thrum__place *place = thrum__place_of(pool, hand->place);
    uint64_t busy = thrum__busy_at(__atomic_load_n(&place->busy, __ATOMIC_RELAXED), now);
    uint64_t passed = (uint64_t)(now - hand->since), worked = busy - hand->busy;
    int64_t each = (int64_t)(worked < passed ? worked : passed) / answers;
    hand->mean = hand->mean && each < hand->mean ? (3 * hand->mean + each) / 4 : each;
    hand->since = now;
    hand->busy = busy;
}

/* Returns what became of the last frame. */
static outcome handle_all(thrum__processes *pool, thrum__hand *hand, bool own, int *answers) {
    thrum__frame_view frame;
    outcome what = TAKEN;
    int64_t size = 0;
    int n = 0;
    while (what == TAKEN &&
           (size = thrum__frame_next(hand->in.data + hand->in.begin, thrum__buffer_size(&hand->in),
                                     &frame)) > 0 &&
           (what = handle(pool, hand, &frame, own)) == TAKEN) {
        n += frame.kind == THRUM__FRAME_RESULT || frame.kind == THRUM__FRAME_FAILURE;
        thrum__buffer_take(&hand->in, (size_t)size);
    }
    if (n > 0) {
        measure(pool, hand, n);
        *answers += n;
        if (hand->state == THRUM__HAND_RETIRING && hand->n_jobs == 0)
            thrum__hand_retire(hand);
    }
    return size < 0 || (size == 0 && !expected(hand, &frame)) ? NONSENSE : what;
}

bool thrum__hand_receive(thrum__processes *pool, thrum__hand *hand, bool own, int *answers) {
    while (!hand->distrusted) {
        outcome what = handle_all(pool, hand, own, answers);
        if (what == NOT_HERE)
            return false;
        uint8_t *room = what == TAKEN ? thrum__buffer_room(&hand->in, READ_SIZE) : NULL;
        int64_t n = room ? thrum__ring_get(&hand->up, room, hand->in.capacity - hand->in.end) : -1;
        if (n < 0)
            distrust(hand);
        if (n <= 0)
            break;
        thrum__buffer_grow(&hand->in, (size_t)n);
        if (thrum__ring_room_awaited(&hand->up))
            thrum__remote_wake(&hand->up.ring->full);
    }
    return true;
}

void thrum__hand_hear(thrum__hand *hand) {
    uint8_t bytes[64];
    ssize_t n;
    while (!hand->eof && (n = recv(hand->socket, bytes, sizeof bytes, MSG_DONTWAIT)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != THRUM__POKE)
                distrust(hand);
        hand->eof = n < 0 || hand->distrusted;
    }
    hand->eof = true;
}
