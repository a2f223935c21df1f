/* SPDX-License-Identifier: MIT */
/* Texts that live for ever: the names of source files that workers name in failures. */
#include <stdlib.h>
#include <string.h>
#include <thrum/lock.h>

#include "pool.h"

enum { MOST = 1024 };

static thrum_lock lock;
static char *known[MOST]; /* under lock */
static int n_known;       /* under lock */

const char *thrum__text_for_ever(const char *text) {
    char *found = NULL;
    if (!text)
        return NULL;
    thrum_lock_acquire(&lock);
    for (int i = 0; i < n_known && !found; i++)
        if (strcmp(known[i], text) == 0)
            found = known[i];
    if (!found && n_known < MOST && (found = strdup(text)))
        known[n_known++] = found;
    thrum_lock_release(&lock);
    return found ? found : "?";
}
