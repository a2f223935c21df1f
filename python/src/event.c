/* SPDX-License-Identifier: MIT */
/* Event: the core's event, which needs no guard. */
#include "toolbox.h"

typedef struct event {
    PyObject_HEAD
    thrum_event event;
    PyObject *condition; /* made when somebody looks at _cond; under the guard */
    PyObject *dict;
    PyObject *weakrefs;
} event;

static PyObject *event_is_set(PyObject *self, PyObject *unused) {
    (void)unused;
    return Py_NewRef(thrum_event_is_set(&((event *)self)->event) ? Py_True : Py_False);
}

static PyObject *event_is_set_old(PyObject *self, PyObject *unused) {
    if (PyErr_WarnEx(PyExc_DeprecationWarning, "isSet() is deprecated, use is_set() instead", 1) <
        0)
        return NULL;
    (void)unused;
    return PyObject_CallMethod(self, "is_set", NULL);
}

static PyObject *event_set(PyObject *self, PyObject *unused) {
    (void)unused;
    thrum_event_set(&((event *)self)->event);
    Py_RETURN_NONE;
}

static PyObject *event_clear_flag(PyObject *self, PyObject *unused) {
    (void)unused;
    thrum_event_clear(&((event *)self)->event);
    Py_RETURN_NONE;
}

static PyObject *wait_slow(event *self, PyObject *timeout) {
    thrum_deadline deadline;
    if (deadline_if_positive(timeout, &deadline) < 0)
        return NULL;
    outcome result = park_on(&self->event, deadline);
    return result == FAILED ? NULL : Py_NewRef(result == WOKEN ? Py_True : Py_False);
}

static PyObject *event_wait(PyObject *object, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames) {
    static const signature how = {"Event.wait", 0, 1, 1, {"timeout"}};
    PyObject *timeout = Py_None;
    event *self = (event *)object;
    if (parse_args(&how, args, nargs, kwnames, &timeout) < 0)
        return NULL;
    if (thrum_event_is_set(&self->event))
        Py_RETURN_TRUE;
    return wait_slow(self, timeout);
}

static PyObject *event_at_fork_reinit(PyObject *object, PyObject *unused) {
    event *self = (event *)object;
    (void)unused;
    thrum_event_at_fork_reinit(&self->event);
    if (self->condition == NULL)
        Py_RETURN_NONE;
    return PyObject_CallMethod(self->condition, "_at_fork_reinit", NULL);
}

static PyObject *condition_guarded(event *self) {
    if (self->condition == NULL) {
        PyObject *made = condition_around_lock(toolbox_of(Py_TYPE(self)));
        if (self->condition == NULL) /* another thread may have made one meanwhile */
            self->condition = made;
        else
            Py_XDECREF(made);
    }
    return Py_XNewRef(self->condition);
}

GUARDED(condition, event)

static PyObject *get_condition(PyObject *self, void *unused) {
    (void)unused;
    return condition(self, NULL);
}

static int event_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static const signature how = {"Event.__init__", 0, 0, 0, {NULL}};
    (void)self;
    return parse_init(&how, args, kwargs, NULL);
}

static PyObject *event_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return make(type, toolbox_of(type), EVENT);
}

static PyObject *event_repr(PyObject *self) {
    PyObject *head = repr_head(self);
    if (head == NULL)
        return NULL;
    bool set = thrum_event_is_set(&((event *)self)->event);
    PyObject *text = PyUnicode_FromFormat("%U: %s>", head, set ? "set" : "unset");
    Py_DECREF(head);
    return text;
}

static int event_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((event *)self)->condition);
    Py_VISIT(((event *)self)->dict);
    return 0;
}

static int event_clear(PyObject *self) {
    Py_CLEAR(((event *)self)->condition);
    Py_CLEAR(((event *)self)->dict);
    return 0;
}

static void event_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (HAS_WEAKREFS(((event *)self)->weakrefs))
        PyObject_ClearWeakRefs(self);
    event_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"is_set", METHOD(event_is_set, METH_NOARGS,
                      "is_set($self, /)\n--\n\nReturn True if and only if the flag is set.")},
    {"isSet",
     METHOD(event_is_set_old, METH_NOARGS, "isSet($self, /)\n--\n\nThe old name of is_set().")},
    {"set",
     METHOD(event_set, METH_NOARGS,
            "set($self, /)\n--\n\nSet the flag: every wait ends, later ones return at once.")},
    {"clear", METHOD(event_clear_flag, METH_NOARGS,
                     "clear($self, /)\n--\n\nClear the flag: later waits block.")},
    {"wait",
     METHOD(event_wait, KEYWORDS,
            "wait($self, /, timeout=None)\n--\n\nBlock until the flag is set or the timeout has "
            "passed.\n\nReturns whether it was set.")},
    {"_at_fork_reinit", METHOD(event_at_fork_reinit, METH_NOARGS, "For a forked child.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(event, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(event, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_cond", get_condition, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (char *)"Event()\n--\n\nA flag that threads can wait for."},
    {Py_tp_new, event_new},
    {Py_tp_init, event_init},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_traverse, event_traverse},
    {Py_tp_clear, event_clear},
    {Py_tp_repr, event_repr},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "threading.Event",
    .basicsize = sizeof(event),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int add_event(PyObject *module, toolbox *state) {
    state->types[EVENT] = add_type(module, &spec, NULL, false);
    return state->types[EVENT] == NULL ? -1 : 0;
}
