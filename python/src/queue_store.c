/* SPDX-License-Identifier: MIT */
/* Where a closed queue keeps its items: a ring for FIFO and LIFO, a heap for PRIORITY. */
#include "queue.h"

enum { FIRST_PLACES = 8, KEPT_PLACES = 4096 };

void recount(queue *self) {
    if (self->order == PRIORITY)
        self->items = self->heap == NULL ? 0 : PyList_GET_SIZE(self->heap);
    self->room = self->maxsize > 0 ? self->maxsize - self->items : NO_LIMIT - self->items;
}

static int grow(queue *self) {
    size_t places = self->ring == NULL ? 0 : self->mask + 1;
    size_t more = places == 0 ? FIRST_PLACES : 2 * places;
    PyObject **ring = PyMem_New(PyObject *, more);
    if (ring == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < places; i++)
        ring[i] = self->ring[(self->head + i) & self->mask];
    PyMem_Free(self->ring);
    self->ring = ring;
    self->head = 0;
    self->mask = more - 1;
    return 0;
}

int store(queue *self, PyObject *item, toolbox *state) {
    if (self->order == PRIORITY) {
        PyObject *args[] = {self->heap, item};
        if (self->heap == NULL && (self->heap = args[0] = PyList_New(0)) == NULL)
            return -1;
        PyObject *done = PyObject_Vectorcall(state->heappush, args, 2, NULL);
        Py_XDECREF(done);
        recount(self);
        return done == NULL ? -1 : 0;
    }
    if ((self->ring == NULL || (size_t)self->items > self->mask) && grow(self) < 0)
        return -1;
    self->ring[(self->head + (size_t)self->items) & self->mask] = Py_NewRef(item);
    self->items++;
    self->room--;
    return 0;
}

PyObject *take(queue *self, toolbox *state) {
    PyObject *item;
    if (self->order == PRIORITY) {
        item = PyObject_Vectorcall(state->heappop, &self->heap, 1, NULL);
        recount(self);
        return item;
    }
    self->items--;
    self->room++;
    if (self->order == LIFO) {
        item = self->ring[(self->head + (size_t)self->items) & self->mask];
    } else {
        item = self->ring[self->head];
        self->head = (self->head + 1) & self->mask;
    }
    if (self->items == 0 && self->mask >= KEPT_PLACES) {
        PyMem_Free(self->ring);
        self->ring = NULL;
        self->head = self->mask = 0;
    }
    return item;
}

int heap_enter(queue *self) {
    unsigned long me = PyThread_get_thread_ident();
    if (!self->heap_free) {
        if (self->heap_owner == me) {
            PyErr_SetString(PyExc_RuntimeError,
                            "a comparison of two items uses the PriorityQueue that they are in");
            return -1;
        }
        if (wait_for_token(&self->heap_waiters, &self->heap_free, THRUM_NEVER, true) == FAILED)
            return -1;
    }
    self->heap_free = 0;
    self->heap_owner = me;
    return 0;
}

void heap_leave(queue *self) {
    self->heap_free = 1;
    wake_for(&self->heap_waiters, 1);
}
