/* SPDX-License-Identifier: MIT */
/* wait() */
#include "watch.h"

enum { NOT_OURS = -2 };

/* What a look at a set of futures has found. */
struct tally {
    Py_ssize_t over;
    bool failed;
};

/* Adds to `over` those of `futures` that are; 0, -1 with an exception, or NOT_OURS. */
static int look(toolbox *state, PyObject *futures, PyObject *over, struct tally *tally) {
    PyObject *item, *iterator = PyObject_GetIter(futures);
    int rc = iterator == NULL ? -1 : 0;
    while (rc == 0 && (item = PyIter_Next(iterator)) != NULL) {
        if (!is_future(state, item)) {
            rc = NOT_OURS;
        } else if (future_is_over((future *)item)) {
            tally->over++;
            tally->failed = tally->failed || PEEK(((future *)item)->exception) != NULL;
            rc = over == NULL ? 0 : PySet_Add(over, item);
        }
        Py_DECREF(item);
    }
    Py_XDECREF(iterator);
    return rc < 0 ? rc : PyErr_Occurred() ? -1 : 0;
}

/* DoneAndNotDoneFutures(done, futures - done); takes the reference to `done`. */
static PyObject *answer(toolbox *state, PyObject *futures, PyObject *done) {
    PyObject *rest = NULL, *pair = NULL;
    if (done != NULL)
        rest = done == futures ? PySet_New(NULL) : PyNumber_Subtract(futures, done);
    if (rest != NULL)
        pair = PyObject_CallFunctionObjArgs(state->done_and_not_done, done, rest, NULL);
    Py_XDECREF(rest);
    Py_XDECREF(done);
    return pair;
}

/* Those of `futures` that are over, as a new set. */
static PyObject *those_over(toolbox *state, PyObject *futures) {
    struct tally tally = {0, false};
    PyObject *over = PySet_New(NULL);
    if (over != NULL && look(state, futures, over, &tally) < 0)
        Py_CLEAR(over);
    return over;
}

static collector *gather(PyObject *futures, bool first, bool failure) {
    PyObject *list = PySequence_List(futures);
    collector *gathered = list == NULL ? NULL
                                       : collector_new(PyList_GET_SIZE(list), first, failure);
    if (gathered != NULL) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
            collector_add(gathered, (future *)PyList_GET_ITEM(list, i));
        collector_sort_out(gathered);
    }
    Py_XDECREF(list);
    return gathered;
}

static bool is_word(PyObject *object, const char *word) {
    return PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, word) == 0;
}

/* Blocks until `when` says; 0, or -1 with an exception. */
static int block(PyObject *futures, PyObject *timeout, PyObject *when) {
    bool first = is_word(when, "FIRST_COMPLETED"), failure = is_word(when, "FIRST_EXCEPTION");
    thrum_deadline deadline;
    if (!first && !failure && !is_word(when, "ALL_COMPLETED")) {
        PyErr_Format(PyExc_ValueError, "Invalid return condition: %R", when);
        return -1;
    }
    if (deadline_if_positive(timeout, &deadline) < 0)
        return -1;
    collector *gathered = gather(futures, first, failure);
    if (gathered == NULL)
        return -1;
    outcome result = collector_wait(gathered, deadline);
    collector_free(gathered);
    return result == FAILED ? -1 : 0;
}

static PyObject *wait_set(toolbox *state, PyObject *futures, PyObject *timeout, PyObject *when) {
    struct tally tally = {0, false};
    int rc = look(state, futures, NULL, &tally);
    if (rc == NOT_OURS)
        return PyObject_CallFunctionObjArgs(state->std_wait, futures, timeout, when, NULL);
    if (rc < 0)
        return NULL;
    if (tally.over == PySet_GET_SIZE(futures))
        return answer(state, futures, Py_NewRef(futures));
    bool enough = (tally.over > 0 && is_word(when, "FIRST_COMPLETED")) ||
                  (tally.failed && is_word(when, "FIRST_EXCEPTION"));
    if (!enough && block(futures, timeout, when) < 0)
        return NULL;
    return answer(state, futures, those_over(state, futures));
}

PyObject *futures_wait(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                       PyObject *kwnames) {
    static const signature how = {"wait", 1, 3, 3, {"fs", "timeout", "return_when"}};
    PyObject *given[3] = {NULL, Py_None, NULL};
    toolbox *state = PyModule_GetState(module);
    if (parse_args(&how, args, nargs, kwnames, given) < 0)
        return NULL;
    PyObject *futures = PySet_New(given[0]);
    PyObject *when = given[2] != NULL ? Py_NewRef(given[2]) : PyUnicode_FromString("ALL_COMPLETED");
    PyObject *pair = NULL;
    if (futures != NULL && when != NULL)
        pair = wait_set(state, futures, given[1], when);
    Py_XDECREF(when);
    Py_XDECREF(futures);
    return pair;
}
