/* SPDX-License-Identifier: MIT */
#include "queue.h"

static PyObject *new_queue(PyTypeObject *type, enum order order) {
    static const enum kind kinds[] = {
        [FIFO] = QUEUE, [LIFO] = LIFO_QUEUE, [PRIORITY] = PRIORITY_QUEUE};
    queue *self = (queue *)make(type, toolbox_of(type), kinds[order]);
    if (self != NULL) {
        self->order = order;
        self->room = NO_LIMIT;
        self->finished = 1;
        self->heap_free = 1;
    }
    return (PyObject *)self;
}

static PyObject *queue_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return new_queue(type, FIFO);
}

static PyObject *lifo_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return new_queue(type, LIFO);
}

static PyObject *priority_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)args;
    (void)kwargs;
    return new_queue(type, PRIORITY);
}

/* A subclass that has hooks gets an open queue, whose storage its _init() makes. */
static int init_hooks(queue *self, toolbox *state) {
    int hooks = self->open ? 1 : has_hooks(Py_TYPE(self), state);
    if (hooks <= 0)
        return hooks;
    if (open_queue(self, state, true) < 0)
        return -1;
    PyObject *done = PyObject_CallMethod((PyObject *)self, "_init", "(n)", self->maxsize);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int queue_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const signature how = {"Queue.__init__", 0, 1, 1, {"maxsize"}};
    PyObject *maxsize = NULL;
    queue *self = (queue *)object;
    toolbox *state = toolbox_of(Py_TYPE(object));
    if (state == NULL || parse_init(&how, args, kwargs, &maxsize) < 0)
        return -1;
    self->maxsize = 0;
    if (maxsize != NULL && count_of(maxsize, &self->maxsize) < 0)
        return -1;
    recount(self);
    if (!self->open && (Py_IS_TYPE(object, state->types[QUEUE]) ||
                        Py_IS_TYPE(object, state->types[LIFO_QUEUE]) ||
                        Py_IS_TYPE(object, state->types[PRIORITY_QUEUE])))
        return 0;
    return init_hooks(self, state);
}

static int queue_traverse(PyObject *object, visitproc visit, void *arg) {
    queue *self = (queue *)object;
    Py_VISIT(Py_TYPE(object));
    for (Py_ssize_t i = 0; self->ring != NULL && i < self->items; i++)
        Py_VISIT(self->ring[(self->head + (size_t)i) & self->mask]);
    Py_VISIT(self->heap);
    Py_VISIT(self->storage);
    Py_VISIT(self->mutex);
    Py_VISIT(self->not_empty);
    Py_VISIT(self->not_full);
    Py_VISIT(self->all_tasks_done);
    Py_VISIT(self->dict);
    return 0;
}

static int queue_clear(PyObject *object) {
    queue *self = (queue *)object;
    while (self->ring != NULL && self->items > 0) {
        PyObject *item = take(self, NULL);
        Py_DECREF(item);
    }
    Py_CLEAR(self->heap);
    recount(self);
    Py_CLEAR(self->storage);
    Py_CLEAR(self->mutex);
    Py_CLEAR(self->not_empty);
    Py_CLEAR(self->not_full);
    Py_CLEAR(self->all_tasks_done);
    Py_CLEAR(self->dict);
    return 0;
}

void queue_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (HAS_WEAKREFS(((queue *)self)->weakrefs))
        PyObject_ClearWeakRefs(self);
    queue_clear(self);
    PyMem_Free(((queue *)self)->ring);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"is_shutdown", T_BOOL, offsetof(queue, shut), 0, "Whether shutdown() was called."},
    {"__dictoffset__", T_PYSSIZET, offsetof(queue, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(queue, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot queue_slots[] = {
    {Py_tp_doc, (char *)"Queue(maxsize=0)\n--\n\nItems for other threads; first in, first out.\n\n"
                        "With a maxsize above 0, put() waits while there are so many."},
    {Py_tp_new, queue_new},
    {Py_tp_init, queue_init},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_traverse, queue_traverse},
    {Py_tp_clear, queue_clear},
    {Py_tp_methods, thrum_py_queue_methods},
    {Py_tp_members, members},
    {Py_tp_getset, thrum_py_queue_properties},
    {0, NULL},
};

static PyType_Slot lifo_slots[] = {
    {Py_tp_doc,
     (char *)"LifoQueue(maxsize=0)\n--\n\nA Queue whose last item is the first to be taken."},
    {Py_tp_new, lifo_new},
    {Py_tp_init, queue_init},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_traverse, queue_traverse},
    {Py_tp_clear, queue_clear},
    {0, NULL},
};

static PyType_Slot priority_slots[] = {
    {Py_tp_doc, (char *)"PriorityQueue(maxsize=0)\n--\n\nA Queue whose smallest item is the first "
                        "to be taken."},
    {Py_tp_new, priority_new},
    {Py_tp_init, queue_init},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_traverse, queue_traverse},
    {Py_tp_clear, queue_clear},
    {0, NULL},
};

#define SPEC(type_name, type_slots)                                                                \
    {                                                                                              \
        .name = type_name, .basicsize = sizeof(queue),                                             \
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,                    \
        .slots = type_slots,                                                                       \
    }

static PyType_Spec queue_spec = SPEC("queue.Queue", queue_slots);
static PyType_Spec lifo_spec = SPEC("queue.LifoQueue", lifo_slots);
static PyType_Spec priority_spec = SPEC("queue.PriorityQueue", priority_slots);

int add_queue(PyObject *module, toolbox *state) {
    PyTypeObject *base = add_type(module, &queue_spec, NULL, false);
    state->types[QUEUE] = base;
    if (base == NULL ||
        (state->types[LIFO_QUEUE] = add_type(module, &lifo_spec, base, false)) == NULL)
        return -1;
    state->types[PRIORITY_QUEUE] = add_type(module, &priority_spec, base, false);
    return state->types[PRIORITY_QUEUE] == NULL ? -1 : 0;
}
