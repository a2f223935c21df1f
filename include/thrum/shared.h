/* SPDX-License-Identifier: MIT */
/* Shared: memory that several processes see, Python's multiprocessing.shared_memory, for the
 * objects of shared_lock.h, shared_queue.h and the like, and for plain data. Without a name, for
 * the processes that are forked off afterwards (and programs that are handed its descriptor); with
 * a name, for all that open it:
 *
 *     thrum_shared *shared;
 *     rc = thrum_shared_create(&shared, NULL, sizeof(struct state), NULL);
 *     struct state *s = thrum_shared_memory(shared);        zeroed: locks in it are valid
 *     if (fork() == 0) ...
 *
 * It may lie at another address in each process: no pointers in it. It begins with a header of
 * which thrum checks kind, layout and size whenever it is opened: a foreign or truncated file is an
 * error, not a crash. Room for all of it is reserved when it is made. A segment with a name is seen
 * by others only when it is complete; it stays until it is unlinked, though all who used it have
 * died. A name is that of a file of its user: who may write that file may destroy it while it is
 * used. */
#ifndef THRUM_SHARED_H
#define THRUM_SHARED_H

#include <stddef.h>
#include <stdint.h>
#include <thrum/config.h>

THRUM__BEGIN

/* How many processes an object knows that hold something of it. */
#define THRUM__SHARED_HOLDERS 32

/* Who holds how much of a semaphore, of the tasks of a queue: the fields are of nobody's
 * program. */
typedef struct thrum__shared_accounts {
    uint64_t thrum__who[THRUM__SHARED_HOLDERS] __attribute__((aligned(8))); /* names of processes */
    uint32_t thrum__held[THRUM__SHARED_HOLDERS]; /* what each holds; 0: the account is closed */
    uint32_t thrum__others;                      /* what is held without an account */
    uint32_t thrum__reserved;
} thrum__shared_accounts;

/* A mapping of shared memory. Owned by who created or opened it, until thrum_shared_close(). */
typedef struct thrum_shared thrum_shared;

/* Options of thrum_shared_create(); zero is the default of each. */
typedef struct thrum_shared_opts {
    /* Called with the zeroed memory before anybody else can open it; what it returns, if not 0, is
     * what thrum_shared_create() returns, having undone all. */
    int (*init)(void *memory, size_t size, void *arg);
    void *arg;
    unsigned mode; /* who may open it by name; 0: its user only (0600) */
    unsigned reserved0;
    void *reserved[4]; /* must be zero */
} thrum_shared_opts;

/* Makes `size` bytes of zeroed memory and maps them. `name`: NULL, or 1 to 200 bytes without a
 * slash (one in front is allowed). Returns 0, -EINVAL, -EEXIST, -ENOMEM, -ENOSPC (not that much
 * shared memory), or what the system said. Any thread. */
THRUM_API int thrum_shared_create(thrum_shared **out, const char *name, size_t size,
                                  const thrum_shared_opts *opts);

/* Maps the memory called `name`, of at least `size` bytes. Returns 0, -ENOENT, -EINVAL (not made by
 * thrum_shared_create(), truncated, or smaller than `size`), -EPROTO (made by a thrum of another
 * layout, or by a program of another byte order or size of pointers), -EXDEV (made in another pid
 * namespace: holders could not be told dead from alive), -EACCES, -ENOMEM. Any thread. */
THRUM_API int thrum_shared_open(thrum_shared **out, const char *name, size_t size);

/* As thrum_shared_open(), for the descriptor of a segment, which stays the caller's. */
THRUM_API int thrum_shared_open_fd(thrum_shared **out, int fd, size_t size);

/* Returns the descriptor of the segment, closed on exec() and owned by `shared`: dup() it for a
 * program that is to open it. The size of one without a name is sealed. Cannot fail; any thread. */
THRUM_API int thrum_shared_fd(const thrum_shared *shared);

/* Return the memory (aligned to 64 bytes) and its size in bytes. Cannot fail; any thread. */
THRUM_API void *thrum_shared_memory(const thrum_shared *shared);
THRUM_API size_t thrum_shared_size(const thrum_shared *shared);

/* Unmaps the memory; what is in it stays for the others. Nobody in this process may use it any
 * more. Does nothing for NULL. */
THRUM_API void thrum_shared_close(thrum_shared *shared);

/* Takes the name away: nobody can open it any more; who has it open is not touched. Returns 0,
 * -ENOENT, -EINVAL or -EACCES. Any thread. */
THRUM_API int thrum_shared_unlink(const char *name);

THRUM__END

#endif
