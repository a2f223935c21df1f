/* SPDX-License-Identifier: MIT */
/* ThreadPoolExecutor. */
#include "executor.h"


/* The arguments of a task as one tuple: (*args, *keyword values), then the context of a pool
 * with contexts. NULL without an exception: there are none. */
static PyObject *pack(PyObject *const *args, Py_ssize_t n, bool context) {
    if (n == 0 && !context)
        return NULL;
    PyObject *packed = PyTuple_New(n + context);
    PyObject *copy = packed != NULL && context ? PyContext_CopyCurrent() : NULL;
    if (packed == NULL || (context && copy == NULL)) {
        Py_XDECREF(packed);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        PyTuple_SET_ITEM(packed, i, Py_NewRef(args[i]));
    if (context)
        PyTuple_SET_ITEM(packed, n, copy);
    return packed;
}

/* A subclass makes something of the call that its workers can run. Steals `args`. */
static PyObject *submit_prepared(pool *self, PyObject *fn, PyObject *args, PyObject *kwargs) {
    PyObject *task = NULL, *made = NULL;
    if (args != NULL && kwargs != NULL)
        task = PyObject_CallFunctionObjArgs(self->resolve_task, fn, args, kwargs, NULL);
    if (task != NULL)
        made = (PyObject *)pool_submit(self, task, NULL, NULL);
    Py_XDECREF(task);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    return made;
}

static PyObject *dict_of(PyObject *const *values, PyObject *kwnames) {
    PyObject *dict = PyDict_New();
    Py_ssize_t n = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; dict != NULL && i < n; i++) {
        if (PyDict_SetItem(dict, PyTuple_GET_ITEM(kwnames, i), values[i]) < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *submit(PyObject *object, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames) {
    pool *self = ((executor *)object)->pool;
    if (nargs < 1) {
        PyErr_SetString(PyExc_TypeError,
                        "ThreadPoolExecutor.submit() missing 1 required positional "
                        "argument: 'fn'");
        return NULL;
    }
    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) == 0)
        kwnames = NULL;
    if (self->resolve_task != NULL) {
        PyObject *tuple = PyTuple_New(nargs - 1);
        for (Py_ssize_t i = 1; tuple != NULL && i < nargs; i++)
            PyTuple_SET_ITEM(tuple, i - 1, Py_NewRef(args[i]));
        return submit_prepared(self, args[0], tuple, dict_of(args + nargs, kwnames));
    }
    Py_ssize_t n = nargs - 1 + (kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject *packed = pack(args + 1, n, self->context);
    if (packed == NULL && PyErr_Occurred())
        return NULL;
    return (PyObject *)pool_submit(self, args[0], packed, kwnames);
}

PyObject *executor_submit_args(executor *self, PyObject *fn, PyObject *args) {
    if (self->pool->resolve_task != NULL)
        return submit_prepared(self->pool, fn, args, PyDict_New());
    if (self->pool->context) {
        PyObject *packed = pack(&PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), true);
        Py_SETREF(args, packed);
        if (packed == NULL)
            return NULL;
    }
    return (PyObject *)pool_submit(self->pool, fn, args, NULL);
}

bool executor_is_plain(executor *self) {
    PyObject *method = PyObject_GetAttrString((PyObject *)self, "submit");
    bool plain = method != NULL && PyCFunction_Check(method) &&
                 PyCFunction_GET_SELF(method) == (PyObject *)self &&
                 PyCFunction_GET_FUNCTION(method) == (PyCFunction)(void (*)(void))submit;
    PyErr_Clear();
    Py_XDECREF(method);
    return plain;
}

/* buffersize as a number, 0 for None; -1 with an exception. */
static Py_ssize_t buffersize_of(PyObject *given) {
    if (given == Py_None)
        return 0;
    if (!PyLong_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "buffersize must be an integer or None");
        return -1;
    }
    Py_ssize_t size = PyNumber_AsSsize_t(given, NULL);
    if (size < 1) {
        PyErr_SetString(PyExc_ValueError, "buffersize must be None or > 0");
        return -1;
    }
    return size;
}

static PyObject *iterate(PyObject *self, const signature *how, PyObject *const *args,
                         Py_ssize_t nargs, PyObject *kwnames, bool ordered) {
    Py_ssize_t first = nargs > 0;
    PyObject *given[4] = {first ? args[0] : NULL, Py_None, Py_None, NULL};
    thrum_deadline deadline;
    if (parse_keywords(how, args + nargs, first, kwnames, given) < 0)
        return NULL;
    Py_ssize_t size = buffersize_of(given[1]);
    if (size < 0 || deadline_of(given[2], &deadline) < 0)
        return NULL;
    PyObject *zip = PyObject_Vectorcall((PyObject *)&PyZip_Type, args + first,
                                        (size_t)(nargs - first), NULL);
    if (zip == NULL)
        return NULL;
    PyObject *results = ordered ? make_results((executor *)self, given[0], zip, size, deadline)
                                : make_unordered((executor *)self, given[0], zip, size);
    Py_DECREF(zip);
    return results;
}

static PyObject *map(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const signature how = {"Executor.map", 1, 1, 4,
                                  {"fn", "buffersize", "timeout", "chunksize"}};
    return iterate(self, &how, args, nargs, kwnames, true);
}

static PyObject *imap_unordered(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames) {
    static const signature how = {
        "ThreadPoolExecutor.imap_unordered", 1, 1, 2, {"fn", "buffersize"}};
    return iterate(self, &how, args, nargs, kwnames, false);
}

/* The threads are at their ends: this waits for the last of them. 0, or -1 with an exception. */
static int join_threads(pool *self) {
    PyObject *threads = PySequence_List(self->threads);
    int rc = threads == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(threads); i++) {
        PyObject *done = PyObject_CallMethod(PyList_GET_ITEM(threads, i), "join", NULL);
        rc = done == NULL ? -1 : 0;
        Py_XDECREF(done);
    }
    Py_XDECREF(threads);
    return rc;
}

static Py_ssize_t workers_of(pool *self) {
    Py_ssize_t n;
    Py_BEGIN_CRITICAL_SECTION(self);
    n = self->workers;
    Py_END_CRITICAL_SECTION();
    return n;
}

static int shut_down(pool *self, bool waits, bool cancel, thrum_deadline deadline) {
    Py_BEGIN_CRITICAL_SECTION(self);
    pool_check_fork(self);
    self->shut = true;
    pool_end(self);
    Py_END_CRITICAL_SECTION();
    if (cancel)
        pool_cancel_queued(self);
    if (!waits)
        return 0;
    if (thrum_py_worker != NULL && thrum_py_worker->pool == self) {
        PyErr_SetString(PyExc_RuntimeError, "cannot join current thread");
        return -1;
    }
    outcome result = pool_wait_ended(self, deadline);
    if (result == TIMED_OUT)
        PyErr_Format(PyExc_TimeoutError, "%zd threads of the executor still work",
                     workers_of(self));
    return result == WOKEN ? join_threads(self) : -1;
}

static PyObject *shutdown(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames) {
    static const signature how = {"ThreadPoolExecutor.shutdown", 0, 1, 3,
                                  {"wait", "cancel_futures", "timeout"}};
    PyObject *given[3] = {Py_True, Py_False, NULL};
    thrum_deadline deadline;
    if (parse_args(&how, args, nargs, kwnames, given) < 0 ||
        deadline_of(given[2], &deadline) < 0)
        return NULL;
    int waits = PyObject_IsTrue(given[0]), cancel = waits < 0 ? -1 : PyObject_IsTrue(given[1]);
    if (cancel < 0 || shut_down(((executor *)self)->pool, waits, cancel, deadline) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *enter(PyObject *self, PyObject *unused) {
    (void)unused;
    return Py_NewRef(self);
}

static PyObject *leave_block(PyObject *self, PyObject *const *args, Py_ssize_t nargs) {
    (void)args;
    (void)nargs;
    PyObject *name = PyUnicode_FromString("shutdown"), *names = Py_BuildValue("(s)", "wait");
    PyObject *call[] = {self, Py_True}, *done = NULL;
    if (name != NULL && names != NULL)
        done = PyObject_VectorcallMethod(name, call, 1, names);
    Py_XDECREF(names);
    Py_XDECREF(name);
    if (done == NULL)
        return NULL;
    Py_DECREF(done);
    Py_RETURN_FALSE;
}

static PyObject *executor_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    toolbox *state = toolbox_of(type);
    executor *self = (executor *)make(type, state, THREAD_POOL_EXECUTOR);
    (void)args;
    (void)kwargs;
    if (self != NULL && (self->pool = pool_new(state)) == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int executor_traverse(PyObject *object, visitproc visit, void *arg) {
    executor *self = (executor *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT((PyObject *)self->pool);
    Py_VISIT(self->dict);
    return 0;
}

static int executor_clear(PyObject *object) {
    Py_CLEAR(((executor *)object)->dict);
    return 0;
}

/* Without its executor a pool ends as after shutdown(wait=False). */
static void executor_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    executor *self = (executor *)object;
    pool *left = self->pool;
    PyObject_GC_UnTrack(object);
    if (HAS_WEAKREFS(self->weakrefs))
        PyObject_ClearWeakRefs(object);
    executor_clear(object);
    self->pool = NULL;
    if (left != NULL) {
        Py_BEGIN_CRITICAL_SECTION(left);
        pool_end(left);
        Py_END_CRITICAL_SECTION();
        Py_DECREF((PyObject *)left);
    }
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"submit",
     METHOD(submit, KEYWORDS,
            "submit($self, fn, /, *args, **kwargs)\n--\n\nHave fn(*args, **kwargs) called by a "
            "worker. Returns its Future.\n\nRuntimeError after shutdown(). queue.Full when "
            "queue_limit calls wait and overflow is 'refuse'.")},
    {"map",
     METHOD(
         map, KEYWORDS,
         "map($self, fn, *iterables, timeout=None, chunksize=1, buffersize=None)\n--\n\n"
         "Return an iterator equivalent to map(fn, *iterables); the calls are made by workers.\n\n"
         "They are submitted now, or buffersize of them at a time. An exception of a call, or\n"
         "TimeoutError after timeout seconds from now, ends the iteration and cancels the rest.\n"
         "chunksize means nothing here.")},
    {"imap_unordered",
     METHOD(
         imap_unordered, KEYWORDS,
         "imap_unordered($self, fn, *iterables, buffersize=None)\n--\n\nThe same as map(), but the "
         "results come in the order in which they are there.")},
    {"shutdown",
     METHOD(
         shutdown, KEYWORDS,
         "shutdown($self, /, wait=True, *, cancel_futures=False, timeout=None)\n--\n\nTake no more "
         "calls; with cancel_futures, cancel those that have not begun.\n\nWith wait, wait for the "
         "workers; TimeoutError if they have not ended after timeout seconds.")},
    {"__enter__", METHOD(enter, METH_NOARGS, NULL)},
    {"__exit__", METHOD(leave_block, METH_FASTCALL, "The same as shutdown().")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(executor, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(executor, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot layout_slots[] = {
    {Py_tp_doc, (char *)"What a ThreadPoolExecutor has in C."},
    {Py_tp_dealloc, executor_dealloc},
    {Py_tp_traverse, executor_traverse},
    {Py_tp_clear, executor_clear},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec layout_spec = {
    .name = "thrum._thrum._ExecutorLayout",
    .basicsize = sizeof(executor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = layout_slots,
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (char *)"ThreadPoolExecutor(max_workers=None, thread_name_prefix='', initializer=None, "
             "initargs=(), *,\n                   context=False, queue_limit=None, "
             "overflow='block')\n--\n\n"
             "Threads that make the calls which are submitted.\n\n"
             "context: a call runs in a copy of the context of whoever submits it.\n"
             "queue_limit: how many calls may wait. Beyond that submit() blocks, refuses "
             "('refuse') or makes\nthe call itself ('caller_runs')."},
    {Py_tp_new, executor_new},
    {Py_tp_init, thrum_py_executor_init},
    {Py_tp_dealloc, executor_dealloc},
    {Py_tp_traverse, executor_traverse},
    {Py_tp_clear, executor_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, thrum_py_executor_properties},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "concurrent.futures.thread.ThreadPoolExecutor",
    .basicsize = sizeof(executor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

/* The standard library's class, also when ours stands in its place: the one above Executor and
 * object. */
static PyObject *standard_executor(toolbox *state) {
    PyObject *found = PyObject_GetAttrString(state->futures_thread, "ThreadPoolExecutor");
    if (found == NULL || !PyType_Check(found))
        return found;
    PyObject *mro = ((PyTypeObject *)found)->tp_mro;
    PyObject *standard = Py_NewRef(PyTuple_GET_ITEM(mro, PyTuple_GET_SIZE(mro) - 3));
    Py_DECREF(found);
    return standard;
}

int add_executor(PyObject *module, toolbox *state) {
    if ((state->futures_thread = PyImport_ImportModule("concurrent.futures.thread")) == NULL ||
        add_pool(module, state) < 0 || add_results(module, state) < 0 ||
        add_unordered(module, state) < 0 ||
        add_queue_view(module, state) < 0 ||
        (state->executor_layout = add_type(module, &layout_spec, NULL, true)) == NULL)
        return -1;
    PyObject *standard = standard_executor(state);
    PyObject *bases =
        standard == NULL ? NULL : PyTuple_Pack(2, (PyObject *)state->executor_layout, standard);
    Py_XDECREF(standard);
    if (bases == NULL)
        return -1;
    state->types[THREAD_POOL_EXECUTOR] = add_type(module, &spec, (PyTypeObject *)bases, false);
    Py_DECREF(bases);
    worker_hooks();
    return state->types[THREAD_POOL_EXECUTOR] == NULL ? -1 : 0;
}
