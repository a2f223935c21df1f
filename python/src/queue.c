/* SPDX-License-Identifier: MIT */
/* The verbs of a closed queue. A token of the getters is an item, one of the putters a free
 * place. */
#include "queue.h"

/* How long a put or get may wait. */
struct limit {
    bool block;
    thrum_deadline deadline;
};

static const char *const timeout_error = "'timeout' must be a non-negative number";

static PyObject *fail(PyObject *exception) {
    PyErr_SetNone(exception);
    return NULL;
}

static int limit_of(PyObject *block, PyObject *timeout, bool checked, struct limit *limit) {
    int blocks = block == NULL ? 1 : PyObject_IsTrue(block);
    limit->block = blocks > 0;
    limit->deadline = THRUM_NEVER;
    if (blocks <= 0 || timeout == NULL || timeout == Py_None || !checked)
        return blocks < 0 ? -1 : 0;
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1 && PyErr_Occurred())
        return -1;
    if (seconds < 0) {
        PyErr_SetString(PyExc_ValueError, timeout_error);
        return -1;
    }
    return deadline_of(timeout, &limit->deadline);
}

/* Waits for a token. Whether to look again: 0 has the exception set. */
static bool wait_for(waitlist *list, const Py_ssize_t *tokens, const struct limit *limit,
                     queue *self, PyObject *none_left) {
    if (!limit->block) {
        fail(none_left);
        return false;
    }
    outcome result = wait_for_token(list, tokens, limit->deadline, true);
    if (result == TIMED_OUT && !self->open && !self->shut)
        fail(none_left);
    return result != FAILED && !PyErr_Occurred();
}

static PyObject *stored(queue *self, PyObject *item, toolbox *state) {
    int rc = store(self, item, state);
    if (rc == 0) {
        self->unfinished++;
        self->finished = 0;
    }
    if (self->getters.first != NULL)
        wake_for(&self->getters, self->items);
    if (rc < 0)
        wake_for(&self->putters, self->room);
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *put_until(queue *self, PyObject *item, const struct limit *limit) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    if (state == NULL)
        return NULL;
    for (;;) {
        if (self->open)
            return call_open(self, "put", item, limit->block, limit->deadline);
        if (self->shut)
            return fail(state->shut_down);
        if (self->room <= 0) {
            if (!wait_for(&self->putters, &self->room, limit, self, state->full))
                return NULL;
            continue;
        }
        if (self->order != PRIORITY)
            return stored(self, item, state);
        if (heap_enter(self) < 0) {
            wake_for(&self->putters, self->room);
            return NULL;
        }
        PyObject *done = NULL;
        bool again = self->open || self->shut || self->room <= 0;
        if (!again)
            done = stored(self, item, state);
        heap_leave(self);
        if (!again)
            return done;
    }
}

static PyObject *put_guarded(queue *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames) {
    static const signature how = {"Queue.put", 1, 3, 3, {"item", "block", "timeout"}};
    PyObject *given[3] = {NULL, NULL, NULL};
    struct limit limit = {true, THRUM_NEVER};
    if (nargs == 1 && kwnames == NULL) {
        if (!self->open && !self->shut && self->room > 0 && self->order != PRIORITY)
            return stored(self, args[0], NULL);
        return put_until(self, args[0], &limit);
    }
    if (parse_args(&how, args, nargs, kwnames, given) < 0 ||
        limit_of(given[1], given[2], self->maxsize > 0, &limit) < 0)
        return NULL;
    return put_until(self, given[0], &limit);
}

static bool plain(queue *self) { return is_plain((PyObject *)self, queue_dealloc, &self->dict); }

/* self.put(item, block=False), or self.get(block=False) without an item. */
static PyObject *call_without_block(queue *self, const char *method, PyObject *item) {
    PyObject *name = PyUnicode_FromString(method), *names = Py_BuildValue("(s)", "block");
    PyObject *args[] = {(PyObject *)self, item != NULL ? item : Py_False, Py_False}, *done = NULL;
    if (name != NULL && names != NULL)
        done = PyObject_VectorcallMethod(name, args, item != NULL ? 2 : 1, names);
    Py_XDECREF(names);
    Py_XDECREF(name);
    return done;
}

static PyObject *put_nowait_guarded(queue *self, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames) {
    static const signature how = {"Queue.put_nowait", 1, 1, 1, {"item"}};
    static const struct limit limit = {false, {0}};
    PyObject *item = NULL;
    if (parse_args(&how, args, nargs, kwnames, &item) < 0)
        return NULL;
    return plain(self) ? put_until(self, item, &limit) : call_without_block(self, "put", item);
}

static PyObject *taken(queue *self, toolbox *state) {
    PyObject *item = take(self, state);
    if (self->putters.first != NULL)
        wake_for(&self->putters, self->room);
    if (item == NULL)
        wake_for(&self->getters, self->items);
    return item;
}

static PyObject *get_until(queue *self, const struct limit *limit) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    if (state == NULL)
        return NULL;
    for (;;) {
        if (self->open)
            return call_open(self, "get", NULL, limit->block, limit->deadline);
        if (self->items <= 0) {
            if (self->shut)
                return fail(state->shut_down);
            if (!wait_for(&self->getters, &self->items, limit, self, state->empty))
                return NULL;
            continue;
        }
        if (self->order != PRIORITY)
            return taken(self, state);
        if (heap_enter(self) < 0) {
            wake_for(&self->getters, self->items);
            return NULL;
        }
        PyObject *item = NULL;
        bool again = self->open || self->items <= 0;
        if (!again)
            item = taken(self, state);
        heap_leave(self);
        if (!again)
            return item;
    }
}

static PyObject *get_guarded(queue *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames) {
    static const signature how = {"Queue.get", 0, 2, 2, {"block", "timeout"}};
    PyObject *given[2] = {NULL, NULL};
    struct limit limit = {true, THRUM_NEVER};
    if (nargs == 0 && kwnames == NULL) {
        if (!self->open && self->items > 0 && self->order != PRIORITY)
            return taken(self, NULL);
        return get_until(self, &limit);
    }
    if (parse_args(&how, args, nargs, kwnames, given) < 0 ||
        limit_of(given[0], given[1], true, &limit) < 0)
        return NULL;
    return get_until(self, &limit);
}

static PyObject *get_nowait_guarded(queue *self) {
    static const struct limit limit = {false, {0}};
    return plain(self) ? get_until(self, &limit) : call_without_block(self, "get", NULL);
}

static PyObject *task_done_guarded(queue *self) {
    if (self->open)
        return call_open(self, "task_done", NULL, true, THRUM_NEVER);
    if (self->unfinished <= 0) {
        PyErr_SetString(PyExc_ValueError, "task_done() called too many times");
        return NULL;
    }
    if (--self->unfinished == 0) {
        self->finished = 1;
        wake_for(&self->joiners, PY_SSIZE_T_MAX);
    }
    Py_RETURN_NONE;
}

static PyObject *join_guarded(queue *self) {
    while (!self->open && !self->finished) {
        if (wait_for_token(&self->joiners, &self->finished, THRUM_NEVER, true) == FAILED)
            return NULL;
    }
    return self->open ? call_open(self, "join", NULL, true, THRUM_NEVER) : Py_NewRef(Py_None);
}

/* Takes all items of a closed queue, which are then done. NULL: an exception. */
static PyObject *drain(queue *self, toolbox *state) {
    PyObject *items = PyList_New(0);
    while (items != NULL && self->items > 0) {
        PyObject *item = take(self, state);
        if (item == NULL || PyList_Append(items, item) < 0)
            Py_CLEAR(items);
        Py_XDECREF(item);
        if (self->unfinished > 0)
            self->unfinished--;
    }
    if (self->unfinished == 0) {
        self->finished = 1;
        wake_for(&self->joiners, PY_SSIZE_T_MAX);
    }
    return items;
}

static PyObject *shut_down_guarded(queue *self, PyObject *const *args, Py_ssize_t nargs,
                                  PyObject *kwnames) {
    static const signature how = {"Queue.shutdown", 0, 1, 1, {"immediate"}};
    PyObject *given = NULL, *items = NULL;
    toolbox *state = toolbox_of(Py_TYPE(self));
    if (state == NULL || parse_args(&how, args, nargs, kwnames, &given) < 0)
        return NULL;
    int immediate = given == NULL ? 0 : PyObject_IsTrue(given);
    bool entered = self->order == PRIORITY && !self->open;
    if (immediate < 0 || (entered && heap_enter(self) < 0))
        return NULL;
    if (!self->open) {
        self->shut = true;
        items = immediate ? drain(self, state) : Py_NewRef(Py_None);
        end_waits(&self->getters);
        end_waits(&self->putters);
    }
    if (entered)
        heap_leave(self);
    if (items == NULL)
        return PyErr_Occurred() ? NULL : call_open(self, "shutdown", NULL, immediate, THRUM_NEVER);
    Py_DECREF(items);
    Py_RETURN_NONE;
}

static PyObject *qsize_guarded(queue *self) {
    if (self->open)
        return call_open(self, "qsize", NULL, true, THRUM_NEVER);
    return PyLong_FromSsize_t(self->items);
}

static PyObject *empty_guarded(queue *self) {
    if (self->open)
        return call_open(self, "empty", NULL, true, THRUM_NEVER);
    return PyBool_FromLong(self->items == 0);
}

static PyObject *full_guarded(queue *self) {
    if (self->open)
        return call_open(self, "full", NULL, true, THRUM_NEVER);
    return PyBool_FromLong(self->maxsize > 0 && self->room <= 0);
}

GUARDED_ARGS(put, queue)
GUARDED_ARGS(put_nowait, queue)
GUARDED_ARGS(get, queue)
GUARDED(get_nowait, queue)
GUARDED(task_done, queue)
GUARDED(join, queue)
GUARDED_ARGS(shut_down, queue)
GUARDED(qsize, queue)
GUARDED(empty, queue)
GUARDED(full, queue)

PyMethodDef thrum_py_queue_methods[] = {
    {"put",
     METHOD(put, KEYWORDS,
            "put($self, /, item, block=True, timeout=None)\n--\n\nPut an item into the queue.\n\n"
            "A full queue is waited for, as long as block and timeout say; then Full is raised.")},
    {"put_nowait", METHOD(put_nowait, KEYWORDS,
                          "put_nowait($self, /, item)\n--\n\nThe same as put(item, block=False).")},
    {"get",
     METHOD(
         get, KEYWORDS,
         "get($self, /, block=True, timeout=None)\n--\n\nTake the next item out of the queue.\n\n"
         "An empty queue is waited for, as long as block and timeout say; then Empty is raised.")},
    {"get_nowait",
     METHOD(get_nowait, METH_NOARGS, "get_nowait($self, /)\n--\n\nThe same as get(block=False).")},
    {"task_done", METHOD(task_done, METH_NOARGS,
                         "task_done($self, /)\n--\n\nSay that an item is done; for join().")},
    {"join", METHOD(join, METH_NOARGS,
                    "join($self, /)\n--\n\nBlock until every item that was put is done.")},
    {"shutdown",
     METHOD(shut_down, KEYWORDS,
            "shutdown($self, /, immediate=False)\n--\n\nLet put() raise ShutDown, and get() too "
            "once the queue is empty.\n\nimmediate empties it, and counts the items as done.")},
    {"qsize",
     METHOD(qsize, METH_NOARGS, "qsize($self, /)\n--\n\nReturn how many items there are.")},
    {"empty", METHOD(empty, METH_NOARGS, "empty($self, /)\n--\n\nReturn whether there are none.")},
    {"full", METHOD(full, METH_NOARGS, "full($self, /)\n--\n\nReturn whether there are maxsize.")},
    {"_init", METHOD(hook_init, METH_O, "A hook: make the storage.")},
    {"_qsize", METHOD(hook_qsize, METH_NOARGS, "A hook: how many items are stored.")},
    {"_put", METHOD(hook_put, METH_O, "A hook: store an item.")},
    {"_get", METHOD(hook_get, METH_NOARGS, "A hook: take an item.")},
    {"__class_getitem__", METHOD(Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585.")},
    {NULL, NULL, 0, NULL},
};
