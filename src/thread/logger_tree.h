/* SPDX-License-Identifier: MIT */
/* What a logger is made of. */
#ifndef THRUM_THREAD_LOGGER_TREE_H
#define THRUM_THREAD_LOGGER_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <thrum/logger.h>

/* A handler, attached. */
typedef struct thrum__attachment {
    thrum_handler *handler;
    uint64_t number; /* 0: that of thrum_log_config(); the others grow in the order of attaching */
} thrum__attachment;

struct thrum_logger {
    const char *name;
    thrum_logger *parent;  /* NULL: the root; read-only */
    thrum_logger *child;   /* the newest; under the tree lock */
    thrum_logger *sibling; /* read-only */
    thrum_logger *next;    /* of the same hash; read-only */
    int level;             /* relaxed, written under the tree lock */
    int threshold;         /* relaxed, written under the tree lock: records below it are off */
    bool propagate;        /* relaxed */
    thrum__attachment *attached; /* by number; read under one shard, written under all */
    size_t n_attached;           /* likewise */
    char text[];
};

extern thrum_logger thrum__root_logger;

/* Returns `logger`, the root for NULL. */
thrum_logger *thrum__logger_or_root(const thrum_logger *logger);

/* The lock of the tree: raw, held for a walk through it. */
void thrum__logger_tree_lock(void);
void thrum__logger_tree_unlock(void);

/* Sets the level of `logger`. Requires the tree lock. */
void thrum__logger_set_level(thrum_logger *logger, int level);

#endif
