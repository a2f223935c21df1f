/* SPDX-License-Identifier: MIT */
/* Texts that live for ever: the names of source files that workers name in failures. */
#include <stdlib.h>
#include <string.h>

#include "base/raw_lock.h"
#include "exec/remote.h"

enum { MOST = 1024 };

static thrum__raw_lock lock;
static char *known[MOST]; /* under lock */
static int n_known;       /* under lock */

const char *thrum__remote_text(const char *text) {
    char *found = NULL, *copy = text ? strdup(text) : NULL;
    if (!text)
        return NULL;
    thrum__raw_lock_acquire(&lock);
    for (int i = 0; i < n_known && !found; i++)
        if (strcmp(known[i], text) == 0)
            found = known[i];
    if (!found && n_known < MOST && copy) {
        known[n_known++] = found = copy;
        copy = NULL;
    }
    thrum__raw_lock_release(&lock);
    free(copy);
    return found ? found : "?";
}

void thrum__remote_text_child_after_fork(void) { lock = (thrum__raw_lock){0}; }
