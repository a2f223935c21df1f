/* SPDX-License-Identifier: MIT */
/* A worker takes tasks and runs them, and gives up the GIL only to wait, or when it was asked
 * to. */
#include "executor.h"

#include <thrum/lock.h>
#include <time.h>

/* How long a worker that is one too many stays for others that might have to wait, in seconds. */
#define SURPLUS_STAYS 1.0
/* After how many nanoseconds a row of tasks that are no Python code lets other threads have the
 * GIL, as the interpreter does. */
#define SWITCH_INTERVAL 5000000

_Thread_local struct worker *thrum_py_worker;

static struct worker *free_workers; /* under workers_lock */
static thrum_lock workers_lock;

static struct worker *worker_new(pool *self) {
    thrum_lock_acquire(&workers_lock);
    struct worker *me = free_workers;
    if (me != NULL)
        free_workers = me->next_free;
    thrum_lock_release(&workers_lock);
    if (me == NULL && (me = PyMem_RawCalloc(1, sizeof *me)) == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    me->pool = self;
    me->waiter = waiter_new();
    me->generation = process_generation();
    workers_counted(1);
    return me;
}

static void worker_free(struct worker *me) {
    if (me->generation == process_generation())
        workers_counted(-1);
    if (me->waiter != NULL)
        waiter_free(me->waiter);
    me->waiter = NULL;
    me->pool = NULL;
    thrum_lock_acquire(&workers_lock);
    me->next_free = free_workers;
    free_workers = me;
    thrum_lock_release(&workers_lock);
}

/* The interpreter switches threads between bytecodes; tasks that have none get here. */
static void breathe(void) {
    static _Thread_local int64_t last;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    int64_t now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    if (now - last < SWITCH_INTERVAL)
        return;
    bool first = last == 0;
    last = now;
    if (first)
        return;
    Py_BEGIN_ALLOW_THREADS
    Py_END_ALLOW_THREADS
}

static PyObject *call(future *task, PyObject *context) {
    if (task->args == NULL)
        return PyObject_CallNoArgs(task->fn);
    PyObject *const *items = &PyTuple_GET_ITEM(task->args, 0);
    Py_ssize_t n = PyTuple_GET_SIZE(task->args) - (context != NULL);
    if (task->kwargs != NULL)
        n -= PyTuple_GET_SIZE(task->kwargs);
    return PyObject_Vectorcall(task->fn, items, (size_t)n, task->kwargs);
}

/* Calls the function in the context that is the last of its arguments. */
static PyObject *call_in_context(future *task) {
    PyObject *context = PyTuple_GET_ITEM(task->args, PyTuple_GET_SIZE(task->args) - 1);
    if (PyContext_Enter(context) < 0)
        return NULL;
    PyObject *result = call(task, context);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyContext_Exit(context);
    PyErr_Restore(type, value, traceback);
    return result;
}

/* What a subclass has made of the call is run by what it has made for the worker. */
static PyObject *call_prepared(struct worker *me, future *task) {
    if (me != NULL && me->context != NULL)
        return PyObject_CallMethodOneArg(me->context, me->pool->state->str_run, task->fn);
    PyErr_SetString(PyExc_RuntimeError, "only a worker of this executor can run its calls");
    return NULL;
}

static PyObject *make_call(pool *self, struct worker *me, future *task) {
    if (task->fn == NULL) { /* it is pending again, by the program's hand */
        PyErr_SetString(PyExc_RuntimeError, "the call of this future was made before");
        return NULL;
    }
    return self->create_context != NULL ? call_prepared(me, task)
           : self->context              ? call_in_context(task)
                                        : call(task, NULL);
}

/* Others may ask for the name of the function. */
static void forget_call(future *task) {
    PyObject *fn = task->fn;
    Py_BEGIN_CRITICAL_SECTION(task);
    task->fn = NULL;
    Py_END_CRITICAL_SECTION();
    Py_CLEAR(task->args);
    Py_CLEAR(task->kwargs);
    Py_XDECREF(fn);
}

static void log_worker(pool *self);

void run_task(pool *self, struct worker *me, future *task) {
    struct frame here = {task, me != NULL ? me->running : NULL};
    set_owner(task, me != NULL ? (void *)((uintptr_t)me | TAG) : NULL);
    if (me != NULL)
        me->running = &here;
    bool python = task->fn != NULL && PyFunction_Check(task->fn);
    PyObject *result = make_call(self, me, task);
    if (me != NULL)
        me->running = here.around;
    set_owner(task, NULL);
    forget_call(task);
    int rc = result != NULL ? future_set_result(task, result) : future_set_raised(task);
    Py_XDECREF(result);
    if (rc < 0)
        log_worker(self);
    if (!python)
        breathe();
}

/* Whether this thread belongs to the pool no longer: it is in a child which a task has forked. */
static bool forked(const struct worker *me) { return me->generation != process_generation(); }

/* Whether there are workers that nobody needs, once those who wait for others go on. */
static bool surplus(const pool *self) { return self->workers - self->blocked > self->max_workers; }

static future *pop(pool *self) {
    future *task = self->first;
    self->first = task->next;
    if (self->first == NULL)
        self->last = NULL;
    self->queued--;
    self->busy++;
    pool_recount(self);
    if (self->submitters.first != NULL)
        wake_for(&self->submitters, self->room);
    if (self->idle.first != NULL)
        wake_for(&self->idle, self->ready > 0);
    return task;
}

/* The next task; NULL: the worker has to leave. */
static future *take_guarded(pool *self, struct worker *me) {
    while (!forked(me)) {
        if (self->ready > 0)
            return pop(self);
        if (self->over)
            return NULL;
        bool spare = surplus(self);
        thrum_deadline deadline = spare ? thrum_in(SURPLUS_STAYS) : THRUM_NEVER;
        outcome result = wait_again(me->waiter, &self->idle, &self->ready, deadline, false, true);
        if (result == TIMED_OUT && surplus(self))
            return NULL;
    }
    return NULL;
}

/* In one step it is no longer what it was, starting or busy, and takes a task or is idle: who
 * submits counts the workers that will come. */
static void work(pool *self, struct worker *me) {
    for (Py_ssize_t *stood = &self->starting;; stood = &self->busy) {
        future *task;
        Py_BEGIN_CRITICAL_SECTION(self);
        if (!forked(me)) {
            --*stood;
            pool_recount(self);
        }
        task = take_guarded(self, me);
        Py_END_CRITICAL_SECTION();
        if (task == NULL)
            return;
        enum future_state state = state_of(task);
        bool left = owner_of(task) == self; /* who waited for it may have run it */
        if (left && (state == FUTURE_PENDING || state == FUTURE_CANCELLED) &&
            future_try_start(task) > 0)
            run_task(self, me, task);
        disown(task, self, NULL);
        PyErr_Clear();
        Py_DECREF((PyObject *)task);
    }
}

/* Takes the exception that is set, an instance; logs it as the standard library does. */
static PyObject *logged(pool *self, const char *text) {
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    PyObject *logger = PyObject_GetAttrString(self->state->futures_base, "LOGGER");
    PyObject *critical = logger == NULL ? NULL : PyObject_GetAttrString(logger, "critical");
    PyObject *args = Py_BuildValue("(s)", text), *names = Py_BuildValue("{sO}", "exc_info", error);
    PyObject *done = NULL;
    if (critical != NULL && args != NULL && names != NULL)
        done = PyObject_Call(critical, args, names);
    if (done == NULL)
        PyErr_WriteUnraisable(error);
    Py_XDECREF(done);
    Py_XDECREF(names);
    Py_XDECREF(args);
    Py_XDECREF(critical);
    Py_XDECREF(logger);
    return error;
}

static void log_worker(pool *self) { Py_XDECREF(logged(self, "Exception in worker")); }

static PyObject *call_initializer(pool *self, struct worker *me) {
    if (self->initializer != NULL)
        return PyObject_Call(self->initializer, self->initargs, NULL);
    if (self->create_context == NULL)
        return Py_NewRef(Py_None);
    if ((me->context = PyObject_CallNoArgs(self->create_context)) == NULL)
        return NULL;
    return PyObject_CallMethod(me->context, "initialize", NULL);
}

static void finalise(struct worker *me) {
    if (me->context == NULL)
        return;
    PyObject *done = PyObject_CallMethod(me->context, "finalize", NULL);
    if (done == NULL)
        PyErr_WriteUnraisable(me->context);
    Py_XDECREF(done);
    Py_CLEAR(me->context);
}

/* Whether the worker can be used; else the pool is broken. */
static bool initialise(pool *self, struct worker *me) {
    PyObject *done = call_initializer(self, me);
    if (done != NULL) {
        Py_DECREF(done);
        return true;
    }
    PyObject *error = logged(self, "Exception in initializer:");
    Py_BEGIN_CRITICAL_SECTION(self);
    if (self->broken == NULL) {
        self->broken_error = Py_NewRef(error);
        self->broken = PyUnicode_FromString(
            "A thread initializer failed, the thread pool is not usable anymore");
    }
    pool_end(self);
    Py_END_CRITICAL_SECTION();
    Py_DECREF(error);
    pool_fail_queued(self);
    return false;
}

/* Lists the thread where the end of the interpreter waits for it. NULL: then it is waited for as
 * any other thread. */
static PyObject *list_thread(pool *self) {
    PyObject *thread = PyObject_CallMethod(self->state->threading_module, "current_thread", NULL);
    PyObject *view = pool_queue_view(self);
    if (thread == NULL || view == NULL ||
        PyObject_SetItem(self->state->threads_queues, thread, view) < 0)
        Py_CLEAR(thread);
    PyErr_Clear();
    Py_XDECREF(view);
    if (PEEK(self->state->exiting)) {
        Py_BEGIN_CRITICAL_SECTION(self);
        pool_end(self);
        Py_END_CRITICAL_SECTION();
    }
    return thread;
}

/* `threads` keeps those that leave with the pool. Steals `thread`. */
static void unlist(pool *self, PyObject *thread) {
    bool over;
    if (thread == NULL)
        return;
    if (PyObject_DelItem(self->state->threads_queues, thread) < 0)
        PyErr_Clear();
    Py_BEGIN_CRITICAL_SECTION(self);
    over = self->over;
    Py_END_CRITICAL_SECTION();
    if (!over && PySet_Discard(self->threads, thread) < 0)
        PyErr_Clear();
    Py_DECREF(thread);
}

PyObject *thrum_py_work(PyObject *object, PyObject *unused) {
    pool *self = (pool *)Py_NewRef(object);
    struct worker *me = thrum_py_worker = worker_new(self);
    PyObject *thread = list_thread(self);
    bool usable = me != NULL && me->waiter != NULL && initialise(self, me);
    (void)unused;
    if (usable) {
        work(self, me);
    } else if (me == NULL || !forked(me)) {
        Py_BEGIN_CRITICAL_SECTION(self);
        self->starting--;
        Py_END_CRITICAL_SECTION();
    }
    if (me != NULL)
        finalise(me);
    unlist(self, thread);
    if (me == NULL || !forked(me)) {
        Py_BEGIN_CRITICAL_SECTION(self);
        self->workers--;
        pool_recount_end(self);
        Py_END_CRITICAL_SECTION();
    }
    thrum_py_worker = NULL;
    if (me != NULL)
        worker_free(me);
    Py_DECREF(object);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}
