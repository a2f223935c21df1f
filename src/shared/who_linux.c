/* SPDX-License-Identifier: MIT */
#include "shared/who.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/fork.h"

enum { STAT_SIZE = 1024, PATH_SIZE = 64 };
/* Fields of /proc/ID/stat behind the name in parentheses, from 0. */
enum { STATE = 0, THREADS = 17, START = 19 };

thrum__who thrum__who_this_process;
__thread thrum__who thrum__who_this_thread;

typedef struct {
    char state;
    long threads;
    uint32_t start;
} facts;

/* The long path: qemu-user makes up what /proc/ID/stat of the caller itself says. */
static bool read_facts(uint32_t id, facts *out) {
    char path[PATH_SIZE], text[STAT_SIZE];
    snprintf(path, sizeof path, "/proc/%u/task/%u/stat", (unsigned)id, (unsigned)id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *at = strrchr(text, ')'); /* the name may hold anything, this too */
    if (!at)
        return false;
    *out = (facts){'?', 0, 0};
    at += 1;
    for (int field = 0; field <= START; field++) {
        if (*at != ' ')
            return false;
        at += 1;
        if (field == STATE)
            out->state = *at;
        else if (field == THREADS)
            out->threads = strtol(at, NULL, 10);
        else if (field == START)
            out->start = (uint32_t)strtoull(at, NULL, 10);
        at += strcspn(at, " ");
    }
    return true;
}

/* Whether /proc is there and speaks of the pid namespace of the caller. */
static bool proc_is_ours(void) {
    char text[PATH_SIZE];
    ssize_t n = readlink("/proc/self", text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return strtol(text, NULL, 10) == (long)getpid();
}

/* What a look at /proc must leave as it was: errno; and open() and read() are cancellation points,
 * at which a thread may hold the guard of an object. */
typedef struct {
    int code;
    int cancel;
} kept;

static kept keep(void) {
    kept before = {errno, 0};
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before.cancel);
    return before;
}

static void restore(const kept *before) {
    int cancel;
    pthread_setcancelstate(before->cancel, &cancel);
    errno = before->code;
}

static thrum__who name_of(uint32_t id) {
    kept before = keep();
    facts about = {0};
    if (proc_is_ours())
        read_facts(id, &about);
    restore(&before);
    return (uint64_t)about.start << 32 | id;
}

static void forget(void) {
    thrum__store_relaxed(&thrum__who_this_process, 0);
    thrum__who_this_thread = 0;
}

static const thrum__fork_hooks fork_hooks = {NULL, NULL, forget};

thrum__who thrum__who_find_process(void) {
    thrum__fork_register(THRUM__FORK_SHARED, &fork_hooks);
    thrum__who who = name_of((uint32_t)getpid());
    thrum__store_relaxed(&thrum__who_this_process, who);
    return who;
}

thrum__who thrum__who_find_thread(void) {
    thrum__fork_register(THRUM__FORK_SHARED, &fork_hooks);
    return thrum__who_this_thread = name_of((uint32_t)syscall(SYS_gettid));
}

/* Returns whether boot was at another time for `id` than it is for the caller: then /proc does not
 * say here when it started as it does there. */
static bool has_another_clock(uint32_t id) {
    char path[PATH_SIZE];
    struct stat own, other;
    snprintf(path, sizeof path, "/proc/%u/ns/time", (unsigned)id);
    return stat("/proc/self/ns/time", &own) == 0 && stat(path, &other) == 0 &&
           own.st_ino != other.st_ino;
}

static bool is_dead(uint32_t id, uint32_t start, bool thread) {
    facts about;
    if (kill((pid_t)id, 0) != 0 && errno == ESRCH)
        return true;
    /* A name without a start was given where /proc is of no use. */
    if (start == 0 || !proc_is_ours() || !read_facts(id, &about))
        return false;
    if (about.state == 'X' || (about.start != start && !has_another_clock(id)))
        return true;
    /* A main thread that has ended is a zombie too, while other threads of it go on. */
    return about.state == 'Z' && (thread || about.threads <= 1);
}

bool thrum__who_is_dead(thrum__who who, bool thread) {
    kept before = keep();
    bool dead = is_dead((uint32_t)(who & THRUM__WHO_ID), (uint32_t)(who >> 32), thread);
    restore(&before);
    return dead;
}
