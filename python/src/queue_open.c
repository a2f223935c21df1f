/* SPDX-License-Identifier: MIT */
/* Opening a queue, and what programs see of an open one: its locks, its storage, its hooks. */
#include "queue.h"

/* The items of a closed queue's ring as a list, in order; the ring is empty then. */
static PyObject *ring_list(queue *self) {
    PyObject *list = NULL;
    do { /* making a list may collect garbage, and that may run code which uses the queue */
        Py_XSETREF(list, PyList_New(self->items));
    } while (list != NULL && PyList_GET_SIZE(list) != self->items);
    if (list == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < self->items; i++)
        PyList_SET_ITEM(list, i, self->ring[(self->head + (size_t)i) & self->mask]);
    PyMem_Free(self->ring);
    self->ring = NULL;
    self->head = self->mask = 0;
    self->items = 0;
    return list;
}

/* Moves the items into a deque. What is put meanwhile, which collecting garbage may do, comes
 * along. */
static PyObject *ring_deque(queue *self, toolbox *state) {
    PyObject *deque = PyObject_CallNoArgs(state->deque), *list = NULL, *done = NULL;
    while (deque != NULL && self->items > 0) {
        if ((list = ring_list(self)) != NULL)
            done = PyObject_CallMethod(deque, "extend", "(O)", list);
        if (done == NULL)
            Py_CLEAR(deque);
        Py_CLEAR(done);
        Py_CLEAR(list);
    }
    return deque;
}

static PyObject *storage_of(queue *self, toolbox *state) {
    if (self->order == PRIORITY)
        return self->heap != NULL ? Py_NewRef(self->heap) : PyList_New(0);
    return self->order == LIFO ? ring_list(self) : ring_deque(self, state);
}

static int make_locks(queue *self, toolbox *state) {
    PyObject *condition = (PyObject *)state->types[CONDITION];
    if (self->mutex == NULL)
        self->mutex = PyObject_CallMethod(state->thread_module, "allocate_lock", NULL);
    if (self->mutex != NULL && self->not_empty == NULL)
        self->not_empty = PyObject_CallOneArg(condition, self->mutex);
    if (self->not_empty != NULL && self->not_full == NULL)
        self->not_full = PyObject_CallOneArg(condition, self->mutex);
    if (self->not_full != NULL && self->all_tasks_done == NULL)
        self->all_tasks_done = PyObject_CallOneArg(condition, self->mutex);
    return self->all_tasks_done == NULL ? -1 : 0;
}

/* Steals `storage`. Returns 0, or -1 when it is NULL. */
static int use_storage(queue *self, PyObject *storage) {
    if (storage == NULL)
        return -1;
    self->storage = storage;
    self->open = true;
    end_waits(&self->getters);
    end_waits(&self->putters);
    end_waits(&self->joiners);
    return 0;
}

int open_queue(queue *self, toolbox *state, bool bare) {
    int rc = -1;
    if (self->open)
        return 0;
    if (heap_enter(self) < 0)
        return -1;
    if (self->open) /* another thread has opened it while this one waited */
        rc = 0;
    else if (make_locks(self, state) == 0)
        rc = use_storage(self, bare ? Py_NewRef(Py_None) : storage_of(self, state));
    heap_leave(self);
    return rc;
}

/* Borrowed. */
static PyObject *open_verbs(toolbox *state) {
    /* acquire: pairs with open_verbs() */
    PyObject *module = __atomic_load_n(&state->open_queue, __ATOMIC_ACQUIRE), *none = NULL;
    if (module != NULL || (module = PyImport_ImportModule("thrum._open_queue")) == NULL)
        return module;
    /* release: pairs with open_verbs() */
    if (!__atomic_compare_exchange_n(&state->open_queue, &none, module, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        Py_DECREF(module); /* it is the same one */
    return module;
}

PyObject *call_open(queue *self, const char *verb, PyObject *item, bool block,
                    thrum_deadline deadline) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    PyObject *verbs = state == NULL ? NULL : open_verbs(state);
    if (verbs == NULL)
        return NULL;
    PyObject *timeout = seconds_until(deadline), *result = NULL;
    PyObject *function = PyObject_GetAttrString(verbs, verb);
    if (timeout != NULL && function != NULL)
        result = PyObject_CallFunctionObjArgs(function, (PyObject *)self,
                                              block ? Py_True : Py_False, timeout, item, NULL);
    Py_XDECREF(function);
    Py_XDECREF(timeout);
    return result;
}

int has_hooks(PyTypeObject *type, toolbox *state) {
    static const char *const hooks[] = {"_init", "_qsize", "_put", "_get"};
    int differ = 0;
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks && !differ; i++) {
        PyObject *own = PyObject_GetAttrString((PyObject *)type, hooks[i]);
        PyObject *ours = PyObject_GetAttrString((PyObject *)state->types[QUEUE], hooks[i]);
        differ = own == NULL || ours == NULL ? -1 : own != ours;
        Py_XDECREF(own);
        Py_XDECREF(ours);
    }
    return differ;
}

/* Opens the queue of a hook or an attribute. Its state, or NULL with an exception. */
static toolbox *opened(PyObject *object, bool bare) {
    toolbox *state = toolbox_of(Py_TYPE(object));
    int rc = -1;
    if (state == NULL)
        return NULL;
    Py_BEGIN_CRITICAL_SECTION(object);
    rc = open_queue((queue *)object, state, bare);
    Py_END_CRITICAL_SECTION();
    return rc < 0 ? NULL : state;
}

/* What a field of an open queue holds, as a new reference: others may set it. */
static PyObject *field_of(queue *self, PyObject *const *field) {
    PyObject *value;
    (void)self; /* with a GIL */
    Py_BEGIN_CRITICAL_SECTION(self);
    value = Py_NewRef(*field != NULL ? *field : Py_None);
    Py_END_CRITICAL_SECTION();
    return value;
}

/* Steals `value`. */
static void exchange_field(queue *self, PyObject **field, PyObject *value) {
    PyObject *before;
    (void)self; /* with a GIL */
    Py_BEGIN_CRITICAL_SECTION(self);
    before = *field;
    *field = value;
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(before);
}

PyObject *hook_init(PyObject *object, PyObject *maxsize) {
    queue *self = (queue *)object;
    toolbox *state = opened(object, true);
    (void)maxsize;
    if (state == NULL)
        return NULL;
    PyObject *storage = self->order == FIFO ? PyObject_CallNoArgs(state->deque) : PyList_New(0);
    if (storage == NULL)
        return NULL;
    exchange_field(self, &self->storage, storage);
    Py_RETURN_NONE;
}

PyObject *hook_qsize(PyObject *object, PyObject *unused) {
    (void)unused;
    if (opened(object, false) == NULL)
        return NULL;
    PyObject *storage = field_of((queue *)object, &((queue *)object)->storage);
    Py_ssize_t n = PyObject_Size(storage);
    Py_DECREF(storage);
    return n < 0 ? NULL : PyLong_FromSsize_t(n);
}

PyObject *hook_put(PyObject *object, PyObject *item) {
    queue *self = (queue *)object;
    toolbox *state = opened(object, false);
    if (state == NULL)
        return NULL;
    PyObject *storage = field_of(self, &self->storage);
    PyObject *done = self->order == PRIORITY
                         ? PyObject_CallFunctionObjArgs(state->heappush, storage, item, NULL)
                         : PyObject_CallMethod(storage, "append", "(O)", item);
    Py_DECREF(storage);
    return done;
}

PyObject *hook_get(PyObject *object, PyObject *unused) {
    queue *self = (queue *)object;
    toolbox *state = opened(object, false);
    (void)unused;
    if (state == NULL)
        return NULL;
    PyObject *storage = field_of(self, &self->storage);
    PyObject *item = self->order == PRIORITY
                         ? PyObject_CallOneArg(state->heappop, storage)
                         : PyObject_CallMethod(storage, self->order == FIFO ? "popleft" : "pop",
                                               NULL);
    Py_DECREF(storage);
    return item;
}

#define FIELD(object, offset) ((PyObject **)((char *)(object) + (size_t)(offset)))

static PyObject *get_field(PyObject *self, void *offset) {
    return opened(self, false) == NULL ? NULL : field_of((queue *)self, FIELD(self, offset));
}

static int set_field(PyObject *self, PyObject *value, void *offset) {
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a queue cannot do without this attribute");
        return -1;
    }
    if (opened(self, false) == NULL)
        return -1;
    exchange_field((queue *)self, FIELD(self, offset), Py_NewRef(value));
    return 0;
}

static int number_of(PyObject *value, Py_ssize_t *number) {
    if (value != NULL)
        return count_of(value, number);
    PyErr_SetString(PyExc_AttributeError, "a queue cannot do without this attribute");
    return -1;
}

static PyObject *get_number(PyObject *self, void *offset) {
    Py_ssize_t number;
    Py_BEGIN_CRITICAL_SECTION(self);
    number = *(Py_ssize_t *)((char *)self + (size_t)offset);
    Py_END_CRITICAL_SECTION();
    return PyLong_FromSsize_t(number);
}

static int set_maxsize(PyObject *object, PyObject *value, void *unused) {
    queue *self = (queue *)object;
    Py_ssize_t maxsize;
    (void)unused;
    if (number_of(value, &maxsize) < 0)
        return -1;
    Py_BEGIN_CRITICAL_SECTION(object);
    self->maxsize = maxsize;
    recount(self);
    wake_for(&self->putters, self->room);
    Py_END_CRITICAL_SECTION();
    return 0;
}

static int set_unfinished(PyObject *object, PyObject *value, void *unused) {
    queue *self = (queue *)object;
    Py_ssize_t unfinished;
    (void)unused;
    if (number_of(value, &unfinished) < 0)
        return -1;
    Py_BEGIN_CRITICAL_SECTION(object);
    self->unfinished = unfinished;
    self->finished = unfinished == 0;
    wake_for(&self->joiners, self->finished ? PY_SSIZE_T_MAX : 0);
    Py_END_CRITICAL_SECTION();
    return 0;
}

#define OPEN_FIELD(name, field, doc)                                                               \
    {name, get_field, set_field, doc, (void *)offsetof(queue, field)}

PyGetSetDef thrum_py_queue_properties[] = {
    OPEN_FIELD("queue", storage, "The items. Looking at it opens the queue."),
    OPEN_FIELD("mutex", mutex, "The lock of everything. Looking at it opens the queue."),
    OPEN_FIELD("not_empty", not_empty, "Notified when an item was put."),
    OPEN_FIELD("not_full", not_full, "Notified when an item was taken."),
    OPEN_FIELD("all_tasks_done", all_tasks_done, "Notified when unfinished_tasks becomes 0."),
    {"maxsize", get_number, set_maxsize, "How many items there may be; 0: no limit.",
     (void *)offsetof(queue, maxsize)},
    {"unfinished_tasks", get_number, set_unfinished, "Items put, and not yet done.",
     (void *)offsetof(queue, unfinished)},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
