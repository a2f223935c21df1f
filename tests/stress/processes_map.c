/* SPDX-License-Identifier: MIT */
/* Maps and large arguments while workers are killed at random moments: each item is run, or is said
 * to be lost; each result is right; nothing is left behind: no process, no descriptor. Prints its
 * seed. */
#include <thrum.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <thrum/processes.h>
#include <time.h>
#include <unistd.h>

#include "entries.h"

enum { WORKERS = 3, ITEMS = 3000, LARGE = 300000 };

static unsigned seed;
static int items[ITEMS], results[ITEMS], codes[ITEMS];
static char large[LARGE];

static unsigned draw_from(unsigned *state, unsigned n) {
    *state = *state * 1103515245u + 12345u;
    return (*state >> 8) % n;
}

static unsigned draw(unsigned n) { return draw_from(&seed, n); }

static void fail(const char *what, int number) {
    printf("failed: %s (%d)\n", what, number);
    abort();
}

static int twice(const void *item, void *result) {
    for (int i = 0; i < 20000; i++)
        __asm__ volatile("" : : : "memory");
    *(int *)result = 2 * *(const int *)item;
    return 0;
}

/* Now and then a worker kills itself, with items before and behind. */
static int twice_or_die(const void *item, void *result) {
    if (*(const int *)item % 1499 == 7)
        kill(getpid(), SIGKILL);
    return twice(item, result);
}

static int sum(const void *arg, void *result) {
    unsigned sum = 0;
    for (size_t i = 0; i < LARGE; i++)
        sum += ((const unsigned char *)arg)[i];
    *(unsigned *)result = sum;
    return 0;
}

THRUM_TASK(int, process) { return (int)getpid(); }

typedef struct killing {
    thrum_executor *pool;
    unsigned seed;
} killing;

/* Kills workers, of those that answer. */
static void *killer(void *arg) {
    killing *it = arg;
    thrum_executor *pool = it->pool;
    int kills = 0;
    for (int i = 0; i < 20; i++) {
        thrum_future *f;
        int pid = 0;
        if (process_submit(pool, &f) != 0)
            fail("submit", i);
        int rc = process_result(f, &pid);
        if (rc != 0 && rc != -EPIPE)
            fail("process", rc);
        if (rc == 0 && draw_from(&it->seed, 3) == 0)
            kills += kill(pid, SIGKILL) == 0;
        thrum_future_free(f);
    }
    return (void *)(intptr_t)kills;
}

/* Returns how many items were lost. */
static int map(thrum_executor *pool, int (*fn)(const void *, void *), int *from, int *to,
               size_t chunk) {
    int lost = 0;
    memset(to, 0, sizeof results);
    int rc = thrum_map(pool, fn, from, ITEMS, sizeof *from, to, sizeof *to,
                       &(thrum_map_opts){.chunk = chunk, .codes = codes});
    for (int i = 0; i < ITEMS; i++) {
        if (codes[i] != 0 && codes[i] != -EPIPE)
            fail("code", codes[i]);
        if (codes[i] == 0 && to[i] != 2 * i)
            fail("result", i);
        lost += codes[i] != 0;
    }
    if ((rc == 0) != (lost == 0))
        fail("map", rc);
    return lost;
}

static void sum_large(thrum_executor *pool) {
    thrum_future *f[4];
    for (int i = 0; i < 4; i++) {
        memset(large, i, sizeof large);
        if (thrum_submit_bytes(pool, &f[i], sum, large, LARGE, sizeof(unsigned), NULL) != 0)
            fail("submit_bytes", i);
    }
    for (int i = 0; i < 4; i++) {
        const void *found;
        int rc = thrum_bytes_result(f[i], &found);
        if (rc != 0 && rc != -EPIPE)
            fail("sum", rc);
        if (rc == 0 && *(const unsigned *)found != (unsigned)i * LARGE)
            fail("sum of", i);
        thrum_future_free(f[i]);
    }
}

static void run_round(int *kills, int *lost, int *before, int round) {
    thrum_executor *pool = thrum_executor_new(
        &(thrum_executor_opts){.backend = thrum_processes, .max_workers = WORKERS});
    thrum_shared *shared = NULL;
    thrum_thread *thread;
    void *killed = NULL;
    if (!pool || thrum_shared_create(&shared, NULL, sizeof items + sizeof results, NULL) != 0)
        fail("pool", errno);
    int *there = thrum_shared_memory(shared);
    memcpy(there, items, sizeof items);
    killing it = {pool, draw(UINT32_MAX)};
    if (thrum_thread_start(&thread, killer, &it, NULL) != 0)
        fail("thread", 0);
    *lost += map(pool, twice, items, results, draw(2) ? 0 : draw(50) + 1);
    *lost += map(pool, twice, there, there + ITEMS, draw(2) ? 0 : draw(50) + 1);
    sum_large(pool);
    if (map(pool, twice_or_die, there, there + ITEMS, 0) < 2)
        fail("who killed themselves are not missed", round);
    (void)thrum_thread_join(thread, &killed);
    thrum_thread_free(thread);
    *kills += (int)(intptr_t)killed;
    thrum_shared_close(shared);
    thrum_executor_free(pool);
    if (waitpid(-1, NULL, WNOHANG) != -1)
        fail("a child is left", round);
    if (round == 0)
        *before = entries("/proc/self/fd");
    if (entries("/proc/self/fd") != *before)
        fail("descriptors", entries("/proc/self/fd") - *before);
}

int main(int argc, char **argv) {
    if (getenv("THRUM_TEST_EMULATED"))
        return 0; /* an emulated program does not start itself anew */
    int rounds = argc > 1 ? atoi(argv[1]) : 12, kills = 0, lost = 0, before = 0;
    seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : (unsigned)time(NULL);
    printf("seed %u\n", seed);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < ITEMS; i++)
        items[i] = i;
    for (int round = 0; round < rounds; round++)
        run_round(&kills, &lost, &before, round);
    printf("%d rounds, %d kills from outside, %d items lost\n", rounds, kills, lost);
    return 0;
}
