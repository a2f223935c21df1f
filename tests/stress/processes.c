/* SPDX-License-Identifier: MIT */
/* Workers killed, a thousand in the full mode, at random moments under load, others that stop, or
 * send nonsense; then programs that are killed with their pools. Every future ends, each result is
 * right, and nothing is left behind: no process, thread, descriptor or memory. Prints its seed.
 * stress_processes [KILLS [SEED]]; make stress sets THRUM_STRESS_KILLS. */
#include <thrum.h>

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thrum/processes.h>
#include <time.h>
#include <unistd.h>

#include "entries.h"
#include "place.h"
#include "sanitizers.h"

enum { WORKERS = 3, BATCH = 60, KILLS = 300, PROGRAMS = 20 };

/* Bytes of a frame's head, and of one with a failure. */
enum { FRAME_HEAD = 32, WHOLE = FRAME_HEAD + 41 };

static const double LIMIT = 0.2; /* seconds that a task may take, in some pools */

static unsigned seed;

THRUM_TASK(long, twice, (int, x), (int, work)) {
    int sum = 0;
    for (int i = 0; i < work; i++)
        __asm__ volatile("" : "+r"(sum));
    (void)sum;
    return 2L * x;
}

/* A worker that dies by itself, in the middle of others. */
THRUM_TASK(void, die, (int, signal)) { kill(getpid(), signal); }

/* In the middle of a task, for good. */
THRUM_TASK(void, stop) { kill(getpid(), SIGSTOP); }

/* What is no frame, a part of one, or an answer that it has made up, where the pool looks for its
 * own; then it works on. */
THRUM_TASK(void, talk_nonsense, (unsigned, noise), (unsigned, size)) {
    thrum__place *place = spec_place();
    thrum__ring *up = &place->up;
    const char poke = noise % 7 ? THRUM__POKE : 'x';
    uint64_t bytes[16] = {UINT64_C(0x74680001) | (uint64_t)(noise % 11) << 32, noise / 11 % 2,
                          place->started + (noise / 22 % 4 == 0),
                          size > FRAME_HEAD ? size - FRAME_HEAD : noise % 3,
                          (uint32_t)-EIO, 1}; /* a failure, with an empty message */
    thrum__ring_end end = {.ring = up, .mine = up->tail, .theirs = up->head};
    (void)thrum__ring_put(&end, bytes, size);
    for (int fd = 3; fd < 64; fd++)
        (void)send(fd, &poke, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static unsigned draw(unsigned n) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

/* Returns how many parts of this process's memory it shares with others. The pool's have no name
 * (memfd_create()), so they end with the last process that has them. */
static int shared_parts(void) {
    char line[512];
    int n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        n += strstr(line, "memfd:") != NULL;
    if (maps)
        fclose(maps);
    return n;
}

typedef struct left {
    int threads, descriptors, parts;
} left;

/* A thread that was joined may be seen for a moment yet. */
static left what_is_there(int threads) {
    int n;
    for (int i = 0; (n = entries("/proc/self/task")) > threads && i < 1000000; i++)
        sched_yield();
    return (left){n, entries("/proc/self/fd"), shared_parts()};
}

/* Returns a child process of this one, of those that there are now; 0: none. */
static int some_child(void) {
    char text[64];
    int pids[64], n = 0;
    snprintf(text, sizeof text, "/proc/%d/task", (int)getpid());
    DIR *tasks = opendir(text);
    for (struct dirent *entry; tasks && (entry = readdir(tasks)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "/proc/%d/task/%.200s/children", (int)getpid(), entry->d_name);
        FILE *file = fopen(path, "r");
        while (file && n < 64 && fscanf(file, "%d", &pids[n]) == 1)
            n++;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return n ? pids[draw((unsigned)n)] : 0;
}

static void fail(const char *what, int number) {
    printf("failed: %s (%d)\n", what, number);
    abort();
}

/* Returns 0 or a negative errno; `*twice`: it has a result. */
static int submit_one(thrum_executor *pool, thrum_future **f, int i, bool limited, bool *twice) {
    *twice = false;
    if (draw(20) == 0)
        return die_submit(pool, f, draw(2) ? SIGKILL : SIGUSR1);
    if (draw(40) == 0)
        return talk_nonsense_submit(pool, f, draw(1u << 20), draw(2) ? WHOLE : draw(129));
    if (limited && draw(100) == 0)
        return stop_submit(pool, f);
    *twice = true;
    if (draw(2))
        return twice_submit(pool, f, i, (int)draw(20000));
    const thrum_task_opts opts = {.priority = (int)draw(5) - 2,
                                  .name = "twice",
                                  .deadline = draw(3) ? (thrum_deadline){0}
                                                      : thrum_in(draw(5000) * 1e-6)};
    return twice_submit_with(pool, f, i, (int)draw(20000), &opts);
}

static void check(thrum_future *f, int i, bool limited, bool twice) {
    const thrum_failure *failure = thrum_future_error(f);
    int code = failure ? failure->code : 0;
    long value;
    if (code != 0 && code != -EPIPE && code != -ECANCELED &&
        (code != -ETIMEDOUT || !(limited || twice)) && (code != -EIO || twice))
        fail(failure->message, code);
    if (code == -EPIPE && !strstr(failure->message, "was killed"))
        fail(failure->message, i);
    if (code == 0 && twice && twice_result(f, &value) == 0 &&
        value != 2L * i)
        fail("result", (int)value);
}

/* Returns how many of the batch failed because their worker died. */
static int run_batch(thrum_executor *pool, int *kills, bool limited) {
    thrum_future *f[BATCH];
    bool twice[BATCH];
    int failed = 0, pid;
    for (int i = 0; i < BATCH; i++) {
        int rc = submit_one(pool, &f[i], i, limited, &twice[i]);
        if (rc != 0)
            fail("submit", rc);
        if (draw(12) == 0 && (pid = some_child()) != 0 && kill(pid, SIGKILL) == 0)
            ++*kills;
        if (draw(40) == 0)
            (void)thrum_future_cancel(f[draw((unsigned)i + 1)]);
    }
    for (int i = 0; i < BATCH; i++) {
        check(f[i], i, limited, twice[i]);
        failed += thrum_future_result(f[i], NULL) == -EPIPE;
        thrum_future_free(f[i]);
    }
    return failed;
}

static thrum_executor *pool_of(int round) {
    thrum_processes_opts opts = {.max_tasks_per_child = round % 2 ? 50 : 0,
                                 .time_limit = round % 4 == 3 ? LIMIT : 0};
    thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
        .backend = thrum_processes, .max_workers = WORKERS, .backend_opts = &opts});
    if (!pool)
        fail("pool", errno);
    return pool;
}

/* A program with a pool under load, which is killed after a while. The pipe ends when all that had
 * it have ended. */
static void kill_a_program(void) {
    int ends[2], status;
    char byte;
    if (pipe(ends) != 0)
        fail("pipe", errno);
    pid_t pid = fork();
    if (pid == 0) {
        thrum_executor *pool = pool_of((int)draw(2));
        for (unsigned i = 0;; i++) {
            thrum_future *f;
            if (twice_submit(pool, &f, (int)i, (int)draw(20000)) != 0)
                _exit(1);
            if (i % 50 == 49 && thrum_future_result(f, NULL) == 0 && write(ends[1], "x", 1) != 1)
                _exit(1);
            thrum_future_free(f);
        }
    }
    close(ends[1]);
    for (unsigned n = draw(20); n > 0 && read(ends[0], &byte, 1) == 1; n--)
        continue;
    kill(pid, SIGKILL);
    while (read(ends[0], &byte, 1) == 1)
        continue;
    close(ends[0]);
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail("a program that was to be killed", status);
}

static void kill_workers(int wanted, int threads) {
    int kills = 0, failed = 0, batches = 0;
    left before = {0};
    for (int round = 0; kills < wanted || round < 2; round++) {
        thrum_executor *pool = pool_of(round);
        for (int i = 0; i < 5; i++, batches++)
            failed += run_batch(pool, &kills, round % 4 == 3);
        thrum_executor_free(pool);
        if (waitpid(-1, NULL, WNOHANG) != -1)
            fail("a child is left", round);
        left now = what_is_there(threads);
        if (round == 0)
            before = now;
        if (now.threads > threads ||
            memcmp(&before.descriptors, &now.descriptors, 2 * sizeof(int)) != 0) {
            printf("descriptors %d, shared parts of memory %d, before %d, %d; threads %d\n",
                   now.descriptors, now.parts, before.descriptors, before.parts, now.threads);
            fail("something is left", round);
        }
    }
    printf("%d batches of %d tasks, %d kills from outside, %d tasks lost their worker\n", batches,
           BATCH, kills, failed);
}

int main(int argc, char **argv) {
    if (getenv("THRUM_TEST_EMULATED"))
        return 0; /* an emulated program does not start itself anew */
    const char *text = argc > 1 ? argv[1] : getenv("THRUM_STRESS_KILLS");
    seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : (unsigned)time(NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %u\n", seed);
    /* The library's timers, and ThreadSanitizer's own, which starts with the first of all. */
    int threads = entries("/proc/self/task") + 1 + SPEC_TSAN;
    for (int i = 0; i < PROGRAMS; i++) /* first, while this is the only thread */
        kill_a_program();
    kill_workers(text ? atoi(text) : KILLS, threads);
    return 0;
}
