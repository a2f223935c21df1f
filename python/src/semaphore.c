/* SPDX-License-Identifier: MIT */
/* Semaphore and BoundedSemaphore. A permit goes to whoever comes first, a woken waiter or a thread
 * that runs: under a GIL a hand-off would cost a switch per acquire. */
#include "toolbox.h"

#include <math.h>

typedef struct semaphore {
    PyObject_HEAD
    Py_ssize_t value;
    Py_ssize_t initial; /* of a bounded one */
    waitlist waiters;
    PyObject *dict;
    PyObject *weakrefs;
} semaphore;

static void semaphore_dealloc(PyObject *self);

static PyObject *acquire_slow(semaphore *self, PyObject *blocking, PyObject *timeout) {
    int blocks = blocking == NULL ? 1 : PyObject_IsTrue(blocking);
    thrum_deadline deadline;
    if (blocks < 0)
        return NULL;
    if (!blocks && timeout != NULL && timeout != Py_None) {
        PyErr_SetString(PyExc_ValueError, "can't specify timeout for non-blocking acquire");
        return NULL;
    }
    if (deadline_of(timeout, &deadline) < 0)
        return NULL;
    if (self->value <= 0) {
        if (!blocks)
            Py_RETURN_FALSE;
        outcome result = wait_for_token(&self->waiters, &self->value, deadline, true);
        if (result != WOKEN)
            return result == FAILED ? NULL : Py_NewRef(Py_False);
    }
    self->value--;
    wake_for(&self->waiters, self->value);
    Py_RETURN_TRUE;
}

static PyObject *acquire_guarded(semaphore *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames) {
    static const signature how = {"Semaphore.acquire", 0, 2, 2, {"blocking", "timeout"}};
    PyObject *given[2] = {NULL, NULL};
    if (nargs == 0 && kwnames == NULL && self->value > 0) {
        self->value--;
        Py_RETURN_TRUE;
    }
    if (parse_args(&how, args, nargs, kwnames, given) < 0)
        return NULL;
    return acquire_slow(self, given[0], given[1]);
}

static PyObject *give(semaphore *self, Py_ssize_t n) {
    if (n > PY_SSIZE_T_MAX - self->value) {
        PyErr_SetString(PyExc_OverflowError, "semaphore value is too large");
        return NULL;
    }
    if (self->initial >= 0 && self->value + n > self->initial) {
        PyErr_SetString(PyExc_ValueError, "Semaphore released too many times");
        return NULL;
    }
    self->value += n;
    if (self->waiters.first != NULL)
        wake_for(&self->waiters, self->value);
    Py_RETURN_NONE;
}

static PyObject *release_guarded(semaphore *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames) {
    static const signature plain = {"Semaphore.release", 0, 1, 1, {"n"}};
    static const signature bounded = {"BoundedSemaphore.release", 0, 1, 1, {"n"}};
    PyObject *given = NULL;
    Py_ssize_t n = 1;
    if (nargs == 0 && kwnames == NULL)
        return give(self, 1);
    if (parse_args(self->initial < 0 ? &plain : &bounded, args, nargs, kwnames, &given) < 0)
        return NULL;
    if (given != NULL) {
        n = PyNumber_AsSsize_t(given, PyExc_OverflowError);
        if (n == -1 && PyErr_Occurred())
            return NULL;
    }
    if (n < 1) {
        PyErr_SetString(PyExc_ValueError, "n must be one or more");
        return NULL;
    }
    return give(self, n);
}

static PyObject *give_one_guarded(semaphore *self) { return give(self, 1); }

GUARDED_ARGS(acquire, semaphore)
GUARDED_ARGS(release, semaphore)
GUARDED(give_one, semaphore)

static PyObject *leave_block(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    (void)args;
    (void)nargs;
    if (is_plain(self, semaphore_dealloc, &((semaphore *)self)->dict))
        return give_one(self, NULL);
    PyObject *done = PyObject_CallMethod(self, "release", NULL);
    Py_XDECREF(done);
    return done == NULL ? NULL : Py_NewRef(Py_None);
}

static bool is_whole_float(PyObject *value) {
    return PyFloat_Check(value) && floor(PyFloat_AS_DOUBLE(value)) == PyFloat_AS_DOUBLE(value);
}

static int init(semaphore *self, PyObject *value, bool bounded) {
    Py_ssize_t initial = 1;
    if (value != NULL && is_whole_float(value)) {
        count_of(value, &initial);
    } else if (value != NULL) {
        initial = PyNumber_AsSsize_t(value, PyExc_OverflowError);
        if (initial == -1 && PyErr_Occurred())
            return -1;
    }
    if (initial < 0) {
        PyErr_SetString(PyExc_ValueError, "semaphore initial value must be >= 0");
        return -1;
    }
    self->value = initial;
    self->initial = bounded ? initial : -1;
    return 0;
}

static int init_args(PyObject *self, PyObject *args, PyObject *kwargs, bool bounded) {
    static const signature plain = {"Semaphore.__init__", 0, 1, 1, {"value"}};
    static const signature of_bounded = {"BoundedSemaphore.__init__", 0, 1, 1, {"value"}};
    PyObject *value = NULL;
    if (parse_init(bounded ? &of_bounded : &plain, args, kwargs, &value) < 0)
        return -1;
    return init((semaphore *)self, value, bounded);
}

static int semaphore_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    return init_args(self, args, kwargs, false);
}

static int bounded_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    return init_args(self, args, kwargs, true);
}

static PyObject *new_object(PyTypeObject *type, enum kind kind) {
    PyObject *self = make(type, toolbox_of(type), kind);
    if (self != NULL)
        init((semaphore *)self, NULL, kind == BOUNDED_SEMAPHORE);
    return self;
}

static PyObject *semaphore_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return new_object(type, SEMAPHORE);
}

static PyObject *bounded_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return new_object(type, BOUNDED_SEMAPHORE);
}

static PyObject *semaphore_repr(PyObject *object) {
    semaphore *self = (semaphore *)object;
    PyObject *text, *head = repr_head(object);
    if (head == NULL)
        return NULL;
    if (self->initial < 0)
        text = PyUnicode_FromFormat("%U: value=%zd>", head, self->value);
    else
        text = PyUnicode_FromFormat("%U: value=%zd/%zd>", head, self->value, self->initial);
    Py_DECREF(head);
    return text;
}

static int semaphore_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((semaphore *)self)->dict);
    return 0;
}

static int semaphore_clear(PyObject *self) {
    Py_CLEAR(((semaphore *)self)->dict);
    return 0;
}

static void semaphore_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (HAS_WEAKREFS(((semaphore *)self)->weakrefs))
        PyObject_ClearWeakRefs(self);
    semaphore_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

#define ACQUIRE_DOC                                                                                \
    "acquire($self, /, blocking=True, timeout=None)\n--\n\n"                                       \
    "Take a permit; block until there is one, or the timeout has passed.\n\n"                      \
    "Returns True, or False when there was none in time."

static PyMethodDef methods[] = {
    {"acquire", METHOD(acquire, KEYWORDS, ACQUIRE_DOC)},
    {"__enter__", METHOD(acquire, KEYWORDS, ACQUIRE_DOC)},
    {"release",
     METHOD(release, KEYWORDS,
            "release($self, /, n=1)\n--\n\nGive back n permits and wake as many waiters.\n\n"
            "A BoundedSemaphore raises ValueError rather than exceed its initial value.")},
    {"__exit__",
     METHOD(leave_block, METH_FASTCALL, "__exit__($self, t, v, tb, /)\n--\n\nGive back a permit.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"_value", T_PYSSIZET, offsetof(semaphore, value), 0, NULL},
    {"_initial_value", T_PYSSIZET, offsetof(semaphore, initial), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(semaphore, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(semaphore, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot semaphore_slots[] = {
    {Py_tp_doc, (char *)"Semaphore(value=1)\n--\n\n"
                "A number of permits: acquire() takes one, release() gives one back."},
    {Py_tp_new, semaphore_new},
    {Py_tp_init, semaphore_init},
    {Py_tp_dealloc, semaphore_dealloc},
    {Py_tp_traverse, semaphore_traverse},
    {Py_tp_clear, semaphore_clear},
    {Py_tp_repr, semaphore_repr},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, NULL},
};

static PyType_Slot bounded_slots[] = {
    {Py_tp_doc, (char *)"BoundedSemaphore(value=1)\n--\n\n"
                "A semaphore that cannot be released more often than it was acquired."},
    {Py_tp_new, bounded_new},
    {Py_tp_init, bounded_init},
    {Py_tp_dealloc, semaphore_dealloc},
    {Py_tp_traverse, semaphore_traverse},
    {Py_tp_clear, semaphore_clear},
    {0, NULL},
};

static PyType_Spec semaphore_spec = {
    .name = "threading.Semaphore",
    .basicsize = sizeof(semaphore),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = semaphore_slots,
};

static PyType_Spec bounded_spec = {
    .name = "threading.BoundedSemaphore",
    .basicsize = sizeof(semaphore),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = bounded_slots,
};

int add_semaphore(PyObject *module, toolbox *state) {
    PyTypeObject *base = add_type(module, &semaphore_spec, NULL, false);
    state->types[SEMAPHORE] = base;
    if (base == NULL)
        return -1;
    state->types[BOUNDED_SEMAPHORE] = add_type(module, &bounded_spec, base, false);
    return state->types[BOUNDED_SEMAPHORE] == NULL ? -1 : 0;
}
