/* SPDX-License-Identifier: MIT */
/* A thousand workers killed at random moments under load: every future ends, each result is right, and nothing is left
 * behind: no process, no descriptor. Prints its seed. */
#include <thrum.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <thrum/processes.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 3, BATCH = 60 };

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

static unsigned draw(unsigned n) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

static int descriptors(void) {
    int n = 0;
    DIR *all = opendir("/proc/self/fd");
    while (all && readdir(all))
        n++;
    if (all)
        closedir(all);
    return n;
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

/* Returns how many of the batch failed because their worker died. */
static int run_batch(thrum_executor *pool, int *kills) {
    thrum_future *f[BATCH];
    int failed = 0, pid;
    for (int i = 0; i < BATCH; i++) {
        int rc = draw(20) == 0 ? die_submit(pool, &f[i], draw(2) ? SIGKILL : SIGUSR1)
                               : twice_submit(pool, &f[i], i, (int)draw(20000));
        if (rc != 0)
            fail("submit", rc);
        if (draw(12) == 0 && (pid = some_child()) != 0 && kill(pid, SIGKILL) == 0)
            ++*kills;
        if (draw(40) == 0)
            (void)thrum_future_cancel(f[draw((unsigned)i + 1)]);
    }
    for (int i = 0; i < BATCH; i++) {
        const thrum_failure *failure = thrum_future_error(f[i]);
        int code = failure ? failure->code : 0;
        if (code != 0 && code != -EPIPE && code != -ECANCELED)
            fail(failure->message, code);
        if (code == -EPIPE && !strstr(failure->message, "was killed by signal"))
            fail(failure->message, i);
        long value;
        if (code == 0 && twice_result(f[i], &value) == 0 && value != 2L * i)
            fail("result", (int)value);
        failed += code == -EPIPE;
        thrum_future_free(f[i]);
    }
    return failed;
}

int main(int argc, char **argv) {
    if (getenv("THRUM_TEST_EMULATED"))
        return 0; /* an emulated program does not start itself anew */
    int kills = 0, failed = 0, batches = 0;
    int wanted = argc > 1 ? atoi(argv[1]) : getenv("THRUM_STRESS_KILLS") ? atoi(getenv("THRUM_STRESS_KILLS")) : 100;
    seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : (unsigned)time(NULL);
    printf("seed %u\n", seed);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int before = 0;
    for (int round = 0; kills < wanted; round++) {
        thrum_executor *pool = thrum_executor_new(&(thrum_executor_opts){
            .backend = thrum_processes, .max_workers = WORKERS,
            .backend_opts = &(thrum_processes_opts){.max_tasks_per_child = round % 2 ? 50 : 0}});
        if (!pool)
            fail("pool", errno);
        for (int i = 0; i < 5 && kills < wanted; i++, batches++)
            failed += run_batch(pool, &kills);
        thrum_executor_free(pool);
        if (waitpid(-1, NULL, WNOHANG) != -1)
            fail("a child is left", round);
        if (round == 0)
            before = descriptors();
        if (descriptors() != before)
            fail("descriptors", descriptors() - before);
    }
    printf("%d batches of %d tasks, %d kills from outside, %d tasks lost their worker\n", batches,
           BATCH, kills, failed);
    return 0;
}
