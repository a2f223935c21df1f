/* SPDX-License-Identifier: MIT */
/* Native tasks: THRUM_TASKs of a library, run on a pool of the core without the GIL. A job is one
 * call: it holds the arguments until the task has ended. Jobs that have ended stand in the pool's
 * list, from which one Python thread takes all there are at once: a worker never waits for the
 * GIL. */
#ifndef THRUM_PYTHON_NATIVE_H
#define THRUM_PYTHON_NATIVE_H

#include "toolbox.h"

#include <thrum/executor.h>
#include <thrum/task.h>

enum { MAX_PARAMETERS = 8 };

/* A task of a library. The library stays loaded for ever. */
typedef struct native_task {
    PyObject_HEAD const thrum_task_type *type;
} native_task;

typedef struct native_job native_job;

typedef struct native_pool {
    PyObject_HEAD thrum_executor *executor;
    native_job *ended;      /* atomic: the last of those that have ended */
    thrum_event event;      /* set when one ends, or the pool is closed */
    Py_ssize_t outstanding; /* atomic: submitted, and not taken */
    bool closed;            /* atomic */
    int process;            /* which has made the pool: its workers are not in others */
} native_pool;

struct native_job {
    PyObject_HEAD const thrum_task_type *type;
    thrum_future *future; /* under the job's guard; NULL once it was taken */
    PyObject *owner;      /* the Future */
    native_pool *pool;
    native_job *next; /* in the pool's list */
    int n_views, n_texts;
    Py_buffer views[MAX_PARAMETERS];
    PyObject *texts[MAX_PARAMETERS];
};

/* Fills `block`, of type->args_size zero bytes, from the arguments of a call. The job holds what
 * the block points to. Returns 0, or -1 with an exception that names the parameter. */
int native_pack(native_job *job, char *block, PyObject *args, PyObject *kwargs);

/* Lets go of what native_pack() holds. */
void native_release(native_job *job);

/* Whether a value of this format may be returned to Python. Returns 0, or -1 with TypeError. */
int native_check_result(const thrum_task_type *type);

/* The result as a Python object. */
PyObject *native_result(const thrum_task_type *type, const void *value);

/* What is known of a failure: (code, message, file, line, task, thread, name of the exception, text
 * of the code). */
PyObject *native_failure(const thrum_failure *failure);

int add_native_result(PyObject *module);

#endif
