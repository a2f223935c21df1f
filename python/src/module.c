/* SPDX-License-Identifier: MIT */
/* thrum._thrum: the C half of the Python package. Multi-phase init, one state for each
 * interpreter. */
#include "toolbox.h"

#include "future.h"

static struct PyModuleDef module_def;

/* How many object pointers the state begins with. */
#define STATE_OBJECTS (offsetof(toolbox, made) / sizeof(PyObject *))

static const char *const names[KINDS] = {
    [CONDITION] = "Condition",
    [SEMAPHORE] = "Semaphore",
    [BOUNDED_SEMAPHORE] = "BoundedSemaphore",
    [EVENT] = "Event",
    [BARRIER] = "Barrier",
    [QUEUE] = "Queue",
    [LIFO_QUEUE] = "LifoQueue",
    [PRIORITY_QUEUE] = "PriorityQueue",
    [FUTURE] = "Future",
    [THREAD_POOL_EXECUTOR] = "ThreadPoolExecutor",
};

toolbox *toolbox_of(PyTypeObject *type) {
    PyObject *module = PyType_GetModuleByDef(type, &module_def);
    return module == NULL ? NULL : PyModule_GetState(module);
}

PyObject *make(PyTypeObject *type, toolbox *state, enum kind kind) {
    if (state == NULL)
        return NULL;
    COUNT(state->made[kind]);
    return type->tp_alloc(type, 0);
}

PyTypeObject *add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base, bool hidden) {
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, (PyObject *)base);
    if (type != NULL && !hidden && PyModule_AddType(module, type) < 0)
        Py_CLEAR(type);
    return type;
}

static PyObject *made(PyObject *module, PyObject *unused) {
    toolbox *state = PyModule_GetState(module);
    PyObject *counts = PyDict_New();
    (void)unused;
    for (int i = 0; counts != NULL && i < KINDS; i++) {
        PyObject *n = PyLong_FromSsize_t(state->made[i]);
        if (n == NULL || PyDict_SetItemString(counts, names[i], n) < 0)
            Py_CLEAR(counts);
        Py_XDECREF(n);
    }
    return counts;
}

/* The types of thrum.futures: they need concurrent.futures, and are made when that module is
 * imported. */
static PyObject *load_futures(PyObject *module, PyObject *unused) {
    toolbox *state = PyModule_GetState(module);
    (void)unused;
    if (state->types[FUTURE] == NULL && add_future(module, state) < 0)
        return NULL;
    if (state->types[THREAD_POOL_EXECUTOR] == NULL && add_executor(module, state) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *report_unread(PyObject *module, PyObject *on) {
    toolbox *state = PyModule_GetState(module);
    int truth = PyObject_IsTrue(on);
    if (truth < 0)
        return NULL;
    POKE(state->report_unread, truth);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"wait",
     METHOD(futures_wait, KEYWORDS,
            "wait($module, /, fs, timeout=None, return_when='ALL_COMPLETED')\n--\n\nWait for "
            "futures, until all are done, or one is, or one has failed.\n\nReturns a named pair "
            "of sets: done and not_done.")},
    {"as_completed",
     METHOD(futures_as_completed, KEYWORDS,
            "as_completed($module, /, fs, timeout=None)\n--\n\nIterate over futures as they become "
            "done; over each once.\n\nThose that are done come first, in the order given. "
            "TimeoutError if they are not all done in time.")},
    {"report_unread",
     METHOD(report_unread, METH_O,
            "report_unread($module, on, /)\n--\n\nSay whether a future that dies with an exception "
            "which nobody has read\ngives it to threading.excepthook. It does unless this, or "
            "THRUM_REPORT_UNREAD=0 in the\nenvironment, says no.")},
    {"load_futures", METHOD(load_futures, METH_NOARGS, "Add what thrum.futures is made of.")},
    {"made", METHOD(made, METH_NOARGS,
                    "made($module, /)\n--\n\nReturn how many objects of each type were made.")},
    {NULL, NULL, 0, NULL},
};

static int intern(toolbox *state) {
    struct {
        PyObject **place;
        const char *text;
    } strings[] = {
        {&state->str_acquire, "acquire"},
        {&state->str_release, "release"},
        {&state->str_run, "run"},
        {&state->str_locked, "locked"},
        {&state->str_enter, "__enter__"},
        {&state->str_exit, "__exit__"},
        {&state->str_release_save, "_release_save"},
        {&state->str_acquire_restore, "_acquire_restore"},
        {&state->str_is_owned, "_is_owned"},
        {&state->str_at_fork_reinit, "_at_fork_reinit"},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        if ((*strings[i].place = PyUnicode_InternFromString(strings[i].text)) == NULL)
            return -1;
    }
    return 0;
}

static PyTypeObject *type_of(PyObject *module, const char *name) {
    PyObject *type = PyObject_GetAttrString(module, name);
    if (type != NULL && !PyType_Check(type)) {
        PyErr_Format(PyExc_TypeError, "_thread.%s is not a type", name);
        Py_CLEAR(type);
    }
    return (PyTypeObject *)type;
}

/* An attribute of another module, which need not be there when `otherwise` is an exception's
 * name. */
static PyObject *borrow(const char *module_name, const char *name, const char *otherwise) {
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *value = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    if (module != NULL && value == NULL && otherwise != NULL &&
        PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        value = PyErr_NewExceptionWithDoc(
            otherwise, "Raised when put or get is called on a queue that was shut down.", NULL,
            NULL);
    }
    Py_XDECREF(module);
    return value;
}

static int module_exec(PyObject *module) {
    toolbox *state = PyModule_GetState(module);
    if ((state->thread_module = PyImport_ImportModule("_thread")) == NULL ||
        (state->thread_lock = type_of(state->thread_module, "LockType")) == NULL ||
        (state->broken_barrier = borrow("threading", "BrokenBarrierError", NULL)) == NULL ||
        (state->empty = borrow("queue", "Empty", NULL)) == NULL ||
        (state->full = borrow("queue", "Full", NULL)) == NULL ||
        (state->shut_down = borrow("queue", "ShutDown", "queue.ShutDown")) == NULL ||
        (state->deque = borrow("collections", "deque", NULL)) == NULL ||
        (state->heappush = borrow("heapq", "heappush", NULL)) == NULL ||
        (state->heappop = borrow("heapq", "heappop", NULL)) == NULL || intern(state) < 0)
        return -1;
    if (add_barrier(module, state) < 0 || add_condition(module, state) < 0 ||
        add_event(module, state) < 0 || add_queue(module, state) < 0 ||
        add_semaphore(module, state) < 0)
        return -1;
    if (add_native_load(module, state) < 0 || add_native_pool(module, state) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "ShutDown", state->shut_down);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    toolbox *state = PyModule_GetState(module);
    for (size_t i = 0; i < STATE_OBJECTS; i++)
        Py_VISIT(((PyObject **)state)[i]);
    return 0;
}

static int module_clear(PyObject *module) {
    toolbox *state = PyModule_GetState(module);
    for (size_t i = 0; i < STATE_OBJECTS; i++)
        Py_CLEAR(((PyObject **)state)[i]);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "thrum._thrum",
    .m_doc = "Python's threading toolbox on the thrum core. Use thrum.threading, thrum.queue, "
             "thrum.futures.",
    .m_size = sizeof(toolbox),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__thrum(void);

PyMODINIT_FUNC PyInit__thrum(void) { return PyModuleDef_Init(&module_def); }
