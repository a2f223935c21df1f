/* SPDX-License-Identifier: MIT */
#include "segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <thrum/shared.h>
#include <unistd.h>

#include "exec/backend.h"
#include "spawn.h"

typedef struct thrum__known_segment {
    uint64_t number;
    thrum_shared *shared; /* NULL: it could not be mapped yet */
    int fd;               /* that being so, else -1: with neither it is to be forgotten as it
                           * comes */
} segment;

int thrum__told_open(thrum__told *told) {
    int pair[2];
    *told = (thrum__told){.socket = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pair[0] = thrum__spawn_above(pair[0]);
    pair[1] = thrum__spawn_above(pair[1]);
    if (pair[0] < 0 || pair[1] < 0) {
        for (int i = 0; i < 2; i++)
            if (pair[i] >= 0)
                close(pair[i]);
        return -EMFILE;
    }
    *told = (thrum__told){.socket = pair[0], .closed = thrum__segments_closed()};
    return pair[1];
}

void thrum__told_close(thrum__told *told) {
    if (told->socket >= 0)
        close(told->socket);
    free(told->numbers);
    *told = (thrum__told){.socket = -1};
}

static bool is_told(const thrum__told *told, uint64_t number) {
    for (size_t i = told->n; i > 0; i--)
        if (told->numbers[i - 1] == number)
            return true;
    return false;
}

/* One message with a number and a descriptor. Returns 0 or a negative errno. */
static int send_descriptor(int socket, uint64_t number, int fd) {
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec bytes = {&number, sizeof number};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    while (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR)
            continue;
        return errno == ETOOMANYREFS || errno == ENOBUFS ? -EAGAIN : -errno;
    }
    return 0;
}

static int tell(thrum__told *told, uint64_t number) {
    if (is_told(told, number))
        return 0;
    if (told->n == told->room) {
        size_t room = told->room ? 2 * told->room : 16;
        uint64_t *numbers = realloc(told->numbers, room * sizeof *numbers);
        if (!numbers)
            return -ENOMEM;
        told->numbers = numbers;
        told->room = room;
    }
    int fd = thrum__segment_descriptor(number);
    if (fd < 0)
        return fd;
    int rc = send_descriptor(told->socket, number, fd);
    close(fd);
    if (rc == -EPIPE || rc == -ECONNRESET)
        return 0; /* its end will be seen */
    if (rc == 0)
        told->numbers[told->n++] = number;
    return rc;
}

int thrum__told_call(thrum__told *told, const thrum__errand *call) {
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < call->n_refs; i++)
        rc = tell(told, call->refs[i].segment);
    return rc;
}

void thrum__told_forget(thrum__told *told, thrum__buffer *out) {
    uint64_t closed = thrum__segments_closed();
    if (closed == told->closed)
        return;
    for (size_t i = 0; i < told->n;) {
        if (thrum__segment_exists(told->numbers[i])) {
            i++;
            continue;
        }
        if (!thrum__frame_put(out, THRUM__FRAME_FORGET, 0, told->numbers[i], NULL, 0))
            return;
        told->numbers[i] = told->numbers[--told->n];
    }
    told->closed = closed;
}

static segment *find(const thrum__known *known, uint64_t number) {
    for (size_t i = 0; i < known->n; i++)
        if (known->all[i].number == number)
            return &known->all[i];
    return NULL;
}

static void forget(thrum__known *known, segment *it) {
    thrum_shared_close(it->shared);
    if (it->fd >= 0)
        close(it->fd);
    *it = known->all[--known->n];
}

/* Returns whether there is room for one more. */
static bool make_room(thrum__known *known) {
    if (known->n < known->room)
        return true;
    size_t room = known->room ? 2 * known->room : 16;
    segment *all = realloc(known->all, room * sizeof *all);
    if (!all)
        return false;
    known->all = all;
    known->room = room;
    return true;
}

/* Takes one message in, once there is room for its descriptor too: until then it stays. Returns 0
 * or a negative errno. */
static int receive(thrum__known *known) {
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    segment made = {.fd = -1};
    struct iovec bytes = {&made.number, sizeof made.number};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n;
    if (!make_room(known))
        return -ENOMEM;
    do
        n = recvmsg(known->socket, &message, MSG_PEEK | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -EPIPE;
    if (message.msg_flags & MSG_CTRUNC)
        return -EMFILE;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof made.fd))
        memcpy(&made.fd, CMSG_DATA(head), sizeof made.fd);
    while (recv(known->socket, &made.number, sizeof made.number, 0) < 0 && errno == EINTR)
        continue; /* the system closes the descriptor that is in it */
    segment *forgotten = find(known, made.number);
    known->all[known->n++] = made;
    if (forgotten) {
        forget(known, &known->all[known->n - 1]);
        forget(known, forgotten);
    }
    return 0;
}

/* Until it has come: it was sent before. */
static int await(thrum__known *known, uint64_t number) {
    int rc = 0;
    while (rc == 0 && !find(known, number))
        rc = receive(known);
    return rc;
}

/* Returns whether it is mapped now; there may be memory again. */
static bool map(segment *it) {
    if (!it->shared && it->fd >= 0 && thrum_shared_open_fd(&it->shared, it->fd, 0) == 0) {
        close(it->fd);
        it->fd = -1;
    }
    return it->shared != NULL;
}

void *thrum__known_at(thrum__known *known, const thrum__errand_ref *ref, size_t size, char *text,
                      size_t text_size) {
    int rc = await(known, ref->segment);
    for (size_t i = 0; rc == 0 && i < known->n; i++) {
        segment *it = &known->all[i];
        if (it->number != ref->segment || !map(it))
            continue;
        size_t room = thrum_shared_size(it->shared);
        if (ref->offset <= room && size <= room - ref->offset)
            return (char *)thrum_shared_memory(it->shared) + ref->offset;
    }
    snprintf(text, text_size, "the worker could not map shared memory: %s",
             rc == 0 ? "no memory, or not enough of it" : thrum_strerror(rc));
    return NULL;
}

void thrum__known_forget(thrum__known *known, uint64_t number) {
    if (await(known, number) == 0)
        forget(known, find(known, number));
    else if (make_room(known))
        known->all[known->n++] = (segment){.number = number, .fd = -1};
}
