/* SPDX-License-Identifier: MIT */
/* as_completed(). It gathers the futures when it is called, not at the first step. */
#include "watch.h"

typedef struct completed {
    PyObject_HEAD
    collector *futures; /* NULL: over */
    thrum_deadline deadline; /* read-only */
    bool busy;               /* a thread is in next() */
} completed;

/* All of the list, if they are ours; else NULL, without an exception when one is not. */
static collector *gather(toolbox *state, PyObject *items) {
    Py_ssize_t length = PyList_GET_SIZE(items);
    collector *futures = collector_new(length, true, false);
    if (futures == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        if (!is_future(state, item)) {
            collector_free(futures);
            return NULL;
        }
        collector_add(futures, (future *)item);
    }
    collector_sort_out(futures);
    return futures;
}

static PyObject *completed_new(toolbox *state, PyObject *items, PyObject *timeout) {
    thrum_deadline deadline = THRUM_NEVER;
    completed *self = NULL;
    collector *futures = gather(state, items);
    if (futures == NULL) {
        if (PyErr_Occurred())
            return NULL;
        return PyObject_CallFunctionObjArgs(state->std_as_completed, items, timeout, NULL);
    }
    if (PEEK(futures->pending) == 0 || deadline_of(timeout, &deadline) == 0)
        self = PyObject_GC_New(completed, state->completed_type);
    if (self == NULL) {
        collector_free(futures);
        return NULL;
    }
    self->futures = futures;
    self->deadline = deadline;
    self->busy = false;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

PyObject *futures_as_completed(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames) {
    static const signature how = {"as_completed", 1, 2, 2, {"fs", "timeout"}};
    PyObject *given[2] = {NULL, Py_None};
    toolbox *state = PyModule_GetState(module);
    if (parse_args(&how, args, nargs, kwnames, given) < 0)
        return NULL;
    PyObject *items = PySequence_List(given[0]);
    if (items == NULL)
        return NULL;
    PyObject *self = completed_new(state, items, given[1]);
    Py_DECREF(items);
    return self;
}

static int completed_clear(PyObject *object) {
    collector *futures = ((completed *)object)->futures;
    ((completed *)object)->futures = NULL;
    if (futures != NULL)
        collector_free(futures);
    return 0;
}

static PyObject *too_late(completed *self) {
    PyErr_Format(PyExc_TimeoutError, "%zd (of %zd) futures unfinished",
                 PEEK(self->futures->pending), self->futures->length);
    return NULL;
}

/* *waits is whether another one will be done. */
static future *take(completed *self, bool *waits) {
    if (self->futures == NULL)
        return NULL;
    thrum_event_clear(&self->futures->event);
    *waits = PEEK(self->futures->pending) > 0; /* before the look: the last may come meanwhile */
    return collector_take(self->futures);
}

static PyObject *next_guarded(completed *self) {
    bool waits = false, late = false;
    future *next;
    while ((next = take(self, &waits)) == NULL && waits) {
        if (late)
            return too_late(self);
        outcome result = collector_wait(self->futures, self->deadline);
        if (result == FAILED)
            return NULL;
        late = result == TIMED_OUT;
    }
    return (PyObject *)next;
}

/* Whether a thread is in next(), as an exception. */
static bool is_busy(completed *self) {
    if (self->busy)
        PyErr_SetString(PyExc_ValueError, "generator already executing");
    return self->busy;
}

static PyObject *completed_next(PyObject *object) {
    completed *self = (completed *)object;
    PyObject *next = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (!is_busy(self)) {
        self->busy = true;
        next = next_guarded(self);
        self->busy = false;
        if (next == NULL)
            completed_clear(object);
    }
    Py_END_CRITICAL_SECTION();
    return next;
}

static PyObject *end_guarded(completed *self) {
    if (is_busy(self))
        return NULL;
    completed_clear((PyObject *)self);
    Py_RETURN_NONE;
}

GUARDED(end, completed)

static int completed_traverse(PyObject *object, visitproc visit, void *arg) {
    collector *futures = ((completed *)object)->futures;
    Py_VISIT(Py_TYPE(object));
    for (Py_ssize_t i = 0; futures != NULL && i < futures->length; i++)
        Py_VISIT(futures->watches[i].future);
    return 0;
}

static void completed_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    completed_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"close", METHOD(end, METH_NOARGS,
                     "close($self, /)\n--\n\nEnd the iteration and forget the futures.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (char *)"What as_completed() returns."},
    {Py_tp_dealloc, completed_dealloc},
    {Py_tp_traverse, completed_traverse},
    {Py_tp_clear, completed_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, completed_next},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "thrum._thrum._AsCompleted",
    .basicsize = sizeof(completed),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int add_completed(PyObject *module, toolbox *state) {
    state->completed_type = add_type(module, &spec, NULL, true);
    return state->completed_type == NULL ? -1 : 0;
}
