/* SPDX-License-Identifier: MIT */
/* What the iterators of map() and imap_unordered() share: where their futures come from, and a
 * row of them. */
#ifndef THRUM_PYTHON_STREAM_H
#define THRUM_PYTHON_STREAM_H

#include "executor.h"

/* References, first in first out. A zeroed one is empty. */
typedef struct row {
    PyObject **items;
    Py_ssize_t head, tail, room;
} row;

/* Calls that are submitted as their results are taken. */
typedef struct source {
    PyObject *fn, *args; /* NULL: nothing more is submitted */
    PyObject *executor;  /* a weak reference; NULL: nothing more */
    PyObject *error;     /* what went wrong with that; raised at the next step */
    thrum_deadline deadline;
    bool plain; /* the futures are ours: they come from our submit() */
} source;

#define ROW_VISIT(row)                                                                             \
    for (Py_ssize_t i_ = (row)->head; i_ < (row)->tail; i_++)                                      \
        Py_VISIT((row)->items[i_]);
#define SOURCE_VISIT(source)                                                                       \
    do {                                                                                           \
        Py_VISIT((source)->fn);                                                                    \
        Py_VISIT((source)->args);                                                                  \
        Py_VISIT((source)->executor);                                                              \
        Py_VISIT((source)->error);                                                                 \
    } while (0)

/* Steals `item`. 0, or -1 with MemoryError. */
int row_append(row *self, PyObject *item);

/* Takes the first or the last out; NULL: none. */
PyObject *row_first(row *self);
PyObject *row_last(row *self);

/* Frees the memory of an empty row. */
void row_free(row *self);

void source_init(source *self, executor *to, PyObject *fn, PyObject *args,
                 thrum_deadline deadline);

/* Submits the next call: 1 with its future, or 0 when there is none, or -1 with an exception. */
int source_submit(source *self, executor *to, PyObject **item);

/* After the first submits, of which the last one returned `rc`: 0, or -1 with an exception. */
int source_begun(source *self, executor *to, int rc);

/* Whether another one may be submitted, to the executor *to; then it has to be closed with what
 * source_submit() returned. Keeps what went wrong for source_failed(). */
bool source_opens(source *self, executor **to);
void source_closes(source *self, executor *to, int rc);

/* Whether something went wrong, as an exception. */
bool source_failed(source *self);

/* Nothing more is submitted. */
void source_end(source *self);

/* What a future returns, which has to be waited for; and its cancellation, which keeps the
 * exception that is set. */
PyObject *source_result(source *self, PyObject *item);
void source_cancel(source *self, PyObject *item);

/* Whether a thread is in next(), as an exception. */
bool stream_is_busy(bool busy);

/* A StopIteration that is set came from a call, and is no end: it becomes a RuntimeError, as in a
 * generator. */
void stream_raised(void);

#endif
