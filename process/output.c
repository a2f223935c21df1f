/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <thrum/lock.h>
#include <thrum/thread.h>
#include <unistd.h>

#include "spawn.h"

/* A line that is longer goes out in parts. */
enum { LINE_MOST = 8192, NAME_MOST = 80, READ_MOST = 4096 };

/* One stream of one worker. Of the thread; but `next` of who was added is under the lock. */
typedef struct stream {
    struct stream *next;
    int from, to;
    size_t name_size; /* the line begins with it */
    size_t size;      /* of the line so far, with the name */
    char line[NAME_MOST + LINE_MOST + 1];
} stream;

struct thrum__output {
    thrum_thread *thread;
    int wake;
    thrum_lock lock;
    stream *added; /* under the lock */
    bool ending;   /* under the lock */
    stream *streams;
    struct pollfd *polled; /* room for all */
    size_t room;
};

/* In one piece, if the system can. What cannot be written is lost, as with printf(). */
static void write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EAGAIN)
            (void)poll(&(struct pollfd){fd, POLLOUT, 0}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return;
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

static void end_line(stream *it) {
    it->line[it->size++] = '\n';
    write_all(it->to, it->line, it->size);
    it->size = it->name_size;
}

static void take(stream *it, const char *bytes, size_t n) {
    for (const char *end; n > 0;) {
        size_t room = it->name_size + LINE_MOST - it->size;
        end = memchr(bytes, '\n', n);
        size_t part = end ? (size_t)(end - bytes) : n;
        bool whole = end && part <= room;
        part = part < room ? part : room;
        memcpy(it->line + it->size, bytes, part);
        it->size += part;
        bytes += part + whole;
        n -= part + whole;
        if (whole || (n > 0 && it->size == it->name_size + LINE_MOST))
            end_line(it);
    }
}

/* Takes what has come. Returns false at its end. */
static bool drain(stream *it) {
    char bytes[READ_MOST];
    for (;;) {
        ssize_t n = read(it->from, bytes, sizeof bytes);
        if (n > 0)
            take(it, bytes, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return n < 0 && errno == EAGAIN;
    }
}

static void end_stream(stream *it) {
    if (it->size > it->name_size)
        end_line(it);
    close(it->from);
    free(it);
}

/* Returns whether no more come. */
static bool take_added(thrum__output *output) {
    thrum_lock_acquire(&output->lock);
    for (stream *it; (it = output->added) != NULL;) {
        output->added = it->next;
        it->next = output->streams;
        output->streams = it;
    }
    bool ending = output->ending;
    thrum_lock_release(&output->lock);
    return ending;
}

static void wait(thrum__output *output) {
    uint64_t count;
    size_t n = 1;
    for (stream *it = output->streams; it; it = it->next)
        n++;
    if (n > output->room) {
        struct pollfd *more = realloc(output->polled, 2 * n * sizeof *more);
        output->polled = more ? more : output->polled;
        output->room = more ? 2 * n : output->room;
    }
    n = 0;
    output->polled[n++] = (struct pollfd){output->wake, POLLIN, 0};
    for (stream *it = output->streams; it && n < output->room; it = it->next)
        output->polled[n++] = (struct pollfd){it->from, POLLIN, 0};
    (void)poll(output->polled, n, -1);
    (void)!read(output->wake, &count, sizeof count);
}

/* A signal is for the program's own threads; one about its output (SIGPIPE) for nobody. */
static void *serve(void *arg) {
    thrum__output *output = arg;
    sigset_t all;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (bool ending = false; !ending;) {
        ending = take_added(output);
        for (stream **link = &output->streams, *it; (it = *link) != NULL;) {
            if (drain(it) && !ending) {
                link = &it->next;
                continue;
            }
            *link = it->next;
            end_stream(it);
        }
        if (!ending)
            wait(output);
    }
    return NULL;
}

static void wake(thrum__output *output) {
    const uint64_t one = 1;
    while (write(output->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

int thrum__output_new(thrum__output **out, const char *pool_name) {
    char name[NAME_MOST];
    thrum__output *output = calloc(1, sizeof *output);
    if (!output)
        return -ENOMEM;
    snprintf(name, sizeof name, "%.60s_output", pool_name);
    output->room = 8;
    output->polled = malloc(output->room * sizeof *output->polled);
    output->wake = thrum__spawn_above(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    int rc = !output->polled ? -ENOMEM : output->wake < 0 ? -errno : 0;
    if (rc == 0)
        rc = thrum_thread_start(&output->thread, serve, output,
                                &(thrum_thread_opts){.name = name, .daemon = true});
    if (rc == 0) {
        *out = output;
        return 0;
    }
    if (output->wake >= 0)
        close(output->wake);
    free(output->polled);
    free(output);
    return rc;
}

/* Returns NULL with errno, and `*to` as it was; else that is the end to write to. */
static stream *open_stream(const char *worker_name, int place, int fd, int *to) {
    int ends[2] = {-1, -1};
    stream *it = malloc(sizeof *it);
    if (!it || pipe2(ends, O_CLOEXEC) != 0) {
        free(it);
        return NULL;
    }
    ends[0] = thrum__spawn_above(ends[0]);
    ends[1] = thrum__spawn_above(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0) {
        *to = ends[1];
        it->from = ends[0];
        it->to = fd;
        snprintf(it->line, NAME_MOST, "%.60s_%d: ", worker_name, place);
        it->size = it->name_size = strlen(it->line);
        return it;
    }
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    free(it);
    return NULL;
}

int thrum__output_open(thrum__output *output, const char *worker_name, int place, int streams[2]) {
    stream *first = open_stream(worker_name, place, STDOUT_FILENO, &streams[0]);
    stream *second = first ? open_stream(worker_name, place, STDERR_FILENO, &streams[1]) : NULL;
    if (!second) {
        int rc = errno ? -errno : -ENOMEM;
        if (first) {
            close(streams[0]);
            streams[0] = -1;
            end_stream(first);
        }
        return rc;
    }
    thrum_lock_acquire(&output->lock);
    first->next = second;
    second->next = output->added;
    output->added = first;
    thrum_lock_release(&output->lock);
    wake(output);
    return 0;
}

void thrum__output_free(thrum__output *output) {
    if (!output)
        return;
    thrum_lock_acquire(&output->lock);
    output->ending = true;
    thrum_lock_release(&output->lock);
    wake(output);
    (void)thrum_thread_join(output->thread, NULL);
    thrum_thread_free(output->thread);
    close(output->wake);
    free(output->polled);
    free(output);
}
