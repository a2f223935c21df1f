/* SPDX-License-Identifier: MIT */
#include "future.h"

const struct future_hooks *thrum_py_future_hooks;

bool is_future(toolbox *state, PyObject *object) {
    return PyObject_TypeCheck(object, state->types[FUTURE]);
}

future *future_new(toolbox *state) {
    return (future *)make(state->types[FUTURE], state, FUTURE);
}

int future_start(future *self) {
    if (self->state == FUTURE_PENDING) {
        self->state = FUTURE_RUNNING;
        return 1;
    }
    if (self->state == FUTURE_CANCELLED) {
        self->state = FUTURE_NOTIFIED;
        return 0;
    }
    PyErr_SetString(PyExc_RuntimeError, "Future in unexpected state");
    return -1;
}

int future_set_result(future *self, PyObject *result) {
    Py_XSETREF(self->result, Py_NewRef(result));
    self->state = FUTURE_FINISHED;
    thrum_event_set(&self->done);
    return 0;
}

int future_set_exception(future *self, PyObject *exception) {
    Py_XSETREF(self->exception, Py_NewRef(exception));
    self->state = FUTURE_FINISHED;
    thrum_event_set(&self->done);
    return 0;
}

int future_set_raised(future *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    int rc = future_set_exception(self, value);
    Py_DECREF(value);
    return rc;
}

int future_cancel(future *self) {
    if (self->state == FUTURE_PENDING) {
        self->state = FUTURE_CANCELLED;
        thrum_event_set(&self->done);
    }
    return self->state == FUTURE_CANCELLED || self->state == FUTURE_NOTIFIED;
}

outcome future_wait(future *self, thrum_deadline deadline) {
    int rc;
    Py_BEGIN_ALLOW_THREADS
    rc = thrum_event_wait_until(&self->done, deadline);
    Py_END_ALLOW_THREADS
    return rc == 0 ? WOKEN : TIMED_OUT;
}

PyObject *future_result(future *self, thrum_deadline deadline) {
    outcome result = future_wait(self, deadline);
    if (result == TIMED_OUT)
        PyErr_SetNone(PyExc_TimeoutError);
    if (result != WOKEN)
        return NULL;
    if (self->exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(self->exception), self->exception);
        return NULL;
    }
    return Py_NewRef(self->result == NULL ? Py_None : self->result);
}

static PyObject *result(PyObject *self, PyObject *unused) {
    (void)unused;
    return future_result((future *)self, THRUM_NEVER);
}

static PyObject *future_new_object(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return make(type, toolbox_of(type), FUTURE);
}

static int future_traverse(PyObject *object, visitproc visit, void *arg) {
    future *self = (future *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->result);
    Py_VISIT(self->exception);
    Py_VISIT(self->callbacks);
    Py_VISIT(self->condition);
    Py_VISIT(self->waiters);
    Py_VISIT(self->thread);
    Py_VISIT(self->fn);
    Py_VISIT(self->args);
    Py_VISIT(self->kwargs);
    Py_VISIT(self->dict);
    return 0;
}

static int future_clear(PyObject *object) {
    future *self = (future *)object;
    Py_CLEAR(self->result);
    Py_CLEAR(self->exception);
    Py_CLEAR(self->callbacks);
    Py_CLEAR(self->condition);
    Py_CLEAR(self->waiters);
    Py_CLEAR(self->thread);
    Py_CLEAR(self->fn);
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwargs);
    Py_CLEAR(self->dict);
    return 0;
}

static void future_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (((future *)self)->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    future_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"result", METHOD(result, METH_NOARGS, "result($self, /)\n--\n\nWait for the result.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(future, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(future, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot layout_slots[] = {
    {Py_tp_doc, (char *)"What a Future has in C."},
    {Py_tp_dealloc, future_dealloc},
    {Py_tp_traverse, future_traverse},
    {Py_tp_clear, future_clear},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec layout_spec = {
    .name = "thrum._thrum._FutureLayout",
    .basicsize = sizeof(future),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = layout_slots,
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (char *)"Future()\n--\n\nThe result of a call that runs elsewhere, now or later."},
    {Py_tp_new, future_new_object},
    {Py_tp_dealloc, future_dealloc},
    {Py_tp_traverse, future_traverse},
    {Py_tp_clear, future_clear},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "concurrent.futures._base.Future",
    .basicsize = sizeof(future),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

/* The standard library's class, also when ours stands in its place: the one above `object`. */
static PyObject *standard_future(PyObject *base) {
    PyObject *found = PyObject_GetAttrString(base, "Future");
    if (found == NULL || !PyType_Check(found))
        return found;
    PyObject *mro = ((PyTypeObject *)found)->tp_mro;
    PyObject *standard = Py_NewRef(PyTuple_GET_ITEM(mro, PyTuple_GET_SIZE(mro) - 2));
    Py_DECREF(found);
    return standard;
}

static int borrow_names(toolbox *state) {
    struct {
        PyObject **place;
        const char *name;
    } borrowed[] = {
        {&state->cancelled_error, "CancelledError"},
        {&state->invalid_state_error, "InvalidStateError"},
        {&state->std_wait, "wait"},
        {&state->std_as_completed, "as_completed"},
        {&state->done_and_not_done, "DoneAndNotDoneFutures"},
    };
    if ((state->futures_base = PyImport_ImportModule("concurrent.futures._base")) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof borrowed / sizeof *borrowed; i++) {
        *borrowed[i].place = PyObject_GetAttrString(state->futures_base, borrowed[i].name);
        if (*borrowed[i].place == NULL)
            return -1;
    }
    return 0;
}

/* Future has the standard library's class among its bases, behind our layout: it is one, and has of it only
 * what we do not have. */
int add_future(PyObject *module, toolbox *state) {
    if (borrow_names(state) < 0 ||
        (state->future_layout = add_type(module, &layout_spec, NULL, true)) == NULL)
        return -1;
    PyObject *standard = standard_future(state->futures_base);
    PyObject *bases =
        standard == NULL ? NULL : PyTuple_Pack(2, (PyObject *)state->future_layout, standard);
    Py_XDECREF(standard);
    if (bases == NULL)
        return -1;
    state->types[FUTURE] = add_type(module, &spec, (PyTypeObject *)bases, false);
    Py_DECREF(bases);
    return state->types[FUTURE] == NULL ? -1 : 0;
}
