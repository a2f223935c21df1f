/* SPDX-License-Identifier: MIT */
/* A future is its state, its outcome and, for a pool, its task: one object. What the standard
 * library keeps in Python objects (_condition, _waiters, _done_callbacks) is made when somebody
 * looks at it.
 *
 * state      becomes            by
 * PENDING    RUNNING, CANCELLED start, cancel
 * RUNNING    FINISHED           set_result, set_exception
 * CANCELLED  NOTIFIED           start
 * FINISHED, NOTIFIED            for good
 *
 * set_result and set_exception also take PENDING to FINISHED, as in the standard library. */
#ifndef THRUM_PYTHON_FUTURE_H
#define THRUM_PYTHON_FUTURE_H

#include "toolbox.h"

enum future_state {
    FUTURE_PENDING,
    FUTURE_RUNNING,
    FUTURE_CANCELLED,
    FUTURE_NOTIFIED, /* cancelled, and those who wait() for it know */
    FUTURE_FINISHED,
    FUTURE_STATES
};

struct watch;

/* The fields are under the guard, but for `done`, and the task, which is the pool's. Peeked at:
 * `state`, `exception`, `callbacks`, `condition`, `waiters` and `pool`. */
typedef struct future {
    PyObject_HEAD
    PyObject *result, *exception; /* NULL: None */
    PyObject *callbacks;          /* a list, or NULL */
    PyObject *condition, *waiters; /* NULL until somebody looks at them */
    struct watch *watches;        /* who waits for it with others, in C */
    PyObject *thread;             /* the thread that failed; NULL: not known */
    thrum_event done;             /* set in CANCELLED and after */
    unsigned char state;          /* enum future_state */
    bool unread;                  /* failed, and nobody has looked at the exception */
    PyObject *fn, *args, *kwargs; /* the task; NULL: none. Visited and cleared, else untouched */
    struct future *next;          /* the pool's queue; not visited */
    void *pool;                   /* the pool's; not visited */
    PyObject *dict;
    PyObject *weakrefs;
} future;

/* Each of these requires the GIL, or an attached thread, and no guard. */

/* A new reference to a pending future without a task, counted; NULL with MemoryError. */
future *future_new(toolbox *state);

/* PENDING becomes RUNNING: 1. CANCELLED becomes NOTIFIED and is told to those who wait: 0. Else
 * -1 with RuntimeError. */
int future_start(future *self);

/* The same for who may come too late: then 0, without an exception. */
int future_try_start(future *self);

/* Borrows `result`. Callbacks run here; what they raise is logged, unless it is no Exception:
 * then, and when the future is done already (InvalidStateError), -1. */
int future_set_result(future *self, PyObject *result);

/* The same; borrows `exception`, an instance. */
int future_set_exception(future *self, PyObject *exception);

/* What __init__() does to one that was used: it is pending and holds nothing, but keeps its task.
 * Who waits for it waits on. */
void future_reset(future *self);

/* Takes the exception that is set, as `except BaseException` would, and gives it to the future. */
int future_set_raised(future *self);

/* 1 when it is cancelled, before or by this; 0 when it runs or is finished; -1 with an exception
 * of a callback. */
int future_cancel(future *self);

/* Blocks until the future is done: WOKEN, TIMED_OUT, or FAILED when a signal handler raises. */
outcome future_wait(future *self, thrum_deadline deadline);

/* What result() does: a new reference, or NULL with CancelledError, TimeoutError or the task's
 * exception. */
PyObject *future_result(future *self, thrum_deadline deadline);

/* Whether it is cancelled or finished; and whether those who wait() for it know. */
static inline enum future_state state_of(const future *self) {
    return (enum future_state)PEEK(self->state);
}
static inline bool future_is_done(const future *self) { return state_of(self) >= FUTURE_CANCELLED; }
static inline bool future_is_over(const future *self) { return state_of(self) >= FUTURE_NOTIFIED; }

/* Whether `object` is one of ours, or of a subclass. */
bool is_future(toolbox *state, PyObject *object);

/* A pool's part in the waits of its workers, process-wide; set once, before the first future of
 * a pool. Called with the GIL and without a guard, by a thread that is about to block. */
struct future_hooks {
    /* What is waited for: all of them or any, without a time limit or with one. Some may be
     * done. 0: wait, then call after_wait(); until then the array stays. 1: one of them was run
     * or cancelled here: look again. -1: an exception, and no wait. */
    int (*before_wait)(future *const *futures, Py_ssize_t n, bool forever, bool all);
    /* Keeps the exception that is set. */
    void (*after_wait)(void);
    /* Whether before_wait() has to know all; else the first will do. */
    bool (*is_curious)(void);
};
extern const struct future_hooks *thrum_py_future_hooks; /* NULL: none */

/* What follows is between the files of Future. */

/* Call the hooks, if there are any. */
int future_wait_begins(future *const *futures, Py_ssize_t n, thrum_deadline deadline, bool all);
void future_wait_ends(void);

/* What result() or exception() returns. */
PyObject *future_outcome(future *self, thrum_deadline deadline, bool want_exception);

/* The names of the states, as programs know them. */
const char *future_state_name(const future *self);

/* Whether a program has looked at its condition, or holds another one that it has set. */
static inline bool future_is_open(const future *self) { return PEEK(self->condition) != NULL; }

/* The object that _condition shows, made if need be: from then on each change of state takes it.
 * A new reference. */
PyObject *future_condition(future *self);

/* The methods of that object: 0, or -1 with an exception. Leaving keeps the exception that is
 * set. */
int condition_enter(PyObject *condition);
int condition_leave(PyObject *condition);
int condition_notify(PyObject *condition);
int condition_wait_until(PyObject *condition, thrum_deadline deadline);

/* Tells those in _waiters, if any, that the future is finished or notified. 0, or -1 with an
 * exception. */
int waiters_tell(future *self);

/* Calls the callbacks and forgets them; 0, or -1 when one raises what is no Exception. */
int future_run_callbacks(future *self);

/* Calls `function` with the future; an Exception of it is logged. 0, or -1. */
int future_call_back(future *self, PyObject *function);

/* RuntimeError of start, and InvalidStateError of the setters. */
void future_unexpected(future *self);
void future_invalid_state(future *self);

/* Keeps the thread that calls, for the report of an unread exception. */
void future_note_thread(future *self);

/* Tells threading.excepthook the exception that nobody has read, if there is one. Keeps the
 * exception that is set. */
void future_report(future *self);

/* Raises an object as `raise` does. */
void raise_exception(PyObject *exception);

/* The function wait() and the type of what as_completed() returns. */
PyObject *futures_wait(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                       PyObject *kwnames);
PyObject *futures_as_completed(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                               PyObject *kwnames);
int add_completed(PyObject *module, toolbox *state);

/* _condition, _state and so on. */
extern PyGetSetDef thrum_py_future_properties[];

#endif
