/* SPDX-License-Identifier: MIT */
/* A language with a runtime of its own: PEER_PROGRAM (its arguments after blanks) runs beside the
 * benchmark and is asked over pipes. It starts when it is asked first, on both CPUs. It gets lines
 *
 *     rate CAPACITY PRODUCERS CONSUMERS MS        answer: Mops/s
 *     pair N                                      answer: ns
 *     tasks N                                     answer: Mtasks/s */
#include "bench.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct peer self, self_pool;
static FILE *to, *from;

static void run(int in, int out) {
    char program[] = PEER_PROGRAM;
    char *argv[8] = {0};
    int n = 0;
    for (char *rest = program, *word; n < 7 && (word = strsep(&rest, " "));)
        argv[n++] = word;
    dup2(in, 0);
    dup2(out, 1);
    for (int fd = 3; fd < 64; ++fd)
        close(fd);
    bench_pin_both();
    execv(argv[0], argv);
    _exit(127);
}

static void start(void) {
    static bool tried;
    int in[2], out[2];
    if (tried || pipe(in) != 0 || pipe(out) != 0)
        return;
    tried = true;
    signal(SIGPIPE, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        run(in[0], out[1]);
    close(in[0]);
    close(out[1]);
    to = fdopen(in[1], "w");
    from = fdopen(out[0], "r");
    if (pid > 0)
        bench_own_process(pid);
}

/* Returns the answer to what was written, NAN without one. */
static double answer(void) {
    double value;
    if (fflush(to) == 0 && fscanf(from, "%lf", &value) == 1)
        return value;
    fprintf(stderr, "bench: %s is left out: it does not answer\n", PEER_NAME);
    fclose(to);
    to = NULL;
    return NAN;
}

static double rate(size_t capacity, int producers, int consumers, int ms) {
    start();
    if (!to || capacity == 0)
        return NAN;
    fprintf(to, "rate %zu %d %d %d\n", capacity, producers, consumers, ms);
    return answer();
}

static double pair(long n) {
    start();
    if (!to)
        return NAN;
    fprintf(to, "pair %ld\n", n);
    return answer();
}

static double tasks(long n) {
    start();
    if (!to)
        return NAN;
    fprintf(to, "tasks %ld\n", n);
    return answer();
}

static const struct bench_pool functions = {.rate = tasks};

__attribute__((constructor)) static void register_self(void) {
    self = (struct peer){
        .name = PEER_NAME, .rank = PEER_RANK, .queue_rate = rate, .queue_pair = pair};
    self_pool = (struct peer){.name = PEER_POOL_NAME, .rank = PEER_RANK, .pool = &functions};
    bench_register(&self);
    bench_register(&self_pool);
}
