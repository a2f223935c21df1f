/* SPDX-License-Identifier: MIT */
/* Barrier. Whoever completes a round takes all waiters off the list at once, so that the next round
 * can begin before they have run. While the action of a round runs, new arrivals wait at the
 * gate. */
#include "toolbox.h"

typedef struct barrier {
    PyObject_HEAD
    PyObject *action, *timeout; /* read-only */
    Py_ssize_t parties;         /* read-only */
    Py_ssize_t count;           /* who has arrived in this round */
    Py_ssize_t open;            /* 0 while an action runs, else 1 */
    unsigned long round;        /* changes when the round ends, in whichever way */
    bool broken;
    waitlist waiters;
    waitlist gate;
    PyObject *dict;
    PyObject *weakrefs;
} barrier;

enum { BROKEN, PASSED };

static PyObject *broken_error(barrier *self) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    if (state != NULL)
        PyErr_SetNone(state->broken_barrier);
    return NULL;
}

static void end_round(barrier *self, int how) {
    struct waiter *waiter;
    self->count = 0;
    self->round++;
    while ((waiter = dequeue_first(&self->waiters)) != NULL) {
        waiter->outcome = how;
        thrum_event_set(&waiter->event);
    }
}

static PyObject *break_all_guarded(barrier *self) {
    self->broken = true;
    end_round(self, BROKEN);
    Py_RETURN_NONE;
}

static PyObject *reset_guarded(barrier *self) {
    self->broken = false;
    end_round(self, BROKEN);
    Py_RETURN_NONE;
}

GUARDED(break_all, barrier)
GUARDED(reset, barrier)

/* The last one has come: 0, or -1 with the action's exception or BrokenBarrierError. */
static int complete(barrier *self) {
    unsigned long round = self->round;
    PyObject *done;
    if (self->action != NULL && self->action != Py_None) {
        self->open = 0;
        done = PyObject_CallNoArgs(self->action);
        self->open = 1;
        wake_for(&self->gate, PY_SSIZE_T_MAX);
        if (done == NULL) {
            self->broken = true;
            end_round(self, BROKEN);
            return -1;
        }
        Py_DECREF(done);
        if (self->round != round) {
            broken_error(self);
            return -1;
        }
    }
    end_round(self, PASSED);
    return 0;
}

/* One of those who are not the last: 0, or -1 with an exception. */
static int wait_for_others(barrier *self, thrum_deadline deadline) {
    unsigned long round = self->round;
    struct waiter *waiter = waiter_new();
    if (waiter == NULL) {
        self->count--;
        return -1;
    }
    enqueue(&self->waiters, waiter, false);
    outcome result = park(waiter, deadline, true);
    bool broken = waiter->outcome == BROKEN;
    waiter_free(waiter);
    if (result == FAILED) {
        if (self->round == round)
            self->count--;
        return -1;
    }
    if (result == TIMED_OUT) {
        self->broken = true;
        end_round(self, BROKEN);
    }
    if (result == TIMED_OUT || broken) {
        broken_error(self);
        return -1;
    }
    return 0;
}

static PyObject *wait_guarded(barrier *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames) {
    static const signature how = {"Barrier.wait", 0, 1, 1, {"timeout"}};
    PyObject *timeout = NULL;
    thrum_deadline deadline;
    if (parse_args(&how, args, nargs, kwnames, &timeout) < 0 ||
        deadline_of(timeout == NULL || timeout == Py_None ? self->timeout : timeout, &deadline) < 0)
        return NULL;
    if (!self->open && wait_for_token(&self->gate, &self->open, THRUM_NEVER, true) == FAILED)
        return NULL;
    if (self->broken)
        return broken_error(self);
    Py_ssize_t index = self->count++;
    int rc = self->count == self->parties ? complete(self) : wait_for_others(self, deadline);
    return rc < 0 ? NULL : PyLong_FromSsize_t(index);
}

GUARDED_ARGS(wait, barrier)

static int barrier_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const signature how = {"Barrier.__init__", 1, 3, 3, {"parties", "action", "timeout"}};
    PyObject *given[3] = {NULL, NULL, NULL};
    barrier *self = (barrier *)object;
    if (parse_init(&how, args, kwargs, given) < 0)
        return -1;
    Py_ssize_t parties = PyNumber_AsSsize_t(given[0], PyExc_OverflowError);
    if (parties == -1 && PyErr_Occurred())
        return -1;
    if (parties < 1) {
        PyErr_SetString(PyExc_ValueError, "parties must be >= 1");
        return -1;
    }
    self->parties = parties;
    Py_XSETREF(self->action, Py_XNewRef(given[1]));
    Py_XSETREF(self->timeout, Py_XNewRef(given[2]));
    return 0;
}

static PyObject *barrier_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *self = make(type, toolbox_of(type), BARRIER);
    (void)args;
    (void)kwargs;
    if (self != NULL)
        ((barrier *)self)->open = ((barrier *)self)->parties = 1;
    return self;
}

static PyObject *get_n_waiting(PyObject *object, void *unused) {
    barrier *self = (barrier *)object;
    (void)unused;
    return PyLong_FromSsize_t(self->broken ? 0 : self->count);
}

static PyObject *get_broken(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((barrier *)self)->broken);
}

static PyObject *barrier_repr(PyObject *object) {
    barrier *self = (barrier *)object;
    PyObject *text, *head = repr_head(object);
    if (head == NULL)
        return NULL;
    if (self->broken)
        text = PyUnicode_FromFormat("%U: broken>", head);
    else
        text = PyUnicode_FromFormat("%U: waiters=%zd/%zd>", head, self->count, self->parties);
    Py_DECREF(head);
    return text;
}

static int barrier_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((barrier *)self)->action);
    Py_VISIT(((barrier *)self)->timeout);
    Py_VISIT(((barrier *)self)->dict);
    return 0;
}

static int barrier_clear(PyObject *self) {
    Py_CLEAR(((barrier *)self)->action);
    Py_CLEAR(((barrier *)self)->timeout);
    Py_CLEAR(((barrier *)self)->dict);
    return 0;
}

static void barrier_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (HAS_WEAKREFS(((barrier *)self)->weakrefs))
        PyObject_ClearWeakRefs(self);
    barrier_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"wait",
     METHOD(wait, KEYWORDS,
            "wait($self, /, timeout=None)\n--\n\nWait for the other parties.\n\n"
            "Returns a number from 0 to parties - 1, another one to each. After a timeout, an "
            "abort or a reset\nall who wait get BrokenBarrierError.")},
    {"reset", METHOD(reset, METH_NOARGS,
                     "reset($self, /)\n--\n\nMake the barrier as new; who waits gets "
                     "BrokenBarrierError.")},
    {"abort",
     METHOD(break_all, METH_NOARGS,
            "abort($self, /)\n--\n\nBreak the barrier, for those who wait and for later ones.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"parties", T_PYSSIZET, offsetof(barrier, parties), READONLY, "How many have to come."},
    {"_parties", T_PYSSIZET, offsetof(barrier, parties), READONLY, NULL},
    {"_count", T_PYSSIZET, offsetof(barrier, count), READONLY, NULL},
    {"_action", T_OBJECT, offsetof(barrier, action), READONLY, NULL},
    {"_timeout", T_OBJECT, offsetof(barrier, timeout), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(barrier, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(barrier, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"n_waiting", get_n_waiting, NULL, "How many wait.", NULL},
    {"broken", get_broken, NULL, "Whether the barrier is broken.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (char *)"Barrier(parties, action=None, timeout=None)\n--\n\n"
                        "A place where a number of threads wait for each other.\n\n"
                        "One of them calls action, when all have come and before any goes on."},
    {Py_tp_new, barrier_new},
    {Py_tp_init, barrier_init},
    {Py_tp_dealloc, barrier_dealloc},
    {Py_tp_traverse, barrier_traverse},
    {Py_tp_clear, barrier_clear},
    {Py_tp_repr, barrier_repr},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "threading.Barrier",
    .basicsize = sizeof(barrier),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int add_barrier(PyObject *module, toolbox *state) {
    state->types[BARRIER] = add_type(module, &spec, NULL, false);
    return state->types[BARRIER] == NULL ? -1 : 0;
}
