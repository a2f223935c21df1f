/* SPDX-License-Identifier: MIT */
/* One worker, as the pool's thread sees it: what goes to it and comes from it. */
#include <errno.h>
#include <fcntl.h>
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
enum { LEAST = 2, MOST = 128, READ_SIZE = 1 << 16, SPAN_NS = 200000 };

/* Returns 0 or a negative errno. */
static int spawn(thrum__processes *pool, thrum__hand *hand, int socket, int segments) {
    char variable[300];
    int streams[2] = {-1, -1};
    char *const argv[] = {program_invocation_name, NULL};
    int flags = (pool->command ? THRUM__WORKER_COMMAND : 0) | (pool->output ? THRUM__WORKER_OUTPUT : 0);
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
    __atomic_store_n(&pool->places[hand->place].started, 0, __ATOMIC_RELAXED);
    *hand = (thrum__hand){.place = hand->place, .socket = pair[0], .state = THRUM__HAND_STARTING};
    thrum__jobs_init(&hand->jobs);
    int segments = thrum__told_open(&hand->told);
    pool->places[hand->place].segments = segments;
    bool sent = segments >= 0 && thrum__setup_put(&hand->out, &pool->initializer, pool->initarg,
                                                  pool->opts.initarg_size);
    int rc = segments < 0 ? segments : sent ? 0 : -ENOMEM;
    if (rc == 0 && (pair[0] < 0 || pair[1] < 0 || fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0))
        rc = -EMFILE;
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
        *hand = (thrum__hand){.place = hand->place, .socket = -1, .child = {.pid = -1, .pidfd = -1}};
        return rc;
    }
    hand->process = (int)hand->child.pid;
    pool->n_hands++;
    thrum__hand_send(hand);
    return 0;
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
    return thrum__errand_put(&hand->out, job->index, job->id, job->call, job->task.args) ? 0 : -ENOMEM;
}

int thrum__hand_give(thrum__processes *pool, thrum__hand *hand, thrum__job *job) {
    job->id = ++pool->next_id;
    int rc = 0;
    if (job->call)
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

void thrum__hand_send(thrum__hand *hand) {
    while (thrum__buffer_size(&hand->out) > 0) {
        ssize_t n = send(hand->socket, hand->out.data + hand->out.begin,
                         thrum__buffer_size(&hand->out), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return; /* no room now; or nobody there, as will be seen */
        thrum__buffer_take(&hand->out, (size_t)n);
    }
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
        (void)shutdown(hand->socket, SHUT_WR);
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
    return job->call && thrum__errand_find(job->call, THRUM__CALL_RESULT) ? 0 : job->task.result_size;
}

static bool take_result(thrum__processes *pool, thrum__hand *hand, const thrum__frame_view *frame) {
    thrum__job *job = hand->jobs.first;
    if (!job || frame->size != sent_back(job) || !(job = answered(hand, frame)))
        return false;
    if (!thrum__remote_take(job->task.future)) {
        thrum__job_drop(pool, job);
        return true;
    }
    if (frame->size)
        memcpy(job->task.result, frame->bytes, frame->size);
    __atomic_add_fetch(&pool->completed, 1, __ATOMIC_RELAXED);
    thrum__remote_succeed(job->task.future);
    thrum__job_free(job);
    return true;
}

static bool take_failure(thrum__processes *pool, thrum__hand *hand, const thrum__frame_view *frame) {
    thrum_failure failure;
    thrum__job *job;
    if (thrum__frame_failure(frame, &failure) != 0 || !(job = answered(hand, frame)))
        return false;
    failure.file = thrum__remote_text(failure.file);
    failure.task = job->task.name;
    thrum__job_fail(pool, job, &failure);
    return true;
}

static bool handle(thrum__processes *pool, thrum__hand *hand, const thrum__frame_view *frame) {
    thrum_failure failure;
    char text[400];
    switch (frame->kind) {
    case THRUM__FRAME_HELLO:
        if (hand->hello)
            return false;
        hand->hello = true;
        if (thrum__table_compare(&pool->table, frame, text, sizeof text) == 0)
            return true;
        thrum__processes_break(pool, -EPROTO, text);
        return false;
    case THRUM__FRAME_READY:
        if (!hand->hello || hand->state != THRUM__HAND_STARTING)
            return false;
        hand->state = THRUM__HAND_READY;
        hand->ready = true;
        pool->bad_starts = 0;
        return true;
    case THRUM__FRAME_BROKEN:
        if (hand->state != THRUM__HAND_STARTING || thrum__frame_failure(frame, &failure) != 0)
            return false;
        thrum__processes_break(pool, failure.code, failure.message);
        pool->broken.file = thrum__remote_text(failure.file);
        pool->broken.line = failure.line;
        pool->broken.thread = thrum__remote_text(failure.thread);
        return false;
    case THRUM__FRAME_RESULT:
        return take_result(pool, hand, frame);
    case THRUM__FRAME_FAILURE:
        return take_failure(pool, hand, frame);
    default:
        return false;
    }
}

/* Returns whether the rest of a frame that has come in part is worth waiting for: bytes that nobody has asked for
 * would swallow all that follows. */
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

/* Returns whether all that has come was in order. */
static bool handle_all(thrum__processes *pool, thrum__hand *hand) {
    thrum__frame_view frame;
    int64_t size;
    int answers = 0;
    while ((size = thrum__frame_next(hand->in.data + hand->in.begin, thrum__buffer_size(&hand->in),
                                     &frame)) > 0) {
        if (!handle(pool, hand, &frame))
            return false;
        answers += frame.kind == THRUM__FRAME_RESULT || frame.kind == THRUM__FRAME_FAILURE;
        thrum__buffer_take(&hand->in, (size_t)size);
    }
    if (answers > 0) {
        int64_t now = thrum__processes_now(), each = (now - hand->since) / answers;
        hand->mean = hand->mean && each < hand->mean ? (3 * hand->mean + each) / 4 : each;
        hand->since = now;
    }
    if (hand->state == THRUM__HAND_RETIRING && hand->n_jobs == 0)
        thrum__hand_retire(hand);
    return size == 0 && expected(hand, &frame);
}

void thrum__hand_receive(thrum__processes *pool, thrum__hand *hand) {
    while (!hand->eof) {
        uint8_t *room = thrum__buffer_room(&hand->in, READ_SIZE);
        size_t size = room ? hand->in.capacity - hand->in.end : 0;
        ssize_t n = room ? recv(hand->socket, room, size, 0) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        hand->eof = n <= 0;
        thrum__buffer_grow(&hand->in, n > 0 ? (size_t)n : 0);
        if (n > 0 && !handle_all(pool, hand)) {
            hand->eof = true; /* nothing more is believed */
            thrum__hand_kill(hand, THRUM__KILL_NONSENSE);
        }
        if (n < (ssize_t)size)
            return;
    }
}
