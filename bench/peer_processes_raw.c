/* SPDX-License-Identifier: MIT */
/* The floor of a pool of processes: one byte, or one word, to a forked child and back. PEER_FUTEX:
 * a futex that both map; else a socket pair. No policy: each side sleeps at once. */
#include "bench.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int pair[2];
static uint32_t *words; /* how often each side has spoken */
static uint32_t calls;
static clockid_t child;

#ifdef PEER_FUTEX
static void say(int side) {
    /* release: pairs with hear() */
    __atomic_fetch_add(&words[side * 16], 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &words[side * 16], FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool hear(int side, uint32_t n) {
    uint32_t *word = &words[!side * 16];
    /* acquire: pairs with say() */
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != n)
        syscall(SYS_futex, word, FUTEX_WAIT, n - 1, NULL, NULL, 0);
    return true;
}
#else
static void say(int side) {
    if (write(pair[side], "x", 1) != 1)
        abort();
}

static bool hear(int side, uint32_t n) {
    char byte;
    (void)n;
    return read(pair[side], &byte, 1) == 1;
}
#endif

static void with(int workers, void (*body)(void *), void *arg) {
    (void)workers;
    words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        abort();
    calls = 0;
    pid_t pid = fork();
    if (pid == 0)
        for (uint32_t n = 1; hear(1, n); ++n)
            say(1);
    if (pid < 0 || clock_getcpuclockid(pid, &child) != 0)
        abort();
    body(arg);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pair[0]);
    close(pair[1]);
    munmap(words, 4096);
}

static void call(void) {
    say(0);
    hear(0, ++calls);
}

static double cpu(void) {
    struct timespec own = {0}, its = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    clock_gettime(child, &its);
    return (double)(own.tv_sec + its.tv_sec) + (double)(own.tv_nsec + its.tv_nsec) * 1e-9;
}

static const struct bench_processes functions = {.with = with, .call = call, .cpu = cpu};
static const struct peer self = {.name = PEER_NAME,
                                 .rank = PEER_RANK,
                                 .baseline = PEER_IS_BASELINE,
                                 .processes = &functions};

__attribute__((constructor)) static void add_self(void) { bench_register(&self); }
