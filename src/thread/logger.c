/* SPDX-License-Identifier: MIT */
/* The tree of loggers, their levels, and what is attached to them. */
#include "thread/logger.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "base/raw_lock.h"
#include "thread/logger_tree.h"

enum { BUCKETS = 1024 };

thrum_logger thrum__root_logger = {
    .name = "root", .level = THRUM_WARNING, .threshold = THRUM_WARNING, .propagate = true};

static thrum_logger *buckets[BUCKETS]; /* grown under tree_lock */
static thrum__raw_lock tree_lock;
static int disabled; /* records up to this level are off; under tree_lock */

thrum_logger *thrum__logger_or_root(const thrum_logger *logger) {
    return logger ? (thrum_logger *)(uintptr_t)logger : &thrum__root_logger;
}

void thrum__logger_tree_lock(void) { thrum__raw_lock_acquire(&tree_lock); }

void thrum__logger_tree_unlock(void) { thrum__raw_lock_release(&tree_lock); }

static uint32_t hash(const char *name, size_t size) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h % BUCKETS;
}

static bool is_root(const char *name, size_t size) {
    return size == 0 || (size == 4 && !memcmp(name, "root", size));
}

/* Returns the logger whose name is name[0..size), NULL if there is none. */
static thrum_logger *find(const char *name, size_t size) {
    if (is_root(name, size))
        return &thrum__root_logger;
    /* acquire: pairs with add() */
    thrum_logger *logger = thrum__load_acquire(&buckets[hash(name, size)]);
    while (logger && (strncmp(logger->name, name, size) != 0 || logger->name[size] != '\0'))
        logger = logger->next;
    return logger;
}

/* Returns the lowest level that passes in a logger whose effective level is `level`. Requires the
 * lock. */
static int threshold_of(int level) {
    return disabled == INT_MAX || level > disabled ? level : disabled + 1;
}

/* Makes the logger of this name below `parent`. Returns NULL without memory. Requires tree_lock. */
static thrum_logger *add(thrum_logger *parent, const char *name, size_t size) {
    thrum_logger *logger = calloc(1, sizeof *logger + size + 1);
    if (!logger)
        return NULL;
    thrum_logger **bucket = &buckets[hash(name, size)];
    memcpy(logger->text, name, size);
    logger->name = logger->text;
    logger->parent = parent;
    logger->threshold = parent->threshold;
    logger->propagate = true;
    logger->next = *bucket;
    logger->sibling = parent->child;
    parent->child = logger;
    /* release: pairs with find() */
    thrum__store_release(bucket, logger);
    return logger;
}

/* Finds or makes the logger and those above it. Requires tree_lock. */
static thrum_logger *make(const char *name) {
    thrum_logger *logger = &thrum__root_logger;
    for (size_t size = 1; logger; size++) {
        bool end = name[size] == '\0';
        if (end || name[size] == '.') {
            thrum_logger *found = find(name, size);
            logger = found ? found : add(logger, name, size);
        }
        if (end)
            break;
    }
    return logger;
}

thrum_logger *thrum_logger_get(const char *name) {
    thrum_logger *logger = name ? find(name, strlen(name)) : &thrum__root_logger;
    if (logger)
        return logger;
    thrum__raw_lock_acquire(&tree_lock);
    logger = make(name);
    thrum__raw_lock_release(&tree_lock);
    if (!logger)
        errno = ENOMEM;
    return logger;
}

const char *thrum_logger_name(const thrum_logger *logger) {
    return thrum__logger_or_root(logger)->name;
}

thrum_logger *thrum_logger_parent(const thrum_logger *logger) {
    return thrum__logger_or_root(logger)->parent;
}

static int effective_level(const thrum_logger *logger) {
    int level = thrum__load_relaxed(&logger->level);
    while (level == 0 && logger->parent) {
        logger = logger->parent;
        level = thrum__load_relaxed(&logger->level);
    }
    return level;
}

/* Returns the logger after `logger` in the walk through all below `top`. NULL: that was
 * the last. Requires tree_lock. */
static thrum_logger *next_below(const thrum_logger *top, thrum_logger *logger) {
    if (logger->child)
        return logger->child;
    while (logger != top && !logger->sibling)
        logger = logger->parent;
    return logger == top ? NULL : logger->sibling;
}

/* Brings the thresholds of `top` and of all below it up to date. Requires tree_lock. */
static void update(thrum_logger *top) {
    for (thrum_logger *at = top; at; at = next_below(top, at))
        thrum__store_relaxed(&at->threshold, threshold_of(effective_level(at)));
}

void thrum__logger_set_level(thrum_logger *logger, int level) {
    thrum__store_relaxed(&logger->level, level);
    update(logger);
}

static int refuse(const char *caller, int level) {
    thrum__complain("%s: the level %d is negative", caller, level);
    return -EINVAL;
}

int thrum_logger_set_level(thrum_logger *logger, int level) {
    if (level < 0)
        return refuse("thrum_logger_set_level", level);
    thrum__raw_lock_acquire(&tree_lock);
    thrum__logger_set_level(thrum__logger_or_root(logger), level);
    thrum__raw_lock_release(&tree_lock);
    return 0;
}

int thrum_log_disable(int level) {
    if (level < 0)
        return refuse("thrum_log_disable", level);
    thrum__raw_lock_acquire(&tree_lock);
    disabled = level;
    update(&thrum__root_logger);
    thrum__raw_lock_release(&tree_lock);
    return 0;
}

int thrum_logger_level(const thrum_logger *logger) {
    return thrum__load_relaxed(&thrum__logger_or_root(logger)->level);
}

int thrum_logger_effective_level(const thrum_logger *logger) {
    return effective_level(thrum__logger_or_root(logger));
}

bool thrum_logger_enabled(const thrum_logger *logger, int level) {
    return level >= thrum__load_relaxed(&thrum__logger_or_root(logger)->threshold);
}

void thrum_logger_set_propagate(thrum_logger *logger, bool propagate) {
    thrum__store_relaxed(&thrum__logger_or_root(logger)->propagate, propagate);
}

bool thrum_logger_propagate(const thrum_logger *logger) {
    return thrum__load_relaxed(&thrum__logger_or_root(logger)->propagate);
}
