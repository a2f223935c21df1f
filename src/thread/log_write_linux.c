/* SPDX-License-Identifier: MIT */
#include "thread/log_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <thrum/error.h>

#include "base/panic.h"

enum { MODE = 0666 };

static size_t write_all(int fd, const char *text, size_t n) {
    size_t done = 0;
    while (done < n) {
        ssize_t rc = write(fd, text + done, n - done);
        if (rc > 0)
            done += (size_t)rc;
        else if (rc < 0 && errno == EAGAIN && done > 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (rc == 0 || errno != EINTR)
            break;
    }
    return done;
}

size_t thrum__log_write(int fd, int kind, const char *text, size_t n) {
    if (kind != THRUM__LOG_PIPE)
        return write_all(fd, text, n);
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    size_t done = write_all(fd, text, n);
    if (!was_pending) {
        while (sigtimedwait(&broken, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return done;
}

int thrum__log_file_kind(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return errno == EBADF ? -EBADF : THRUM__LOG_PIPE;
    if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
        return THRUM__LOG_PIPE;
    return S_ISREG(status.st_mode) ? THRUM__LOG_REGULAR : THRUM__LOG_OTHER;
}

size_t thrum__log_file_size(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : 0;
}

char *thrum__log_file_path(const char *path) {
    char *directory = *path == '/' ? NULL : getcwd(NULL, 0);
    if (*path != '/' && !directory)
        return NULL;
    size_t size = (directory ? strlen(directory) + 1 : 0) + strlen(path) + 1;
    char *whole = malloc(size);
    if (whole)
        snprintf(whole, size, "%s%s%s", directory ? directory : "", directory ? "/" : "", path);
    free(directory);
    return whole;
}

int thrum__log_file_open(const char *path, bool truncate) {
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncate ? O_TRUNC : 0);
    int fd;
    do
        fd = open(path, flags, MODE);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

void thrum__log_file_close(int fd) { close(fd); }

/* Writes "path.n" to `name`, path for 0. Returns whether it fits. */
static bool backup_name(char name[PATH_MAX], const char *path, int n) {
    int size = n > 0 ? snprintf(name, PATH_MAX, "%s.%d", path, n)
                     : snprintf(name, PATH_MAX, "%s", path);
    return size > 0 && size < PATH_MAX;
}

/* Renames backup `n` of `path` to n + 1. Returns 0, also if there is none, or a negative errno. */
static int move_up(const char *path, int n) {
    char from[PATH_MAX], to[PATH_MAX];
    if (!backup_name(from, path, n) || !backup_name(to, path, n + 1))
        return -ENAMETOOLONG;
    return rename(from, to) != 0 && errno != ENOENT ? -errno : 0;
}

int thrum__log_file_rotate(thrum__log_rotation *rotation) {
    int rc = 0;
    for (int n = rotation->backup_count; n-- > 0 && rc == 0;)
        rc = move_up(rotation->path, n);
    int fd = rc == 0 ? thrum__log_file_open(rotation->path, false) : rc;
    if (fd < 0 && !rotation->failed)
        thrum__complain("log: \"%s\" cannot be rotated: %s", rotation->path, thrum_strerror(fd));
    rotation->failed = fd < 0;
    return fd;
}
