/* SPDX-License-Identifier: MIT */
/* What workers write to stdout and stderr, read by a thread of its own, so that a program whose
 * output is stuck still runs its tasks. Each line goes out in one piece, with the name of its
 * worker in front. */
#ifndef THRUM_PROCESS_OUTPUT_H
#define THRUM_PROCESS_OUTPUT_H

typedef struct thrum__output thrum__output;

/* Starts the thread. Returns 0 or a negative errno. */
int thrum__output_new(thrum__output **output, const char *pool_name);

/* Makes two pipes, whose ends to write to are streams[0] for stdout and [1] for stderr: the caller
 * closes them when the worker has them. The other ends are read until the worker, and who else has
 * got them, have closed them. Returns 0 or a negative errno, with nothing to be closed: both are as
 * they were, -1. */
int thrum__output_open(thrum__output *output, const char *worker_name, int place, int streams[2]);

/* Writes what has come, and the last lines, which may lack their end; stops the thread. No worker
 * is left. NULL: nothing. */
void thrum__output_free(thrum__output *output);

#endif
