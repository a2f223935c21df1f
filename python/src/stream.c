/* SPDX-License-Identifier: MIT */
#include "stream.h"

static int make_room(row *self) {
    if (self->head > self->room / 2) {
        memmove(self->items, self->items + self->head,
                (size_t)(self->tail - self->head) * sizeof *self->items);
        self->tail -= self->head;
        self->head = 0;
        return 0;
    }
    Py_ssize_t room = self->room > 0 ? self->room * 2 : 8;
    PyObject **items = PyMem_Realloc(self->items, (size_t)room * sizeof *items);
    if (items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->items = items;
    self->room = room;
    return 0;
}

int row_append(row *self, PyObject *item) {
    if (self->tail == self->room && make_room(self) < 0) {
        Py_DECREF(item);
        return -1;
    }
    self->items[self->tail++] = item;
    return 0;
}

PyObject *row_first(row *self) {
    return self->head < self->tail ? self->items[self->head++] : NULL;
}

PyObject *row_last(row *self) {
    return self->head < self->tail ? self->items[--self->tail] : NULL;
}

void row_free(row *self) {
    PyMem_Free(self->items);
    *self = (row){.items = NULL};
}

void source_init(source *self, executor *to, PyObject *fn, PyObject *args,
                 thrum_deadline deadline) {
    self->fn = Py_NewRef(fn);
    self->args = Py_NewRef(args);
    self->deadline = deadline;
    self->plain = executor_is_plain(to);
}

static PyObject *submit_through(executor *to, PyObject *fn, PyObject *args) {
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    PyObject *all = PyTuple_New(n + 1), *item = NULL;
    PyObject *submit = PyObject_GetAttrString((PyObject *)to, "submit");
    if (all != NULL && submit != NULL) {
        PyTuple_SET_ITEM(all, 0, Py_NewRef(fn));
        for (Py_ssize_t i = 0; i < n; i++)
            PyTuple_SET_ITEM(all, i + 1, Py_NewRef(PyTuple_GET_ITEM(args, i)));
        item = PyObject_CallObject(submit, all);
    }
    Py_XDECREF(submit);
    Py_XDECREF(all);
    Py_DECREF(args);
    return item;
}

int source_submit(source *self, executor *to, PyObject **item) {
    PyObject *args = PyIter_Next(self->args);
    if (args == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if (self->plain)
        *item = executor_submit_args(to, self->fn, args);
    else
        *item = submit_through(to, self->fn, args);
    return *item == NULL ? -1 : 1;
}

void source_end(source *self) {
    Py_CLEAR(self->fn);
    Py_CLEAR(self->args);
    Py_CLEAR(self->executor);
    Py_CLEAR(self->error);
}

int source_begun(source *self, executor *to, int rc) {
    if (rc > 0 && (self->executor = PyWeakref_NewRef((PyObject *)to, NULL)) == NULL)
        rc = -1;
    if (rc <= 0)
        source_end(self);
    return rc < 0 ? -1 : 0;
}

static executor *alive(PyObject *reference) {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *object = NULL;
    return PyWeakref_GetRef(reference, &object) > 0 ? (executor *)object : NULL;
#else
    PyObject *object = PyWeakref_GetObject(reference);
    return object == NULL || object == Py_None ? NULL : (executor *)Py_NewRef(object);
#endif
}

bool source_opens(source *self, executor **to) {
    *to = self->executor == NULL ? NULL : alive(self->executor);
    return *to != NULL;
}

void source_closes(source *self, executor *to, int rc) {
    PyObject *type, *error = NULL, *traceback;
    Py_DECREF((PyObject *)to);
    if (rc > 0)
        return;
    if (rc < 0) {
        PyErr_Fetch(&type, &error, &traceback);
        PyErr_NormalizeException(&type, &error, &traceback);
        if (traceback != NULL)
            PyException_SetTraceback(error, traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
    }
    source_end(self);
    self->error = error;
}

bool source_failed(source *self) {
    if (self->error == NULL)
        return false;
    raise_exception(self->error);
    return true;
}

PyObject *source_result(source *self, PyObject *item) {
    if (self->plain)
        return future_result((future *)item, self->deadline);
    if (self->deadline.ns == THRUM_NEVER.ns)
        return PyObject_CallMethod(item, "result", NULL);
    return PyObject_CallMethod(item, "result", "d",
                               (double)(self->deadline.ns - thrum_now().ns) * 1e-9);
}

void source_cancel(source *self, PyObject *item) {
    PyObject *type, *value, *traceback, *done = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    int rc = 0;
    if (self->plain)
        rc = future_cancel((future *)item);
    else if ((done = PyObject_CallMethod(item, "cancel", NULL)) == NULL)
        rc = -1;
    if (rc < 0)
        PyErr_WriteUnraisable(item);
    Py_XDECREF(done);
    PyErr_Restore(type, value, traceback);
}

bool stream_is_busy(bool busy) {
    if (busy)
        PyErr_SetString(PyExc_ValueError, "generator already executing");
    return busy;
}

void stream_raised(void) {
    PyObject *type, *value, *traceback, *cause;
    if (PyErr_Occurred() == NULL || !PyErr_ExceptionMatches(PyExc_StopIteration))
        return;
    PyErr_Fetch(&type, &cause, &traceback);
    PyErr_NormalizeException(&type, &cause, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(cause, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    PyErr_SetString(PyExc_RuntimeError, "generator raised StopIteration");
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyException_SetContext(value, Py_NewRef(cause));
    PyException_SetCause(value, cause);
    PyErr_Restore(type, value, traceback);
}
