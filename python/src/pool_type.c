/* SPDX-License-Identifier: MIT */
/* A pool as an object of the interpreter, what becomes of it when the interpreter ends, and what
 * _work_queue shows. */
#include "executor.h"

typedef struct queue_view {
    PyObject_HEAD
    pool *pool;
    PyObject *weakrefs;
} queue_view;

/* The queue views of all workers, as a list. */
static PyObject *views_of_all(toolbox *state) {
    for (;;) {
        PyObject *mapping = PyObject_CallMethod(state->threads_queues, "values", NULL);
        PyObject *views = mapping == NULL ? NULL : PySequence_List(mapping);
        Py_XDECREF(mapping);
        /* that is iteration in Python, which a worker that begins or ends makes fail */
        if (views != NULL || !PyErr_ExceptionMatches(PyExc_RuntimeError))
            return views;
        PyErr_Clear();
    }
}

/* Tells the pools whose workers the end of the interpreter waits for. */
static PyObject *at_exit(PyObject *object, PyObject *unused) {
    toolbox *state = PyModule_GetState(object);
    (void)unused;
    POKE(state->exiting, true);
    PyObject *views = views_of_all(state);
    for (Py_ssize_t i = 0; views != NULL && i < PyList_GET_SIZE(views); i++) {
        PyObject *view = PyList_GET_ITEM(views, i);
        if (Py_IS_TYPE(view, state->queue_view_type)) {
            pool *self = pool_of_view(view);
            Py_BEGIN_CRITICAL_SECTION(self);
            pool_end(self);
            Py_END_CRITICAL_SECTION();
        }
    }
    Py_XDECREF(views);
    return views == NULL ? NULL : Py_NewRef(Py_None);
}

/* Ours runs before the standard library's function, which waits for the threads. */
static int register_exit(PyObject *module, toolbox *state) {
    static PyMethodDef hook = {"end_pools", at_exit, METH_NOARGS, NULL};
    PyObject *function = PyCFunction_New(&hook, module), *done = NULL;
    if (function != NULL)
        done = PyObject_CallMethod(state->threading_module, "_register_atexit", "O", function);
    Py_XDECREF(function);
    if (done == NULL && PyErr_ExceptionMatches(PyExc_RuntimeError)) {
        PyErr_Clear();
        POKE(state->exiting, true);
        return 0;
    }
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

pool *pool_new(toolbox *state) {
    pool *self = (pool *)state->pool_type->tp_alloc(state->pool_type, 0);
    if (self == NULL)
        return NULL;
    self->state = state;
    self->max_workers = 1;
    self->generation = process_generation();
    self->threads = PySet_New(NULL);
    self->prefix = PyUnicode_FromString("");
    self->initargs = PyTuple_New(0);
    if (self->threads == NULL || self->prefix == NULL || self->initargs == NULL)
        Py_CLEAR(self);
    return self;
}

static int pool_traverse(PyObject *object, visitproc visit, void *arg) {
    pool *self = (pool *)object;
    Py_VISIT(Py_TYPE(object));
    for (future *task = self->first; task != NULL; task = task->next)
        Py_VISIT((PyObject *)task);
    Py_VISIT(self->threads);
    Py_VISIT(self->prefix);
    Py_VISIT(self->initializer);
    Py_VISIT(self->initargs);
    Py_VISIT(self->create_context);
    Py_VISIT(self->resolve_task);
    Py_VISIT(self->broken_type);
    Py_VISIT(self->broken);
    Py_VISIT(self->broken_error);
    Py_VISIT(self->shutdown_lock);
    return 0;
}

static int pool_clear(PyObject *object) {
    pool *self = (pool *)object;
    pool_lose_queued(self);
    Py_CLEAR(self->initializer);
    Py_CLEAR(self->create_context);
    Py_CLEAR(self->resolve_task);
    Py_CLEAR(self->broken_type);
    Py_CLEAR(self->broken_error);
    Py_CLEAR(self->shutdown_lock);
    return 0;
}

static void pool_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    pool *self = (pool *)object;
    PyObject_GC_UnTrack(object);
    pool_clear(object);
    Py_CLEAR(self->threads);
    Py_CLEAR(self->prefix);
    Py_CLEAR(self->initargs);
    Py_CLEAR(self->broken);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot pool_slots[] = {
    {Py_tp_dealloc, pool_dealloc},
    {Py_tp_traverse, pool_traverse},
    {Py_tp_clear, pool_clear},
    {0, NULL},
};

static PyType_Spec pool_spec = {
    .name = "thrum._thrum._Pool",
    .basicsize = sizeof(pool),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = pool_slots,
};

int add_pool(PyObject *module, toolbox *state) {
    state->threads_queues = PyObject_GetAttrString(state->futures_thread, "_threads_queues");
    if (state->threads_queues == NULL ||
        (state->pool_type = add_type(module, &pool_spec, NULL, true)) == NULL)
        return -1;
    return register_exit(module, state);
}

static Py_ssize_t queued_in(PyObject *self) {
    pool *of = ((queue_view *)self)->pool;
    Py_ssize_t n;
    Py_BEGIN_CRITICAL_SECTION(of);
    n = of->queued;
    Py_END_CRITICAL_SECTION();
    return n;
}

static PyObject *view_qsize(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromSsize_t(queued_in(self));
}

static PyObject *view_empty(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyBool_FromLong(queued_in(self) == 0);
}

/* In the standard library None in the queue is how a worker is told to look whether it has to
 * end. */
static PyObject *view_put(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    Py_RETURN_NONE;
}

static int view_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((queue_view *)self)->pool);
    return 0;
}

static void view_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (HAS_WEAKREFS(((queue_view *)self)->weakrefs))
        PyObject_ClearWeakRefs(self);
    Py_CLEAR(((queue_view *)self)->pool);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef view_methods[] = {
    {"qsize", METHOD(view_qsize, METH_NOARGS, "Return how many calls wait.")},
    {"empty", METHOD(view_empty, METH_NOARGS, "Return whether none waits.")},
    {"put", METHOD(view_put, METH_O, "Do nothing.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef view_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(queue_view, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot view_slots[] = {
    {Py_tp_doc, (char *)"What is seen of the calls that wait."},
    {Py_tp_dealloc, view_dealloc},
    {Py_tp_traverse, view_traverse},
    {Py_tp_methods, view_methods},
    {Py_tp_members, view_members},
    {0, NULL},
};

static PyType_Spec view_spec = {
    .name = "thrum._thrum._WorkQueue",
    .basicsize = sizeof(queue_view),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = view_slots,
};

PyObject *pool_queue_view(pool *self) {
    queue_view *view = PyObject_GC_New(queue_view, self->state->queue_view_type);
    if (view == NULL)
        return NULL;
    view->pool = (pool *)Py_NewRef((PyObject *)self);
    view->weakrefs = NULL;
    PyObject_GC_Track((PyObject *)view);
    return (PyObject *)view;
}

pool *pool_of_view(PyObject *view) { return ((queue_view *)view)->pool; }

int add_queue_view(PyObject *module, toolbox *state) {
    state->queue_view_type = add_type(module, &view_spec, NULL, true);
    return state->queue_view_type == NULL ? -1 : 0;
}
