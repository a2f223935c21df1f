/* SPDX-License-Identifier: MIT */
/* The arguments of a call, from Python to C. */
#include "native.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

typedef const thrum_task_parameter parameter;

enum class { OTHER, BOOLEAN, SIGNED, UNSIGNED, REAL, BYTE };

/* What a letter of Python's `struct` means here: class and size. */
static const struct {
    char letter;
    unsigned char class, size;
    long long min;
    unsigned long long max;
} letters[] = {
    {'?', BOOLEAN, sizeof(bool), 0, 1},
    {'c', BYTE, 1, CHAR_MIN, CHAR_MAX},
    {'b', SIGNED, 1, SCHAR_MIN, SCHAR_MAX},
    {'B', UNSIGNED, 1, 0, UCHAR_MAX},
    {'h', SIGNED, sizeof(short), SHRT_MIN, SHRT_MAX},
    {'H', UNSIGNED, sizeof(short), 0, USHRT_MAX},
    {'i', SIGNED, sizeof(int), INT_MIN, INT_MAX},
    {'I', UNSIGNED, sizeof(int), 0, UINT_MAX},
    {'l', SIGNED, sizeof(long), LONG_MIN, LONG_MAX},
    {'L', UNSIGNED, sizeof(long), 0, ULONG_MAX},
    {'q', SIGNED, sizeof(long long), LLONG_MIN, LLONG_MAX},
    {'Q', UNSIGNED, sizeof(long long), 0, ULLONG_MAX},
    {'n', SIGNED, sizeof(Py_ssize_t), 0, 0},
    {'N', UNSIGNED, sizeof(Py_ssize_t), 0, 0},
    {'f', REAL, sizeof(float), 0, 0},
    {'d', REAL, sizeof(double), 0, 0},
    {'\0', OTHER, 0, 0, 0},
};

static int look_up(char letter) {
    int i = 0;
    while (letters[i].letter != letter && letters[i].letter != '\0')
        i++;
    return i;
}

/* An exception about a parameter: "blur() parameter 'radius' (int) ...". Returns -1. */
static int refuse(PyObject *exception, native_job *job, parameter *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    PyObject *text = PyUnicode_FromFormatV(format, args);
    va_end(args);
    if (text != NULL)
        PyErr_Format(exception, "%s() parameter '%s' (%s) %U", job->type->name, p->name, p->type,
                     text);
    Py_XDECREF(text);
    return -1;
}

/* The same with the exception that is set as the reason. */
static int refuse_because(native_job *job, parameter *p, const char *what) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    refuse(PyExc_TypeError, job, p, "%s: %S", what, value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return -1;
}

static int wrong_type(native_job *job, parameter *p, const char *wanted, PyObject *value) {
    return refuse(PyExc_TypeError, job, p, "must be %s, not %s", wanted, Py_TYPE(value)->tp_name);
}

static int out_of_range(native_job *job, parameter *p, PyObject *value) {
    PyErr_Clear();
    return refuse(PyExc_OverflowError, job, p, "cannot hold %R", value);
}

static int pack_unsigned(native_job *job, parameter *p, int kind, void *place, PyObject *number) {
    unsigned long long n = PyLong_AsUnsignedLongLong(number);
    if ((n == ULLONG_MAX && PyErr_Occurred()) || n > letters[kind].max)
        return out_of_range(job, p, number);
    switch (p->size) {
    case 1:
        *(unsigned char *)place = (unsigned char)n;
        break;
    case sizeof(short):
        *(unsigned short *)place = (unsigned short)n;
        break;
    case sizeof(int):
        *(unsigned *)place = (unsigned)n;
        break;
    default:
        *(unsigned long long *)place = n;
    }
    return 0;
}

static int pack_signed(native_job *job, parameter *p, int kind, void *place, PyObject *number) {
    long long n = PyLong_AsLongLong(number);
    if ((n == -1 && PyErr_Occurred()) || n < letters[kind].min || n > (long long)letters[kind].max)
        return out_of_range(job, p, number);
    switch (p->size) {
    case 1:
        *(signed char *)place = (signed char)n;
        break;
    case sizeof(short):
        *(short *)place = (short)n;
        break;
    case sizeof(int):
        *(int *)place = (int)n;
        break;
    default:
        *(long long *)place = n;
    }
    return 0;
}

static int pack_whole(native_job *job, parameter *p, int kind, void *place, PyObject *value) {
    if (letters[kind].class == BYTE && PyBytes_Check(value) && PyBytes_GET_SIZE(value) == 1) {
        *(char *)place = PyBytes_AS_STRING(value)[0];
        return 0;
    }
    PyObject *number = PyNumber_Index(value);
    if (number == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError))
            return -1;
        PyErr_Clear();
        return wrong_type(job, p, letters[kind].class == BYTE ? "an int or one byte" : "an int",
                          value);
    }
    int rc = letters[kind].class == UNSIGNED ? pack_unsigned(job, p, kind, place, number)
                                             : pack_signed(job, p, kind, place, number);
    Py_DECREF(number);
    return rc;
}

static int pack_real(native_job *job, parameter *p, void *place, PyObject *value) {
    double x = PyFloat_AsDouble(value);
    if (x == -1.0 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_OverflowError))
            return out_of_range(job, p, value);
        if (!PyErr_ExceptionMatches(PyExc_TypeError))
            return -1;
        PyErr_Clear();
        return wrong_type(job, p, "a float", value);
    }
    if (p->size == sizeof(float)) {
        if (isfinite(x) && fabs(x) > (double)FLT_MAX)
            return out_of_range(job, p, value);
        *(float *)place = (float)x;
    } else {
        *(double *)place = x;
    }
    return 0;
}

/* Whether the items of `view` are what a pointer to `letter` points to. A byte is a byte. */
static bool items_are(const Py_buffer *view, char letter) {
    static const union {
        short word;
        char first;
    } order = {1};
    const char *format = view->format ? view->format : "B";
    int wanted = look_up(letter);
    if (letters[wanted].class == OTHER)
        return true;
    if (*format == '@' || *format == '=' || *format == (order.first ? '<' : '>'))
        format++;
    int given = look_up(*format);
    if (letters[given].class == OTHER || format[1] != '\0')
        return false;
    if (view->itemsize != letters[wanted].size)
        return false;
    return view->itemsize == 1 || letters[given].class == letters[wanted].class;
}

/* Whether what a pointer points to is only read. Of types other than numbers their text is all
 * there is. */
static bool reads_only(parameter *p) {
    const char *word = strstr(p->type, "const"), *star = strchr(p->type, '*');
    return p->format[0] == 'r' ||
           (p->format[1] == '\0' && word != NULL && star != NULL && word < star);
}

static int pack_buffer(native_job *job, parameter *p, void *place, PyObject *value) {
    bool reads = reads_only(p);
    const char *kind = reads ? "a contiguous buffer" : "a writable contiguous buffer";
    Py_buffer *view = &job->views[job->n_views];
    if (!PyObject_CheckBuffer(value))
        return wrong_type(job, p, kind, value);
    if (PyObject_GetBuffer(value, view, PyBUF_ND | PyBUF_FORMAT | (reads ? 0 : PyBUF_WRITABLE)) <
        0) {
        if (PyErr_ExceptionMatches(PyExc_BufferError) || PyErr_ExceptionMatches(PyExc_ValueError))
            return refuse_because(job, p,
                                  reads ? "must be contiguous" : "must be writable and contiguous");
        return -1;
    }
    job->n_views++;
    if (!items_are(view, p->format[1]))
        return refuse(PyExc_TypeError, job, p,
                      "must have items '%c', not '%s': see memoryview.cast()", p->format[1],
                      view->format ? view->format : "B");
    int size = letters[look_up(p->format[1])].size;
    if (size > 1 && view->len > 0 && (uintptr_t)view->buf % (uintptr_t)size != 0)
        return refuse(PyExc_ValueError, job, p, "is not aligned to %d bytes", size);
    *(void **)place = view->buf;
    return 0;
}

static int pack_text(native_job *job, parameter *p, void *place, PyObject *value) {
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(value, &length);
    if (text == NULL)
        return -1;
    if ((Py_ssize_t)strlen(text) != length)
        return refuse(PyExc_ValueError, job, p, "holds a null character");
    job->texts[job->n_texts++] = Py_NewRef(value);
    *(const char **)place = text;
    return 0;
}

static int pack_pointer(native_job *job, parameter *p, void *place, PyObject *value) {
    const char *star = strchr(p->type, '*');
    if (star != NULL && strchr(star + 1, '*') != NULL)
        return refuse(PyExc_TypeError, job, p,
                      "cannot be given from Python: a pointer to pointers");
    if (value == Py_None) /* the block is zero */
        return 0;
    if (p->format[0] == 'r' && p->format[1] == 'c' && PyUnicode_Check(value))
        return pack_text(job, p, place, value);
    return pack_buffer(job, p, place, value);
}

/* A struct by value: its bytes. */
static int pack_bytes(native_job *job, parameter *p, void *place, PyObject *value) {
    Py_buffer view;
    if (!PyObject_CheckBuffer(value))
        return wrong_type(job, p, "a buffer with its bytes", value);
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) < 0)
        return refuse_because(job, p, "must be contiguous");
    bool fits = (size_t)view.len == p->size;
    if (fits)
        memcpy(place, view.buf, p->size);
    else
        refuse(PyExc_TypeError, job, p, "has %zu bytes, not %zd", p->size, view.len);
    PyBuffer_Release(&view);
    return fits ? 0 : -1;
}

static int pack_one(native_job *job, parameter *p, char *block, PyObject *value) {
    void *place = block + p->offset;
    int kind = look_up(p->format[0]);
    if (p->format[0] == 'r' || p->format[0] == 'w')
        return pack_pointer(job, p, place, value);
    switch (letters[kind].class) {
    case BOOLEAN:
        if (!PyBool_Check(value))
            return wrong_type(job, p, "a bool", value);
        *(bool *)place = value == Py_True;
        return 0;
    case REAL:
        return pack_real(job, p, place, value);
    case OTHER:
        return pack_bytes(job, p, place, value);
    default:
        return pack_whole(job, p, kind, place, value);
    }
}

/* The names of all parameters, and how many there should be. */
static int wrong_number(const thrum_task_type *type, Py_ssize_t given) {
    PyErr_Format(PyExc_TypeError, "%s() takes %zu argument%s, not %zd", type->name,
                 type->n_parameters, type->n_parameters == 1 ? "" : "s", given);
    return -1;
}

/* Puts keyword arguments in their places among `values`. */
static int place_keywords(const thrum_task_type *type, PyObject *kwargs, PyObject **values) {
    PyObject *name, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(kwargs, &at, &name, &value)) {
        size_t i = 0;
        while (i < type->n_parameters &&
               PyUnicode_CompareWithASCIIString(name, type->parameters[i].name) != 0)
            i++;
        if (i == type->n_parameters || values[i] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         i == type->n_parameters ? "%s() has no parameter '%U'"
                                                 : "%s() parameter '%U' is given twice",
                         type->name, name);
            return -1;
        }
        values[i] = value;
    }
    return 0;
}

int native_pack(native_job *job, char *block, PyObject *args, PyObject *kwargs) {
    const thrum_task_type *type = job->type;
    PyObject *values[MAX_PARAMETERS] = {NULL};
    Py_ssize_t n = PyTuple_GET_SIZE(args), all = n + (kwargs ? PyDict_GET_SIZE(kwargs) : 0);
    if ((size_t)n > type->n_parameters || n > MAX_PARAMETERS)
        return wrong_number(type, all);
    for (Py_ssize_t i = 0; i < n; i++)
        values[i] = PyTuple_GET_ITEM(args, i);
    if (kwargs != NULL && place_keywords(type, kwargs, values) < 0)
        return -1;
    for (size_t i = 0; i < type->n_parameters; i++) {
        parameter *p = &type->parameters[i];
        if (values[i] == NULL && kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0)
            return refuse(PyExc_TypeError, job, p, "is missing");
        if (values[i] == NULL)
            return wrong_number(type, all);
        if (pack_one(job, p, block, values[i]) < 0)
            return -1;
    }
    return 0;
}

void native_release(native_job *job) {
    while (job->n_views > 0)
        PyBuffer_Release(&job->views[--job->n_views]);
    while (job->n_texts > 0)
        Py_CLEAR(job->texts[--job->n_texts]);
}
