/* SPDX-License-Identifier: MIT */
#include "toolbox.h"

static int place_of(const char *function, const char *const *names, Py_ssize_t max, PyObject *name) {
    for (Py_ssize_t i = 0; i < max; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0)
            return (int)i;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
    return -1;
}

static int too_many(const char *function, Py_ssize_t max, Py_ssize_t given) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most %zd argument%s (%zd given)", function, max,
                 max == 1 ? "" : "s", given);
    return -1;
}

static int put_keyword(const char *function, const char *const *names, Py_ssize_t max,
                       Py_ssize_t nargs, PyObject *name, PyObject *value, PyObject **out) {
    int place = place_of(function, names, max, name);
    if (place < 0)
        return -1;
    if (place < nargs) {
        PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", function, name);
        return -1;
    }
    out[place] = value;
    return 0;
}

int parse_args(const char *function, const char *const *names, Py_ssize_t max,
               PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **out) {
    if (nargs > max)
        return too_many(function, max, nargs);
    for (Py_ssize_t i = 0; i < nargs; i++)
        out[i] = args[i];
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < keywords; i++) {
        if (put_keyword(function, names, max, nargs, PyTuple_GET_ITEM(kwnames, i), args[nargs + i],
                        out) < 0)
            return -1;
    }
    return 0;
}

int parse_init(const char *function, const char *const *names, Py_ssize_t max, PyObject *args,
               PyObject *kwargs, PyObject **out) {
    Py_ssize_t nargs = PyTuple_GET_SIZE(args), i = 0;
    PyObject *name, *value;
    if (nargs > max)
        return too_many(function, max, nargs);
    for (Py_ssize_t n = 0; n < nargs; n++)
        out[n] = PyTuple_GET_ITEM(args, n);
    while (kwargs != NULL && PyDict_Next(kwargs, &i, &name, &value)) {
        if (put_keyword(function, names, max, nargs, name, value, out) < 0)
            return -1;
    }
    return 0;
}

PyObject *repr_head(PyObject *self) {
    PyObject *head = NULL, *module = NULL;
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__qualname__");
    if (name != NULL)
        module = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__module__");
    if (module != NULL)
        head = PyUnicode_FromFormat("<%S.%S at %p", module, name, (void *)self);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return head;
}

PyObject *optional_attribute(PyObject *object, PyObject *name) {
    PyObject *value = PyObject_GetAttr(object, name);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Clear();
    return value;
}
