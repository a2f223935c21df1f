/* SPDX-License-Identifier: MIT */
/* What the end of a thread, and a fork, need of thread-local data. */
#ifndef THRUM_SYNC_LOCAL_H
#define THRUM_SYNC_LOCAL_H

#include "park/strand.h"

/* Destroys the values of `self`, the current strand, which is about to end: four rounds at most.
 * What they destroy may be anything that a thread does. */
void thrum__local_end(thrum__strand *self);

/* Frees the table of `strand`, which sets no value any more, and forgets what is left in it. */
void thrum__local_free(thrum__strand *strand);

/* In the child of a fork, before the hooks of THRUM__FORK_LOCAL: thrum__local_free() for a strand
 * that is not there. */
void thrum__local_forget(thrum__strand *strand);

#endif
