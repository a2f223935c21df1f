/* SPDX-License-Identifier: MIT */
/* What programs, and the standard library's wait(), see of a future's inside. A future is open
 * from when its condition was looked at: then each change of its state is made under that. */
#include "future.h"

static const char *const names[FUTURE_STATES] = {
    [FUTURE_PENDING] = "PENDING",
    [FUTURE_RUNNING] = "RUNNING",
    [FUTURE_CANCELLED] = "CANCELLED",
    [FUTURE_NOTIFIED] = "CANCELLED_AND_NOTIFIED",
    [FUTURE_FINISHED] = "FINISHED",
};

const char *future_state_name(const future *self) { return names[state_of(self)]; }

static int call(PyObject *object, const char *method, PyObject *argument) {
    PyObject *name = PyUnicode_FromString(method);
    PyObject *done =
        name == NULL ? NULL : PyObject_CallMethodObjArgs(object, name, argument, NULL);
    Py_XDECREF(name);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

int condition_enter(PyObject *condition) { return call(condition, "__enter__", NULL); }

int condition_notify(PyObject *condition) { return call(condition, "notify_all", NULL); }

int condition_leave(PyObject *condition) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *done = PyObject_CallMethod(condition, "__exit__", "OOO", Py_None, Py_None, Py_None);
    int rc = done == NULL ? -1 : 0;
    Py_XDECREF(done);
    if (type != NULL)
        PyErr_Restore(type, value, traceback);
    return rc;
}

int condition_wait_until(PyObject *condition, thrum_deadline deadline) {
    PyObject *timeout = seconds_until(deadline);
    int rc = timeout == NULL ? -1 : call(condition, "wait", timeout);
    Py_XDECREF(timeout);
    return rc;
}

int waiters_tell(future *self) {
    enum future_state state = state_of(self);
    const char *method = state == FUTURE_NOTIFIED        ? "add_cancelled"
                         : PEEK(self->exception) != NULL ? "add_exception"
                                                         : "add_result";
    PyObject *list;
    int rc = 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    list = Py_XNewRef(self->waiters);
    Py_END_CRITICAL_SECTION();
    if (state != FUTURE_NOTIFIED && state != FUTURE_FINISHED)
        Py_CLEAR(list);
    for (Py_ssize_t i = 0; list != NULL && rc == 0 && i < PyList_GET_SIZE(list); i++) {
        PyObject *waiter = Py_NewRef(PyList_GET_ITEM(list, i));
        rc = call(waiter, method, (PyObject *)self);
        Py_DECREF(waiter);
    }
    Py_XDECREF(list);
    return rc;
}

static PyObject *condition_guarded(future *self, toolbox *state) {
    if (self->condition == NULL) {
        PyObject *made = PyObject_CallNoArgs((PyObject *)state->types[CONDITION]);
        if (self->condition == NULL)
            POKE(self->condition, made);
        else
            Py_XDECREF(made);
    }
    return Py_XNewRef(self->condition);
}

PyObject *future_condition(future *self) {
    PyObject *condition;
    toolbox *state = toolbox_of(Py_TYPE(self));
    if (state == NULL)
        return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    condition = condition_guarded(self, state);
    Py_END_CRITICAL_SECTION();
    return condition;
}

static PyObject *get_condition(PyObject *self, void *unused) {
    (void)unused;
    return future_condition((future *)self);
}

static int no_delete(PyObject *value) {
    if (value == NULL)
        PyErr_SetString(PyExc_TypeError, "cannot delete attributes of a Future");
    return value == NULL ? -1 : 0;
}

/* Puts `value` (borrowed; NULL for None) into a field. */
static int put(PyObject *self, PyObject **place, PyObject *value) {
    PyObject *before;
    (void)self; /* without a GIL it is the guard */
    if (no_delete(value) < 0)
        return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    before = *place;
    POKE(*place, value == Py_None ? NULL : Py_NewRef(value));
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(before);
    return 0;
}

static int set_condition(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    return put(self, &((future *)self)->condition, value);
}

static PyObject *get_state(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_InternFromString(future_state_name((future *)self));
}

static void set_state_guarded(future *self, int state) {
    POKE(self->state, (unsigned char)state);
    if (future_is_done(self))
        thrum_event_set(&self->done);
    else
        thrum_event_clear(&self->done);
}

static int set_state(PyObject *self, PyObject *value, void *unused) {
    int state = 0;
    (void)unused;
    if (no_delete(value) < 0)
        return -1;
    while (state < FUTURE_STATES && !(PyUnicode_Check(value) &&
                                      PyUnicode_CompareWithASCIIString(value, names[state]) == 0))
        state++;
    if (state == FUTURE_STATES) {
        PyErr_Format(PyExc_ValueError, "%R is not a state of a Future", value);
        return -1;
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    set_state_guarded((future *)self, state);
    Py_END_CRITICAL_SECTION();
    return 0;
}

/* A field that is None when it is NULL. */
static PyObject *get_object(PyObject *self, void *offset) {
    PyObject *value;
    Py_BEGIN_CRITICAL_SECTION(self);
    PyObject **place = (PyObject **)((char *)self + (size_t)offset);
    if (place == &((future *)self)->exception)
        ((future *)self)->unread = false;
    value = Py_NewRef(*place == NULL ? Py_None : *place);
    Py_END_CRITICAL_SECTION();
    return value;
}

static int set_object(PyObject *self, PyObject *value, void *offset) {
    return put(self, (PyObject **)((char *)self + (size_t)offset), value);
}

/* A field that is a list, made when somebody looks at it. */
static PyObject *get_list(PyObject *self, void *offset) {
    PyObject *value, *made = PyList_New(0);
    if (made == NULL)
        return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    PyObject **place = (PyObject **)((char *)self + (size_t)offset);
    if (*place == NULL)
        POKE(*place, Py_NewRef(made));
    value = Py_NewRef(*place);
    Py_END_CRITICAL_SECTION();
    Py_DECREF(made);
    return value;
}

static int set_list(PyObject *self, PyObject *value, void *offset) {
    if (no_delete(value) < 0)
        return -1;
    if (!PyList_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a list is needed");
        return -1;
    }
    return set_object(self, value, offset);
}

#define FIELD(name) ((void *)offsetof(future, name))

PyGetSetDef thrum_py_future_properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_condition", get_condition, set_condition, NULL, NULL},
    {"_state", get_state, set_state, NULL, NULL},
    {"_result", get_object, set_object, NULL, FIELD(result)},
    {"_exception", get_object, set_object, NULL, FIELD(exception)},
    {"_waiters", get_list, set_list, NULL, FIELD(waiters)},
    {"_done_callbacks", get_list, set_list, NULL, FIELD(callbacks)},
    {NULL, NULL, NULL, NULL, NULL},
};
