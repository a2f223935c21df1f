/* SPDX-License-Identifier: MIT */
/* Future as Python sees it. */
#include "future.h"

static PyObject *truth(bool value) { return Py_NewRef(value ? Py_True : Py_False); }

static PyObject *cancel(PyObject *self, PyObject *unused) {
    int rc = future_cancel((future *)self);
    (void)unused;
    return rc < 0 ? NULL : truth(rc);
}

static PyObject *cancelled_guarded(future *self) {
    return truth(self->state == FUTURE_CANCELLED || self->state == FUTURE_NOTIFIED);
}

static PyObject *running_guarded(future *self) { return truth(self->state == FUTURE_RUNNING); }

static PyObject *done_guarded(future *self) { return truth(future_is_done(self)); }

GUARDED(cancelled, future)
GUARDED(running, future)
GUARDED(done, future)

static PyObject *get(const signature *how, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                     PyObject *kwnames, bool want_exception) {
    PyObject *timeout = NULL;
    thrum_deadline deadline = THRUM_NEVER;
    if ((nargs != 0 || kwnames != NULL) &&
        parse_args(how, args, nargs, kwnames, &timeout) < 0)
        return NULL;
    if (timeout != NULL && !future_is_done((future *)self) &&
        deadline_if_positive(timeout, &deadline) < 0)
        return NULL;
    return future_outcome((future *)self, deadline, want_exception);
}

static PyObject *result(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames) {
    static const signature how = {"Future.result", 0, 1, 1, {"timeout"}};
    return get(&how, self, args, nargs, kwnames, false);
}

static PyObject *exception(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames) {
    static const signature how = {"Future.exception", 0, 1, 1, {"timeout"}};
    return get(&how, self, args, nargs, kwnames, true);
}

/* The one argument that a method has. NULL with TypeError. */
static PyObject *only(const signature *how, PyObject *const *args, Py_ssize_t nargs,
                      PyObject *kwnames) {
    PyObject *given = NULL;
    if (nargs == 1 && kwnames == NULL)
        return args[0];
    return parse_args(how, args, nargs, kwnames, &given) < 0 ? NULL : given;
}

static PyObject *set_result(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames) {
    static const signature how = {"Future.set_result", 1, 1, 1, {"result"}};
    PyObject *value = only(&how, args, nargs, kwnames);
    if (value == NULL || future_set_result((future *)self, value) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *set_exception(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames) {
    static const signature how = {"Future.set_exception", 1, 1, 1, {"exception"}};
    PyObject *value = only(&how, args, nargs, kwnames);
    if (value == NULL || future_set_exception((future *)self, value) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *start(PyObject *self, PyObject *unused) {
    int rc = future_start((future *)self);
    (void)unused;
    return rc < 0 ? NULL : truth(rc);
}

/* 1 added, 0 too late, -1 exception. */
static int add_callback_guarded(future *self, PyObject *function) {
    if (future_is_done(self))
        return 0;
    if (self->callbacks == NULL) {
        PyObject *list = PyList_New(0); /* may collect garbage, which may run code that uses self */
        if (list == NULL)
            return -1;
        if (self->callbacks == NULL && !future_is_done(self))
            POKE(self->callbacks, list);
        else
            Py_DECREF(list);
        return add_callback_guarded(self, function);
    }
    return PyList_Append(self->callbacks, function) < 0 ? -1 : 1;
}

static PyObject *add_done_callback(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                   PyObject *kwnames) {
    static const signature how = {"Future.add_done_callback", 1, 1, 1, {"fn"}};
    PyObject *function = only(&how, args, nargs, kwnames);
    int rc;
    if (function == NULL)
        return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    rc = add_callback_guarded((future *)self, function);
    Py_END_CRITICAL_SECTION();
    if (rc == 0)
        rc = future_call_back((future *)self, function);
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *invoke_callbacks(PyObject *self, PyObject *unused) {
    (void)unused;
    return future_run_callbacks((future *)self) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *snapshot_guarded(future *self) {
    bool finished = self->state == FUTURE_FINISHED, over = future_is_done(self);
    PyObject *exception = finished && self->exception != NULL ? self->exception : Py_None;
    PyObject *result = finished && self->result != NULL ? self->result : Py_None;
    self->unread = self->unread && !finished;
    return PyTuple_Pack(4, over ? Py_True : Py_False, over && !finished ? Py_True : Py_False,
                        result, exception);
}

GUARDED(snapshot, future)

static PyObject *future_repr(PyObject *object) {
    static const char *const words[FUTURE_STATES] = {"pending", "running", "cancelled", "cancelled",
                                                     "finished"};
    future *self = (future *)object;
    PyObject *value = NULL, *text;
    const char *word, *verb = "";
    Py_BEGIN_CRITICAL_SECTION(self);
    word = words[self->state];
    if (self->state == FUTURE_FINISHED) {
        verb = self->exception != NULL ? "raised" : "returned";
        value = self->exception != NULL ? self->exception : self->result;
        value = Py_NewRef(value == NULL ? Py_None : value);
    }
    Py_END_CRITICAL_SECTION();
    PyObject *name = PyType_GetName(Py_TYPE(object));
    PyObject *kind = value == NULL ? NULL : PyType_GetName(Py_TYPE(value));
    Py_XDECREF(value);
    if (name == NULL || (value != NULL && kind == NULL))
        text = NULL;
    else if (kind == NULL)
        text = PyUnicode_FromFormat("<%U at %p state=%s>", name, object, word);
    else
        text = PyUnicode_FromFormat("<%U at %p state=%s %s %U>", name, object, word, verb, kind);
    Py_XDECREF(name);
    Py_XDECREF(kind);
    return text;
}

static const signature init_how = {"Future.__init__", 0, 0, 0, {NULL}};

static PyObject *new_object(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return make(type, toolbox_of(type), FUTURE);
}

static int future_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    if (parse_init(&init_how, args, kwargs, NULL) < 0)
        return -1;
    future_reset((future *)self);
    return 0;
}

/* Future() itself, without a tuple of arguments. */
static PyObject *call_type(PyObject *type, PyObject *const *args, size_t nargsf,
                           PyObject *kwnames) {
    if (parse_args(&init_how, args, PyVectorcall_NARGS(nargsf), kwnames, NULL) < 0)
        return NULL;
    return make((PyTypeObject *)type, toolbox_of((PyTypeObject *)type), FUTURE);
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

static void future_finalize(PyObject *self) {
    if (((future *)self)->unread)
        future_report((future *)self);
}

static void future_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    future *self = (future *)object;
    PyObject_GC_UnTrack(object);
    Py_TRASHCAN_BEGIN(object, future_dealloc)
    if (HAS_WEAKREFS(self->weakrefs))
        PyObject_ClearWeakRefs(object);
    if (self->unread)
        future_report(self);
    future_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMethodDef methods[] = {
    {"cancel", METHOD(cancel, METH_NOARGS,
                      "cancel($self, /)\n--\n\nCancel the call, unless it runs or is done.\n\n"
                      "Returns whether it is cancelled.")},
    {"cancelled", METHOD(cancelled, METH_NOARGS,
                         "cancelled($self, /)\n--\n\nReturn whether the call was cancelled.")},
    {"running", METHOD(running, METH_NOARGS,
                       "running($self, /)\n--\n\nReturn whether the call is being run.")},
    {"done", METHOD(done, METH_NOARGS,
                    "done($self, /)\n--\n\nReturn whether the call was cancelled or has ended.")},
    {"result",
     METHOD(result, KEYWORDS,
            "result($self, /, timeout=None)\n--\n\nWait for the call's end and return what it "
            "returned, or raise what it raised.\n\nCancelledError if it was cancelled, "
            "TimeoutError if it has not ended in time.")},
    {"exception",
     METHOD(exception, KEYWORDS,
            "exception($self, /, timeout=None)\n--\n\nWait for the call's end and return what "
            "it raised, or None.\n\nCancelledError if it was cancelled, TimeoutError if it "
            "has not ended in time.")},
    {"add_done_callback",
     METHOD(add_done_callback, KEYWORDS,
            "add_done_callback($self, /, fn)\n--\n\nCall fn(future) when the future is done, in "
            "the thread that makes it so,\nor at once if it is.\n\nAn Exception that it raises is "
            "logged.")},
    {"set_running_or_notify_cancel",
     METHOD(start, METH_NOARGS,
            "set_running_or_notify_cancel($self, /)\n--\n\nSay that the call begins; for "
            "executors.\n\nReturns False when it was cancelled: then it must not begin.")},
    {"set_result",
     METHOD(set_result, KEYWORDS,
            "set_result($self, /, result)\n--\n\nSay what the call returned; for executors.")},
    {"set_exception",
     METHOD(set_exception, KEYWORDS,
            "set_exception($self, /, exception)\n--\n\nSay what the call raised; for executors.")},
    {"_get_snapshot",
     METHOD(snapshot, METH_NOARGS, "(done, cancelled, result, exception); for asyncio.")},
    {"_invoke_callbacks", METHOD(invoke_callbacks, METH_NOARGS, "Call the callbacks.")},
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
    {Py_tp_doc, (char *)"Future()\n--\n\nThe outcome of a call that runs elsewhere, now or later."},
    {Py_tp_new, new_object},
    {Py_tp_init, future_init},
    {Py_tp_dealloc, future_dealloc},
    {Py_tp_finalize, future_finalize},
    {Py_tp_traverse, future_traverse},
    {Py_tp_clear, future_clear},
    {Py_tp_repr, future_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, thrum_py_future_properties},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "concurrent.futures._base.Future",
    .basicsize = sizeof(future),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

/* The standard library's class, also when ours, or a subclass, stands in its place: the last of the
 * name. */
static PyObject *standard_future(PyObject *base) {
    PyObject *found = PyObject_GetAttrString(base, "Future");
    if (found == NULL || !PyType_Check(found))
        return found;
    PyObject *mro = ((PyTypeObject *)found)->tp_mro;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
        PyObject *type = PyTuple_GET_ITEM(mro, i);
        if (strcmp(((PyTypeObject *)type)->tp_name, "Future") == 0)
            Py_SETREF(found, Py_NewRef(type));
    }
    return found;
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
    if ((state->threading_module = PyImport_ImportModule("threading")) == NULL ||
        (state->futures_base = PyImport_ImportModule("concurrent.futures._base")) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof borrowed / sizeof *borrowed; i++) {
        *borrowed[i].place = PyObject_GetAttrString(state->futures_base, borrowed[i].name);
        if (*borrowed[i].place == NULL)
            return -1;
    }
    return 0;
}

/* Future has the standard library's class among its bases, behind our layout: it is one, and has
 * of it only what we do not have. */
int add_future(PyObject *module, toolbox *state) {
    if (borrow_names(state) < 0 || add_completed(module, state) < 0 ||
        (state->future_layout = add_type(module, &layout_spec, NULL, true)) == NULL)
        return -1;
    PyObject *standard = standard_future(state->futures_base);
    PyObject *bases =
        standard == NULL ? NULL : PyTuple_Pack(2, (PyObject *)state->future_layout, standard);
    Py_XDECREF(standard);
    if (bases == NULL)
        return -1;
    PyTypeObject *type = add_type(module, &spec, (PyTypeObject *)bases, false);
    Py_DECREF(bases);
    if (type != NULL)
        type->tp_vectorcall = call_type;
    state->types[FUTURE] = type;
    state->report_unread = true;
    return type == NULL ? -1 : 0;
}
