/* SPDX-License-Identifier: MIT */
#include <thrum/shared.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/panic.h"
#include "base/raw_lock.h"
#include "shared/segment.h"

enum { FIRST = 3 }; /* descriptor behind the standard streams */
enum { NAME_MAX_BYTES = 200, PATH_SIZE = 256, LAYOUT = 2, USER_MODE = 0600, ALL_MODES = 0777 };
static const uint64_t MAGIC = UINT64_C(0x6d7572687473686d);
static const char FOLDER[] = "/dev/shm";

/* What stands in front of the user's memory; read-only once the segment can be opened. */
typedef struct {
    uint64_t magic;
    uint32_t layout;
    uint32_t header_size;
    uint64_t size;          /* of the user's memory */
    uint64_t pid_namespace; /* 0 not known */
    uint32_t word_size;     /* bytes of a pointer: a program's own structures differ by it */
} __attribute__((aligned(64))) header;

struct thrum_shared {
    thrum_shared *next; /* under segments_lock */
    header *mapped;
    size_t length;
    int fd;
    uint64_t number;
};

static thrum__raw_lock segments_lock;
static thrum_shared *segments; /* under segments_lock: all that this process has mapped */

static void lock_segments(void) { thrum__raw_lock_acquire(&segments_lock); }

static void unlock_segments(void) { thrum__raw_lock_release(&segments_lock); }

static const thrum__fork_hooks fork_hooks = {lock_segments, unlock_segments, unlock_segments};

static uint64_t numbers; /* under segments_lock: given so far */
static uint64_t closed __attribute__((aligned(8))); /* relaxed */

static void enlist(thrum_shared *shared) {
    thrum__fork_register(THRUM__FORK_SEGMENTS, &fork_hooks);
    lock_segments();
    shared->number = ++numbers;
    shared->next = segments;
    segments = shared;
    unlock_segments();
}

static void delist(thrum_shared *shared) {
    lock_segments();
    thrum_shared **at = &segments;
    while (*at != shared)
        at = &(*at)->next;
    *at = shared->next;
    unlock_segments();
    thrum__add_relaxed(&closed, 1);
}

uint64_t thrum__segment_find(const void *at, size_t size, uint64_t *offset) {
    uint64_t number = 0;
    lock_segments();
    for (const thrum_shared *shared = segments; shared && number == 0; shared = shared->next) {
        size_t room = thrum_shared_size(shared);
        *offset = (uint64_t)((uintptr_t)at - (uintptr_t)thrum_shared_memory(shared));
        if (*offset < room && size <= room - *offset)
            number = shared->number;
    }
    unlock_segments();
    return number;
}

/* Under segments_lock. */
static const thrum_shared *numbered(uint64_t number) {
    const thrum_shared *shared = segments;
    while (shared && shared->number != number)
        shared = shared->next;
    return shared;
}

int thrum__segment_descriptor(uint64_t number) {
    lock_segments();
    const thrum_shared *shared = numbered(number);
    int fd = shared ? fcntl(shared->fd, F_DUPFD_CLOEXEC, FIRST) : -1;
    int code = shared ? -errno : -ENOENT;
    unlock_segments();
    return fd < 0 ? code : fd;
}

bool thrum__segment_exists(uint64_t number) {
    lock_segments();
    bool found = numbered(number) != NULL;
    unlock_segments();
    return found;
}

uint64_t thrum__segments_closed(void) { return thrum__load_relaxed(&closed); }

static uint64_t pid_namespace(void) {
    struct stat about;
    return stat("/proc/self/ns/pid", &about) == 0 ? (uint64_t)about.st_ino : 0;
}

static int path_of(const char *name, char *path) {
    if (name && name[0] == '/')
        name++;
    if (!name || name[0] == '\0' || strlen(name) > NAME_MAX_BYTES || strchr(name, '/') ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    snprintf(path, PATH_SIZE, "%s/%s", FOLDER, name);
    return 0;
}

static int map(thrum_shared **out, int fd, size_t length) {
    thrum_shared *shared = malloc(sizeof *shared);
    void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int code = at == MAP_FAILED ? -errno : -ENOMEM;
    if (shared && at != MAP_FAILED) {
        *shared = (thrum_shared){NULL, at, length, fd, 0};
        enlist(shared);
        *out = shared;
        return 0;
    }
    if (at != MAP_FAILED)
        munmap(at, length);
    free(shared);
    close(fd);
    return code;
}

/* Sets room aside, so that a write cannot fail later. Returns 0 or an errno. */
static int reserve(int fd, size_t length) {
    int code;
    do
        code = posix_fallocate(fd, 0, (off_t)length);
    while (code == EINTR);
    return code;
}

/* Returns `fd`, or in its place one that is no standard stream: what a program without these writes
 * to one must not end up in a segment. -1 with errno, and `fd` is closed, if there is none. */
static int above_streams(int fd) {
    if (fd < 0 || fd >= FIRST)
        return fd;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, FIRST), error = errno;
    close(fd);
    errno = error;
    return other;
}

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Without a name: of a size that nobody can change. A system may demand that it is never a program;
 * one before Linux 6.3 does not know how to say so. */
static int make_sealed(size_t length) {
    int fd = memfd_create("thrum", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("thrum", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fd = above_streams(fd);
    if (fd < 0)
        return -errno;
    int code = reserve(fd, length);
    if (code == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        code = errno;
    if (code == 0)
        return fd;
    close(fd);
    return -code;
}

/* A file that has no name yet. */
static int make_file(size_t length, unsigned mode) {
    int fd = above_streams(open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, USER_MODE));
    if (fd < 0)
        return -errno;
    int code = reserve(fd, length);
    if (code == 0 && mode != 0 && fchmod(fd, (mode_t)mode) != 0)
        code = errno;
    if (code == 0)
        return fd;
    close(fd);
    return -code;
}

/* Gives the file its name: from here on it is seen, complete. Without /proc only some may. */
static int publish(int fd, const char *path) {
    char own[PATH_SIZE];
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ||
                   (errno == ENOENT && linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
               ? 0
               : -errno;
}

static int refuse(const char *what) {
    thrum__complain("thrum_shared_create: %s", what);
    return -EINVAL;
}

static int check_opts(const char *name, size_t size, const thrum_shared_opts *opts) {
    static const thrum_shared_opts zero;
    char path[PATH_SIZE];
    if (size == 0 || size > (size_t)PTRDIFF_MAX - sizeof(header))
        return refuse("size is 0, or too large");
    if (name && path_of(name, path) != 0)
        return refuse("name is empty, too long, or holds a slash");
    if (opts->mode & ~(unsigned)ALL_MODES)
        return refuse("mode is not one");
    if (opts->reserved0 != 0 || memcmp(opts->reserved, zero.reserved, sizeof zero.reserved) != 0)
        return refuse("a reserved field is not zero");
    return 0;
}

int thrum_shared_create(thrum_shared **out, const char *name, size_t size,
                        const thrum_shared_opts *opts) {
    static const thrum_shared_opts defaults;
    char path[PATH_SIZE];
    thrum_shared *shared = NULL;
    opts = opts ? opts : &defaults;
    int code = check_opts(name, size, opts);
    if (code != 0)
        return code;
    size_t length = sizeof(header) + size;
    int fd = name ? make_file(length, opts->mode) : make_sealed(length);
    if (fd < 0)
        return fd;
    code = map(&shared, fd, length);
    if (code != 0)
        return code;
    *shared->mapped =
        (header){MAGIC, LAYOUT, sizeof(header), size, pid_namespace(), sizeof(void *)};
    if (opts->init)
        code = opts->init(thrum_shared_memory(shared), size, opts->arg);
    if (code == 0 && name && (code = path_of(name, path)) == 0)
        code = publish(fd, path);
    if (code != 0)
        thrum_shared_close(shared);
    else
        *out = shared;
    return code;
}

/* Reads, so that nothing that is not there is touched. */
static int check_file(int fd, size_t size, size_t *length) {
    header found;
    struct stat about;
    if (fstat(fd, &about) != 0)
        return -errno;
    if (pread(fd, &found, sizeof found, 0) != (ssize_t)sizeof found ||
        (found.magic != MAGIC && found.magic != __builtin_bswap64(MAGIC)))
        return -EINVAL;
    if (found.magic != MAGIC || found.layout != LAYOUT || found.header_size != sizeof found ||
        found.word_size != sizeof(void *))
        return -EPROTO;
    if (found.size < size || found.size > (uint64_t)PTRDIFF_MAX - sizeof found ||
        about.st_size < (off_t)(sizeof found + found.size))
        return -EINVAL;
    uint64_t here = pid_namespace();
    if (found.pid_namespace != 0 && here != 0 && found.pid_namespace != here)
        return -EXDEV;
    *length = sizeof found + (size_t)found.size;
    return 0;
}

static int open_owned(thrum_shared **out, int fd, size_t size) {
    size_t length = 0;
    int code = check_file(fd, size, &length);
    if (code == 0)
        return map(out, fd, length);
    close(fd);
    return code;
}

int thrum_shared_open(thrum_shared **out, const char *name, size_t size) {
    char path[PATH_SIZE];
    int code = path_of(name, path);
    if (code != 0)
        return code;
    int fd = above_streams(open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    return fd < 0 ? (errno == ELOOP || errno == ENXIO || errno == EISDIR ? -EINVAL : -errno)
                  : open_owned(out, fd, size);
}

int thrum_shared_open_fd(thrum_shared **out, int fd, size_t size) {
    int own = fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
    return own < 0 ? -errno : open_owned(out, own, size);
}

int thrum_shared_fd(const thrum_shared *shared) { return shared->fd; }

void *thrum_shared_memory(const thrum_shared *shared) { return shared->mapped + 1; }

size_t thrum_shared_size(const thrum_shared *shared) {
    return shared->length - sizeof(header);
}

void thrum_shared_close(thrum_shared *shared) {
    if (!shared)
        return;
    delist(shared);
    munmap(shared->mapped, shared->length);
    close(shared->fd);
    free(shared);
}

int thrum_shared_unlink(const char *name) {
    char path[PATH_SIZE];
    int code = path_of(name, path);
    return code != 0 ? code : unlink(path) == 0 ? 0 : -errno;
}
