/* SPDX-License-Identifier: MIT */
/* What thrum_with_executor() stands on. */
#include <thrum/executor.h>

#include <errno.h>

#include "base/panic.h"
#include "exec/pool.h"

thrum_executor *thrum__executor_enter(const thrum_executor_opts *opts, const char *file, int line) {
    thrum_executor *executor = thrum_executor_new(opts);
    if (!executor)
        thrum__complain("thrum_with_executor at %s:%d: no pool, the block is skipped: %s", file,
                        line, thrum_strerror(-errno));
    return executor;
}

void thrum__executor_leave(thrum_executor **executor) {
    thrum_executor_stats stats;
    if (!*executor)
        return;
    (void)thrum_executor_shutdown(*executor, true, false);
    thrum_executor_get_stats(*executor, &stats);
    if (stats.unread > 0)
        thrum__complain("pool \"%s\": nobody has read the failures of %llu of its tasks",
                        (*executor)->name_prefix, (unsigned long long)stats.unread);
    thrum_executor_free(*executor);
}
