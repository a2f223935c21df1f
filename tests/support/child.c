/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sanitizers.h"

enum { CHILD_SECONDS = 60 };

static bool in_child;

int __lsan_is_turned_off(void) { return in_child; }

static void prepare_child(const int pipe_ends[2]) {
    struct rlimit no_core = {0, 0};
    in_child = true;
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    alarm(CHILD_SECONDS);
    dup2(pipe_ends[1], STDOUT_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static pid_t fork_child(int pipe_ends[2]) {
    fflush(NULL);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0); /* a worker that starts meanwhile gets none of
                                                       * it */
    pid_t pid = fork();
    assert_true(pid >= 0);
    return pid;
}

static void read_end(int fd, pid_t pid, spec_end *end) {
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, end->text + used, sizeof end->text - 1 - used)) > 0 ||
           (n < 0 && errno == EINTR))
        used += n > 0 ? (size_t)n : 0;
    end->text[used] = '\0';
    close(fd);
    while (waitpid(pid, &end->status, 0) < 0)
        assert_int_equal(errno, EINTR);
}

void spec_child(int (*fn)(void), spec_end *end) {
    int pipe_ends[2];
    pid_t pid = fork_child(pipe_ends);
    if (pid == 0) {
        prepare_child(pipe_ends);
        exit(fn());
    }
    close(pipe_ends[1]);
    read_end(pipe_ends[0], pid, end);
}

void spec_exits(int (*fn)(void), int code, spec_end *end) {
    spec_child(fn, end);
    if (!WIFEXITED(end->status) || WEXITSTATUS(end->status) != code)
        fail_msg("child ended with status 0x%x, not exit code %d, and wrote:\n%s",
                 (unsigned)end->status, code, end->text);
}

void spec_dies(void (*fn)(void), const char *expected) {
    spec_end end;
    int pipe_ends[2];
    pid_t pid = fork_child(pipe_ends);
    if (pid == 0) {
        prepare_child(pipe_ends);
        fn();
        _exit(0);
    }
    close(pipe_ends[1]);
    read_end(pipe_ends[0], pid, &end);
    if (!WIFSIGNALED(end.status) || WTERMSIG(end.status) != SIGABRT ||
        !strstr(end.text, expected))
        fail_msg("child ended with status 0x%x, and wrote (expected \"%s\"):\n%s",
                 (unsigned)end.status, expected, end.text);
}

int spec_count_text(const char *text, const char *part) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        n += 1;
    return n;
}
