/* SPDX-License-Identifier: MIT */
/* What a future says: to its callbacks, to the logger, and to threading.excepthook at its end. */
#include "future.h"

void raise_exception(PyObject *exception) {
    if (PyExceptionInstance_Check(exception))
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    else if (PyExceptionClass_Check(exception))
        PyErr_SetNone(exception);
    else
        PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
}

/* The exception that is set, as an object with its traceback; there is none set then. */
static PyObject *taken_exception(void) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != NULL && traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* Calls a method of the logger of concurrent.futures; `exception` may be NULL. */
static int log_with(toolbox *state, const char *method, PyObject *args, PyObject *exception) {
    PyObject *logger = PyObject_GetAttrString(state->futures_base, "LOGGER");
    PyObject *function = logger == NULL ? NULL : PyObject_GetAttrString(logger, method);
    PyObject *kwargs = exception == NULL ? NULL : Py_BuildValue("{sO}", "exc_info", exception);
    PyObject *done = NULL;
    if (function != NULL && args != NULL && (kwargs != NULL || exception == NULL))
        done = PyObject_Call(function, args, kwargs);
    Py_XDECREF(kwargs);
    Py_XDECREF(function);
    Py_XDECREF(logger);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

int future_call_back(future *self, PyObject *function) {
    PyObject *done = PyObject_CallOneArg(function, (PyObject *)self);
    Py_XDECREF(done);
    if (done != NULL)
        return 0;
    toolbox *state = toolbox_of(Py_TYPE(self));
    if (state == NULL || state->futures_base == NULL || !PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyObject *exception = taken_exception();
    PyObject *args = Py_BuildValue("(sO)", "exception calling callback for %r", self);
    int rc = log_with(state, "exception", args, exception);
    Py_XDECREF(args);
    Py_XDECREF(exception);
    return rc;
}

int future_run_callbacks(future *self) {
    PyObject *list;
    int rc = 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    list = self->callbacks;
    POKE(self->callbacks, NULL);
    Py_END_CRITICAL_SECTION();
    for (Py_ssize_t i = 0; list != NULL && rc == 0 && i < PyList_GET_SIZE(list); i++) {
        PyObject *function = Py_NewRef(PyList_GET_ITEM(list, i));
        rc = future_call_back(self, function);
        Py_DECREF(function);
    }
    Py_XDECREF(list);
    return rc;
}

void future_unexpected(future *self) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    PyObject *args = Py_BuildValue("(sNs)", "Future %s in unexpected state: %s",
                                   PyLong_FromVoidPtr(self), future_state_name(self));
    if (state != NULL && args != NULL && log_with(state, "critical", args, NULL) == 0)
        PyErr_SetString(PyExc_RuntimeError, "Future in unexpected state");
    Py_XDECREF(args);
}

void future_invalid_state(future *self) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    if (state != NULL)
        PyErr_Format(state->invalid_state_error, "%s: %R", future_state_name(self), self);
}

void future_note_thread(future *self) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    PyObject *active = NULL, *ident = NULL, *thread = NULL, *before;
    if (state == NULL || !PEEK(state->report_unread))
        return;
    active = PyObject_GetAttrString(state->threading_module, "_active");
    ident = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    if (active != NULL && ident != NULL)
        thread = PyObject_GetItem(active, ident);
    PyErr_Clear();
    Py_XDECREF(active);
    Py_XDECREF(ident);
    Py_BEGIN_CRITICAL_SECTION(self);
    before = self->thread;
    self->thread = thread;
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(before);
}

/* What threading.excepthook is given. */
static PyObject *hook_args(toolbox *state, PyObject *exception, PyObject *thread) {
    PyObject *make = PyObject_GetAttrString(state->threading_module, "ExceptHookArgs");
    PyObject *traceback = PyException_GetTraceback(exception);
    PyObject *args = NULL;
    PyObject *list = Py_BuildValue("([OOOO])", Py_TYPE(exception), exception,
                                   traceback == NULL ? Py_None : traceback,
                                   thread == NULL ? Py_None : thread);
    if (make != NULL && list != NULL)
        args = PyObject_CallObject(make, list);
    Py_XDECREF(list);
    Py_XDECREF(traceback);
    Py_XDECREF(make);
    return args;
}

static int tell_hook(toolbox *state, PyObject *exception, PyObject *thread) {
    if (state->threading_module == NULL)
        return -1;
    PyObject *hook = PyObject_GetAttrString(state->threading_module, "excepthook");
    PyObject *args = hook == NULL ? NULL : hook_args(state, exception, thread);
    PyObject *done = args == NULL ? NULL : PyObject_CallOneArg(hook, args);
    Py_XDECREF(hook);
    Py_XDECREF(args);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

void future_report(future *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    toolbox *state = toolbox_of(Py_TYPE(self));
    PyObject *exception = Py_XNewRef(self->exception);
    bool tells = state != NULL && PEEK(state->report_unread) && exception != NULL &&
                 PyExceptionInstance_Check(exception);
    self->unread = false;
    if (tells && tell_hook(state, exception, self->thread) < 0) {
        PyErr_Clear();
        raise_exception(exception);
        PyErr_WriteUnraisable(NULL);
    }
    PyErr_Clear(); /* the module may be gone at the end of the interpreter */
    Py_XDECREF(exception);
    PyErr_Restore(type, value, traceback);
}
