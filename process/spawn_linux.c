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
static char **environment_with(const char *variable, char *const *all) {
    size_t n = 0;
    while (all && all[n])
        n++;
    char **made = malloc((n + 2) * sizeof *made);
    if (!made)
        return NULL;
    size_t used = 0;
    if (variable)
        made[used++] = (char *)(uintptr_t)variable;
    for (size_t i = 0; i < n; i++)
        made[used++] = all[i];
    made[used] = NULL;
    return made;
}

static int set_attributes(posix_spawnattr_t *attributes, bool group) {
    const int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    return rc ? rc : posix_spawnattr_setflags(
                         attributes, (short)(group ? flags | POSIX_SPAWN_SETPGROUP : flags));
}

/* A descriptor that is duplicated onto itself loses its close-on-exec flag, in the child only. */
static int set_actions(posix_spawn_file_actions_t *actions, const thrum__spawn *how) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < how->n_keep; i++)
        rc = posix_spawn_file_actions_adddup2(actions, how->keep[i], how->keep[i]);
    for (int fd = 1; rc == 0 && how->output >= 0 && fd <= 2; fd++)
        rc = posix_spawn_file_actions_adddup2(actions, how->output, fd);
    for (int fd = 1; rc == 0 && how->streams && fd <= 2; fd++)
        rc = posix_spawn_file_actions_adddup2(actions, how->streams[fd - 1], fd);
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
        rc = set_attributes(&attributes, how->group);
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
    char **environment =
        environment_with(how->variable, how->environment ? how->environment : environ);
    if (!environment)
        return -ENOMEM;
    *child = (thrum__child){-1, -1, how->group};
    int rc = start(&child->pid, how, environment);
    free(environment);
    if (rc == 0)
        child->pidfd = thrum__spawn_above((int)syscall(SYS_pidfd_open, child->pid, 0));
    return rc;
}

/* As the shell has it: -1 if somebody else has asked. */
static int status_of(const siginfo_t *info) {
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* By its descriptor where there is one: once somebody else has asked, its number may be
 * another's. */
static int look(const thrum__child *child, int options, siginfo_t *info) {
    int rc = -1;
    errno = EINVAL;
    info->si_pid = 0;
    if (child->pidfd >= 0)
        while ((rc = waitid(P_PIDFD, (id_t)child->pidfd, info, WEXITED | options)) != 0 &&
               errno == EINTR)
            continue;
    if (rc != 0 && errno == EINVAL) /* a system without them, or that does not wait for them */
        while ((rc = waitid(P_PID, (id_t)child->pid, info, WEXITED | options)) != 0 &&
               errno == EINTR)
            continue;
    return rc;
}

bool thrum__spawn_reap(thrum__child *child, bool wait, int *status) {
    siginfo_t info = {0};
    int rc = look(child, WNOWAIT | (wait ? 0 : WNOHANG), &info);
    *status = -1;
    if (rc == 0 && info.si_pid == 0)
        return false;
    if (rc == 0 && child->group)
        (void)kill(-child->pid, SIGKILL); /* while its number is still its own */
    if (rc == 0 && look(child, 0, &info) == 0)
        *status = status_of(&info);
    if (child->pidfd >= 0)
        close(child->pidfd);
    *child = (thrum__child){.pid = -1, .pidfd = -1};
    return true;
}

int thrum__spawn_kill(const thrum__child *child, int signal) {
    if (child->pid <= 0)
        return 0;
    long rc = child->pidfd >= 0 ? syscall(SYS_pidfd_send_signal, child->pidfd, signal, NULL, 0)
                                : kill(child->pid, signal);
    int error = rc == 0 || errno == ESRCH ? 0 : -errno;
    if (child->group && error == 0)
        (void)kill(-child->pid, signal);
    return error;
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
