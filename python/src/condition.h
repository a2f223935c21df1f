/* SPDX-License-Identifier: MIT */
/* A condition has a recursive lock built in, for when it is made without one. */
#ifndef THRUM_PYTHON_CONDITION_H
#define THRUM_PYTHON_CONDITION_H

#include "toolbox.h"

typedef struct condition {
    PyObject_HEAD
    Py_ssize_t free;     /* own lock: 1 when nobody holds it, else 0 */
    Py_ssize_t depth;    /* own lock: how often the owner has acquired it */
    unsigned long owner; /* own lock: the holder's ident, else 0; peeked at */
    waitlist acquirers;  /* own lock: who waits for it, the notified too */
    waitlist waiters;    /* who waits for a notification */
    PyObject *view;      /* own lock: the object that _lock shows; made when looked at */
    PyObject *lock;      /* the lock it was made with, or NULL; read-only, like the methods */
    PyObject *acquire, *release;
    PyObject *release_save, *acquire_restore, *is_owned; /* NULL: the lock has no such method */
    PyObject *dict;
    PyObject *weakrefs;
} condition;

/* Whether the caller holds the own lock. Needs no guard. */
bool own_lock_held(const condition *self);

/* Each of these is under the guard of `self`, and for its own lock. */
outcome own_lock_acquire(condition *self, thrum_deadline deadline, bool signals);
void own_lock_release_all(condition *self);
int own_lock_release(condition *self);
void own_lock_reset(condition *self);

/* Methods of the own lock, of which `self` is the condition. They take the guard. */
PyObject *own_acquire(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *own_enter(PyObject *self, PyObject *unused);
PyObject *own_release(PyObject *self, PyObject *unused);
PyObject *own_release_save(PyObject *self, PyObject *unused);
PyObject *own_acquire_restore(PyObject *self, PyObject *saved);
PyObject *own_is_owned(PyObject *self, PyObject *unused);
PyObject *own_locked(PyObject *self, PyObject *unused);
PyObject *own_at_fork_reinit(PyObject *self, PyObject *unused);

/* The text of the own lock, and the object that stands for it. */
PyObject *own_repr(condition *self, void *address);
PyObject *own_view(PyObject *self, PyObject *unused);
int add_condition_lock(PyObject *module, toolbox *state);

/* Waits of either kind of lock, which has to be held: 1 notified, 0 timed out, -1 exception. */
int condition_wait(condition *self, thrum_deadline deadline);
int condition_owned(condition *self);

#endif
