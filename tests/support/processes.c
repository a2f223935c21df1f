/* SPDX-License-Identifier: MIT */
#include "processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_SECONDS = 60 };

void spec_needs_processes(void) { spec_needs_os("processes"); }

void *spec_shared_memory(size_t size) {
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED);
    return at;
}

void spec_processes_start(spec_processes *team, int n, void *(*fn)(void *), void *arg) {
    assert_true(team->n + n <= SPEC_TEAM_MAX);
    for (fflush(NULL); n > 0; n--) {
        pid_t parent = getpid();
        (void)spec_random(2); /* so that each child has a sequence of its own */
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(1);
            alarm(CHILD_SECONDS);
            (void)fn(arg);
            _exit(0);
        }
        team->pids[team->n++] = pid;
    }
}

static int end_of(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

void spec_processes_join(spec_processes *team) {
    while (team->n > 0)
        assert_int_equal(end_of(team->pids[--team->n]), 0);
}

void spec_processes_kill(spec_processes *team) {
    pid_t pid = team->pids[--team->n];
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status = end_of(pid);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0);
}

static void on_signal(int number) { (void)number; }

void spec_expect_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    thrum_interruptible(true);
}

void spec_processes_interrupt(spec_processes *team) {
    int status;
    pid_t rc;
    assert_int_equal(team->n, 1);
    spec_until_asleep(team, 1);
    while ((rc = waitpid(team->pids[0], &status, WNOHANG)) == 0) {
        kill(team->pids[0], SIGUSR1);
        spec_yield();
    }
    assert_int_equal(rc, team->pids[0]);
    assert_int_equal(status, 0);
    team->n = 0;
}

/* Returns the letter by which /proc shows the state of the main thread of `pid`. */
static char state_of(pid_t pid) {
    char text[512];
    snprintf(text, sizeof text, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(text, "re");
    if (!file)
        return '?';
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : '?';
}

void spec_until_main_thread_ended(const spec_processes *team) {
    assert_int_equal(team->n, 1);
    while (state_of(team->pids[0]) != 'Z')
        spec_yield();
}

void spec_until_asleep(const spec_processes *team, int n) {
    for (;;) {
        int asleep = 0;
        for (int i = 0; i < team->n; i++)
            asleep += state_of(team->pids[i]) == 'S';
        if (asleep == n)
            return;
        spec_yield();
    }
}
