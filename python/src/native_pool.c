/* SPDX-License-Identifier: MIT */
#include "native.h"

#include <errno.h>
#include <unistd.h>

/* Called by who ends the task, most often a worker, which has no GIL and takes none. */
static void ended(thrum_future *future, void *arg) {
    native_job *job = arg;
    native_pool *pool = job->pool;
    native_job *first = __atomic_load_n(&pool->ended, __ATOMIC_RELAXED);
    (void)future;
    do
        job->next = first;
    /* release: pairs with take_all() */
    while (!__atomic_compare_exchange_n(&pool->ended, &first, job, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
    if (first == NULL)
        thrum_event_set(&pool->event);
}

/* What has ended, in that order. */
static native_job *take_all(native_pool *pool) {
    /* acquire: pairs with ended() */
    native_job *job = __atomic_exchange_n(&pool->ended, NULL, __ATOMIC_ACQUIRE), *in_order = NULL;
    while (job != NULL) {
        native_job *next = job->next;
        job->next = in_order;
        in_order = job;
        job = next;
    }
    return in_order;
}

/* (True, result), (False, failure) or (None, None) of a task that has ended. */
static PyObject *outcome_of(native_job *job) {
    max_align_t small[8];
    const thrum_task_type *type = job->type;
    void *value = type->result_size <= sizeof small ? small : PyMem_Malloc(type->result_size);
    PyObject *pair = NULL;
    const thrum_failure *failure = thrum_future_error(job->future);
    if (thrum_future_cancelled(job->future))
        pair = Py_BuildValue("(OO)", Py_None, Py_None);
    else if (failure != NULL)
        pair = Py_BuildValue("(ON)", Py_False, native_failure(failure));
    else if (value == NULL)
        PyErr_NoMemory();
    else if (thrum__task_result(job->future, type, value) == 0)
        pair = Py_BuildValue("(ON)", Py_True, native_result(type, value));
    if (value != small)
        PyMem_Free(value);
    if (pair == NULL && PyErr_Occurred()) { /* what is wrong with the result */
        PyObject *kind, *what, *traceback;
        PyErr_Fetch(&kind, &what, &traceback);
        PyErr_NormalizeException(&kind, &what, &traceback);
        pair = Py_BuildValue("(OO)", Py_False, what);
        Py_XDECREF(kind);
        Py_XDECREF(what);
        Py_XDECREF(traceback);
    }
    return pair;
}

/* Lets go of all that the job holds, and returns (owner, outcome). */
static PyObject *finish(native_job *job) {
    PyObject *what, *pair = NULL;
    thrum_future *future;
    Py_BEGIN_CRITICAL_SECTION(job);
    what = outcome_of(job);
    future = job->future;
    job->future = NULL;
    if (what != NULL)
        pair = PyTuple_Pack(2, job->owner, what);
    Py_CLEAR(job->owner);
    Py_CLEAR(job->pool);
    Py_END_CRITICAL_SECTION();
    thrum_future_free(future);
    native_release(job);
    Py_XDECREF(what);
    Py_DECREF(job);
    return pair;
}

/* A list of what has ended; blocks until there is something. None: the pool is closed and idle. */
static PyObject *pool_take(PyObject *object, PyObject *unused) {
    native_pool *self = (native_pool *)object;
    native_job *job;
    (void)unused;
    for (;;) {
        thrum_event_clear(&self->event);
        if ((job = take_all(self)) != NULL)
            break;
        if (__atomic_load_n(&self->closed, __ATOMIC_ACQUIRE) &&
            __atomic_load_n(&self->outstanding, __ATOMIC_ACQUIRE) == 0)
            Py_RETURN_NONE;
        Py_BEGIN_ALLOW_THREADS
        thrum_event_wait(&self->event);
        Py_END_ALLOW_THREADS
    }
    PyObject *list = PyList_New(0);
    while (job != NULL) {
        native_job *next = job->next;
        PyObject *pair = finish(job);
        if (list != NULL && (pair == NULL || PyList_Append(list, pair) < 0))
            Py_CLEAR(list);
        Py_XDECREF(pair);
        __atomic_fetch_sub(&self->outstanding, 1, __ATOMIC_RELEASE);
        job = next;
    }
    return list;
}

static PyObject *refused(int rc) {
    if (rc == -ENOMEM)
        return PyErr_NoMemory();
    if (rc == -ESHUTDOWN)
        PyErr_SetString(PyExc_RuntimeError, "cannot schedule new futures after shutdown");
    else if (rc == -EPIPE)
        PyErr_SetString(PyExc_RuntimeError,
                        "cannot schedule new futures: the pool was made before a fork");
    else if (rc == -EAGAIN)
        PyErr_SetString(PyExc_RuntimeError, "can't start new thread");
    else
        PyErr_SetString(PyExc_RuntimeError, thrum_strerror(rc));
    return NULL;
}

static int submit_packed(native_pool *self, native_job *job, const char *block) {
    __atomic_fetch_add(&self->outstanding, 1, __ATOMIC_RELAXED);
    Py_INCREF(job); /* finish() drops it */
    int rc = thrum__task_submit(self->executor, &job->future, job->type, block);
    if (rc == 0) {
        rc = thrum_future_add_done_callback(job->future, ended, job);
        if (rc != 0 && !thrum_future_cancel(job->future)) { /* no memory, but the task runs */
            Py_BEGIN_ALLOW_THREADS
            thrum_future_error(job->future);
            Py_END_ALLOW_THREADS
        }
    }
    if (rc != 0) {
        thrum_future_free(job->future);
        job->future = NULL;
        Py_DECREF(job);
        __atomic_fetch_sub(&self->outstanding, 1, __ATOMIC_RELEASE);
    }
    return rc;
}

/* submit(task, future, args, kwargs): the job. */
static PyObject *pool_submit(PyObject *object, PyObject *all) {
    native_pool *self = (native_pool *)object;
    toolbox *state = toolbox_of(Py_TYPE(object));
    PyObject *task, *owner, *args, *kwargs;
    native_job *job;
    max_align_t block[64];
    if (!PyArg_ParseTuple(all, "O!OO!O!", state->native_task, &task, &owner, &PyTuple_Type, &args,
                          &PyDict_Type, &kwargs))
        return NULL;
    const thrum_task_type *type = ((native_task *)task)->type;
    if (native_check_result(type) < 0)
        return NULL;
    char *place = type->args_size <= sizeof block ? (char *)block : PyMem_Malloc(type->args_size);
    if (place == NULL)
        return PyErr_NoMemory();
    memset(place, 0, type->args_size);
    job = (native_job *)state->native_job->tp_alloc(state->native_job, 0);
    if (job != NULL) {
        job->type = type;
        job->owner = Py_NewRef(owner);
        job->pool = (native_pool *)Py_NewRef(object);
        int rc = native_pack(job, place, args, kwargs);
        if (rc == 0 && (rc = submit_packed(self, job, place)) != 0)
            refused(rc);
        if (rc != 0)
            Py_CLEAR(job);
    }
    if (place != (char *)block)
        PyMem_Free(place);
    return (PyObject *)job;
}

/* close(cancel_futures): no more tasks. */
static PyObject *pool_close(PyObject *object, PyObject *cancel) {
    native_pool *self = (native_pool *)object;
    int cancels = PyObject_IsTrue(cancel);
    if (cancels < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    thrum_executor_shutdown(self->executor, false, cancels != 0);
    Py_END_ALLOW_THREADS
    __atomic_store_n(&self->closed, true, __ATOMIC_RELEASE);
    thrum_event_set(&self->event);
    Py_RETURN_NONE;
}

static PyObject *pool_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    int max_workers;
    const char *prefix;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "iz", &max_workers, &prefix))
        return NULL;
    native_pool *self = (native_pool *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->process = getpid();
    self->executor = thrum_executor_new(
        &(thrum_executor_opts){.max_workers = max_workers, .name_prefix = prefix});
    if (self->executor == NULL) {
        if (errno == ENOMEM)
            PyErr_NoMemory();
        else
            PyErr_Format(PyExc_ValueError, "max_workers is %d", max_workers);
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* Nothing is outstanding: every job holds its pool. */
static void pool_dealloc(PyObject *object) {
    native_pool *self = (native_pool *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->executor != NULL && self->process == getpid()) {
        Py_BEGIN_ALLOW_THREADS
        thrum_executor_free(self->executor);
        Py_END_ALLOW_THREADS
    }
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *job_cancel(PyObject *object, PyObject *unused) {
    native_job *self = (native_job *)object;
    bool cancelled;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(object);
    PyObject *pool = Py_XNewRef((PyObject *)self->pool);
    cancelled = self->future != NULL && thrum_future_cancel(self->future);
    Py_XDECREF(pool);
    Py_END_CRITICAL_SECTION();
    return PyBool_FromLong(cancelled);
}

static PyObject *job_running(PyObject *object, PyObject *unused) {
    native_job *self = (native_job *)object;
    bool running;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(object);
    running = self->future != NULL && thrum_future_running(self->future);
    Py_END_CRITICAL_SECTION();
    return PyBool_FromLong(running);
}

static int job_traverse(PyObject *object, visitproc visit, void *arg) {
    native_job *self = (native_job *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->owner);
    Py_VISIT((PyObject *)self->pool);
    for (int i = 0; i < self->n_views; i++)
        Py_VISIT(self->views[i].obj);
    return 0;
}

/* Not before the job has ended: its list's reference is nobody's whom the collector knows. */
static int job_clear(PyObject *object) {
    native_job *self = (native_job *)object;
    Py_CLEAR(self->owner);
    Py_CLEAR(self->pool);
    native_release(self);
    return 0;
}

static void job_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    job_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef pool_methods[] = {
    {"submit", METHOD(pool_submit, METH_VARARGS, NULL)},
    {"take", METHOD(pool_take, METH_NOARGS, NULL)},
    {"close", METHOD(pool_close, METH_O, NULL)},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef job_methods[] = {
    {"cancel", METHOD(job_cancel, METH_NOARGS, NULL)},
    {"running", METHOD(job_running, METH_NOARGS, NULL)},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot pool_slots[] = {
    {Py_tp_new, pool_new},
    {Py_tp_dealloc, pool_dealloc},
    {Py_tp_methods, pool_methods},
    {0, NULL},
};

static PyType_Slot job_slots[] = {
    {Py_tp_dealloc, job_dealloc},
    {Py_tp_traverse, job_traverse},
    {Py_tp_clear, job_clear},
    {Py_tp_methods, job_methods},
    {0, NULL},
};

static PyType_Spec pool_spec = {
    .name = "thrum._thrum.NativePool",
    .basicsize = sizeof(native_pool),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = pool_slots,
};

static PyType_Spec job_spec = {
    .name = "thrum._thrum.NativeJob",
    .basicsize = sizeof(native_job),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = job_slots,
};

int add_native_pool(PyObject *module, toolbox *state) {
    state->native_job = add_type(module, &job_spec, NULL, true);
    PyTypeObject *pool = add_type(module, &pool_spec, NULL, false);
    Py_XDECREF(pool);
    return state->native_job == NULL || pool == NULL ? -1 : 0;
}
