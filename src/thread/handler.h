/* SPDX-License-Identifier: MIT */
/* What all handlers have in common, and what each kind supplies. */
#ifndef THRUM_THREAD_HANDLER_H
#define THRUM_THREAD_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thrum/handler.h>
#include <thrum/log.h>

#include "base/atomic.h"
#include "base/list.h"
#include "thread/log_format.h"

/* All but fork are called with a reference, and without a lock. */
typedef struct thrum__handler_ops {
    /* Writes `record`, whose level is high enough. Returns 0 whatever becomes of the line, but
     * -ESHUTDOWN when the handler was closed before. */
    int (*put)(thrum_handler *handler, thrum__log_record *record);
    void (*flush)(thrum_handler *handler);
    void (*close)(thrum_handler *handler);
    /* Frees the handler; nobody else has it. */
    void (*destroy)(thrum_handler *handler);
    /* Round a fork; any may be NULL. In the child only the forking thread is left. */
    void (*before_fork)(thrum_handler *handler);
    void (*after_fork_parent)(thrum_handler *handler);
    void (*after_fork_child)(thrum_handler *handler);
    bool holds; /* put may hold a line back when there are more to come */
} thrum__handler_ops;

struct thrum_handler {
    const thrum__handler_ops *ops;
    int level;
    uint32_t refs;       /* handles, attachments, records on their way */
    uint64_t number;     /* grows from one to the next; read-only */
    thrum__link listed;  /* among all handlers; under their lock */
    size_t dropped;      /* relaxed */
    size_t failed;       /* relaxed */
};

/* Makes `handler`, which is zero, one of all handlers, with one reference. */
void thrum__handler_init(thrum_handler *handler, const thrum__handler_ops *ops, int level);

/* Takes and drops a reference; the last one destroys the handler. */
void thrum__handler_ref(thrum_handler *handler);
void thrum__handler_unref(thrum_handler *handler);

/* Returns whether the program is at its end: nothing is held back any more. */
bool thrum__handler_at_end(void);

/* Round a fork: all handlers. */
void thrum__handlers_before_fork(void);
void thrum__handlers_after_fork_parent(void);
void thrum__handlers_after_fork_child(void);

/* Returns whether `level` and the `n` reserved fields are what options may have; said in the name
 * of `caller` if not. */
bool thrum__handler_check(const char *caller, int level, void *const *reserved, size_t n);

/* What handlers of Python's basicConfig() are made with; as the public ones otherwise. *error gets
 * 0 or what is wrong, said in the name of `caller`. */
thrum_handler *thrum__stream_handler_make(const char *caller, const char *format, int fd,
                                          const thrum_handler_opts *opts, int *error);
thrum_handler *thrum__file_handler_make(const char *caller, const char *format, const char *path,
                                        const thrum_file_handler_opts *opts, int *error);

/* Writes WARNING and up to stderr, as the bare message; for ever. */
extern thrum_handler *const thrum__last_resort;

static inline void thrum__handler_count(size_t *counter, size_t n) {
    thrum__add_relaxed(counter, n);
}

#endif
