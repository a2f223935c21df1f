/* SPDX-License-Identifier: MIT */
#include "toolbox.h"

#include <math.h>

static int place_of(const signature *how, PyObject *name) {
    for (Py_ssize_t i = 0; i < how->all; i++) {
        if (PyUnicode_CompareWithASCIIString(name, how->names[i]) == 0)
            return (int)i;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", how->function,
                 name);
    return -1;
}

/* Returns 1 when it can be given by keyword only, else 0; -1 with an exception. */
static int put_keyword(const signature *how, Py_ssize_t nargs, PyObject *name, PyObject *value,
                       PyObject **out) {
    int place = place_of(how, name);
    if (place < 0)
        return -1;
    if (place < nargs && place < how->positional) {
        PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", how->function,
                     name);
        return -1;
    }
    out[place] = value;
    return place >= how->positional;
}

static int too_many(const signature *how, Py_ssize_t given, Py_ssize_t keywords) {
    Py_ssize_t self = strchr(how->function, '.') != NULL, most = how->positional + self;
    char least[32] = "", more[96] = "";
    if (how->required < how->positional)
        snprintf(least, sizeof least, "from %zd to ", how->required + self);
    given += self;
    if (keywords > 0)
        snprintf(more, sizeof more, " positional argument%s (and %zd keyword-only argument%s)",
                 given == 1 ? "" : "s", keywords, keywords == 1 ? "" : "s");
    PyErr_Format(PyExc_TypeError, "%s() takes %s%zd positional argument%s but %zd%s %s given",
                 how->function, least, most, *least == '\0' && most == 1 ? "" : "s", given, more,
                 given == 1 && keywords == 0 ? "was" : "were");
    return -1;
}

static int check_required(const signature *how, PyObject *const *out) {
    for (Py_ssize_t i = 0; i < how->required; i++) {
        if (out[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'",
                         how->function, how->names[i]);
            return -1;
        }
    }
    return 0;
}

/* Returns how many of them can be given by keyword only; -1 with an exception. */
static Py_ssize_t put_keywords(const signature *how, PyObject *const *values, Py_ssize_t nargs,
                               PyObject *kwnames, PyObject **out) {
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames), only = 0;
    for (Py_ssize_t i = 0; i < keywords; i++) {
        int rc = put_keyword(how, nargs, PyTuple_GET_ITEM(kwnames, i), values[i], out);
        if (rc < 0)
            return -1;
        only += rc;
    }
    return only;
}

int parse_keywords(const signature *how, PyObject *const *values, Py_ssize_t nargs,
                   PyObject *kwnames, PyObject **out) {
    return put_keywords(how, values, nargs, kwnames, out) < 0 ? -1 : check_required(how, out);
}

int parse_args(const signature *how, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
               PyObject **out) {
    for (Py_ssize_t i = 0; i < nargs && i < how->positional; i++)
        out[i] = args[i];
    Py_ssize_t only = put_keywords(how, args + nargs, nargs, kwnames, out);
    if (only < 0)
        return -1;
    return nargs > how->positional ? too_many(how, nargs, only) : check_required(how, out);
}

int parse_init(const signature *how, PyObject *args, PyObject *kwargs, PyObject **out) {
    Py_ssize_t nargs = PyTuple_GET_SIZE(args), only = 0, i = 0;
    PyObject *name, *value;
    for (Py_ssize_t n = 0; n < nargs && n < how->positional; n++)
        out[n] = PyTuple_GET_ITEM(args, n);
    while (kwargs != NULL && PyDict_Next(kwargs, &i, &name, &value)) {
        int rc = put_keyword(how, nargs, name, value, out);
        if (rc < 0)
            return -1;
        only += rc;
    }
    return nargs > how->positional ? too_many(how, nargs, only) : check_required(how, out);
}

int count_of(PyObject *number, Py_ssize_t *count) {
    const double most = (double)(PY_SSIZE_T_MAX / 2);
    if (!PyFloat_Check(number)) {
        *count = PyNumber_AsSsize_t(number, NULL);
        return *count == -1 && PyErr_Occurred() ? -1 : 0;
    }
    double n = ceil(PyFloat_AS_DOUBLE(number));
    *count = isnan(n) ? 0 : n >= most ? PY_SSIZE_T_MAX / 2 : n <= -most ? -1 : (Py_ssize_t)n;
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
