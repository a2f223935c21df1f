/* SPDX-License-Identifier: MIT */
/* How a record goes from its logger to the handlers. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fork.h"
#include "base/raw_lock.h"
#include "park/strand.h"
#include "thread/handler.h"
#include "thread/logger.h"
#include "thread/logger_tree.h"

enum { SHARDS = 16, CACHE_LINE = 64, NS_PER_S = 1000000000 };

/* What is attached is read under one of these, each thread under its own, and changed under all. */
static struct {
    thrum__raw_lock lock;
} __attribute__((aligned(CACHE_LINE))) shards[SHARDS];

static uint64_t last_number; /* of an attachment; under all shards */

/* Where a record is on its way through the handlers. */
typedef struct cursor {
    const thrum_logger *logger; /* NULL: past the root */
    uint64_t next;              /* the lowest number that is to come there */
    bool found;                 /* there was a handler, whatever its level */
} cursor;

static void lock_shards(void) {
    for (int i = 0; i < SHARDS; i++)
        thrum__raw_lock_acquire(&shards[i].lock);
}

static void unlock_shards(void) {
    for (int i = 0; i < SHARDS; i++)
        thrum__raw_lock_release(&shards[i].lock);
}

/* Returns a reference to the next handler that takes `level`, and moves the cursor behind it;
 * NULL: there are no more. */
static thrum_handler *next_handler(cursor *at, int level) {
    const thrum__strand *self = thrum__strand_peek();
    thrum__raw_lock *lock = &shards[self ? self->id % SHARDS : 0].lock;
    thrum_handler *handler = NULL;
    thrum__raw_lock_acquire(lock);
    while (at->logger && !handler) {
        for (size_t i = 0; i < at->logger->n_attached && !handler; i++) {
            const thrum__attachment *attached = &at->logger->attached[i];
            at->found = true;
            if (attached->number < at->next || level < attached->handler->level)
                continue;
            handler = attached->handler;
            at->next = attached->number + 1;
            thrum__handler_ref(handler);
        }
        if (!handler) {
            at->next = 0;
            at->logger = thrum__load_relaxed(&at->logger->propagate) ? at->logger->parent : NULL;
        }
    }
    thrum__raw_lock_release(lock);
    return handler;
}

/* Writes `record` by all handlers. One that thrum_log_config() has replaced meanwhile refuses it;
 * then its successor gets it. */
static void put(const thrum_logger *logger, thrum__log_record *record) {
    cursor at = {.logger = logger};
    thrum_handler *handler;
    while ((handler = next_handler(&at, record->level)) != NULL) {
        int rc = handler->ops->put(handler, record);
        if (rc && at.logger == &thrum__root_logger && at.next == 1)
            at.next = 0;
        thrum__handler_unref(handler);
    }
    if (!at.found && record->level >= thrum__last_resort->level)
        thrum__last_resort->ops->put(thrum__last_resort, record);
}

void thrum__logger_write(const thrum_logger *logger, int level, const char *file, int line,
                         const char *function, const char *format, va_list args) {
    thrum__log_record record;
    record.error = errno;
    record.level = level;
    record.name = logger->name;
    record.file = file;
    record.line = line;
    record.function = function;
    record.format = format;
    record.message = NULL;
    record.message_cut = false;
    record.more = false;
    record.thread_name = NULL;
    int cancel; /* a thread that ended here would leave a lock behind */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    record.created = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
    va_copy(record.args, args);
    put(logger, &record);
    va_end(record.args);
    pthread_setcancelstate(cancel, NULL);
    errno = record.error;
}

void thrum_logger_at(thrum_logger *logger, int level, const char *file, int line,
                     const char *function, const char *format, ...) {
    if (!thrum_logger_enabled(logger, level))
        return;
    va_list args;
    va_start(args, format);
    thrum__logger_write(thrum__logger_or_root(logger), level, file, line, function, format, args);
    va_end(args);
}

/* Returns where `handler` is attached, or n_attached. */
static size_t place_of(const thrum_logger *logger, const thrum_handler *handler) {
    size_t i = 0;
    while (i < logger->n_attached && logger->attached[i].handler != handler)
        i++;
    return i;
}

/* Attaches `handler`, whose reference is taken over. `basic`: in the place of the one that was
 * attached so before, whose reference *before gets. Requires the tree lock. Returns 0 or
 * -ENOMEM. */
static int attach(thrum_logger *logger, thrum_handler *handler, bool basic,
                  thrum_handler **before) {
    size_t n = logger->n_attached;
    bool replaces = basic && n > 0 && logger->attached[0].number == 0;
    thrum__attachment *old = NULL;
    thrum__attachment *list = replaces ? logger->attached : malloc((n + 1) * sizeof *list);
    if (!list)
        return -ENOMEM;
    lock_shards();
    if (replaces) {
        *before = list[0].handler;
        list[0].handler = handler;
    } else {
        if (n > 0)
            memcpy(list + basic, logger->attached, n * sizeof *list);
        list[basic ? 0 : n] = (thrum__attachment){handler, basic ? 0 : ++last_number};
        old = logger->attached;
        logger->attached = list;
        logger->n_attached = n + 1;
    }
    unlock_shards();
    free(old);
    return 0;
}

int thrum_logger_add_handler(thrum_logger *logger, thrum_handler *handler) {
    int rc = 0, cancel;
    logger = thrum__logger_or_root(logger);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    thrum__logger_tree_lock();
    if (place_of(logger, handler) == logger->n_attached) {
        rc = attach(logger, handler, false, NULL);
        if (!rc)
            thrum__handler_ref(handler);
    }
    thrum__logger_tree_unlock();
    pthread_setcancelstate(cancel, NULL);
    return rc;
}

int thrum_logger_remove_handler(thrum_logger *logger, thrum_handler *handler) {
    int cancel;
    logger = thrum__logger_or_root(logger);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    thrum__logger_tree_lock();
    size_t i = place_of(logger, handler);
    bool found = i < logger->n_attached;
    if (found) {
        lock_shards();
        logger->n_attached--;
        memmove(logger->attached + i, logger->attached + i + 1,
                (logger->n_attached - i) * sizeof *logger->attached);
        unlock_shards();
    }
    thrum__logger_tree_unlock();
    if (found)
        thrum__handler_unref(handler);
    pthread_setcancelstate(cancel, NULL);
    return found ? 0 : -ENOENT;
}

int thrum__logger_configure(thrum_handler *handler, int level) {
    thrum_handler *before = NULL;
    thrum__logger_tree_lock();
    int rc = attach(&thrum__root_logger, handler, true, &before);
    if (!rc)
        thrum__logger_set_level(&thrum__root_logger, level);
    thrum__logger_tree_unlock();
    if (before) {
        thrum_handler_close(before);
        thrum__handler_unref(before);
    }
    return rc;
}

static void before_fork(void) {
    thrum__logger_tree_lock();
    lock_shards();
    thrum__handlers_before_fork();
}

static void after_fork_parent(void) {
    thrum__handlers_after_fork_parent();
    unlock_shards();
    thrum__logger_tree_unlock();
}

static void after_fork_child(void) {
    thrum__handlers_after_fork_child();
    unlock_shards();
    thrum__logger_tree_unlock();
}

static const thrum__fork_hooks fork_hooks = {before_fork, after_fork_parent, after_fork_child};

/* Before there are threads: a hook must not appear in the middle of a fork. */
__attribute__((constructor)) static void register_fork(void) {
    thrum__fork_register(THRUM__FORK_LOG, &fork_hooks);
}
