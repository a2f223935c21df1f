/* SPDX-License-Identifier: MIT */
/* Waiting on a condition: with its own lock, where a notified waiter moves on to the lock's queue
 * and wakes when the lock is free, and with any other lock. */
#include "condition.h"

static int wait_own(condition *self, thrum_deadline deadline) {
    Py_ssize_t depth = self->depth;
    unsigned long owner = self->owner;
    struct waiter *waiter = waiter_new();
    if (waiter == NULL)
        return -1;
    enqueue(&self->waiters, waiter, false);
    own_lock_release_all(self);
    outcome result = park(waiter, deadline, true);
    bool notified = waiter->moved;
    if (waiter->woken && waiter->generation == self->acquirers.generation)
        self->acquirers.pending--;
    if (!self->free)
        wait_again(waiter, &self->acquirers, &self->free, THRUM_NEVER, false, true);
    self->free = 0;
    self->depth = depth;
    POKE(self->owner, owner);
    struct waiter *next = result == FAILED && notified ? dequeue_first(&self->waiters) : NULL;
    if (next != NULL) {
        next->moved = true;
        enqueue(&self->acquirers, next, false);
    }
    waiter_free(waiter);
    return result == FAILED ? -1 : notified;
}

/* Calls what takes the lock again, whatever exception there is; that of the call wins. */
static int take_again(condition *self, PyObject *saved) {
    PyObject *type, *value, *traceback, *done;
    PyErr_Fetch(&type, &value, &traceback);
    if (self->acquire_restore != NULL)
        done = PyObject_CallOneArg(self->acquire_restore, saved);
    else
        done = PyObject_CallNoArgs(self->acquire);
    if (done == NULL) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return -1;
    }
    Py_DECREF(done);
    PyErr_Restore(type, value, traceback);
    return 0;
}

static outcome park_other(condition *self, struct waiter *waiter, thrum_deadline deadline) {
    outcome result;
    Py_BEGIN_CRITICAL_SECTION(self);
    result = park(waiter, deadline, true);
    if (result == FAILED && waiter->woken)
        wake_first(&self->waiters);
    Py_END_CRITICAL_SECTION();
    return result;
}

static int wait_other(condition *self, thrum_deadline deadline) {
    struct waiter *waiter = waiter_new();
    if (waiter == NULL)
        return -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    enqueue(&self->waiters, waiter, false);
    Py_END_CRITICAL_SECTION();
    PyObject *saved =
        PyObject_CallNoArgs(self->release_save != NULL ? self->release_save : self->release);
    outcome result = FAILED;
    if (saved != NULL) {
        result = park_other(self, waiter, deadline);
        if (take_again(self, saved) < 0)
            result = FAILED;
        Py_DECREF(saved);
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    leave(waiter);
    Py_END_CRITICAL_SECTION();
    waiter_free(waiter);
    return result == FAILED ? -1 : result == WOKEN;
}

/* Whether the lock is held, for one that cannot say: then it cannot be taken. */
static int seems_owned(condition *self) {
    PyObject *taken = PyObject_CallOneArg(self->acquire, Py_False);
    if (taken == NULL)
        return -1;
    int free = PyObject_IsTrue(taken);
    Py_DECREF(taken);
    if (free <= 0)
        return free < 0 ? -1 : 1;
    PyObject *released = PyObject_CallNoArgs(self->release);
    Py_XDECREF(released);
    return released == NULL ? -1 : 0;
}

int condition_owned(condition *self) {
    if (self->lock == NULL)
        return own_lock_held(self);
    if (self->is_owned == NULL)
        return seems_owned(self);
    PyObject *owned = PyObject_CallNoArgs(self->is_owned);
    int result = owned == NULL ? -1 : PyObject_IsTrue(owned);
    Py_XDECREF(owned);
    return result;
}

int condition_wait(condition *self, thrum_deadline deadline) {
    int result = condition_owned(self);
    if (result <= 0) {
        if (result == 0)
            PyErr_SetString(PyExc_RuntimeError, "cannot wait on un-acquired lock");
        return -1;
    }
    if (self->lock != NULL)
        return wait_other(self, deadline);
    Py_BEGIN_CRITICAL_SECTION(self);
    result = wait_own(self, deadline);
    Py_END_CRITICAL_SECTION();
    return result;
}
