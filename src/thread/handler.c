/* SPDX-License-Identifier: MIT */
#include "thread/handler.h"

#include <pthread.h>

#include "base/panic.h"
#include "base/raw_lock.h"
#include "thread/log_style.h"

static thrum__raw_lock handlers_lock;
static thrum__link handlers = THRUM__LIST_INIT(handlers); /* oldest first; under handlers_lock */
static uint64_t last_number;                              /* under handlers_lock */
static bool at_end;                                       /* relaxed */

void thrum__handler_init(thrum_handler *handler, const thrum__handler_ops *ops, int level) {
    handler->ops = ops;
    handler->level = level;
    handler->refs = 1;
    thrum__raw_lock_acquire(&handlers_lock);
    handler->number = ++last_number;
    thrum__list_insert(&handlers, &handler->listed);
    thrum__raw_lock_release(&handlers_lock);
}

void thrum__handler_ref(thrum_handler *handler) { thrum__add_relaxed(&handler->refs, 1); }

void thrum__handler_unref(thrum_handler *handler) {
    /* acq_rel: pairs with thrum__handler_unref() */
    if (thrum__sub_acq_rel(&handler->refs, 1) != 1)
        return;
    thrum__raw_lock_acquire(&handlers_lock);
    thrum__list_remove(&handler->listed);
    thrum__raw_lock_release(&handlers_lock);
    handler->ops->destroy(handler);
}

bool thrum__handler_at_end(void) { return thrum__load_relaxed(&at_end); }

bool thrum__handler_check(const char *caller, int level, void *const *reserved, size_t n) {
    const char *bad = level < 0 ? ".level must not be negative" : NULL;
    for (size_t i = 0; i < n; i++)
        bad = reserved[i] ? ".reserved must be zero" : bad;
    if (bad)
        thrum__complain("%s: %s", caller, bad);
    return !bad;
}

/* Returns a reference to the oldest handler younger than `number`, NULL: none. One whose last
 * reference is gone is left to who frees it. */
static thrum_handler *next_after(uint64_t number) {
    thrum_handler *found = NULL;
    thrum__raw_lock_acquire(&handlers_lock);
    THRUM__EACH(link, &handlers) {
        thrum_handler *handler = THRUM__MEMBER(thrum_handler, listed, link);
        uint32_t refs = thrum__load_relaxed(&handler->refs);
        if (handler->number <= number)
            continue;
        while (refs > 0 && !thrum__cas_relaxed(&handler->refs, &refs, refs + 1))
            continue;
        if (refs > 0) {
            found = handler;
            break;
        }
    }
    thrum__raw_lock_release(&handlers_lock);
    return found;
}

/* The end of the program, after its exit handlers: the regular threads have ended. The number 101
 * lets it run after the destructors of the program itself. */
__attribute__((destructor(101))) static void flush_all(void) {
    thrum__store_relaxed(&at_end, true);
    uint64_t number = 0;
    thrum_handler *handler;
    while ((handler = next_after(number)) != NULL) {
        number = handler->number;
        thrum_handler_flush(handler);
        thrum__handler_unref(handler);
    }
}

void thrum_handler_flush(thrum_handler *handler) {
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    handler->ops->flush(handler);
    pthread_setcancelstate(cancel, NULL);
}

void thrum_handler_close(thrum_handler *handler) {
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    handler->ops->close(handler);
    pthread_setcancelstate(cancel, NULL);
}

size_t thrum_handler_dropped(const thrum_handler *handler) {
    return thrum__load_relaxed(&handler->dropped);
}

size_t thrum_handler_failed(const thrum_handler *handler) {
    return thrum__load_relaxed(&handler->failed);
}

void thrum_handler_free(thrum_handler *handler) {
    if (!handler)
        return;
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    thrum__handler_unref(handler);
    pthread_setcancelstate(cancel, NULL);
}

void thrum__handlers_before_fork(void) {
    thrum__raw_lock_acquire(&handlers_lock);
    THRUM__EACH(link, &handlers) {
        thrum_handler *handler = THRUM__MEMBER(thrum_handler, listed, link);
        if (handler->ops->before_fork)
            handler->ops->before_fork(handler);
    }
    thrum__log_style_before_fork();
}

void thrum__handlers_after_fork_parent(void) {
    thrum__log_style_after_fork();
    THRUM__EACH(link, &handlers) {
        thrum_handler *handler = THRUM__MEMBER(thrum_handler, listed, link);
        if (handler->ops->after_fork_parent)
            handler->ops->after_fork_parent(handler);
    }
    thrum__raw_lock_release(&handlers_lock);
}

void thrum__handlers_after_fork_child(void) {
    thrum__log_style_after_fork();
    thrum__last_resort->ops->after_fork_child(thrum__last_resort);
    THRUM__EACH(link, &handlers) {
        thrum_handler *handler = THRUM__MEMBER(thrum_handler, listed, link);
        if (handler->ops->after_fork_child)
            handler->ops->after_fork_child(handler);
    }
    thrum__raw_lock_release(&handlers_lock);
}
