/* SPDX-License-Identifier: MIT */
/* The recursive lock in a condition, and the object by which a program can look at it. */
#include "condition.h"

bool own_lock_held(const condition *self) {
    return PEEK(self->owner) == PyThread_get_thread_ident() && self->depth > 0;
}

outcome own_lock_acquire(condition *self, thrum_deadline deadline, bool signals) {
    unsigned long me = PyThread_get_thread_ident();
    if (self->depth > 0 && self->owner == me) {
        self->depth++;
        return WOKEN;
    }
    if (!self->free) {
        outcome result = wait_for_token(&self->acquirers, &self->free, deadline, signals);
        if (result != WOKEN)
            return result;
    }
    self->free = 0;
    POKE(self->owner, me);
    self->depth = 1;
    return WOKEN;
}

void own_lock_release_all(condition *self) {
    self->depth = 0;
    POKE(self->owner, 0);
    self->free = 1;
    if (self->acquirers.first != NULL)
        wake_for(&self->acquirers, 1);
}

int own_lock_release(condition *self) {
    if (!own_lock_held(self)) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return -1;
    }
    if (self->depth > 1)
        self->depth--;
    else
        own_lock_release_all(self);
    return 0;
}

void own_lock_reset(condition *self) {
    waitlist_clear(&self->acquirers);
    self->free = 1;
    self->depth = 0;
    POKE(self->owner, 0);
}

/* What acquire(blocking, timeout) means: 1 block until the deadline, 0 try, -1 exception. */
static int blocking_of(PyObject *blocking, PyObject *timeout, thrum_deadline *deadline) {
    int blocks = blocking == NULL ? 1 : PyObject_IsTrue(blocking);
    double seconds = timeout == NULL ? -1 : PyFloat_AsDouble(timeout);
    if (blocks < 0 || (seconds == -1 && PyErr_Occurred()))
        return -1;
    *deadline = THRUM_NEVER;
    if (seconds == -1)
        return blocks;
    if (!blocks)
        PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
    else if (seconds < 0)
        PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
    else if (deadline_of(timeout, deadline) == 0)
        return 1;
    return -1;
}

static PyObject *acquire_guarded(condition *self, PyObject *const *args, Py_ssize_t nargs,
                                 PyObject *kwnames) {
    static const signature how = {"Condition.acquire", 0, 2, 2, {"blocking", "timeout"}};
    PyObject *given[2] = {NULL, NULL};
    thrum_deadline deadline = THRUM_NEVER;
    if (parse_args(&how, args, nargs, kwnames, given) < 0)
        return NULL;
    int blocks = nargs == 0 && kwnames == NULL ? 1 : blocking_of(given[0], given[1], &deadline);
    if (blocks < 0)
        return NULL;
    if (!blocks && !self->free && !own_lock_held(self))
        Py_RETURN_FALSE;
    outcome result = own_lock_acquire(self, deadline, true);
    return result == FAILED ? NULL : Py_NewRef(result == WOKEN ? Py_True : Py_False);
}

static PyObject *enter_guarded(condition *self) {
    return own_lock_acquire(self, THRUM_NEVER, true) == FAILED ? NULL : Py_NewRef(Py_True);
}

static PyObject *release_guarded(condition *self) {
    return own_lock_release(self) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *release_save_guarded(condition *self) {
    Py_ssize_t depth = self->depth;
    unsigned long owner = self->owner;
    if (!own_lock_held(self)) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    PyObject *saved = Py_BuildValue("(nk)", depth, owner);
    if (saved != NULL)
        own_lock_release_all(self);
    return saved;
}

static PyObject *is_owned_guarded(condition *self) {
    return Py_NewRef(own_lock_held(self) ? Py_True : Py_False);
}

static PyObject *locked_guarded(condition *self) {
    return Py_NewRef(self->depth > 0 ? Py_True : Py_False);
}

static PyObject *at_fork_reinit_guarded(condition *self) {
    own_lock_reset(self);
    Py_RETURN_NONE;
}

static PyObject *recursion_count_guarded(condition *self) {
    return PyLong_FromSsize_t(own_lock_held(self) ? self->depth : 0);
}

GUARDED_ARGS(acquire, condition)
GUARDED(enter, condition)
GUARDED(release, condition)
GUARDED(release_save, condition)
GUARDED(is_owned, condition)
GUARDED(locked, condition)
GUARDED(at_fork_reinit, condition)
GUARDED(recursion_count, condition)

static outcome restore_guarded(condition *self, Py_ssize_t depth, unsigned long owner) {
    outcome result = WOKEN;
    if (!self->free)
        result = wait_for_token(&self->acquirers, &self->free, THRUM_NEVER, false);
    if (result == WOKEN) {
        self->free = 0;
        self->depth = depth;
        POKE(self->owner, owner);
    }
    return result;
}

PyObject *own_acquire_restore(PyObject *self, PyObject *saved) {
    Py_ssize_t depth;
    unsigned long owner;
    outcome result;
    if (!PyArg_Parse(saved, "(nk);_acquire_restore() needs what _release_save() returned", &depth,
                     &owner))
        return NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    result = restore_guarded((condition *)self, depth, owner);
    Py_END_CRITICAL_SECTION();
    return result == FAILED ? NULL : Py_NewRef(Py_None);
}

PyObject *own_acquire(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    return acquire(self, args, nargs, kwnames);
}

PyObject *own_enter(PyObject *self, PyObject *unused) { return enter(self, unused); }
PyObject *own_release(PyObject *self, PyObject *unused) { return release(self, unused); }
PyObject *own_release_save(PyObject *self, PyObject *unused) { return release_save(self, unused); }
PyObject *own_is_owned(PyObject *self, PyObject *unused) { return is_owned(self, unused); }
PyObject *own_locked(PyObject *self, PyObject *unused) { return locked(self, unused); }

PyObject *own_at_fork_reinit(PyObject *self, PyObject *unused) {
    return at_fork_reinit(self, unused);
}

PyObject *own_repr(condition *self, void *address) {
    Py_ssize_t depth;
    unsigned long owner;
    Py_BEGIN_CRITICAL_SECTION(self);
    depth = self->depth;
    owner = self->owner;
    Py_END_CRITICAL_SECTION();
    return PyUnicode_FromFormat("<%s _thread.RLock object owner=%lu count=%zd at %p>",
                                depth > 0 ? "locked" : "unlocked", owner, depth, address);
}

typedef struct view {
    PyObject_HEAD
    PyObject *condition;
    PyObject *weakrefs;
} view;

#define OF(self) (((view *)(self))->condition)

static PyObject *view_acquire(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames) {
    return acquire(OF(self), args, nargs, kwnames);
}

static PyObject *view_exit(PyObject *self, PyObject *args) {
    (void)args;
    return release(OF(self), NULL);
}

static PyObject *view_acquire_restore(PyObject *self, PyObject *saved) {
    return own_acquire_restore(OF(self), saved);
}

#define VIEW(name)                                                                                 \
    static PyObject *view_##name(PyObject *self, PyObject *unused) {                               \
        return name(OF(self), unused);                                                             \
    }
VIEW(release)
VIEW(release_save)
VIEW(is_owned)
VIEW(locked)
VIEW(at_fork_reinit)
VIEW(recursion_count)

static PyObject *view_repr(PyObject *self) { return own_repr((condition *)OF(self), self); }

static PyMethodDef view_methods[] = {
    {"acquire", METHOD(view_acquire, KEYWORDS,
                       "acquire($self, /, blocking=True, timeout=-1)\n--\n\n"
                       "Take the lock, once more if it is one's own.")},
    {"__enter__", METHOD(view_acquire, KEYWORDS, "Take the lock.")},
    {"__exit__", METHOD(view_exit, METH_VARARGS, "Give the lock back.")},
    {"release", METHOD(view_release, METH_NOARGS, "release($self, /)\n--\n\nGive the lock back.")},
    {"locked",
     METHOD(view_locked, METH_NOARGS, "locked($self, /)\n--\n\nReturn whether it is held.")},
    {"_is_owned", METHOD(view_is_owned, METH_NOARGS, "For Condition.")},
    {"_release_save", METHOD(view_release_save, METH_NOARGS, "For Condition.")},
    {"_acquire_restore", METHOD(view_acquire_restore, METH_O, "For Condition.")},
    {"_recursion_count",
     METHOD(view_recursion_count, METH_NOARGS, "How often the caller holds it.")},
    {"_at_fork_reinit", METHOD(view_at_fork_reinit, METH_NOARGS, "For a forked child.")},
    {NULL, NULL, 0, NULL},
};

static int view_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(OF(self));
    return 0;
}

static void view_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (HAS_WEAKREFS(((view *)self)->weakrefs))
        PyObject_ClearWeakRefs(self);
    Py_CLEAR(OF(self));
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef view_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(view, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot view_slots[] = {
    {Py_tp_doc, (char *)"The recursive lock that a Condition was made with."},
    {Py_tp_dealloc, view_dealloc},
    {Py_tp_traverse, view_traverse},
    {Py_tp_repr, view_repr},
    {Py_tp_methods, view_methods},
    {Py_tp_members, view_members},
    {0, NULL},
};

static PyType_Spec view_spec = {
    .name = "thrum._thrum._ConditionLock",
    .basicsize = sizeof(view),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = view_slots,
};

static PyObject *new_view(condition *self) {
    toolbox *state = toolbox_of(Py_TYPE(self));
    view *made = state == NULL ? NULL : PyObject_GC_New(view, state->condition_lock);
    if (made == NULL)
        return NULL;
    made->condition = Py_NewRef((PyObject *)self);
    made->weakrefs = NULL;
    PyObject_GC_Track(made);
    return (PyObject *)made;
}

static PyObject *own_view_guarded(condition *self) {
    if (self->view == NULL) {
        PyObject *made = new_view(self);
        if (self->view == NULL) /* another may have been made meanwhile */
            self->view = made;
        else
            Py_XDECREF(made);
    }
    return Py_XNewRef(self->view);
}

PyObject *own_view(PyObject *self, PyObject *unused) {
    PyObject *result;
    (void)unused;
    Py_BEGIN_CRITICAL_SECTION(self);
    result = own_view_guarded((condition *)self);
    Py_END_CRITICAL_SECTION();
    return result;
}

int add_condition_lock(PyObject *module, toolbox *state) {
    state->condition_lock = add_type(module, &view_spec, NULL, true);
    return state->condition_lock == NULL ? -1 : 0;
}
