/* SPDX-License-Identifier: MIT */
/* How an executor is made, and what programs see of it although it is private. */
#include "executor.h"

#include <math.h>

enum { MAX_WORKERS, PREFIX, INITIALIZER, INITARGS, CONTEXT, QUEUE_LIMIT, OVERFLOW, ARGUMENTS };

/* min(32, CPUs + 4), as in the standard library of the running version; -1 with an exception. */
static Py_ssize_t default_workers(void) {
    PyObject *os = PyImport_ImportModule("os"), *count = NULL;
    const char *name = "process_cpu_count";
    if (os != NULL && !PyObject_HasAttrString(os, name))
        name = "cpu_count";
    if (os != NULL)
        count = PyObject_CallMethod(os, name, NULL);
    Py_ssize_t n = count == NULL ? -1 : count == Py_None ? 1 : PyLong_AsSsize_t(count);
    Py_XDECREF(os);
    Py_XDECREF(count);
    return n < 0 ? -1 : n + 4 < 32 ? n + 4 : 32;
}

/* A number of workers may be a float, as when it was multiplied. */
static int set_workers(pool *self, PyObject *given) {
    Py_ssize_t n;
    if (given == Py_None) {
        n = default_workers();
    } else if (PyFloat_Check(given)) {
        double number = ceil(PyFloat_AS_DOUBLE(given));
        n = number >= 1 && number < 1e9 ? (Py_ssize_t)number : 0;
    } else {
        n = PyNumber_AsSsize_t(given, NULL);
    }
    if (n == -1 && PyErr_Occurred())
        return -1;
    if (n <= 0) {
        PyErr_SetString(PyExc_ValueError, "max_workers must be greater than 0");
        return -1;
    }
    self->max_workers = n;
    return 0;
}

static int set_limit(pool *self, PyObject *limit, PyObject *overflow) {
    static const char *const words[] = {"block", "refuse", "caller_runs"};
    Py_ssize_t n = limit == Py_None ? 0 : PyNumber_AsSsize_t(limit, PyExc_OverflowError);
    if (n == -1 && PyErr_Occurred())
        return -1;
    if (limit != Py_None && n < 1) {
        PyErr_SetString(PyExc_ValueError, "queue_limit must be None or > 0");
        return -1;
    }
    self->queue_limit = n;
    self->overflow = OVERFLOW_BLOCK;
    for (int i = 0; overflow != NULL && i < 3; i++) {
        if (PyUnicode_Check(overflow) &&
            PyUnicode_CompareWithASCIIString(overflow, words[i]) == 0) {
            self->overflow = (enum overflow)i;
            return 0;
        }
    }
    if (overflow == NULL)
        return 0;
    PyErr_Format(PyExc_ValueError, "overflow must be 'block', 'refuse' or 'caller_runs', not %R",
                 overflow);
    return -1;
}

static int set_prefix(PyObject *object, pool *self, PyObject *given) {
    int truth = given == NULL ? 0 : PyObject_IsTrue(given);
    PyObject *prefix = NULL;
    if (truth > 0) {
        prefix = PyObject_Str(given);
    } else if (truth == 0) {
        PyObject *number = PyObject_CallMethod(object, "_counter", NULL);
        prefix = number == NULL ? NULL : PyUnicode_FromFormat("ThreadPoolExecutor-%S", number);
        Py_XDECREF(number);
    }
    if (prefix == NULL)
        return -1;
    Py_XSETREF(self->prefix, prefix);
    return 0;
}

static int set_initializer(pool *self, PyObject *function, PyObject *args) {
    if (function != Py_None && !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_TypeError, "initializer must be a callable");
        return -1;
    }
    PyObject *kept = args == NULL             ? PyTuple_New(0)
                     : function == Py_None ? Py_NewRef(args)
                                           : PySequence_Tuple(args);
    if (kept == NULL)
        return -1;
    Py_XSETREF(self->initargs, kept);
    Py_XSETREF(self->initializer, function == Py_None ? NULL : Py_NewRef(function));
    return 0;
}

/* prepare_context() of a subclass, as InterpreterPoolExecutor has it; NULL, if it has none of
 * its own, or with an exception. */
static PyObject *own_prepare(PyObject *self, toolbox *state) {
    PyTypeObject *base = state->types[THREAD_POOL_EXECUTOR];
    PyObject *own = NULL, *standard = NULL, *name = PyUnicode_FromString("prepare_context");
    if (name != NULL)
        own = optional_attribute((PyObject *)Py_TYPE(self), name);
    if (own != NULL)
        standard = optional_attribute((PyObject *)base, name);
    if (standard != NULL && PyObject_RichCompareBool(own, standard, Py_EQ))
        Py_CLEAR(own);
    if (own != NULL && PyMethod_Check(own) && standard != NULL && PyMethod_Check(standard) &&
        PyMethod_GET_FUNCTION(own) == PyMethod_GET_FUNCTION(standard))
        Py_CLEAR(own);
    Py_XDECREF(standard);
    Py_XDECREF(name);
    return own;
}

/* The contexts that a subclass makes for its workers take the initializer's part. `kwargs`: what
 * __init__() does not know. */
static int use_contexts(pool *self, PyObject *prepare, PyObject *initializer, PyObject *kwargs) {
    PyObject *args = Py_BuildValue("(OO)", initializer, self->initargs), *pair = NULL;
    if (args != NULL)
        pair = PyObject_Call(prepare, args, kwargs);
    Py_XDECREF(args);
    if (pair == NULL)
        return -1;
    Py_CLEAR(self->initializer);
    Py_CLEAR(self->create_context);
    Py_CLEAR(self->resolve_task);
    int ok = PyArg_ParseTuple(pair, "OO", &self->create_context, &self->resolve_task);
    Py_XINCREF(self->create_context);
    Py_XINCREF(self->resolve_task);
    Py_DECREF(pair);
    return ok ? 0 : -1;
}

static const signature init_how = {
    "ThreadPoolExecutor.__init__", 0, CONTEXT, ARGUMENTS,
    {"max_workers", "thread_name_prefix", "initializer", "initargs", "context", "queue_limit",
     "overflow"}};

/* Takes out of `kwargs` what is not for __init__(), as a new dict; NULL with an exception. */
static PyObject *take_unknown(PyObject *kwargs) {
    PyObject *unknown = PyDict_Copy(kwargs);
    for (int i = 0; unknown != NULL && i < ARGUMENTS; i++) {
        PyObject *name = PyUnicode_FromString(init_how.names[i]);
        int has = name == NULL ? -1 : PyDict_Contains(unknown, name);
        if (has < 0 || (has > 0 && PyDict_DelItem(unknown, name) < 0))
            Py_CLEAR(unknown);
        Py_XDECREF(name);
    }
    Py_ssize_t i = 0;
    PyObject *name, *value;
    while (unknown != NULL && PyDict_Next(unknown, &i, &name, &value)) {
        if (PyDict_DelItem(kwargs, name) < 0)
            Py_CLEAR(unknown);
    }
    return unknown;
}

static int set_all(PyObject *object, PyObject *const *given, PyObject *prepare, PyObject *unknown) {
    pool *self = ((executor *)object)->pool;
    int context = given[CONTEXT] == NULL ? 0 : PyObject_IsTrue(given[CONTEXT]);
    PyObject *initializer = prepare != NULL ? Py_None : given[INITIALIZER];
    if (context < 0 || set_workers(self, given[MAX_WORKERS]) < 0 ||
        set_initializer(self, initializer, given[INITARGS]) < 0 ||
        set_limit(self, given[QUEUE_LIMIT], given[OVERFLOW]) < 0 ||
        set_prefix(object, self, given[PREFIX]) < 0)
        return -1;
    self->context = context;
    pool_recount(self);
    return prepare == NULL ? 0 : use_contexts(self, prepare, given[INITIALIZER], unknown);
}

static int init_with(PyObject *self, PyObject *args, PyObject *kwargs, PyObject *prepare) {
    PyObject *given[ARGUMENTS] = {Py_None, NULL, Py_None, NULL, NULL, Py_None, NULL};
    PyObject *unknown = NULL;
    if (prepare != NULL && kwargs != NULL && (unknown = take_unknown(kwargs)) == NULL)
        return -1;
    int rc = parse_init(&init_how, args, kwargs, given);
    if (rc == 0)
        rc = set_all(self, given, prepare, unknown);
    Py_XDECREF(unknown);
    return rc;
}

int thrum_py_executor_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    PyObject *prepare = state == NULL ? NULL : own_prepare(self, state);
    if (prepare == NULL && PyErr_Occurred())
        return -1;
    PyObject *own = kwargs == NULL ? NULL : PyDict_Copy(kwargs);
    int rc = kwargs != NULL && own == NULL ? -1 : init_with(self, args, own, prepare);
    if (rc == 0 && prepare != NULL) {
        PyObject *type = PyObject_GetAttrString(self, "BROKEN");
        if (type == NULL)
            PyErr_Clear();
        Py_XSETREF(((executor *)self)->pool->broken_type, type);
    }
    Py_XDECREF(own);
    Py_XDECREF(prepare);
    return rc;
}

#define POOL(object) (((executor *)(object))->pool)

static PyObject *object_or(PyObject *object, size_t offset, PyObject *otherwise) {
    pool *self = POOL(object);
    PyObject *value;
    Py_BEGIN_CRITICAL_SECTION(self);
    value = *(PyObject **)((char *)self + offset);
    value = Py_NewRef(value != NULL ? value : otherwise);
    Py_END_CRITICAL_SECTION();
    return value;
}

static PyObject *get_object(PyObject *object, void *offset) {
    return object_or(object, (size_t)offset, Py_None);
}

static PyObject *get_max_workers(PyObject *object, void *unused) {
    pool *self = POOL(object);
    Py_ssize_t n;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(self);
    n = self->max_workers;
    Py_END_CRITICAL_SECTION();
    return PyLong_FromSsize_t(n);
}

static int put_max_workers(PyObject *object, PyObject *value, void *unused) {
    pool *self = POOL(object);
    int rc;
    (void)unused;
    if (value == NULL || value == Py_None) {
        PyErr_SetString(PyExc_TypeError, "_max_workers must be a number");
        return -1;
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    rc = set_workers(self, value);
    pool_recount(self);
    if (rc == 0)
        rc = pool_wake(self) < 0 ? -1 : 0;
    Py_END_CRITICAL_SECTION();
    return rc;
}

static PyObject *get_broken(PyObject *object, void *unused) {
    (void)unused;
    return object_or(object, offsetof(pool, broken), Py_False);
}

static PyObject *get_shutdown(PyObject *object, void *unused) {
    pool *self = POOL(object);
    bool shut;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(self);
    shut = self->shut;
    Py_END_CRITICAL_SECTION();
    return PyBool_FromLong(shut);
}

static PyObject *get_work_queue(PyObject *object, void *unused) {
    (void)unused;
    return pool_queue_view(POOL(object));
}

/* Whether all that a queue can say of an executor's is how long it gets. */
static bool is_plain_queue(toolbox *state, PyObject *queue) {
    const char *name = Py_TYPE(queue)->tp_name; /* a class in Python has no module in it */
    return Py_IS_TYPE(queue, state->types[QUEUE]) || strcmp(name, "Queue") == 0 ||
           strcmp(name, "_queue.SimpleQueue") == 0;
}

static int limit_guarded(pool *self, Py_ssize_t limit) {
    if (self->workers > 0 || self->queued > 0) {
        PyErr_SetString(PyExc_RuntimeError, "the executor has begun");
        return -1;
    }
    self->queue_limit = limit > 0 ? limit : 0;
    pool_recount(self);
    return 0;
}

/* Programs bound an executor by putting a Queue with a maxsize in the place of its own. */
static int put_work_queue(PyObject *object, PyObject *queue, void *unused) {
    pool *self = POOL(object);
    Py_ssize_t limit = 0;
    int rc;
    (void)unused;
    if (queue == NULL || !is_plain_queue(self->state, queue)) {
        PyErr_SetString(PyExc_TypeError,
                        "the calls of this executor wait in a queue of its own: "
                        "_work_queue can be a Queue only, of which it takes the maxsize");
        return -1;
    }
    PyObject *maxsize = PyObject_GetAttrString(queue, "maxsize");
    if (maxsize == NULL && !PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    rc = maxsize == NULL ? 0 : count_of(maxsize, &limit);
    Py_XDECREF(maxsize);
    if (rc < 0)
        return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    rc = limit_guarded(self, limit);
    Py_END_CRITICAL_SECTION();
    return rc;
}

static PyObject *get_idle(PyObject *object, void *unused) {
    pool *self = POOL(object);
    Py_ssize_t n;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(self);
    n = waitlist_length(&self->idle);
    Py_END_CRITICAL_SECTION();
    return PyObject_CallFunction((PyObject *)self->state->types[SEMAPHORE], "n", n);
}

static PyObject *lock_guarded(pool *self) {
    if (self->shutdown_lock == NULL) {
        PyObject *made = PyObject_CallMethod(self->state->thread_module, "allocate_lock", NULL);
        if (self->shutdown_lock == NULL) /* another may have been made meanwhile */
            self->shutdown_lock = made;
        else
            Py_XDECREF(made);
    }
    return Py_XNewRef(self->shutdown_lock);
}

static PyObject *get_lock(PyObject *object, void *unused) {
    pool *self = POOL(object);
    PyObject *lock;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(self);
    lock = lock_guarded(self);
    Py_END_CRITICAL_SECTION();
    return lock;
}

#define OBJECT(name, field) {name, get_object, NULL, NULL, (void *)offsetof(pool, field)}

PyGetSetDef thrum_py_executor_properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_max_workers", get_max_workers, put_max_workers, NULL, NULL},
    {"_broken", get_broken, NULL, NULL, NULL},
    {"_shutdown", get_shutdown, NULL, NULL, NULL},
    {"_work_queue", get_work_queue, put_work_queue, NULL, NULL},
    {"_idle_semaphore", get_idle, NULL, NULL, NULL},
    {"_shutdown_lock", get_lock, NULL, NULL, NULL},
    OBJECT("_threads", threads),
    OBJECT("_thread_name_prefix", prefix),
    OBJECT("_initializer", initializer),
    OBJECT("_initargs", initargs),
    OBJECT("_create_worker_context", create_context),
    OBJECT("_resolve_work_item_task", resolve_task),
    {NULL, NULL, NULL, NULL, NULL},
};
