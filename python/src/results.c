/* SPDX-License-Identifier: MIT */
/* What map() returns: an iterator over the results of futures, in the order of the calls. It
 * keeps no executor alive, and nothing that it has given out. */
#include "stream.h"

typedef struct results {
    PyObject_HEAD
    source from;
    row items; /* futures */
    bool started; /* a result was asked for: from then on, what is left at the end is cancelled */
    bool busy;    /* a thread is in next() */
} results;

/* Submits the next call: 1, or 0 when there is none, or -1 with an exception. */
static int submit_next(results *self, executor *to) {
    PyObject *item;
    int rc = source_submit(&self->from, to, &item);
    return rc > 0 && row_append(&self->items, item) < 0 ? -1 : rc;
}

/* One was taken: one may be submitted. */
static void refill(results *self) {
    executor *to;
    if (source_opens(&self->from, &to))
        source_closes(&self->from, to, submit_next(self, to));
}

/* Cancels and forgets all that is left. */
static void end(results *self, bool cancel) {
    PyObject *item;
    source_end(&self->from);
    while ((item = row_last(&self->items)) != NULL) {
        if (cancel)
            source_cancel(&self->from, item);
        Py_DECREF(item);
    }
}

static PyObject *next_guarded(results *self) {
    self->started = true;
    PyObject *item = source_failed(&self->from) ? NULL : row_first(&self->items);
    if (item == NULL) {
        end(self, true);
        return NULL;
    }
    self->busy = true;
    PyObject *result = source_result(&self->from, item);
    if (result == NULL)
        source_cancel(&self->from, item);
    Py_DECREF(item);
    if (result != NULL)
        refill(self);
    self->busy = false;
    if (result == NULL)
        end(self, true);
    return result;
}

static PyObject *results_next(PyObject *object) {
    results *self = (results *)object;
    PyObject *result = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (!stream_is_busy(self->busy))
        result = next_guarded(self);
    if (result == NULL)
        stream_raised();
    Py_END_CRITICAL_SECTION();
    return result;
}

static PyObject *end_now_guarded(results *self) {
    if (stream_is_busy(self->busy))
        return NULL;
    end(self, self->started);
    Py_RETURN_NONE;
}

GUARDED(end_now, results)

PyObject *make_results(executor *to, PyObject *fn, PyObject *args, Py_ssize_t buffersize,
                       thrum_deadline deadline) {
    toolbox *state = to->pool->state;
    results *self = (results *)state->results_type->tp_alloc(state->results_type, 0);
    if (self == NULL)
        return NULL;
    source_init(&self->from, to, fn, args, deadline);
    int rc = 1;
    for (Py_ssize_t n = 0; rc > 0 && (buffersize == 0 || n < buffersize); n++)
        rc = submit_next(self, to);
    if (source_begun(&self->from, to, rc) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void results_finalize(PyObject *object) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    end((results *)object, ((results *)object)->started);
    PyErr_Restore(type, value, traceback);
}

static int results_traverse(PyObject *object, visitproc visit, void *arg) {
    results *self = (results *)object;
    Py_VISIT(Py_TYPE(object));
    ROW_VISIT(&self->items);
    SOURCE_VISIT(&self->from);
    return 0;
}

static int results_clear(PyObject *object) {
    end((results *)object, false);
    return 0;
}

static void results_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    if (PyObject_CallFinalizerFromDealloc(object) < 0)
        return;
    PyObject_GC_UnTrack(object);
    results_clear(object);
    row_free(&((results *)object)->items);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"close",
     METHOD(end_now, METH_NOARGS,
            "close($self, /)\n--\n\nEnd the iteration; if it has begun, cancel the calls that have "
            "not.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (char *)"What map() returns."},
    {Py_tp_dealloc, results_dealloc},
    {Py_tp_finalize, results_finalize},
    {Py_tp_traverse, results_traverse},
    {Py_tp_clear, results_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, results_next},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "thrum._thrum._Results",
    .basicsize = sizeof(results),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int add_results(PyObject *module, toolbox *state) {
    state->results_type = add_type(module, &spec, NULL, true);
    return state->results_type == NULL ? -1 : 0;
}
