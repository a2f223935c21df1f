/* SPDX-License-Identifier: MIT */
/* A record that outlives its call: its message expanded, its strings copied. */
#ifndef THRUM_THREAD_LOG_ITEM_H
#define THRUM_THREAD_LOG_ITEM_H

#include "thread/log_format.h"

typedef struct thrum__log_item {
    struct thrum__log_item *next;
    uint64_t number; /* by the queue; from 1 */
    thrum__log_record record;
    char text[];
} thrum__log_item;

/* Returns a copy of `record`, or NULL without memory. */
thrum__log_item *thrum__log_item_new(thrum__log_record *record);

/* Frees `item`. Does nothing for NULL. */
void thrum__log_item_free(thrum__log_item *item);

#endif
