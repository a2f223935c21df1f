/* SPDX-License-Identifier: MIT */
/* The queue of a pool, and how many work on it.
 *
 * A submit sees to it that somebody comes: a worker on its way to the queue, an idle one that it
 * wakes, or a new one. Who is woken wakes the next when it has taken a task and more are ready,
 * so that one wake is on its way at a time. */
#include "executor.h"

uintptr_t thrum_py_lost;

void pool_recount(pool *self) {
    Py_ssize_t slots = self->max_workers - self->busy;
    self->ready = slots >= self->queued ? self->queued : slots > 0 ? slots : 0;
    self->room = self->queue_limit - self->queued;
}

static void push(pool *self, future *task) {
    task->next = NULL;
    *(self->last != NULL ? &self->last->next : &self->first) = task;
    self->last = task;
    self->queued++;
    pool_recount(self);
}

/* The whole queue, linked by `next`. */
static future *take_all(pool *self) {
    future *first = self->first;
    self->first = self->last = NULL;
    self->queued = 0;
    pool_recount(self);
    if (self->submitters.first != NULL)
        wake_for(&self->submitters, self->room);
    return first;
}

void pool_lose_queued(pool *self) {
    future *first = take_all(self);
    while (first != NULL) {
        future *next = first->next;
        disown(first, self, &thrum_py_lost);
        Py_DECREF((PyObject *)first);
        first = next;
    }
}

void pool_check_fork(pool *self) {
    if (self->generation == process_generation())
        return;
    self->generation = process_generation();
    self->workers = self->starting = self->busy = self->blocked = 0;
    self->starters = NULL;
    waitlist_clear(&self->idle);
    waitlist_clear(&self->submitters);
    waitlist_clear(&self->enders);
    PySet_Clear(self->threads);
    pool_lose_queued(self);
    self->ended = self->over;
    self->idle.over = self->submitters.over = self->over;
}

void pool_recount_end(pool *self) {
    self->ended = self->over && self->workers == 0;
    if (self->ended)
        wake_for(&self->enders, PY_SSIZE_T_MAX);
}

static int refuse(const char *when) {
    PyErr_Format(PyExc_RuntimeError, "cannot schedule new futures after %s", when);
    return -1;
}

int pool_refuses(pool *self) {
    pool_check_fork(self);
    if (self->broken != NULL) {
        raise_broken(self);
        return -1;
    }
    if (self->shut)
        return refuse("shutdown");
    return PEEK(self->state->exiting) ? refuse("interpreter shutdown") : 0;
}

/* Workers that will look at the queue without being told. */
static Py_ssize_t on_their_way(pool *self) { return self->idle.pending + self->starting; }

static PyObject *new_thread(pool *self) {
    static PyMethodDef work = {"work", thrum_py_work, METH_NOARGS, NULL};
    PyObject *type = PyObject_GetAttrString(self->state->threading_module, "Thread"),
             *thread = NULL;
    PyObject *name = PyUnicode_FromFormat("%S_%zd", self->prefix, self->named++);
    PyObject *target = PyCFunction_New(&work, (PyObject *)self);
    if (type != NULL && name != NULL && target != NULL) {
        PyObject *args[] = {NULL, target, name};
        PyObject *names = Py_BuildValue("(ss)", "target", "name");
        if (names != NULL)
            thread = PyObject_Vectorcall(type, args + 1, PY_VECTORCALL_ARGUMENTS_OFFSET, names);
        Py_XDECREF(names);
    }
    Py_XDECREF(target);
    Py_XDECREF(name);
    Py_XDECREF(type);
    return thread;
}

/* Whether a thread whose start() has raised runs nevertheless: a signal handler raised while it
 * came up. */
static bool runs_nevertheless(PyObject *thread) {
    if (!PyErr_ExceptionMatches(PyExc_RuntimeError) && !PyErr_ExceptionMatches(PyExc_MemoryError))
        return true;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *ident = PyObject_GetAttrString(thread, "ident");
    bool runs = ident != NULL && ident != Py_None;
    Py_XDECREF(ident);
    PyErr_Restore(type, value, traceback);
    return runs;
}

/* Makes a thread and calls its start(), in which a signal handler of this thread may run; 0, or -1
 * with an exception. */
static int call_start(pool *self, PyObject **thread) {
    struct starter me = {self->starters, PyThread_get_thread_ident()}, **place;
    PyObject *done = NULL;
    self->starters = &me;
    if ((*thread = new_thread(self)) != NULL)
        done = PyObject_CallMethod(*thread, "start", NULL);
    for (place = &self->starters; *place != &me && *place != NULL; place = &(*place)->next)
        ;
    if (*place != NULL)
        *place = me.next;
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int start_worker(pool *self) {
    self->workers++;
    self->starting++;
    self->ended = 0;
    PyObject *thread = NULL;
    int rc = call_start(self, &thread);
    if (rc < 0 && (thread == NULL || !runs_nevertheless(thread))) {
        self->workers--;
        self->starting--;
        pool_recount_end(self);
        rc = NO_WORKER;
    } else if (rc < 0 || PySet_Add(self->threads, thread) < 0) {
        rc = RAISED;
    }
    Py_XDECREF(thread);
    return rc;
}

int pool_wake(pool *self) {
    if (self->ready > waitlist_length(&self->idle) + on_their_way(self))
        return start_worker(self);
    if (self->idle.first != NULL)
        wake_for(&self->idle, self->ready > 0);
    return 0;
}

static void unlink_task(pool *self, future *task) {
    future **place = &self->first, *before = NULL;
    while (*place != NULL && *place != task) {
        before = *place;
        place = &before->next;
    }
    if (*place == NULL)
        return;
    *place = task->next;
    if (self->last == task)
        self->last = before;
    self->queued--;
    pool_recount(self);
    wake_for(&self->submitters, self->room);
    disown(task, self, NULL);
    Py_DECREF((PyObject *)task);
}

/* No worker could be started. It is the end of `task` if there is none that could come. */
static int take_back(pool *self, future *task) {
    if (self->workers > 0) {
        PyErr_Clear();
        return 0;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    unlink_task(self, task);
    future_cancel(task);
    PyErr_Restore(type, value, traceback);
    return -1;
}

static future *new_task(pool *self, PyObject *fn, PyObject *args, PyObject *kwnames) {
    future *task = future_new(self->state);
    if (task == NULL) {
        Py_XDECREF(args);
        return NULL;
    }
    task->fn = Py_NewRef(fn);
    task->args = args;
    task->kwargs = Py_XNewRef(kwnames);
    return task;
}

/* The queue is full. 0: there is room now; 1: the caller runs the task; -1: an exception. */
static int overflow(pool *self) {
    bool own = thrum_py_worker != NULL && thrum_py_worker->pool == self;
    if (self->overflow == OVERFLOW_REFUSE) {
        PyErr_SetString(self->state->full, "the queue of the executor is full");
        return -1;
    }
    if (self->overflow == OVERFLOW_CALLER_RUNS || own)
        return 1;
    outcome result = wait_for_token(&self->submitters, &self->room, THRUM_NEVER, true);
    return result == FAILED ? -1 : 0;
}

/* 0: the task stands in the queue; 1: the caller runs it; -1: an exception. */
static int enqueue_task(pool *self, future *task) {
    int rc = pool_refuses(self);
    while (rc == 0 && self->queue_limit > 0 && self->room <= 0) {
        rc = overflow(self);
        if (rc == 0)
            rc = pool_refuses(self);
    }
    if (rc != 0)
        return rc;
    set_owner(task, self);
    push(self, (future *)Py_NewRef((PyObject *)task));
    rc = pool_wake(self);
    return rc == NO_WORKER ? take_back(self, task) : rc;
}

future *pool_submit(pool *self, PyObject *fn, PyObject *args, PyObject *kwnames) {
    int rc;
    future *task = new_task(self, fn, args, kwnames);
    if (task == NULL)
        return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    rc = enqueue_task(self, task);
    Py_END_CRITICAL_SECTION();
    if (rc > 0 && future_start(task) > 0)
        run_task(self, thrum_py_worker, task);
    if (rc < 0)
        Py_CLEAR(task);
    return task;
}

void pool_end(pool *self) {
    pool_check_fork(self);
    self->over = true;
    end_waits(&self->idle);
    end_waits(&self->submitters);
    pool_recount_end(self);
}

void pool_cancel_queued(pool *self) {
    future *next, *task;
    Py_BEGIN_CRITICAL_SECTION(self);
    task = take_all(self);
    Py_END_CRITICAL_SECTION();
    for (; task != NULL; task = next) {
        next = task->next;
        disown(task, self, NULL);
        if (future_cancel(task) < 0)
            PyErr_WriteUnraisable((PyObject *)task);
        if (state_of(task) == FUTURE_CANCELLED)
            future_try_start(task);
        Py_DECREF((PyObject *)task);
    }
}

void pool_fail_queued(pool *self) {
    future *next, *task;
    Py_BEGIN_CRITICAL_SECTION(self);
    task = take_all(self);
    Py_END_CRITICAL_SECTION();
    for (; task != NULL; task = next) {
        next = task->next;
        disown(task, self, NULL);
        if (future_try_start(task) > 0) {
            raise_broken(self);
            if (future_set_raised(task) < 0)
                PyErr_WriteUnraisable((PyObject *)task);
        }
        Py_DECREF((PyObject *)task);
    }
}

/* A signal handler that has interrupted this thread in start() cannot wait for the new one. */
static Py_ssize_t started_here(pool *self) {
    Py_ssize_t n = 0;
    for (struct starter *other = self->starters; other != NULL; other = other->next)
        n += other->ident == PyThread_get_thread_ident();
    return n;
}

outcome pool_wait_ended(pool *self, thrum_deadline deadline) {
    outcome result = WOKEN;
    Py_BEGIN_CRITICAL_SECTION(self);
    Py_ssize_t own = started_here(self);
    self->workers -= own;
    pool_recount_end(self);
    if (!self->ended)
        result = wait_for_token(&self->enders, &self->ended, deadline, true);
    self->workers += own;
    pool_recount_end(self);
    Py_END_CRITICAL_SECTION();
    return result;
}

void raise_broken(pool *self) {
    PyObject *type = Py_XNewRef(self->broken_type);
    if (type == NULL)
        type = PyObject_GetAttrString(self->state->futures_thread, "BrokenThreadPool");
    PyObject *error = type == NULL ? NULL : PyObject_CallOneArg(type, self->broken);
    if (error != NULL) {
        if (self->broken_error != NULL)
            PyException_SetCause(error, Py_NewRef(self->broken_error));
        PyErr_SetObject(type, error);
    }
    Py_XDECREF(error);
    Py_XDECREF(type);
}
