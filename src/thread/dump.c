/* SPDX-License-Identifier: MIT */
#include <thrum/dump.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/atomic.h"
#include "park/lot.h"
#include "shared/who.h"
#include "thread/thread.h"

enum { LINE_SIZE = 2048, NAME_SIZE = 64, CIRCLE_MAX = 1000 };

typedef struct {
    size_t used;
    char text[LINE_SIZE];
} line;

/* What a strand waits for, and whose it is. */
typedef struct {
    const thrum__wait_kind *kind; /* NULL: it runs */
    const void *object;
    uint32_t holder;
    int64_t since;
} wait;

static void THRUM_PRINTF(2, 3) add(line *to, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to->text + to->used, sizeof to->text - to->used, format, args);
    va_end(args);
    if (n > 0)
        to->used += (size_t)n;
    if (to->used > sizeof to->text - 2)
        to->used = sizeof to->text - 2;
}

static int put(int fd, line *from) {
    from->text[from->used++] = '\n';
    for (size_t done = 0; done < from->used;) {
        ssize_t n = write(fd, from->text + done, from->used - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void add_name(line *to, const thrum__strand *strand) {
    if (strand->thread)
        add(to, "\"%.*s\"", NAME_SIZE, thrum_thread_name(strand->thread));
    else if (strand == thrum__strand_main)
        add(to, "\"MainThread\"");
    else
        add(to, "foreign thread %lld", (long long)strand->native_id);
}

/* The object is looked at only while the strand stands in its queue: then it exists. */
static wait wait_of(const thrum__strand *strand) {
    wait found = {NULL, NULL, 0, 0};
    const void *object = thrum__load_relaxed(&strand->waiting_on);
    if (!object)
        return found;
    thrum__bucket *bucket = thrum__lot_lock(object);
    const thrum__wait_kind *kind = thrum__load_relaxed(&strand->waiting_kind);
    if (kind && thrum__load_relaxed(&strand->waiting_on) == object &&
        thrum__lot_waits(bucket, object, strand))
        found = (wait){kind, object, kind->holder ? kind->holder(object) : 0,
                       thrum__load_relaxed(&strand->waiting_since)};
    thrum__lot_unlock(bucket);
    return found;
}

static void add_wait(line *to, const wait *what) {
    const thrum__strand *holder = what->holder ? thrum__registry_find(what->holder) : NULL;
    add(to, "waits for %s %p", what->kind->noun, what->object);
    if (!what->holder)
        return;
    add(to, " of ");
    if (holder) {
        add_name(to, holder);
        add(to, " (ident %u)", (unsigned)what->holder);
    } else {
        add(to, "ident %u, which is gone", (unsigned)what->holder);
    }
}

/* If `strand` waits for something in memory of several processes, says for what. The object is not
 * looked at; who held it is what the strand saw last, at most 128 ms ago. */
static bool add_shared_wait(line *to, const thrum__strand *strand) {
    const char *noun = thrum__load_relaxed(&strand->shared_noun);
    uint64_t holder = thrum__load_relaxed(&strand->shared_holder);
    if (!noun)
        return false;
    add(to, "waits for %s %p", noun, thrum__load_relaxed(&strand->shared_object));
    if (holder != 0) {
        bool is_thread = holder & THRUM__WHO_IS_THREAD;
        bool dead = thrum__who_is_dead(holder & ~THRUM__WHO_FLAGS, is_thread);
        add(to, " of %s %u%s", is_thread ? "native thread" : "process",
            (unsigned)(holder & THRUM__WHO_ID), dead ? ", which has died" : "");
    }
    add(to, ", since %.3f s",
        (double)(strand->ops->now() - thrum__load_relaxed(&strand->shared_since)) / 1e9);
    return true;
}

static void describe(line *to, const thrum__strand *strand) {
    const thrum_thread *thread = strand->thread;
    wait what = wait_of(strand);
    add(to, "thread ");
    add_name(to, strand);
    add(to, " (ident %u, native id %lld%s): ", (unsigned)strand->id, (long long)strand->native_id,
        thread && thread->started_here && thread->daemon ? ", daemon" : "");
    const char *task = thrum__load_relaxed(&strand->task);
    if (task)
        add(to, "in task \"%.*s\", ", NAME_SIZE, task);
    if (!what.kind) {
        if (!add_shared_wait(to, strand))
            add(to, "runs");
        return;
    }
    add_wait(to, &what);
    if (what.since != 0)
        add(to, ", since %.3f s", (double)(strand->ops->now() - what.since) / 1e9);
}

/* If `strand` stands in a circle of waits and has the least id of it, writes the circle. */
static bool describe_circle(line *to, const thrum__strand *strand) {
    const thrum__strand *at = strand;
    int steps = 0;
    do {
        wait what = wait_of(at);
        at = what.kind && what.holder ? thrum__registry_find(what.holder) : NULL;
        if (!at || at->id < strand->id || ++steps > CIRCLE_MAX)
            return false;
    } while (at != strand);
    add(to, "circle: ");
    do {
        wait what = wait_of(at);
        add_name(to, at);
        add(to, " ");
        if (!what.kind)
            return false; /* it has dissolved meanwhile */
        add_wait(to, &what);
        at = thrum__registry_find(what.holder);
        if (at && at != strand)
            add(to, ", ");
    } while (at && at != strand);
    return at != NULL;
}

/* Returns the listed strand with the least id above `id`, NULL if there is none. */
static const thrum__strand *next_strand(const thrum__link *registry, uint32_t id) {
    const thrum__strand *next = NULL;
    THRUM__EACH(link, registry) {
        const thrum__strand *strand = THRUM__MEMBER(thrum__strand, listed, link);
        if (strand->id > id && (!next || strand->id < next->id))
            next = strand;
    }
    return next;
}

/* One line at a time, so that nothing is written while the registry is locked. */
static int dump_lines(int fd, bool circles) {
    uint32_t id = 0;
    for (;;) {
        line text = {0, ""};
        bool wanted = true;
        const thrum__strand *strand = next_strand(thrum__registry_lock(), id);
        if (strand) {
            id = strand->id;
            if (circles)
                wanted = describe_circle(&text, strand);
            else
                describe(&text, strand);
        }
        thrum__registry_unlock();
        if (!strand)
            return 0;
        int rc = wanted ? put(fd, &text) : 0;
        if (rc != 0)
            return rc;
    }
}

int thrum_dump(int fd) {
    int state;
    thrum__strand_self();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    int rc = dump_lines(fd, false);
    if (rc == 0)
        rc = dump_lines(fd, true);
    pthread_setcancelstate(state, &state);
    return rc;
}
