/* SPDX-License-Identifier: MIT */
/* What changes a future's state, and who waits for that. */
#include "future.h"

#include "watch.h"

const struct future_hooks *thrum_py_future_hooks;

enum { ERROR = -1, UNCHANGED, CHANGED, AGAIN };

/* Under the guard; sets no exception. */
typedef int change_step(future *self, PyObject *value);

bool is_future(toolbox *state, PyObject *object) {
    return PyObject_TypeCheck(object, state->types[FUTURE]);
}

future *future_new(toolbox *state) {
    return (future *)make(state->types[FUTURE], state, FUTURE);
}

static void done(future *self, enum future_state state) {
    POKE(self->state, (unsigned char)state);
    if (self->watches != NULL && state != FUTURE_CANCELLED)
        watches_tell(self);
    thrum_event_set(&self->done);
}

static int start_step(future *self, PyObject *unused) {
    (void)unused;
    if (self->state == FUTURE_PENDING)
        POKE(self->state, FUTURE_RUNNING);
    else if (self->state == FUTURE_CANCELLED)
        done(self, FUTURE_NOTIFIED);
    else
        return UNCHANGED;
    return CHANGED;
}

static int cancel_step(future *self, PyObject *unused) {
    (void)unused;
    if (self->state != FUTURE_PENDING)
        return UNCHANGED;
    done(self, FUTURE_CANCELLED);
    return CHANGED;
}

static int result_step(future *self, PyObject *result) {
    if (future_is_done(self))
        return UNCHANGED;
    PyObject *before = self->result;
    self->result = Py_NewRef(result);
    done(self, FUTURE_FINISHED);
    Py_XDECREF(before);
    return CHANGED;
}

static int exception_step(future *self, PyObject *exception) {
    if (future_is_done(self))
        return UNCHANGED;
    PyObject *before = self->exception;
    self->unread = exception != Py_None;
    POKE(self->exception, self->unread ? Py_NewRef(exception) : NULL);
    done(self, FUTURE_FINISHED);
    Py_XDECREF(before);
    return CHANGED;
}

/* One try, which requires that `held` is the condition that programs know. */
static int try_step(future *self, PyObject *held, change_step *step, PyObject *value) {
    int rc;
    Py_BEGIN_CRITICAL_SECTION(self);
    rc = self->condition != held ? AGAIN : step(self, value);
    Py_END_CRITICAL_SECTION();
    return rc;
}

static int change_open(future *self, change_step *step, PyObject *value) {
    PyObject *condition;
    int rc;
    do {
        if ((condition = future_condition(self)) == NULL)
            return ERROR;
        if (condition_enter(condition) < 0) {
            Py_DECREF(condition);
            return ERROR;
        }
        rc = try_step(self, condition, step, value);
        if (rc == CHANGED && future_is_done(self) && /* who waits for it looks only once */
            (waiters_tell(self) < 0 || condition_notify(condition) < 0))
            rc = ERROR;
        if (condition_leave(condition) < 0)
            rc = ERROR;
        Py_DECREF(condition);
    } while (rc == AGAIN);
    return rc;
}

static inline int change(future *self, change_step *step, PyObject *value) {
    int rc = try_step(self, NULL, step, value);
    if (rc == AGAIN)
        return change_open(self, step, value);
    if (rc == CHANGED && PEEK(self->waiters) != NULL && waiters_tell(self) < 0)
        rc = ERROR;
    return rc;
}

int future_start(future *self) {
    int rc = change(self, start_step, NULL);
    if (rc == UNCHANGED)
        future_unexpected(self);
    return rc == CHANGED ? state_of(self) != FUTURE_NOTIFIED : -1;
}

int future_try_start(future *self) {
    int rc = change(self, start_step, NULL);
    return rc == CHANGED ? state_of(self) != FUTURE_NOTIFIED : rc == ERROR ? -1 : 0;
}

static int called_back(future *self, int rc) {
    if (rc == CHANGED)
        return PEEK(self->callbacks) == NULL ? 0 : future_run_callbacks(self);
    if (rc == UNCHANGED)
        future_invalid_state(self);
    return -1;
}

int future_set_result(future *self, PyObject *result) {
    return called_back(self, change(self, result_step, result));
}

int future_set_exception(future *self, PyObject *exception) {
    int rc = change(self, exception_step, exception);
    if (rc == CHANGED && exception != Py_None)
        future_note_thread(self);
    return called_back(self, rc);
}

int future_set_raised(future *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    int rc = future_set_exception(self, value);
    Py_DECREF(value);
    return rc;
}

void future_reset(future *self) {
    PyObject **fields[] = {&self->result,    &self->exception, &self->callbacks,
                           &self->condition, &self->waiters,   &self->thread};
    PyObject *before[sizeof fields / sizeof *fields];
    Py_BEGIN_CRITICAL_SECTION(self);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        before[i] = *fields[i];
        POKE(*fields[i], NULL);
    }
    self->unread = false;
    POKE(self->state, FUTURE_PENDING);
    thrum_event_clear(&self->done);
    Py_END_CRITICAL_SECTION();
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        Py_XDECREF(before[i]);
}

int future_cancel(future *self) {
    int rc = change(self, cancel_step, NULL);
    if (rc == CHANGED)
        return PEEK(self->callbacks) != NULL && future_run_callbacks(self) < 0 ? -1 : 1;
    enum future_state state = state_of(self);
    return rc == ERROR ? -1 : state == FUTURE_CANCELLED || state == FUTURE_NOTIFIED;
}

int future_wait_begins(future *const *futures, Py_ssize_t n, thrum_deadline deadline, bool all) {
    bool forever = deadline.ns == THRUM_NEVER.ns;
    if (thrum_py_future_hooks == NULL)
        return 0;
    return thrum_py_future_hooks->before_wait(futures, n, forever, all);
}

void future_wait_ends(void) {
    if (thrum_py_future_hooks != NULL)
        thrum_py_future_hooks->after_wait();
}

outcome future_wait(future *self, thrum_deadline deadline) {
    while (!thrum_event_is_set(&self->done)) {
        int rc = future_wait_begins(&self, 1, deadline, true);
        if (rc < 0)
            return FAILED;
        if (rc == 0) {
            outcome result = park_on(&self->done, deadline);
            future_wait_ends();
            return result;
        }
    }
    return WOKEN;
}

static PyObject *outcome_guarded(future *self, bool want_exception) {
    toolbox *state;
    PyObject *exception = self->exception;
    if (self->state != FUTURE_FINISHED) {
        if (!future_is_done(self))
            PyErr_SetNone(PyExc_TimeoutError);
        else if ((state = toolbox_of(Py_TYPE(self))) != NULL)
            PyErr_SetNone(state->cancelled_error);
        return NULL;
    }
    self->unread = false;
    if (want_exception)
        return Py_NewRef(exception == NULL ? Py_None : exception);
    if (exception == NULL)
        return Py_NewRef(self->result == NULL ? Py_None : self->result);
    Py_INCREF(exception);
    raise_exception(exception);
    Py_DECREF(exception);
    return NULL;
}

static PyObject *outcome_of(future *self, bool want_exception) {
    PyObject *result;
    Py_BEGIN_CRITICAL_SECTION(self);
    result = outcome_guarded(self, want_exception);
    Py_END_CRITICAL_SECTION();
    return result;
}

/* As the standard library does it, for a program that may hold the condition or change the state
 * by hand. */
static PyObject *wait_open(future *self, thrum_deadline deadline, bool want_exception) {
    PyObject *condition = future_condition(self), *result = NULL;
    if (condition == NULL)
        return NULL;
    if (condition_enter(condition) == 0) {
        int rc = 0;
        if (!future_is_done(self) && (rc = future_wait_begins(&self, 1, deadline, true)) == 0) {
            if (!future_is_done(self))
                rc = condition_wait_until(condition, deadline);
            future_wait_ends();
        }
        if (rc >= 0)
            result = outcome_of(self, want_exception);
        if (condition_leave(condition) < 0)
            Py_CLEAR(result);
    }
    Py_DECREF(condition);
    return result;
}

PyObject *future_outcome(future *self, thrum_deadline deadline, bool want_exception) {
    if (!future_is_open(self) && future_wait(self, deadline) == FAILED)
        return NULL;
    if (future_is_open(self))
        return wait_open(self, deadline, want_exception);
    return outcome_of(self, want_exception);
}

PyObject *future_result(future *self, thrum_deadline deadline) {
    return future_outcome(self, deadline, false);
}
