/* SPDX-License-Identifier: MIT */
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns the environment with `variable` in front, which wins; to be freed. */
static char **environment_with(const char *variable) {
    size_t n = 0;
    while (environ && environ[n])
        n++;
    char **made = malloc((n + 2) * sizeof *made);
    if (!made)
        return NULL;
    size_t used = 0;
    if (variable)
        made[used++] = (char *)(uintptr_t)variable;
    for (size_t i = 0; i < n; i++)
        made[used++] = environ[i];
    made[used] = NULL;
    return made;
}

static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    return rc ? rc : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* A descriptor that is duplicated onto itself loses its close-on-exec flag, in the child only. */
static int set_actions(posix_spawn_file_actions_t *actions, const thrum__spawn *how) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < how->n_keep; i++)
        rc = posix_spawn_file_actions_adddup2(actions, how->keep[i], how->keep[i]);
    for (int fd = 1; rc == 0 && how->output >= 0 && fd <= 2; fd++)
        rc = posix_spawn_file_actions_adddup2(actions, how->output, fd);
    return rc;
}

static int start(pid_t *pid, const thrum__spawn *how, char *const *environment) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return -rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = set_attributes(&attributes);
        if (rc == 0)
            rc = set_actions(&actions, how);
        /* The system may refuse for a moment. */
        for (int tries = 0; rc == 0 && tries < 5; tries++) {
            rc = posix_spawn(pid, how->path ? how->path : "/proc/self/exe", &actions, &attributes,
                             how->argv, environment);
            if (rc != EAGAIN)
                break;
            usleep(1000u << tries);
            rc = tries < 4 ? 0 : rc;
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

int thrum__spawn_child(thrum__child *child, const thrum__spawn *how) {
    char **environment = environment_with(how->variable);
    if (!environment)
        return -ENOMEM;
    *child = (thrum__child){-1, -1};
    int rc = start(&child->pid, how, environment);
    free(environment);
    if (rc == 0)
        child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    return rc;
}

bool thrum__spawn_reap(thrum__child *child, bool wait, int *status) {
    pid_t got;
    *status = -1;
    do
        got = waitpid(child->pid, status, wait ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return false;
    if (got < 0)
        *status = -1;
    if (child->pidfd >= 0)
        close(child->pidfd);
    *child = (thrum__child){-1, -1};
    return true;
}

void thrum__spawn_kill(const thrum__child *child, int signal) {
    if (child->pid > 0)
        (void)kill(child->pid, signal);
}

void thrum__spawn_end_text(int status, char *text, size_t size) {
    if (status == -1)
        snprintf(text, size, "has ended, and somebody else was told how");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "exited with code %d", WEXITSTATUS(status));
}
