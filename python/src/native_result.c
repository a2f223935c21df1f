/* SPDX-License-Identifier: MIT */
/* Results and failures, from C to Python. */
#include "native.h"

#include <frameobject.h>
#include <thrum/error.h>

int native_check_result(const thrum_task_type *type) {
    const char *format = type->result_format;
    if ((format[0] != 'r' && format[0] != 'w') || (format[0] == 'r' && format[1] == 'c'))
        return 0;
    PyErr_Format(PyExc_TypeError, "%s() returns a pointer (%s), which nobody would free",
                 type->name, type->result_type);
    return -1;
}

static PyObject *text_of(const char *text) {
    if (text == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

PyObject *native_result(const thrum_task_type *type, const void *value) {
    switch (type->result_format[0]) {
    case '?':
        return PyBool_FromLong(*(const bool *)value);
    case 'c':
        return PyLong_FromLong(*(const char *)value);
    case 'b':
        return PyLong_FromLong(*(const signed char *)value);
    case 'B':
        return PyLong_FromLong(*(const unsigned char *)value);
    case 'h':
        return PyLong_FromLong(*(const short *)value);
    case 'H':
        return PyLong_FromLong(*(const unsigned short *)value);
    case 'i':
        return PyLong_FromLong(*(const int *)value);
    case 'I':
        return PyLong_FromUnsignedLong(*(const unsigned *)value);
    case 'l':
        return PyLong_FromLong(*(const long *)value);
    case 'L':
        return PyLong_FromUnsignedLong(*(const unsigned long *)value);
    case 'q':
        return PyLong_FromLongLong(*(const long long *)value);
    case 'Q':
        return PyLong_FromUnsignedLongLong(*(const unsigned long long *)value);
    case 'f':
        return PyFloat_FromDouble((double)*(const float *)value);
    case 'd':
        return PyFloat_FromDouble(*(const double *)value);
    case 'r':
        return text_of(*(const char *const *)value);
    default:
        if (type->result_size == 0)
            Py_RETURN_NONE;
        return PyBytes_FromStringAndSize(value, (Py_ssize_t)type->result_size);
    }
}

/* The name of Python's exception for `code`; "OSError" for those that are not in the table. */
static const char *exception_of(int code) {
    static const struct {
        int code;
        const char *name;
    } table[] = {
#define THRUM_ERROR(code, text, exception) {code, exception},
#include <thrum/errors.def>
#undef THRUM_ERROR
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].code == -code)
            return table[i].name;
    }
    return "OSError";
}

PyObject *native_failure(const thrum_failure *failure) {
    PyObject *parts[] = {PyLong_FromLong(failure->code),
                         text_of(failure->message),
                         text_of(failure->file),
                         PyLong_FromLong(failure->line),
                         text_of(failure->task),
                         text_of(failure->thread),
                         text_of(exception_of(failure->code)),
                         text_of(thrum_strerror(failure->code))};
    enum { PARTS = sizeof parts / sizeof *parts };
    PyObject *all = PyTuple_New(PARTS);
    for (Py_ssize_t i = 0; i < PARTS; i++) {
        if (parts[i] == NULL)
            Py_CLEAR(all);
        if (all != NULL)
            PyTuple_SET_ITEM(all, i, parts[i]);
        else
            Py_XDECREF(parts[i]);
    }
    return all;
}

/* native_frame(file, function, line): what a traceback shows of a place in C. Nothing calls it, and
 * it keeps nothing. */
static PyObject *make_frame(PyObject *module, PyObject *args) {
    const char *file, *function;
    int line;
    (void)module;
    if (!PyArg_ParseTuple(args, "ssi", &file, &function, &line))
        return NULL;
    PyObject *globals = PyDict_New();
    PyCodeObject *code = PyCode_NewEmpty(file, function, line);
    PyFrameObject *frame = NULL;
    if (globals != NULL && code != NULL)
        frame = PyFrame_New(PyThreadState_Get(), code, globals, NULL);
    Py_XDECREF(globals);
    Py_XDECREF((PyObject *)code);
    return (PyObject *)frame;
}

static PyMethodDef functions[] = {
    {"native_frame", METHOD(make_frame, METH_VARARGS, NULL)},
    {NULL, NULL, 0, NULL},
};

int add_native_result(PyObject *module) { return PyModule_AddFunctions(module, functions); }
