/* SPDX-License-Identifier: MIT */
#include "condition.h"

static void condition_dealloc(PyObject *self);

static bool plain(PyObject *object) {
    return is_plain(object, condition_dealloc, &((condition *)object)->dict);
}

static PyObject *acquire(PyObject *object, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames) {
    condition *self = (condition *)object;
    if (self->lock == NULL)
        return own_acquire(object, args, nargs, kwnames);
    return PyObject_Vectorcall(self->acquire, args, (size_t)nargs, kwnames);
}

static PyObject *release(PyObject *object, PyObject *unused) {
    condition *self = (condition *)object;
    return self->lock == NULL ? own_release(object, unused) : PyObject_CallNoArgs(self->release);
}

static PyObject *enter(PyObject *object, PyObject *unused) {
    condition *self = (condition *)object;
    if (self->lock == NULL)
        return own_enter(object, unused);
    toolbox *state = toolbox_of(Py_TYPE(object));
    return state == NULL ? NULL : PyObject_CallMethodNoArgs(self->lock, state->str_enter);
}

static PyObject *leave_block(PyObject *object, PyObject *const *args, Py_ssize_t nargs) {
    condition *self = (condition *)object;
    if (self->lock == NULL)
        return own_release(object, NULL);
    toolbox *state = toolbox_of(Py_TYPE(object));
    PyObject *call[4] = {self->lock, NULL, NULL, NULL};
    if (state == NULL || nargs > 3)
        return NULL;
    for (Py_ssize_t i = 0; i < nargs; i++)
        call[i + 1] = args[i];
    return PyObject_VectorcallMethod(state->str_exit, call, (size_t)nargs + 1, NULL);
}

static PyObject *is_owned(PyObject *object, PyObject *unused) {
    int owned = condition_owned((condition *)object);
    (void)unused;
    return owned < 0 ? NULL : PyBool_FromLong(owned);
}

static PyObject *release_save(PyObject *object, PyObject *unused) {
    condition *self = (condition *)object;
    if (self->lock == NULL)
        return own_release_save(object, unused);
    return PyObject_CallNoArgs(self->release_save != NULL ? self->release_save : self->release);
}

static PyObject *acquire_restore(PyObject *object, PyObject *saved) {
    condition *self = (condition *)object;
    if (self->lock == NULL)
        return own_acquire_restore(object, saved);
    if (self->acquire_restore != NULL)
        return PyObject_CallOneArg(self->acquire_restore, saved);
    return PyObject_CallNoArgs(self->acquire);
}

static PyObject *locked(PyObject *object, PyObject *unused) {
    condition *self = (condition *)object;
    if (self->lock == NULL)
        return own_locked(object, unused);
    toolbox *state = toolbox_of(Py_TYPE(object));
    PyObject *method = state == NULL ? NULL : optional_attribute(self->lock, state->str_locked);
    if (method != NULL) {
        PyObject *result = PyObject_CallNoArgs(method);
        Py_DECREF(method);
        return result;
    }
    if (PyErr_Occurred())
        return NULL;
    int held = condition_owned(self);
    if (held == 0 && self->is_owned != NULL) {
        PyObject *taken = PyObject_CallOneArg(self->acquire, Py_False);
        held = taken == NULL ? -1 : !PyObject_IsTrue(taken);
        PyObject *done = held == 0 ? PyObject_CallNoArgs(self->release) : NULL;
        held = held == 0 && done == NULL ? -1 : held;
        Py_XDECREF(done);
        Py_XDECREF(taken);
    }
    return held < 0 ? NULL : PyBool_FromLong(held);
}

static PyObject *at_fork_reinit(PyObject *object, PyObject *unused) {
    condition *self = (condition *)object;
    waitlist_clear(&self->waiters);
    if (self->lock == NULL)
        return own_at_fork_reinit(object, unused);
    toolbox *state = toolbox_of(Py_TYPE(object));
    return state == NULL ? NULL : PyObject_CallMethodNoArgs(self->lock, state->str_at_fork_reinit);
}

static PyObject *wait(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const signature how = {"Condition.wait", 0, 1, 1, {"timeout"}};
    PyObject *timeout = Py_None;
    thrum_deadline deadline;
    if (parse_args(&how, args, nargs, kwnames, &timeout) < 0 ||
        deadline_if_positive(timeout, &deadline) < 0)
        return NULL;
    int result = condition_wait((condition *)self, deadline);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

/* One wait of wait_for(), which has begun with `timeout`; 0, or -1 with an exception. */
static int wait_once(PyObject *self, PyObject *timeout, thrum_deadline deadline, bool first) {
    if (plain(self))
        return condition_wait((condition *)self, deadline) < 0 ? -1 : 0;
    PyObject *left = first ? Py_XNewRef(timeout) : seconds_until(deadline), *done = NULL;
    if (left != NULL || !PyErr_Occurred())
        done = PyObject_CallMethod(self, "wait", "(O)", left == NULL ? Py_None : left);
    Py_XDECREF(left);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *wait_for(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames) {
    static const signature how = {"Condition.wait_for", 1, 2, 2, {"predicate", "timeout"}};
    PyObject *given[2] = {NULL, NULL};
    thrum_deadline deadline = THRUM_NEVER;
    if (parse_args(&how, args, nargs, kwnames, given) < 0)
        return NULL;
    PyObject *result = PyObject_CallNoArgs(given[0]);
    for (bool first = true; result != NULL; first = false) {
        int truth = PyObject_IsTrue(result);
        if (truth > 0 || (truth == 0 && !first && deadline.ns <= thrum_now().ns))
            return result;
        Py_DECREF(result);
        if (truth < 0 || (first && deadline_of(given[1], &deadline) < 0) ||
            wait_once(self, given[1], deadline, first) < 0)
            return NULL;
        result = PyObject_CallNoArgs(given[0]);
    }
    return NULL;
}

static void notify_guarded(condition *self, Py_ssize_t n) {
    for (; n > 0 && waitlist_length(&self->waiters) > 0; n--) {
        if (self->lock != NULL) {
            wake_first(&self->waiters);
        } else {
            struct waiter *first = dequeue_first(&self->waiters);
            first->moved = true;
            enqueue(&self->acquirers, first, false);
        }
    }
}

static PyObject *notify_n(PyObject *object, Py_ssize_t n) {
    condition *self = (condition *)object;
    int owned = condition_owned(self);
    if (owned <= 0) {
        if (owned == 0)
            PyErr_SetString(PyExc_RuntimeError, "cannot notify on un-acquired lock");
        return NULL;
    }
    Py_BEGIN_CRITICAL_SECTION(object);
    if (self->waiters.first != NULL)
        notify_guarded(self, n);
    Py_END_CRITICAL_SECTION();
    Py_RETURN_NONE;
}

static PyObject *notify(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames) {
    static const signature how = {"Condition.notify", 0, 1, 1, {"n"}};
    PyObject *given = NULL;
    Py_ssize_t n = 1;
    if (parse_args(&how, args, nargs, kwnames, &given) < 0)
        return NULL;
    if (given != NULL) {
        n = PyNumber_AsSsize_t(given, NULL);
        if (n == -1 && PyErr_Occurred())
            return NULL;
    }
    return notify_n(self, n);
}

static Py_ssize_t number_of_waiters(PyObject *object) {
    Py_ssize_t n;
    Py_BEGIN_CRITICAL_SECTION(object);
    n = waitlist_length(&((condition *)object)->waiters);
    Py_END_CRITICAL_SECTION();
    return n;
}

static PyObject *notify_all(PyObject *self, PyObject *unused) {
    (void)unused;
    if (plain(self))
        return notify_n(self, PY_SSIZE_T_MAX);
    PyObject *done = PyObject_CallMethod(self, "notify", "n", number_of_waiters(self));
    Py_XDECREF(done);
    return done == NULL ? NULL : Py_NewRef(Py_None);
}

static PyObject *notify_all_old(PyObject *self, PyObject *unused) {
    if (PyErr_WarnEx(PyExc_DeprecationWarning,
                     "notifyAll() is deprecated, use notify_all() instead", 1) < 0)
        return NULL;
    (void)unused;
    return PyObject_CallMethod(self, "notify_all", NULL);
}

static PyObject *get_lock(PyObject *object, void *unused) {
    condition *self = (condition *)object;
    (void)unused;
    return self->lock != NULL ? Py_NewRef(self->lock) : own_view(object, NULL);
}

static PyObject *get_waiters(PyObject *object, void *unused) {
    Py_ssize_t n = number_of_waiters(object);
    (void)unused;
    PyObject *waiters = PyTuple_New(n);
    for (Py_ssize_t i = 0; waiters != NULL && i < n; i++)
        PyTuple_SET_ITEM(waiters, i, Py_NewRef(Py_None));
    return waiters;
}

static PyObject *condition_repr(PyObject *object) {
    condition *self = (condition *)object;
    PyObject *lock = self->lock != NULL ? PyObject_Str(self->lock) : own_repr(self, self);
    if (lock == NULL)
        return NULL;
    PyObject *text =
        PyUnicode_FromFormat("<Condition(%U, %zd)>", lock, number_of_waiters(object));
    Py_DECREF(lock);
    return text;
}

static int forget_lock(condition *self) {
    Py_CLEAR(self->lock);
    Py_CLEAR(self->acquire);
    Py_CLEAR(self->release);
    Py_CLEAR(self->release_save);
    Py_CLEAR(self->acquire_restore);
    Py_CLEAR(self->is_owned);
    return 0;
}

/* The methods of a lock that programs may have written. */
static int use_lock(condition *self, PyObject *lock, toolbox *state) {
    forget_lock(self);
    if ((self->acquire = PyObject_GetAttr(lock, state->str_acquire)) == NULL ||
        (self->release = PyObject_GetAttr(lock, state->str_release)) == NULL)
        return -1;
    if (!Py_IS_TYPE(lock, state->thread_lock)) {
        self->release_save = optional_attribute(lock, state->str_release_save);
        if (self->release_save == NULL && PyErr_Occurred())
            return -1;
        self->acquire_restore = optional_attribute(lock, state->str_acquire_restore);
        if (self->acquire_restore == NULL && PyErr_Occurred())
            return -1;
        self->is_owned = optional_attribute(lock, state->str_is_owned);
        if (self->is_owned == NULL && PyErr_Occurred())
            return -1;
    }
    self->lock = Py_NewRef(lock);
    return 0;
}

static int condition_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static const signature how = {"Condition.__init__", 0, 1, 1, {"lock"}};
    PyObject *lock = NULL;
    if (parse_init(&how, args, kwargs, &lock) < 0)
        return -1;
    if (lock == NULL || lock == Py_None)
        return 0;
    toolbox *state = toolbox_of(Py_TYPE(object));
    return state == NULL ? -1 : use_lock((condition *)object, lock, state);
}

static PyObject *condition_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *self = make(type, toolbox_of(type), CONDITION);
    (void)args;
    (void)kwargs;
    if (self != NULL)
        ((condition *)self)->free = 1;
    return self;
}

PyObject *condition_around_lock(toolbox *state) {
    PyObject *lock = PyObject_CallMethod(state->thread_module, "allocate_lock", NULL);
    if (lock == NULL)
        return NULL;
    PyObject *self = PyObject_CallOneArg((PyObject *)state->types[CONDITION], lock);
    Py_DECREF(lock);
    return self;
}

static int condition_traverse(PyObject *object, visitproc visit, void *arg) {
    condition *self = (condition *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->view);
    Py_VISIT(self->lock);
    Py_VISIT(self->acquire);
    Py_VISIT(self->release);
    Py_VISIT(self->release_save);
    Py_VISIT(self->acquire_restore);
    Py_VISIT(self->is_owned);
    Py_VISIT(self->dict);
    return 0;
}

static int condition_clear(PyObject *self) {
    Py_CLEAR(((condition *)self)->view);
    Py_CLEAR(((condition *)self)->dict);
    return forget_lock((condition *)self);
}

static void condition_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (HAS_WEAKREFS(((condition *)self)->weakrefs))
        PyObject_ClearWeakRefs(self);
    condition_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"acquire", METHOD(acquire, KEYWORDS,
                       "acquire($self, /, blocking=True, timeout=-1)\n--\n\nAcquire the lock.")},
    {"release", METHOD(release, METH_NOARGS, "release($self, /)\n--\n\nRelease the lock.")},
    {"locked",
     METHOD(locked, METH_NOARGS, "locked($self, /)\n--\n\nReturn whether anybody holds the lock.")},
    {"__enter__", METHOD(enter, METH_NOARGS, "__enter__($self, /)\n--\n\nAcquire the lock.")},
    {"__exit__", METHOD(leave_block, METH_FASTCALL, "Release the lock.")},
    {"wait",
     METHOD(
         wait, KEYWORDS,
         "wait($self, /, timeout=None)\n--\n\nRelease the lock, block until notified or until the "
         "timeout has passed,\nand acquire the lock again.\n\nReturns False after a timeout, "
         "else True. RuntimeError if the lock is not held.")},
    {"wait_for",
     METHOD(wait_for, KEYWORDS,
            "wait_for($self, /, predicate, timeout=None)\n--\n\nWait until predicate() is "
            "true or the timeout has passed.\n\nReturns its last value.")},
    {"notify",
     METHOD(notify, KEYWORDS,
            "notify($self, /, n=1)\n--\n\nWake the n threads that have waited longest, if "
            "any.\n\nRuntimeError if the lock is not held.")},
    {"notify_all",
     METHOD(notify_all, METH_NOARGS, "notify_all($self, /)\n--\n\nWake every thread that waits.")},
    {"notifyAll", METHOD(notify_all_old, METH_NOARGS,
                         "notifyAll($self, /)\n--\n\nThe old name of notify_all().")},
    {"_is_owned", METHOD(is_owned, METH_NOARGS, "Whether the caller holds the lock.")},
    {"_release_save", METHOD(release_save, METH_NOARGS, "Release the lock, however deep.")},
    {"_acquire_restore", METHOD(acquire_restore, METH_O, "Undo _release_save().")},
    {"_at_fork_reinit", METHOD(at_fork_reinit, METH_NOARGS, "For a forked child.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(condition, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(condition, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_lock", get_lock, NULL, NULL, NULL},
    {"_waiters", get_waiters, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     (char *)"Condition(lock=None)\n--\n\n"
             "Wait under a lock until another thread says that the state has changed.\n\n"
             "lock is a Lock, an RLock or an object with their methods; by default a new RLock."},
    {Py_tp_new, condition_new},
    {Py_tp_init, condition_init},
    {Py_tp_dealloc, condition_dealloc},
    {Py_tp_traverse, condition_traverse},
    {Py_tp_clear, condition_clear},
    {Py_tp_repr, condition_repr},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "threading.Condition",
    .basicsize = sizeof(condition),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

int add_condition(PyObject *module, toolbox *state) {
    state->types[CONDITION] = add_type(module, &spec, NULL, false);
    return state->types[CONDITION] == NULL ? -1 : add_condition_lock(module, state);
}
