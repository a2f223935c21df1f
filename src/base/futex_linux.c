/* SPDX-License-Identifier: MIT */
#include "base/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/panic.h"

/* The kernel's 64-bit timespec, which 32-bit systems reach by a call of its own. */
struct timespec64 {
    int64_t seconds;
    int64_t nanoseconds;
};

#if defined(SYS_futex_time64)
enum { FUTEX_CALL = SYS_futex_time64 };
#elif UINTPTR_MAX > UINT32_MAX
enum { FUTEX_CALL = SYS_futex };
#else
#error "a 32-bit system without futex_time64: the headers are older than Linux 5.1"
#endif

static int futex_wait(uint32_t *word, int scope, uint32_t value, int64_t deadline) {
    int saved = errno;
    int rc = 0;
    struct timespec64 limit = {deadline / 1000000000, deadline % 1000000000};
    if (deadline < 0)
        limit.seconds = limit.nanoseconds = 0;
    if (syscall(FUTEX_CALL, word, FUTEX_WAIT_BITSET | scope, value,
                deadline == INT64_MAX ? NULL : &limit, NULL, FUTEX_BITSET_MATCH_ANY) != 0) {
        if (errno == ENOSYS || errno == EINVAL)
            thrum__panic("this kernel has no futex for thrum: %s", strerror(errno));
        rc = errno == ETIMEDOUT || errno == EINTR ? -errno : 0;
    }
    errno = saved;
    return rc;
}

static void futex_wake(uint32_t *word, int scope, int n) {
    int saved = errno;
    syscall(FUTEX_CALL, word, FUTEX_WAKE | scope, n, NULL, NULL, 0);
    errno = saved;
}

int thrum__futex_wait(uint32_t *word, uint32_t value, int64_t deadline) {
    return futex_wait(word, FUTEX_PRIVATE_FLAG, value, deadline);
}

void thrum__futex_wake(uint32_t *word, int n) { futex_wake(word, FUTEX_PRIVATE_FLAG, n); }

int thrum__futex_wait_shared(uint32_t *word, uint32_t value, int64_t deadline) {
    return futex_wait(word, 0, value, deadline);
}

void thrum__futex_wake_shared(uint32_t *word, int n) { futex_wake(word, 0, n); }
