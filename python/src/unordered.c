/* SPDX-License-Identifier: MIT */
/* What imap_unordered() returns: an iterator over results in the order in which they come. The
 * futures know a sink, not the iterator, so that the iterator can be dropped while they are out. */
#include "stream.h"

/* All is under its guard. */
typedef struct sink {
    PyObject_HEAD
    PyObject *out; /* a set: the futures that are not done, or are about to leave it */
    row done;
    Py_ssize_t missing; /* how many are not done */
    Py_ssize_t ready;   /* how many are done; the token of `takers` */
    bool closed;      /* nobody will take any */
    waitlist takers;
} sink;

typedef struct unordered {
    PyObject_HEAD
    source from;
    sink *sink;
    bool started; /* a result was asked for: from then on, what is left at the end is cancelled */
    bool busy;    /* a thread is in next() */
} unordered;

static PyObject *deliver_guarded(sink *self, PyObject *item) {
    if (self->closed)
        Py_RETURN_NONE;
    if (row_append(&self->done, Py_NewRef(item)) < 0)
        return NULL;
    self->missing--;
    self->ready++;
    if (self->takers.first != NULL)
        wake_for(&self->takers, self->ready);
    return PySet_Discard(self->out, item) < 0 ? NULL : Py_NewRef(Py_None);
}

/* The callback of each future. */
static PyObject *deliver(PyObject *self, PyObject *item) {
    PyObject *result;
    Py_BEGIN_CRITICAL_SECTION(self);
    result = deliver_guarded((sink *)self, item);
    Py_END_CRITICAL_SECTION();
    return result;
}

static PyMethodDef deliver_def = {"deliver", deliver, METH_O, NULL};

/* Submits the next call: 1, or 0 when there is none, or -1 with an exception. */
static int submit_next(unordered *self, executor *to) {
    PyObject *item, *done = NULL;
    int rc = source_submit(&self->from, to, &item);
    if (rc <= 0)
        return rc;
    PyObject *callback = PyCFunction_New(&deliver_def, (PyObject *)self->sink);
    Py_BEGIN_CRITICAL_SECTION(self->sink);
    rc = callback == NULL ? -1 : PySet_Add(self->sink->out, item);
    self->sink->missing += rc == 0;
    Py_END_CRITICAL_SECTION();
    if (rc == 0)
        done = PyObject_CallMethod(item, "add_done_callback", "O", callback);
    Py_XDECREF(callback);
    Py_DECREF(item);
    Py_XDECREF(done);
    return done == NULL ? -1 : 1;
}

/* One was taken: one may be submitted. */
static void refill(unordered *self) {
    executor *to;
    if (source_opens(&self->from, &to))
        source_closes(&self->from, to, submit_next(self, to));
}

static void empty_row(sink *self) {
    PyObject *item;
    self->ready = 0;
    while ((item = row_first(&self->done)) != NULL)
        Py_DECREF(item);
}

/* Cancels and forgets all that is left. Keeps the exception that is set. */
static void end(unordered *self, bool cancel) {
    sink *left = self->sink;
    PyObject *out = NULL, *type, *value, *traceback;
    source_end(&self->from);
    self->sink = NULL;
    if (left == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    Py_BEGIN_CRITICAL_SECTION(left);
    left->closed = true;
    if (cancel)
        out = PySequence_List(left->out);
    PySet_Clear(left->out);
    empty_row(left);
    Py_END_CRITICAL_SECTION();
    for (Py_ssize_t i = 0; out != NULL && i < PyList_GET_SIZE(out); i++)
        source_cancel(&self->from, PyList_GET_ITEM(out, i));
    if (PyErr_Occurred())
        PyErr_WriteUnraisable((PyObject *)left);
    Py_XDECREF(out);
    Py_DECREF((PyObject *)left);
    PyErr_Restore(type, value, traceback);
}

/* The futures that are out, as a list, if somebody wants to know; NULL, with an exception or
 * not. */
static PyObject *outstanding(const unordered *self) {
    bool curious = thrum_py_future_hooks != NULL && thrum_py_future_hooks->is_curious();
    return curious && self->from.plain ? PySequence_List(self->sink->out) : NULL;
}

/* Waits until one is done: 0, or -1 with an exception. */
static int wait_for_one(unordered *self) {
    outcome result = WOKEN;
    PyObject *out = outstanding(self);
    int rc = 0;
    if (PyErr_Occurred())
        return -1;
    if (out != NULL) {
        rc = future_wait_begins((future **)PySequence_Fast_ITEMS(out), PyList_GET_SIZE(out),
                                THRUM_NEVER, false);
    }
    if (rc == 0) {
        Py_BEGIN_CRITICAL_SECTION(self->sink);
        result = wait_for_token(&self->sink->takers, &self->sink->ready, THRUM_NEVER, true);
        Py_END_CRITICAL_SECTION();
        if (out != NULL)
            future_wait_ends();
    }
    Py_XDECREF(out);
    return rc < 0 || result == FAILED ? -1 : 0;
}

/* *waits is whether another one will be done. */
static PyObject *take(sink *self, bool *waits) {
    PyObject *item;
    Py_BEGIN_CRITICAL_SECTION(self);
    *waits = self->missing > 0;
    item = row_first(&self->done);
    self->ready -= item != NULL;
    Py_END_CRITICAL_SECTION();
    return item;
}

/* The next that is done; NULL: an exception, or the end. */
static PyObject *next_done(unordered *self) {
    while (!source_failed(&self->from)) {
        bool waits;
        PyObject *item = take(self->sink, &waits);
        if (item != NULL || !waits || wait_for_one(self) < 0)
            return item;
    }
    return NULL;
}

static PyObject *next_guarded(unordered *self) {
    PyObject *item = NULL, *result = NULL;
    self->started = true;
    if (self->sink == NULL)
        return NULL;
    self->busy = true;
    item = next_done(self);
    if (item != NULL) {
        result = source_result(&self->from, item);
        Py_DECREF(item);
    }
    if (result != NULL)
        refill(self);
    self->busy = false;
    if (result == NULL)
        end(self, true);
    return result;
}

static PyObject *unordered_next(PyObject *object) {
    unordered *self = (unordered *)object;
    PyObject *result = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (!stream_is_busy(self->busy))
        result = next_guarded(self);
    if (result == NULL)
        stream_raised();
    Py_END_CRITICAL_SECTION();
    return result;
}

static PyObject *end_now_guarded(unordered *self) {
    if (stream_is_busy(self->busy))
        return NULL;
    end(self, self->started);
    Py_RETURN_NONE;
}

GUARDED(end_now, unordered)

PyObject *make_unordered(executor *to, PyObject *fn, PyObject *args, Py_ssize_t buffersize) {
    toolbox *state = to->pool->state;
    unordered *self = (unordered *)state->unordered_type->tp_alloc(state->unordered_type, 0);
    if (self == NULL)
        return NULL;
    self->sink = (sink *)state->sink_type->tp_alloc(state->sink_type, 0);
    if (self->sink == NULL || (self->sink->out = PySet_New(NULL)) == NULL) {
        Py_CLEAR(self->sink); /* end() takes one that is whole */
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    source_init(&self->from, to, fn, args, THRUM_NEVER);
    int rc = 1;
    for (Py_ssize_t n = 0; rc > 0 && (buffersize == 0 || n < buffersize); n++)
        rc = submit_next(self, to);
    if (source_begun(&self->from, to, rc) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int sink_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((sink *)object)->out);
    ROW_VISIT(&((sink *)object)->done);
    return 0;
}

static int sink_clear(PyObject *object) {
    ((sink *)object)->closed = true;
    Py_CLEAR(((sink *)object)->out);
    empty_row((sink *)object);
    return 0;
}

static void sink_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    sink_clear(object);
    row_free(&((sink *)object)->done);
    type->tp_free(object);
    Py_DECREF(type);
}

static void unordered_finalize(PyObject *object) {
    end((unordered *)object, ((unordered *)object)->started);
}

static int unordered_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    SOURCE_VISIT(&((unordered *)object)->from);
    Py_VISIT((PyObject *)((unordered *)object)->sink);
    return 0;
}

static int unordered_clear(PyObject *object) {
    end((unordered *)object, false);
    return 0;
}

static void unordered_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    if (PyObject_CallFinalizerFromDealloc(object) < 0)
        return;
    PyObject_GC_UnTrack(object);
    unordered_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot sink_slots[] = {
    {Py_tp_dealloc, sink_dealloc},
    {Py_tp_traverse, sink_traverse},
    {Py_tp_clear, sink_clear},
    {0, NULL},
};

static PyType_Spec sink_spec = {
    .name = "thrum._thrum._Sink",
    .basicsize = sizeof(sink),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = sink_slots,
};

static PyMethodDef methods[] = {
    {"close",
     METHOD(end_now, METH_NOARGS,
            "close($self, /)\n--\n\nEnd the iteration; if it has begun, cancel the calls that have "
            "not.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (char *)"What imap_unordered() returns."},
    {Py_tp_dealloc, unordered_dealloc},
    {Py_tp_finalize, unordered_finalize},
    {Py_tp_traverse, unordered_traverse},
    {Py_tp_clear, unordered_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, unordered_next},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "thrum._thrum._UnorderedResults",
    .basicsize = sizeof(unordered),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int add_unordered(PyObject *module, toolbox *state) {
    state->sink_type = add_type(module, &sink_spec, NULL, true);
    state->unordered_type = add_type(module, &spec, NULL, true);
    return state->sink_type == NULL || state->unordered_type == NULL ? -1 : 0;
}
