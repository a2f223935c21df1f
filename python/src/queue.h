/* SPDX-License-Identifier: MIT */
/* A queue is closed as long as nobody looks inside: then all of it is C. It opens, for good, when a
 * program looks at its locks or its storage, or is a subclass with hooks of its own: then the verbs
 * are those of thrum._open_queue, on Python's locks. */
#ifndef THRUM_PYTHON_QUEUE_H
#define THRUM_PYTHON_QUEUE_H

#include "toolbox.h"

enum order { FIFO, LIFO, PRIORITY };

typedef struct queue {
    PyObject_HEAD
    enum order order; /* read-only */
    bool open;   /* opened; never closed again */
    bool shut;
    Py_ssize_t maxsize;
    Py_ssize_t items;      /* closed: how many there are */
    Py_ssize_t room;       /* closed: how many more may come, which is not positive when it is
                            * full */
    Py_ssize_t unfinished; /* put, and not yet done */
    Py_ssize_t finished;   /* closed: 1 when none is unfinished, else 0 */
    PyObject **ring;       /* closed, FIFO and LIFO: `mask` + 1 places; NULL as long as empty */
    size_t head, mask;     /* the first item's place */
    PyObject *heap;        /* closed, PRIORITY: a list */
    Py_ssize_t heap_free;  /* 0 while a thread is in the heap, where items are compared, else 1 */
    unsigned long heap_owner;
    waitlist getters, putters, joiners, heap_waiters;
    PyObject *storage; /* open: what the attribute `queue` shows */
    PyObject *mutex, *not_empty, *not_full, *all_tasks_done; /* open */
    PyObject *dict;
    PyObject *weakrefs;
} queue;

/* Room when there is no maxsize. */
#define NO_LIMIT (PY_SSIZE_T_MAX / 2)

/* All of these are under the guard. */

/* Puts an item into a closed queue, or takes the next one out; -1 or NULL with an exception. They
 * count items and room. PRIORITY requires heap_enter(). */
int store(queue *self, PyObject *item, toolbox *state);
PyObject *take(queue *self, toolbox *state);

/* Computes items and room anew. */
void recount(queue *self);

/* Makes the caller the one who is in the heap; 0, or -1 with an exception. */
int heap_enter(queue *self);
void heap_leave(queue *self);

/* Opens the queue, with storage unless `bare`. 0, or -1 with an exception. */
int open_queue(queue *self, toolbox *state, bool bare);

/* Calls `verb` of thrum._open_queue. */
PyObject *call_open(queue *self, const char *verb, PyObject *item, bool block,
                    thrum_deadline deadline);

/* Whether the type has other hooks than ours; -1 with an exception. */
int has_hooks(PyTypeObject *type, toolbox *state);

/* Attributes and hooks, and the verbs. */
extern PyGetSetDef thrum_py_queue_properties[];
extern PyMethodDef thrum_py_queue_methods[];

void queue_dealloc(PyObject *self);
PyObject *hook_init(PyObject *self, PyObject *maxsize);
PyObject *hook_qsize(PyObject *self, PyObject *unused);
PyObject *hook_put(PyObject *self, PyObject *item);
PyObject *hook_get(PyObject *self, PyObject *unused);

#endif
