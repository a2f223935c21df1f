/* SPDX-License-Identifier: MIT */
#include "thread/log_write.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void write_all(int fd, const char *text, size_t n) {
    size_t done = 0;
    while (done < n) {
        ssize_t rc = write(fd, text + done, n - done);
        if (rc > 0)
            done += (size_t)rc;
        else if (rc < 0 && errno == EAGAIN && done > 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (rc == 0 || errno != EINTR)
            return;
    }
}

void thrum__log_write(int fd, bool pipe, const char *text, size_t n) {
    if (!pipe) {
        write_all(fd, text, n);
        return;
    }
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    write_all(fd, text, n);
    if (!was_pending) {
        while (sigtimedwait(&broken, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int thrum__log_is_pipe(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return errno == EBADF ? -EBADF : true;
    return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
}
