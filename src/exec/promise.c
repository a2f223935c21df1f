/* SPDX-License-Identifier: MIT */
/* Futures that their users complete. */
#include <thrum/future.h>

#include <errno.h>
#include <stdarg.h>

#include <thrum/thread.h>

#include "exec/task.h"
#include "thread/thread.h"

thrum_future *thrum_future_new(void) {
    thrum_future *future = thrum__task_new(THRUM__TASK_REF | THRUM__TASK_PROMISE);
    if (!future)
        errno = ENOMEM;
    return future;
}

/* PENDING (or RUNNING, if that is allowed) -> state. 0, or why not. */
static int claim(thrum_future *future, uint32_t state, bool running_too) {
    uint32_t word = thrum__task_word(future);
    for (;;) {
        uint32_t now = word & THRUM__TASK_STATE;
        if (now == THRUM__TASK_CANCELLED)
            return -ECANCELED;
        if (!(word & THRUM__TASK_PROMISE) || future->fn ||
            (now != THRUM__TASK_PENDING && !(running_too && now == THRUM__TASK_RUNNING)))
            return -EBUSY;
        if (thrum__cas_relaxed(&future->word, &word, word - now + state))
            return 0;
    }
}

int thrum_future_set_running(thrum_future *future) {
    return claim(future, THRUM__TASK_RUNNING, false);
}

int thrum_future_set_result(thrum_future *future, void *result) {
    int rc = claim(future, THRUM__TASK_SETTING, true);
    if (rc != 0)
        return rc;
    future->value = result;
    thrum__task_complete(future, THRUM__TASK_OK, 0);
    return 0;
}

int thrum_future_set_error_at(const char *file, int line, thrum_future *future, int code,
                              const char *format, ...) {
    char message[THRUM__MESSAGE_SIZE];
    thrum_failure failure;
    va_list args;
    int rc = claim(future, THRUM__TASK_SETTING, true);
    if (rc != 0)
        return rc;
    va_start(args, format);
    thrum__failure_fill(&failure, message, sizeof message, file, line, code, format, args);
    va_end(args);
    const thrum_thread *thread = thrum_thread_current();
    thrum__task_fail(future, &failure, thread ? thrum_thread_name(thread) : NULL, 0);
    return 0;
}
